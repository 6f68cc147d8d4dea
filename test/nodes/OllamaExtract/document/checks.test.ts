import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Big from 'big.js';
import fc from 'fast-check';
import {
	checkDocument,
	compareWithXml,
	figuresOf,
	type Figures,
} from '../../../../nodes/OllamaExtract/document/checks';
import type { PageReading } from '../../../../nodes/OllamaExtract/page/page';
import type { CommercialDocument, DocumentLine } from '../../../../nodes/OllamaExtract/result';

const line = (
	quantity: string | null,
	unitPrice: string | null,
	vatRate: string | null,
	total: string | null,
): DocumentLine => ({
	description: 'Pose',
	quantity,
	unit: null,
	unitPrice,
	vatRate,
	total,
});
const documentWith = (lines: DocumentLine[], net: string, tax: string | null, gross: string): CommercialDocument => ({
	number: 'D-1',
	date: '2026-11-22',
	validUntil: null,
	currency: 'EUR',
	seller: { name: 'Menuiserie', vat: null, siret: null },
	buyer: { name: 'Client', email: null },
	lines,
	totals: { net, tax, gross },
});
const noFigures: Figures = { taxes: [], adjustments: [], lines: [] };
const faults = (data: CommercialDocument, figures: Partial<Figures> = {}) =>
	checkDocument(data, { ...noFigures, ...figures }).filter(({ ok }) => !ok);

test('a fault says what is printed, what is expected, and how to redo it', () => {
	const data = documentWith([line('3', '12.50', '20', '37.05')], '37.05', '7.41', '44.46');
	expect(faults(data)).toEqual([
		{
			rule: 'line-total',
			path: 'lines.0.total',
			printed: '37.05',
			expected: '37.50',
			ok: false,
			detail: '3 x 12.50 = 37.5',
		},
	]);
});

test('what has a value missing is not checked at all', () => {
	const data = documentWith([line(null, '12.50', null, '37.50')], '37.50', null, '37.50');
	expect(checkDocument(data, noFigures).map(({ rule }) => rule)).toEqual(['lines-sum']);
});

test('discounts on a line and prices for several units belong to its arithmetic', () => {
	const data = documentWith(
		[line('3', '30.00', '10', '28.00'), line('5', '4.55', '20', '20.48')],
		'48.48',
		null,
		'48.48',
	);
	const lines = [
		{ adjustments: ['-2.00'], priceQuantity: '3' },
		{ adjustments: [], priceQuantity: null, discountPercent: '10' },
	];
	expect(faults(data, { lines })).toEqual([]);
});

test('a net price that was rounded after a discount is explained, its neighbours are not', () => {
	const good = documentWith(
		[line('20', '4.10', null, '81.90'), line('1', '10.00', null, '10.00')],
		'91.90',
		null,
		'91.90',
	);
	expect(faults(good)).toEqual([]);
	for (const price of ['4.09', '4.11', '4.20', '5.10']) {
		const bad = { ...good, lines: [{ ...good.lines[0]!, unitPrice: price }, good.lines[1]!] };
		expect(faults(bad).map(({ rule }) => rule)).toContain('line-total');
	}
});

test('options and details of other lines are left out of the sum when told so', () => {
	const data = documentWith([line('1', '100', '20', '100'), line('1', '50', '20', '50')], '100', '20', '120');
	const lines = [
		{ adjustments: [], priceQuantity: null },
		{ adjustments: [], priceQuantity: null, counted: false },
	];
	expect(faults(data, { lines })).toEqual([]);
	expect(faults(data).map(({ rule }) => rule)).toEqual(['lines-sum', 'tax-rate']);
});

test('lines that include tax add up to the gross', () => {
	const data = documentWith([line('2', '60.00', '20', '120.00')], '100.00', '20.00', '120.00');
	expect(faults(data, { taxes: [{ rate: '20', base: '100.00', amount: '20.00' }] })).toEqual([]);
});

test('tax rounded line by line is as good as tax rounded by rate', () => {
	const lines = [line('1', '0.52', '20', '0.52'), line('1', '0.52', '20', '0.52'), line('1', '0.52', '20', '0.52')];
	expect(faults(documentWith(lines, '1.56', '0.30', '1.86'))).toEqual([]);
	expect(faults(documentWith(lines, '1.56', '0.31', '1.87'))).toEqual([]);
	expect(faults(documentWith(lines, '1.56', '0.32', '1.88')).map(({ rule }) => rule)).toEqual(['tax-rate']);
});

