import Big from 'big.js';
import { foundIn, numbersIn, partOf, type Ambiguous, type Conventions, type Found } from './found';
import { folded, labelAt } from './labels';
import { slicesAfter, type Site } from './labelled';
import type { Cell, Row } from '../rows/layout';

export interface Totals {
	readonly net?: Found;
	readonly tax?: Found;
	readonly gross?: Found;
}

export interface TotalsReading {
	readonly totals: Totals;
	/** Sums of lines that are printed on the way to the net. */
	readonly subtotals: readonly Found[];
	/** Taxes by rate that are printed as rows of the totals: `TVA 20 % : 84,00 €`. */
	readonly taxes: ReadonlyArray<{ readonly rate?: Found; readonly base?: Found; readonly amount?: Found }>;
	readonly ambiguous: readonly Ambiguous[];
}

/**
 * Reads net, tax and gross from their labels. Where a label stands several times with several amounts, the reading is
 * the one whose net and tax add up to its gross; none of them when that does not settle it.
 */
export function readTotals(rows: readonly Row[], sites: readonly Site[], conventions: Conventions): TotalsReading {
	const reading = readPrinted(rows, sites, conventions);
	const thousands = inThousands(rows);
	if (thousands !== undefined) {
		const message = `cannot be told: the page states "${thousands.place.quote}"`;
		return { ...reading, totals: {}, ambiguous: [{ path: 'totals.gross', message, place: thousands.place }] };
	}
	const { net, gross } = reading.totals;
	const later = gross === undefined ? undefined : laterGross(gross, rows, sites, conventions);
	if (gross === undefined || later === undefined) return reading;
	// Net and tax are printed as they were before; what is left of them no line says.
	const doubt: Ambiguous = later.explained
		? {
				path: 'totals.net',
				message: `is printed as ${(net ?? gross).value} before the discount or rounding that leaves ${later.found.value} to pay`,
				place: (net ?? gross).place,
			}
		: {
				path: 'totals.gross',
				message: `could be ${gross.value} or, after a discount, ${later.found.value}`,
				place: later.found.place,
			};
	return {
		...reading,
		totals: later.explained ? { gross: later.found } : {},
		taxes: [],
		ambiguous: [...reading.ambiguous, doubt],
	};
}

