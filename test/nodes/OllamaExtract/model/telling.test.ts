import fc from 'fast-check';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from '../../../../nodes/OllamaExtract/rows/layout';
import { labelAt } from '../../../../nodes/OllamaExtract/page/labels';
import { readFields } from '../../../../nodes/OllamaExtract/page/page';
import { indexOf, matches, normal, type PageIndex } from '../../../../nodes/OllamaExtract/proof/pageIndex';
import { closeIdleReaders, readPdfInProcess } from '../../../../nodes/OllamaExtract/pdf/pdfPool';
import { proveLine, UsedPlaces } from '../../../../nodes/OllamaExtract/proof/proof';
import type { CommercialDocument } from '../../../../nodes/OllamaExtract/result';
import { headerFields, lineFields, type ValueKind } from '../../../../nodes/OllamaExtract/model/schema';
import type { Asked } from '../../../../nodes/OllamaExtract/model/holders';
import { tellingRows } from '../../../../nodes/OllamaExtract/model/telling';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';
import { printedDevis } from '../../../support/devis';
import { families, makeDocument } from '../../../support/documents';

afterAll(closeIdleReaders);

const everything: Asked = { header: headerFields.map(({ path }) => path), lines: true };

const sent = (rows: readonly Row[], asked = everything) =>
	tellingRows(rows, asked)
		.rows.map(({ cells }) => cells.join('|'))
		.join('\n');

/** What a model that reads perfectly could still answer: a description by its first words. */
function survives(prompt: PageIndex, value: string, kind: ValueKind, description: boolean): boolean {
	const asked = kind === 'number' ? value.replace(/^(-?\d+)\.(?=\d+$)/, `$1${prompt.decimalMark ?? '.'}`) : value;
	if (matches(prompt, asked, kind).length > 0) return true;
	const whole = normal(value).toLowerCase().replace(/\s/g, '');
	return (
		description &&
		prompt.rows.some(({ cells }) => cells.some(({ solid }) => solid.text.length >= 8 && whole.startsWith(solid.text)))
	);
}

interface Wanted {
	readonly path: string;
	readonly value: string;
	readonly kind: ValueKind;
}

function lost(rows: readonly Row[], wanted: readonly Wanted[], asked = everything): Wanted[] {
	const text = sent(rows, asked);
	const prompt = indexOf(rowsOfText(text), text);
	return wanted.filter(({ path, value, kind }) => !survives(prompt, value, kind, path.endsWith('description')));
}

function valuesOf(data: CommercialDocument): Wanted[] {
	const header = headerFields.flatMap(({ path, kind }): Wanted[] => {
		const [group, name] = path.split('.') as [keyof CommercialDocument, string | undefined];
		const node = data[group] as unknown as Record<string, string | null> | string | null;
		const value = typeof node === 'object' && node !== null ? node[name!] : node;
		return value == null ? [] : [{ path, value, kind }];
	});
	const lines = data.lines.flatMap((line, at) =>
		lineFields.flatMap(({ name, kind }) =>
			line[name] === null ? [] : [{ path: `lines.${at}.${name}`, value: line[name], kind }],
		),
	);
	return [...header, ...lines];
}

function pageValues(rows: readonly Row[], kind: 'devis' | 'invoice'): Wanted[] {
	const { header, lines } = readFields(rows, kind);
	return [
		...headerFields.flatMap(({ path, kind: as }) => {
			const found = header[path];
			return found === undefined ? [] : [{ path, value: found.value, kind: as }];
		}),
		...lines.flatMap((line, at) =>
			lineFields.flatMap(({ name, kind: as }) => {
				const found = line[name];
				return found === undefined ? [] : [{ path: `lines.${at}.${name}`, value: found.value, kind: as }];
			}),
		),
	];
}

test.each(families)('nothing that a %s holds is lost', async (family) => {
	for (const seed of [1, 2, 3]) {
		const { bytes, truth, kind } = await makeDocument(family, seed);
		const { rows } = await readPdfInProcess(bytes, {});
		const text = rows.map(({ cells }) => cells.map((cell) => cell.text).join('|')).join('\n');
		const whole = indexOf(rowsOfText(text), text);
		const printed = valuesOf(truth).filter(({ value, kind: as }) => matches(whole, value, as).length > 0);
		expect(lost(rows, [...printed, ...pageValues(rows, kind)])).toEqual([]);
	}
});

/** Each header value that is not sent when nothing but its field is asked for. */
function lostAlone(rows: readonly Row[], wanted: readonly Wanted[]): Wanted[] {
	return headerFields.flatMap(({ path }) =>
		lost(
			rows,
			wanted.filter((one) => one.path === path),
			{ header: [path], lines: false },
		),
	);
}