test('a rate printed without its base is checked on the whole net', () => {
	const lines = [line('2', '150.00', null, '300.00'), line('1', '80.00', null, '80.00')];
	const taxes = [{ rate: '20', base: null, amount: '38.00' }];
	expect(faults(documentWith(lines, '380.00', '38.00', '418.00'), { taxes })).toEqual([
		expect.objectContaining({ rule: 'tax-rate', path: 'totals.tax', printed: '38.00', expected: '76.00' }),
	]);
	const right = [{ rate: '10', base: null, amount: '38.00' }];
	expect(faults(documentWith(lines, '380.00', '38.00', '418.00'), { taxes: right })).toEqual([]);
	// Untaxed lines beside it, or another amount on the way to the gross: the base is not the net.
	const mixed = [line('2', '150.00', '10', '300.00'), line('1', '80.00', '0', '80.00')];
	const part = [{ rate: '10', base: null, amount: '30.00' }];
	expect(faults(documentWith(mixed, '380.00', '30.00', '410.00'), { taxes: part })).toEqual([]);
	// Rounded on each line: three times 0.055 is three times 0.06.
	const small = [1, 2, 3].map(() => line('1', '0.55', null, '0.55'));
	const rounded = [{ rate: '10', base: null, amount: '0.18' }];
	expect(faults(documentWith(small, '1.65', '0.18', '1.83'), { taxes: rounded })).toEqual([]);
});

test('a credit note may print its amounts negative', () => {
	const data = documentWith([line('5', '4.00', '20', '-20.00')], '-20.00', '-4.00', '-24.00');
	expect(faults(data)).toEqual([]);
	expect(faults({ ...data, totals: { net: '-20.00', tax: '4.00', gross: '-24.00' } })).toEqual([]);
	expect(
		faults({ ...data, totals: { net: '-20.00', tax: '4.01', gross: '-24.00' } }).map(({ rule }) => rule),
	).toContain('gross');
});

test('a difference from the embedded XML is reported with both sides', () => {
	const data = documentWith([line('1', '100', '20', '100.00')], '100.00', '20.00', '120.00');
	const found = (value: string) => ({ value, place: { offset: 0, quote: value } });
	const page: PageReading = {
		header: {
			number: found('D 1'),
			'totals.net': found('100.0'),
			'totals.gross': found('125.00'),
			'buyer.name': found('CLIENT'),
		},
		lines: [{ total: found('100.00'), quantity: found('2') }],
		lineFigures: [{ adjustments: [], priceQuantity: null }],
		taxes: [],
		adjustments: [],
		ambiguous: [],
		withTax: false,
		otherTitle: null,
		unread: [],
		loose: [],
	};
	const checks = compareWithXml(data, page);
	expect(checks.map(({ path }) => path)).toEqual([
		'number',
		'buyer.name',
		'totals.net',
		'totals.gross',
		'lines.0.quantity',
		'lines.0.total',
	]);
	expect(checks.filter(({ ok }) => !ok)).toEqual([
		expect.objectContaining({
			rule: 'xml-against-page',
			path: 'totals.gross',
			printed: '125.00',
			expected: '120.00',
		}),
		expect.objectContaining({ path: 'lines.0.quantity', printed: '2', expected: '1' }),
	]);
	expect(figuresOf(page).lines).toEqual(page.lineFigures);
});

/** A document whose arithmetic holds, with its tax table: what a correct issuer prints. */
const consistent = fc
	.array(
		fc.record({
			quantity: fc.oneof(
				fc.integer({ min: 1, max: 40 }).map(String),
				fc.integer({ min: 11, max: 999 }).map((n) => new Big(n).div(10).toFixed(1)),
			),
			price: fc.integer({ min: 100, max: 250_000 }).map((cents) => new Big(cents).div(100).toFixed(2)),
			rate: fc.constantFrom('20', '10', '5.5', '0'),
		}),
		{ minLength: 1, maxLength: 8 },
	)
	.map((rows) => {
		const lines = rows.map(({ quantity, price, rate }) =>
			line(quantity, price, rate, new Big(quantity).times(price).round(2).toFixed(2)),
		);
		const taxes = [...new Set(rows.map(({ rate }) => rate))].map((rate) => {
			const base = lines
				.filter(({ vatRate }) => vatRate === rate)
				.reduce((sum, { total }) => sum.plus(total!), new Big(0));
			return { rate, base: base.toFixed(2), amount: base.times(rate).div(100).round(2).toFixed(2) };
		});
		const net = taxes.reduce((sum, { base }) => sum.plus(base), new Big(0));
		const tax = taxes.reduce((sum, { amount }) => sum.plus(amount), new Big(0));
		return {
			data: documentWith(lines, net.toFixed(2), tax.toFixed(2), net.plus(tax).toFixed(2)),
			figures: { taxes, adjustments: [], lines: [] },
		};
	});