/** `Montants en k€`: what is printed is a thousandth of what is meant. */
function inThousands(rows: readonly Row[]): Found | undefined {
	for (const cell of rows.flatMap(({ cells }) => cells)) {
		const match =
			/(?<![\p{L}\d])(?:en|in|\() ?(?:k ?€|k ?eur(?:os?)?|milliers d'euros|m€|tsd\.? ?(?:€|eur)|teur)(?!\p{L})/u.exec(
				folded(cell.text),
			);
		if (match !== null) return foundIn(cell, 0, cell.text.length, match[0]);
	}
	return undefined;
}

/**
 * What is to pay after a discount or a rounding below the gross total. A payment on account changes no gross, so beside
 * one only an amount that the discount itself explains is such a total.
 */
function laterGross(
	gross: Found,
	rows: readonly Row[],
	sites: readonly Site[],
	conventions: Conventions,
): { found: Found; explained: boolean } | undefined {
	const amountIn = (row: Row) =>
		amountsIn(
			row.cells.flatMap((cell) => behindWords(cell)),
			conventions,
		).at(-1);
	const totals = sites.filter(({ label }) => label === 'gross' || label === 'due' || label === 'total');
	const from = totals.findIndex((site) => {
		const amount = amountAfter(rows, site, conventions);
		return amount !== undefined && new Big(amount.value).eq(gross.value);
	});
	if (from === -1) return undefined;
	const start = totals[from]?.rowIndex ?? 0;
	const paid = sites.some((site) => site.rowIndex > start && isPayment(site));
	for (const site of totals.slice(from + 1)) {
		const rounded = /^ ?arrondi/.test(folded(site.cell.text.slice(site.end)));
		const later = rounded ? amountIn(site.row) : amountAfter(rows, site, conventions);
		if (later === undefined || new Big(later.value).eq(gross.value)) continue;
		if (rounded) return { found: later, explained: true };
		const changes = rows
			.slice(start + 1, site.rowIndex)
			.filter(({ cells: [first] }) => first !== undefined && changesGross(first.text))
			.flatMap((row) => amountIn(row) ?? []);
		const difference = new Big(gross.value).minus(later.value).abs();
		const sum = changes.reduce((sofar, { value }) => sofar.plus(value), new Big(0)).abs();
		const explained = difference.eq(sum);
		if (changes.length > 0 && (!paid || explained)) return { found: later, explained };
	}
	return undefined;
}

function changesGross(text: string): boolean {
	return labelAt(text)?.label === 'adjustment' || /^arrondi(?!\p{L})/u.test(folded(text));
}

/** A cell as its own amount, where words stand before it: `Remise exceptionnelle -18,00 €`. */
function behindWords(cell: Cell): Cell[] {
	const from = /(?:[-−–+] ?)?\d[\d .,'’\u00a0\u202f]*(?: ?(?:€|eur(?:os?)?))?\s*$/iu.exec(cell.text)?.index;
	return from === undefined ? [] : [partOf(cell, from, cell.text.length) ?? []].flat();
}

function isPayment({ label, cell }: Site): boolean {
	return (
		label === 'other-amount' &&
		/^(?:acompte|deja|avance|bereits|erhaltene|anzahlung|prepaid|paid|deposit)/.test(folded(cell.text))
	);
}

function readPrinted(rows: readonly Row[], sites: readonly Site[], conventions: Conventions): TotalsReading {
	const printed = {
		net: amountsOf(rows, sites, ['net'], conventions),
		tax: taxesOf(rows, sites, conventions),
		gross: amountsOf(rows, sites, ['gross'], conventions),
		total: amountsOf(rows, sites, ['total'], conventions),
		due: amountsOf(rows, sites, ['due'], conventions),
		subtotal: amountsOf(rows, sites, ['subtotal'], conventions),
	};
	const across = sites.flatMap((site) => totalsAcross(site, conventions) ?? []);
	const taxes = printed.tax.filter(({ rate }) => rate !== undefined);
	const untaxed = rows.some(({ cells }) => cells.some(({ text }) => withoutTax.test(folded(text))));
	const paid = sites.some(isPayment);
	const strong = {
		net: [...printed.net, ...across.map(({ net }) => net)],
		tax: [...printed.tax.map(({ amount }) => amount), ...across.map(({ tax }) => tax)],
		gross: [...printed.gross, ...across.map(({ gross }) => gross)],
	};
	const weak = {
		net: [...printed.total, ...printed.subtotal],
		tax: [],
		// What is due after a payment is no gross total where one is printed by its name.
		gross: [...printed.total, ...(strong.gross.length > 0 ? [] : printed.due)],
	};
	const sum =
		sumOf(strong.net, strong.tax, strong.gross) ??
		sumOf([...strong.net, ...weak.net], strong.tax, [...strong.gross, ...weak.gross]);
	if (sum !== null && isPlausible(sum)) return { totals: sum, subtotals: printed.subtotal, taxes, ambiguous: [] };
	const ambiguous: Ambiguous[] = [];
	const one = (path: keyof Totals, found: readonly Found[]): Found | undefined => {
		const values = [...new Map(found.map((each) => [new Big(each.value).toFixed(), each])).values()];
		const [first] = values;
		if (values.length > 1 && first !== undefined) {
			const message = `could be ${values.map(({ value }) => value).join(' or ')}`;
			ambiguous.push({ path: `totals.${path}`, message, place: first.place });
		}
		return values.length === 1 ? first : undefined;
	};
	const net = one('net', strong.net);
	const bareTax = printed.tax.filter(({ rate }) => rate === undefined).map(({ amount }) => amount);
	const tax = bareTax.length > 0 ? one('tax', bareTax) : strong.tax.length === 1 ? strong.tax[0] : undefined;
	const whole = [...printed.total, ...(paid ? [] : printed.due)];
	const gross =
		one('gross', strong.gross) ??
		(strong.gross.length === 0 && (untaxed || net === undefined) ? one('gross', whole) : undefined);
	// `Taxes 201` in an index is no tax: alone it must at least look like money.
	const plausible = net !== undefined || gross !== undefined || tax?.value.includes('.') === true;
	const totals = {
		...present('net', net ?? (untaxed && strong.net.length === 0 ? gross : undefined)),
		...present('tax', plausible ? tax : undefined),
		...present('gross', gross ?? (untaxed && strong.gross.length === 0 ? net : undefined)),
	};
	if (isPlausible(totals)) return { totals, subtotals: printed.subtotal, taxes, ambiguous };
	const doubtful = Object.entries(totals).map(([key, { value, place }]) => ({
		path: `totals.${key}`,
		message: `is printed as ${value}, which cannot be together with the other totals`,
		place,
	}));
	return { totals: {}, subtotals: printed.subtotal, taxes, ambiguous: [...ambiguous, ...doubtful] };
}

/** No tax on sales is as high as this anywhere in Europe (Hungary's 27 % is the highest). */
const highestTaxShare = '0.3';

/** False where the figures cannot be the totals of one document, whatever their labels say. */
function isPlausible({ net, tax, gross }: Totals): boolean {
	if (net === undefined || new Big(net.value).eq(0)) return true;
	const size = new Big(net.value).abs();
	if (tax !== undefined && new Big(tax.value).abs().gt(size.times(highestTaxShare))) return false;
	return gross === undefined || !new Big(gross.value).abs().lt(size.times('0.99'));
}

/** The statements by which a French seller says that no tax is charged. */
const withoutTax =
	/t\.?v\.?a\.? non applicable|293 ?b|franchise (?:en base )?de (?:t\.?v\.?a|taxe)|exoneree? de t\.?v\.?a|kleinunternehmer|§ ?19 ustg/;

function present<K extends keyof Totals>(key: K, found: Found | undefined): Partial<Record<K, Found>> {
	return found === undefined ? {} : ({ [key]: found } as Partial<Record<K, Found>>);
}

function amountsOf(
	rows: readonly Row[],
	sites: readonly Site[],
	labels: ReadonlyArray<Site['label']>,
	conventions: Conventions,
): Found[] {
	return sites
		.filter(({ label }) => labels.includes(label))
		.flatMap((site) => amountAfter(rows, site, conventions) ?? []);
}

/** `TOTAL 1 260,00 126,00 1 386,00`: net, tax and gross under their columns, told by their sum. */
function totalsAcross({ label, row, cellIndex }: Site, conventions: Conventions): Required<Totals> | undefined {
	if (label !== 'total' && label !== 'gross' && label !== 'net') return undefined;
	const amounts = amountsIn(row.cells.slice(cellIndex + 1), conventions);
	const [net, tax, gross, ...more] = amounts;
	if (net === undefined || tax === undefined || gross === undefined || more.length > 0) return undefined;
	return new Big(net.value).plus(tax.value).eq(gross.value) ? { net, tax, gross } : undefined;
}

function amountsIn(cells: readonly Cell[], conventions: Conventions): Found[] {
	return cells.flatMap((cell) => {
		const numbers = numbersIn(cell.text, conventions.decimalMark).filter(({ percent }) => !percent);
		return numbers.flatMap(({ start, end, could: [value, ...others] }) =>
			value === undefined || others.length > 0 || !looksLikeMoney(cell.text, value)
				? []
				: [foundIn(cell, start, end, value)],
		);
	});
}

function amountAfter(rows: readonly Row[], site: Site, conventions: Conventions): Found | undefined {
	const next = site.row.cells.findIndex(({ text }, index) => index > site.cellIndex && labelAt(text) !== null);
	const beside = site.row.cells.slice(site.cellIndex + 1, next === -1 ? undefined : next);
	if (isSentence(site) || amountsIn(beside, conventions).length > 1) return undefined;
	for (const { cell, start, text: whole } of slicesAfter(rows, site)) {
		const text = whole.replace(taxAside, '');
		const numbers = numbersIn(text, conventions.decimalMark).filter(
			({ percent, could }) => !percent && could.length === 1,
		);
		const [only, ...more] = numbers;
		const [value] = only?.could ?? [];
		if (more.length > 0) return undefined;
		if (only !== undefined && value !== undefined && looksLikeMoney(text, value)) {
			return foundIn(cell, start + only.start, start + only.end, value);
		}
		if (/\p{L}{3}/u.test(text) && !(cell === site.cell && leavesOut.test(folded(text)))) return undefined;
	}
	return undefined;
}

/** What an amount says behind it of the tax: `380,00 € (TVA 10 % en sus)`. */
const taxAside = /\s*\((?:\+ ?)?(?:T\.?V\.?A|MwSt|USt|VAT)(?!\p{L})[^()]*\)\s*$/iu;

/** What a total says behind its name of what it holds: `Total HT hors options`. */
const leavesOut = /^ ?(?:hors|sans|apres|avec|y compris|ohne|without|excluding) /;

/** True for a label with more words behind it than a total has. */
function isSentence({ cell, end, until }: Site): boolean {
	const rest = folded(cell.text.slice(end, until)).replace(
		/\(.*?\)|[\d\s.,€%:=+-]|eur|chf|ht|ttc|\b(?:sur|von|of|on|base|a)\b/g,
		'',
	);
	return rest.length > 12;
}

/** An amount alone in its place: nothing beside it but a currency. */
function looksLikeMoney(text: string, value: string): boolean {
	return (
		new Big(value).abs().lt('1e10') &&
		folded(text).replace(/[\d\s.,'()€$£:=+−–-]|eur(?:os?)?|chf|usd|gbp|ht|ttc/g, '') === ''
	);
}

function taxesOf(rows: readonly Row[], sites: readonly Site[], conventions: Conventions) {
	return sites
		.filter((site) => site.label === 'tax' && !isSentence(site))
		.flatMap((site) => {
			const slices = slicesAfter(rows, site);
			const sameRow = slices.filter(({ cell }) => site.row.cells.includes(cell));
			const read = (from: typeof slices) =>
				from.flatMap(({ cell, start, text }) =>
					numbersIn(text, conventions.decimalMark)
						.filter(({ could }) => could.length === 1)
						.map((printed) => ({
							percent: printed.percent,
							found: foundIn(cell, start + printed.start, start + printed.end, printed.could[0] ?? ''),
						})),
				);
			const numbers = read(sameRow).length > 0 ? read(sameRow) : read(slices.slice(0, 1));
			const announced = read([
				{ cell: site.cell, start: site.start, text: site.cell.text.slice(site.start, site.end) },
			]);
			const rates = [...announced, ...numbers].filter(({ percent }) => percent).map(({ found }) => found);
			const amounts = numbers.filter(({ percent }) => !percent).map(({ found }) => found);
			// Of base and tax the tax is the smaller one, in whichever order they stand.
			const [amount, base] = amounts
				.toReversed()
				.toSorted((a, b) => new Big(a.value).abs().cmp(new Big(b.value).abs()));
			if (amount === undefined || amounts.length > 2 || rates.length > 1) return [];
			const [rate] = rates;
			if (base !== undefined && rate === undefined) return [];
			return [
				{
					amount,
					...(rate === undefined ? {} : { rate: { ...rate, value: new Big(rate.value).toFixed() } }),
					...(base === undefined ? {} : { base }),
				},
			];
		});
}

/** A document that prints more pairs of net and tax than this is none whose totals a sum could tell. */
const mostPairs = 10_000;

/** The only net, tax and gross that add up; null when none do, or several different ones. */
function sumOf(nets: readonly Found[], taxes: readonly Found[], grosses: readonly Found[]): Totals | null {
	const [netByValue, taxByValue, grossByValue] = [byValue(nets), byValue(taxes), byValue(grosses)];
	if (netByValue.size * taxByValue.size > mostPairs) return null;
	let only: Totals | null = null;
	for (const net of netByValue.values()) {
		for (const tax of taxByValue.values()) {
			const gross = grossByValue.get(new Big(net.value).plus(tax.value).toFixed());
			if (gross === undefined) continue;
			if (only !== null) return null;
			only = { net, tax, gross };
		}
	}
	return only;
}

/** The first of those that say the same, by the decimal that they say. */
function byValue(found: readonly Found[]): ReadonlyMap<string, Found> {
	const first = new Map<string, Found>();
	for (const one of found) {
		const value = new Big(one.value).toFixed();
		if (!first.has(value)) first.set(value, one);
	}
	return first;
}