/** The document as a text whose labels of number and parties say nothing. */
function withoutLabels(rows: readonly Row[]): Row[] {
	const hidden = (text: string) => {
		const label = labelAt(text);
		const says = label !== null && ['number', 'reference', 'buyer', 'seller', 'date'].includes(label.label);
		return says ? `Xyz ${text.slice(label.end)}` : text;
	};
	return rowsOfText(
		rows
			.map(({ cells }) =>
				cells.reduce(
					(line, { left, text }) => `${line.padEnd(Math.round(left / 4))}${line === '' ? '' : '  '}${hidden(text)}`,
					'',
				),
			)
			.join('\n'),
	);
}

test.each(families)('of a %s each field can be asked for alone, with labels and without', async (family) => {
	for (const seed of [1, 2, 3, 4, 5, 6]) {
		const { bytes, truth } = await makeDocument(family, seed);
		const { rows } = await readPdfInProcess(bytes, {});
		for (const printed of [rows, withoutLabels(rows)]) {
			const whole = indexOf(printed);
			const values = valuesOf(truth).filter(({ value, kind }) => matches(whole, value, kind).length > 0);
			expect(lostAlone(printed, values)).toEqual([]);
			expect(lost(printed, values)).toEqual([]);
		}
	}
});

test('rows that hold no field that is asked for are not sent', async () => {
	const { bytes, truth } = await makeDocument('tax-by-rate', 1);
	const { rows } = await readPdfInProcess(bytes, {});
	expect(sent(rows, { header: ['number'], lines: false })).toContain(truth.number);
	expect(sent(rows, { header: ['number'], lines: false }).split('\n')).toHaveLength(1);
	expect(sent(rows, { header: ['buyer.email'], lines: false })).not.toContain(truth.totals.gross);
});

test('a field that nothing on the page can hold is not asked for', () => {
	const { header } = tellingRows(rowsOfText('Devis n° D-7\nMme Roy\nPorte    2    10,00    20,00'), everything);
	expect(header).toEqual(expect.arrayContaining(['number', 'buyer.name', 'totals.gross']));
	for (const path of ['buyer.email', 'seller.siret', 'seller.vat', 'date'] as const) expect(header).not.toContain(path);
});

describe('the corpus', () => {
	const corpus = join(__dirname, '..', '..', '..', '..', '..', 'shared', 'corpus', 'pdf');
	if (!existsSync(corpus)) {
		test.skip('skipped: ../shared/corpus/pdf is not here', () => undefined);
		return;
	}
	const { entries } = JSON.parse(readFileSync(join(corpus, 'manifest.json'), 'utf8')) as {
		entries: {
			facturx: Array<{
				file: string;
				printed_on_page: Record<string, boolean | string>;
				ground_truth: { number: string; date: string; seller: { name: string }; buyer: { name: string } };
			}>;
		};
	};
	test.each(entries.facturx)('$file keeps what is true and all that the page reader finds', async (entry) => {
		const { file, printed_on_page: printed, ground_truth: truth } = entry;
		const { rows } = await readPdfInProcess(readFileSync(join(corpus, file)), {});
		const whole = indexOf(rows);
		const facts: Array<Wanted & { said: boolean | string | undefined }> = [
			{ path: 'number', value: truth.number, kind: 'text', said: printed['number'] },
			{ path: 'date', value: truth.date, kind: 'date', said: printed['date'] },
			{ path: 'seller.name', value: truth.seller.name, kind: 'text', said: printed['seller'] },
			{ path: 'buyer.name', value: truth.buyer.name, kind: 'text', said: printed['buyer'] },
		];
		const printedFacts = facts.filter(
			({ said, value, kind }) => said === true && matches(whole, value, kind).length > 0,
		);
		const values = pageValues(rows, 'invoice');
		expect(lost(rows, [...values, ...printedFacts])).toEqual([]);
		expect(lostAlone(rows, [...values, ...printedFacts])).toEqual([]);
		expect(lostAlone(withoutLabels(rows), printedFacts)).toEqual([]);
	});
});

test('what cannot hold a field is left out, and no value ever is', () => {
	const ballast = [
		'Page 2 sur 3',
		'IBAN : FR76 3000 4000 0500 0012 3456 789',
		'Tél. 01 23 45 67 89',
		'www.menuiserie.example',
		'12 bis avenue de la Gare',
		'69003 Lyon Cedex 03',
		'N° de commande : C-2026-77',
		'Nous vous remercions de votre confiance et restons à votre entière disposition pour toute question.',
		'Tout retard de paiement entraîne une pénalité de trois fois le taux légal et une indemnité forfaitaire de 40 €.',
	];
	fc.assert(
		fc.property(printedDevis, ({ text, answer }) => {
			const rows = rowsOfText(`${text}\n${ballast.join('\n')}`);
			const prompt = sent(rows);
			for (const row of ballast) expect(prompt).not.toContain(row);
			const { lines, ...header } = answer;
			const kindOf = (key: string) =>
				headerFields.find((field) => field.key === key)?.kind ?? lineFields.find((field) => field.key === key)!.kind;
			const nameOf = (key: string) => lineFields.find((field) => field.key === key)?.name ?? key;
			const values = [header, ...lines].flatMap((part) =>
				Object.entries(part).flatMap(([key, value]): Wanted[] =>
					value === null ? [] : [{ path: nameOf(key), value: String(value), kind: kindOf(key) }],
				),
			);
			expect(lost(rows, values)).toEqual([]);
		}),
		{ numRuns: 60 },
	);
});