test('a consistent document raises no alarm', () => {
	fc.assert(
		fc.property(consistent, ({ data, figures }) => {
			expect(checkDocument(data, figures).filter(({ ok }) => !ok)).toEqual([]);
		}),
		{ numRuns: 1_000 },
	);
});

test('one wrong digit in any amount is flagged, by a rule that involves that amount', () => {
	const rulesOf = { quantity: ['line-total'], unitPrice: ['line-total'], total: ['lines-sum'] } as const;
	fc.assert(
		fc.property(
			consistent,
			fc.nat(),
			fc.nat(),
			fc.integer({ min: 1, max: 9 }),
			({ data, figures }, where, at, shift) => {
				const copy = structuredClone({ data, figures });
				const places: Array<{ holder: Record<string, string | null>; key: string; rules: readonly string[] }> = [
					...copy.data.lines.flatMap((holder) =>
						(['quantity', 'unitPrice', 'total'] as const).map((key) => ({
							holder: holder as unknown as Record<string, string | null>,
							key,
							rules: rulesOf[key],
						})),
					),
					...copy.figures.taxes.flatMap((holder) => [
						{ holder, key: 'base', rules: ['tax-sum'] },
						{ holder, key: 'amount', rules: ['tax-sum'] },
					]),
					{ holder: copy.data.totals, key: 'net', rules: ['gross', 'lines-sum'] },
					{ holder: copy.data.totals, key: 'tax', rules: ['gross', 'tax-sum'] },
					{ holder: copy.data.totals, key: 'gross', rules: ['gross'] },
				];
				const { holder, key, rules } = places[where % places.length]!;
				const printed = holder[key]!;
				const digits = [...printed.matchAll(/\d/g)].map(({ index }) => index);
				const digit = digits[at % digits.length]!;
				const mutated = printed.slice(0, digit) + ((Number(printed[digit]) + shift) % 10) + printed.slice(digit + 1);
				holder[key] = mutated;
				const flagged = checkDocument(copy.data, copy.figures).filter(({ ok }) => !ok);
				const named = flagged.map(({ rule }) => rule as string);
				if (key === 'base') expect(named.some((rule) => rule === 'tax-sum' || rule === 'tax-rate')).toBe(true);
				else for (const rule of rules) expect(named).toContain(rule);
			},
		),
		{ numRuns: 3_000 },
	);
});

const corpus = join(__dirname, '../../../../../shared/corpus/pdf/manifest.json');
const withCorpus = existsSync(corpus) ? test : test.skip;

withCorpus('the embedded data of real invoices raises no alarm (skipped without ../shared/corpus)', () => {
	type Truth = {
		lines: Array<Record<string, string | null>>;
		vat_breakdown: Array<Record<'rate' | 'basis' | 'amount', string | null>>;
		totals: Partial<Record<'ht' | 'tva' | 'ttc' | 'charges' | 'allowances', string | null>>;
	};
	const { entries } = JSON.parse(readFileSync(corpus, 'utf8')) as {
		entries: { facturx: Array<{ file: string; ground_truth: Truth }> };
	};
	const alarms = entries.facturx.flatMap(({ file, ground_truth: truth }) => {
		// The truth leaves out discounts on single lines: where a document has discounts, its quantities are not asked.
		const discounts = Number(truth.totals.charges ?? 0) !== 0 || Number(truth.totals.allowances ?? 0) !== 0;
		const quantity = (row: Record<string, string | null>) => (discounts ? null : (row['qty'] ?? null));
		const lines = truth.lines.map((row) =>
			line(quantity(row), row['unit_price_net'] ?? null, row['vat_rate'] ?? null, row['line_total'] ?? null),
		);
		const data = documentWith(lines, truth.totals.ht!, truth.totals.tva ?? null, truth.totals.ttc!);
		const parents = new Set(truth.lines.map(({ parent }) => parent));
		return faults(data, {
			taxes: truth.vat_breakdown.map(({ rate, basis, amount }) => ({ rate, base: basis, amount })),
			adjustments: [truth.totals.charges ?? '0', new Big(truth.totals.allowances ?? 0).times(-1).toFixed()],
			lines: truth.lines.map(({ id, status, price_basis_qty: basis }) => ({
				adjustments: [],
				priceQuantity: basis ?? null,
				counted: status !== 'INFORMATION' && status !== 'GROUP' && (status !== null || !parents.has(id ?? null)),
			})),
		}).map((check) => ({ file, ...check }));
	});
	expect(entries.facturx.length).toBeGreaterThan(0);
	expect(alarms).toEqual([]);
});