test('a row that comes back on a later page is sent once, unless it bears an amount', () => {
	const repeated = rowsOfText('Atelier Nord\nPorte    12,00\n\fAtelier Nord\nPorte    12,00');
	expect(tellingRows(repeated, everything).rows.map(({ page, cells }) => [page, cells[0]])).toEqual([
		[1, 'Atelier Nord'],
		[1, 'Porte'],
		[2, 'Porte'],
	]);
});

test('a sentence that says how long an offer stands is sent', () => {
	const validity = 'Ce devis est valable trente jours à compter de sa date et doit nous être retourné signé.';
	expect(tellingRows(rowsOfText(validity), everything).rows).toHaveLength(1);
});

test('a name that looks like an address is sent', () => {
	expect(sent(rowsOfText('11 rue Mabillon SARL'))).toBe('11 rue Mabillon SARL');
});

test('amounts lose their grouping and needless zeros, and the currency is said once', () => {
	const text = 'Porte    2,00    1 450,00 €    2 900,00 €\nTVA 5,50 %    159,50 €\nSIRET 123 456 782 00010';
	expect(sent(rowsOfText(text))).toBe('Porte|2|1450 €|2900\nTVA 5,50%|159,50\nSIRET 12345678200010');
	expect(sent(rowsOfText('Vis    1.234    2.50    12.10'))).toContain('1.234');
});

test('a price that equals its total is sent twice', () => {
	expect(sent(rowsOfText('Forfait    46,75    46,75'))).toBe('Forfait|46,75|46,75');
});

test('a long description is sent by words that no other one begins with, and proven whole', () => {
	const one = 'Pose de carrelage grès cérame pleine masse 60 x 60 au sol';
	const other = 'Pose de carrelage grès émaillé 20 x 20 aux murs';
	const text = `Désignation    Qté    P.U.    Total\n${one}    2,00    45,00    90,00\n${other}    3,00    10,00    30,00`;
	const rows = rowsOfText(text);
	const told = tellingRows(rows, everything).rows;
	expect(told.slice(1).map(({ cells }) => cells[0])).toEqual([
		'Pose de carrelage grès cérame',
		'Pose de carrelage grès émaillé',
	]);
	const cut = new Set(told.flatMap((row) => row.cut ?? []));
	const line = { description: 'Pose de carrelage grès émaillé', quantity: '3', total: '30' };
	expect(proveLine(indexOf(rows, text), line, new UsedPlaces(), cut)).toMatchObject({
		description: { ok: true, value: other, place: { quote: other } },
		quantity: { ok: true, value: '3.00' },
		total: { ok: true, value: '30.00' },
	});
});

test('figures told within a description are sent where no column bears them', () => {
	const row = 'Reprise des plinthes du séjour et du couloir (8 ml à 35,00 €)    280,00';
	expect(sent(rowsOfText(row))).toContain('8 ml à 35');
});

const lengthOfCell = 50_000;

/** A row as no reader makes it: cells of any length. */
const rowOf = (...texts: string[]): Row => ({
	page: 1,
	top: 0,
	bottom: 10,
	cells: texts.map((text, at) => ({
		text,
		left: at * 10,
		right: at * 10 + 8,
		words: [{ text, start: 0, place: { offset: 0, quote: text } }],
	})),
});

test.each([
	['colons after IBAN', [`IBAN${':'.repeat(lengthOfCell)}`]],
	['brackets', ['('.repeat(lengthOfCell)]],
	['dashes and blanks', ['- '.repeat(lengthOfCell)]],
	['single digits of a telephone', [`tel ${'1 '.repeat(lengthOfCell)}`]],
	['telephones in one word', [`${'tel'.repeat(lengthOfCell)} 5,00 €`]],
	['words of one cell', ['mot '.repeat(lengthOfCell), '1', '2', '3']],
	['cells that are all the longest', Array<string>(lengthOfCell).fill('un deux trois quatre cinq')],
])('%s cost no more than their length', async (_, cells) => {
	expect(tellingRows([rowOf(...cells)], everything).rows.length).toBeLessThanOrEqual(1);
	// A test that held the thread beyond its deadline fails here.
	await new Promise(setImmediate);
});

test('a cell of many words keeps no more than a few of its beginnings', () => {
	const before = process.memoryUsage().heapUsed;
	const [row] = tellingRows(
		[rowOf(`un deux trois quatre${' etc'.repeat(10_000)}`, '1,00', '2,00', '3,00')],
		everything,
	).rows;
	expect(row!.cells[0]).toBe('un deux trois');
	expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024);
});

test("a party's bank details are left out, whichever party is named before them", () => {
	expect(sent(rowsOfText('Käufer-IBAN: DE89 3704 0044 0532 0130 00'))).toBe('');
	expect(sent(rowsOfText('Lieferant-BIC: COBADEFFXXX'))).toBe('');
});
