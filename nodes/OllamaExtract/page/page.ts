import Big from 'big.js';
import { readLinesWithoutHead } from './bareLines';
import {
	conventionsOf,
	foundCell,
	foundIn,
	linesOf,
	numbersIn,
	rejoined,
	type Ambiguous,
	type Conventions,
	type Found,
} from './found';
import { sitesIn, slicesAfter, type Site } from './labelled';
import { readLabelledLines } from './labelledLines';
import { folded, isBareLabel, isDocumentTitle, kindOfTitle, labelAt, type Label } from './labels';
import type { Cell, Row } from '../rows/layout';
import { datesIn, readCurrency, readDate, type DateOrder } from './numbers';
import { isFrenchCompanyNumber, isFrenchVatNumber, readParties } from './parties';
import type { DocumentLine, HeaderPath } from '../result';
import { adjustmentOf, readTables, type Adjustment } from './table';
import type { LineFigures, TableLine } from './tableLine';
import { readTotals, type Totals } from './totals';
import type { Loose } from './wrapped';

export type DocumentKind = 'devis' | 'invoice';

/** What the layout reader is sure of. What it is not sure of is absent, or listed as ambiguous with what was seen. */
export interface PageReading {
	readonly header: Partial<Record<HeaderPath, Found>>;
	readonly lines: ReadonlyArray<Partial<Record<keyof DocumentLine, Found>>>;
	/** By line, what takes part in its arithmetic and has no place in the schema. */
	readonly lineFigures: readonly LineFigures[];
	/** The tax table, where one is printed: rate, taxable base and amount by rate. */
	readonly taxes: ReadonlyArray<{ readonly rate?: Found; readonly base?: Found; readonly amount?: Found }>;
	/** Discounts and charges on the whole document, signed: negative lowers the net. */
	readonly adjustments: readonly Found[];
	readonly ambiguous: readonly Ambiguous[];
	/** True where the lines have no other prices or totals than ones with tax. */
	readonly withTax: boolean;
	/** The title of a page that calls itself an invoice where a devis is read, or the other way round. */
	readonly otherTitle: Found | null;
	/** The amounts of rows among the lines that were not read as lines. */
	readonly unread: readonly Found[];
	/** Rows without amounts among the lines that may be a line, or a part of the one that `line` is the index of. */
	readonly loose: readonly Loose[];
}

/** Reads the fields of a devis or an invoice from its rows. What it is not sure of stays absent. */
export function readFields(printed: readonly Row[], kind: DocumentKind): PageReading {
	const rows = printed.flatMap(withoutProse).flatMap(unstacked).map(rejoined);
	const conventions = conventionsOf(rows);
	const tables = readTables(rows, conventions);
	const form = tables.lines.length > 0 ? { lines: [], used: new Set<Cell>() } : readLabelledLines(rows, conventions);
	const used = new Set([...tables.used, ...form.used]);
	const free = rows.flatMap((row) => withoutCells(row, used));
	const sites = sitesIn(free);
	const { totals, subtotals, taxes, ambiguous } = readTotals(free, sites, conventions);
	const headed = tables.lines.length > 0 ? tables.lines : form.lines;
	const lines =
		headed.length > 0 ? headed : readLinesWithoutHead(free, [totals.net, totals.gross, ...subtotals], conventions);
	const outside = adjustmentsAmongTotals(free, sites, conventions);
	const between = amountsBetweenTotals(free, sites, conventions);
	const settled = settle(lines, [...tables.adjustments, ...outside], between, netOf(totals));
	const body = rows.find(({ cells }) => cells.some((cell) => tables.used.has(cell)));
	const head = free.filter(({ page, top }) => body !== undefined && page === 1 && (body.page > 1 || top < body.top));
	const { parties, ambiguous: severalParties } = readParties(free, sites, body, conventions.language);
	const header = withoutNonsense(lines, {
		...numberAndDate(free, head, sites, kind, conventions),
		...one('currency', currencyIn(rows)),
		...parties,
		...(totals.net === undefined ? {} : { 'totals.net': totals.net }),
		...(totals.tax === undefined ? {} : { 'totals.tax': totals.tax }),
		...(totals.gross === undefined ? {} : { 'totals.gross': totals.gross }),
	});
	return {
		header,
		lines: lines.map(({ values }) => values),
		lineFigures: settled.lineFigures,
		taxes: tables.taxes.length > 0 ? tables.taxes : taxes,
		adjustments: settled.adjustments,
		ambiguous: [...ambiguous, ...severalParties, ...tables.unsure],
		withTax: tables.withTax,
		otherTitle: otherTitle(body === undefined ? free.filter(({ page }) => page === 1) : head, kind),
		unread: unreadAmong(lines, free, sites, conventions),
		loose: tables.lines.length > 0 ? tables.loose : [],
	};
}

/**
 * Leaves out what cannot be, whatever stood beside its label: a party named as a line is or as the other
 * party, a day before there were such documents, an end before the beginning. Better absent than wrong.
 */
function withoutNonsense(
	lines: readonly TableLine[],
	header: Partial<Record<HeaderPath, Found>>,
): Partial<Record<HeaderPath, Found>> {
	const described = new Set(lines.flatMap(({ values }) => values.description?.value.toLowerCase() ?? []));
	const [date, until] = [header.date?.value, header.validUntil?.value];
	const dateStands = date === undefined || isDocumentDay(date);
	const nonsense: Partial<Record<HeaderPath, boolean>> = {
		'seller.name': described.has(header['seller.name']?.value.toLowerCase() ?? ''),
		'buyer.name':
			described.has(header['buyer.name']?.value.toLowerCase() ?? '') ||
			header['buyer.name']?.value.toLowerCase() === header['seller.name']?.value.toLowerCase(),
		date: !dateStands,
		validUntil: until !== undefined && (!isDocumentDay(until) || (date !== undefined && dateStands && until < date)),
	};
	return Object.fromEntries(Object.entries(header).filter(([path]) => nonsense[path as HeaderPath] !== true));
}

function isDocumentDay(isoDate: string): boolean {
	return isoDate >= '1990' && isoDate < '2100';
}

/** A telephone, IBAN, SIRET or VAT number, or a postcode with its town: not how a document is numbered. */
function isOtherNumber(text: string): boolean {
	const bare = text.replace(/[ .]/g, '');
	return (
		/^\d{5} +\p{Lu}\p{L}/u.test(text) ||
		/^(?:0\d{9}|\+33\d{9})$/.test(bare) ||
		/^[A-Z]{2}\d{2}[A-Z\d]{11,30}$/.test(bare) ||
		(bare.length === 14 && isFrenchCompanyNumber(bare)) ||
		isFrenchVatNumber(bare)
	);
}

function one(path: HeaderPath, found: Found | undefined): Partial<Record<HeaderPath, Found>> {
	return found === undefined ? {} : { [path]: found };
}

// ---- number and dates

function numberAndDate(
	rows: readonly Row[],
	head: readonly Row[],
	sites: readonly Site[],
	kind: DocumentKind,
	conventions: Conventions,
) {
	const number =
		firstOf(sites, ['number', 'title', 'reference'], (site) => numberAfter(rows, site, conventions)) ??
		numberUnderTitle(head, conventions);
	const titled = number === undefined ? undefined : dateBehind(number, rows, conventions);
	const dated = sites.filter(({ label, cell }) => label === 'date' && !/accord|signature/i.test(cell.text));
	const named = dated.filter(({ cell, start, end }) => !/^(?:date|datum|le)\W*$/i.test(cell.text.slice(start, end)));
	const read = (site: Site) => dateAfter(rows, site, conventions);
	const isOfPrint = ({ cell, start, end }: Site) =>
		/^(?:date (?:de |d')?(?:l')?)?(?:edition|edite|impression|imprime)/.test(folded(cell.text.slice(start, end)));
	const date =
		firstOf(titled === undefined ? named : named.filter((site) => !isOfPrint(site)), ['date'], read) ??
		titled ??
		firstOf(dated, ['date'], read) ??
		datePlaced(rows, head, conventions) ??
		onlyDate(head, conventions);
	const validUntil = firstOf(sites, ['valid-until'], read) ?? untilInText(rows, kind, conventions);
	return { ...one('number', number), ...one('date', date), ...one('validUntil', validUntil) };
}

/**
 * The value of the strongest label that has one: the strongest kind, and of a kind those that stand with their value in
 * one cell before those above or beside it. Different values behind equal labels settle nothing.
 */
function firstOf(
	sites: readonly Site[],
	labels: readonly Label[],
	read: (site: Site) => Found | undefined,
): Found | undefined {
	for (const label of labels) {
		const alike = sites.filter((site) => site.label === label);
		const isWithValue = ({ cell, end, until }: Site) => /\d/.test(cell.text.slice(end, until));
		for (const group of [alike.filter(isWithValue), alike.filter((site) => !isWithValue(site))]) {
			const found = group.flatMap((site) => read(site) ?? []);
			if (new Set(found.map(({ value }) => value)).size === 1) return found[0];
			if (found.length > 1) return undefined;
		}
	}
	return undefined;
}

/** Where what follows a number is something else: a word before a date, a page count, a mark, another label. */
const numberEnd =
	/\s+(?:vom|von|du|de|dated|issued|établie?|émise?|en date|date|le|am|of|page|p\.)(?=\s)|\s\|\s|[,;](?!\d)|\s\(|\s+(?=\p{L}[\p{L} .'’]{1,30}\s?:)/iu;

function numberAfter(rows: readonly Row[], site: Site, conventions: Conventions): Found | undefined {
	for (const { cell, start, text } of slicesAfter(rows, site)) {
		const lead = /^[\s:#°.]*/.exec(text)?.[0].length ?? 0;
		const body = text.slice(lead);
		const stop = numberEnd.exec(body)?.index ?? body.length;
		const dates = datesIn(body, conventions.dateOrder);
		const numbers = numbersIn(body, conventions.decimalMark);
		if (dates[0]?.start === 0 || numbers.some(({ start: from, currency }) => from === 0 && currency !== null))
			return undefined;
		const amounts = numbers.filter(
			({ currency, could }) => currency !== null || could.some((value) => /\.\d{2}$/.test(value)),
		);
		const others = [...dates, ...amounts].flatMap(({ start: from }) => (from > 0 ? [from] : []));
		const end = Math.min(stop, ...others);
		const head = body.slice(0, end).replace(/[\s–—|:-]+$/u, '');
		const dated = end === stop && datesIn(body.slice(end), conventions.dateOrder).length > 0;
		const value = numberIn(head, dated);
		if (value === null || readDate(value) !== null || isOtherNumber(head)) return undefined;
		return foundIn(cell, start + lead, start + lead + value.length, plainCode(value));
	}
	return undefined;
}

/**
 * The number that a text begins with, in all its parts: `2026 - 034`, `DEV 2026 051`, `D-12 rév. 2`. Null where a word
 * follows more than one part, so that the last may count what the word names. An index (`ind. B`) is no part of it.
 */
function numberIn(text: string, whole: boolean): string | null {
	if (whole && /\d/.test(text) && text.length <= 30 && text.split(/\s+/).length <= 4 && !/\s[-–—]\s/.test(text))
		return text;
	const [first] = /^(?:\p{Lu}{1,6} (?=\d))?[\p{L}\d][\p{L}\d/_.#‐‑-]*/u.exec(text) ?? [];
	if (first === undefined) return null;
	let end = first.length;
	for (let part = furtherPart.exec(text.slice(end)); part !== null; part = furtherPart.exec(text.slice(end)))
		end += part[0].length;
	if (end > first.length && /^\s*[\p{L}\d]/u.test(text.slice(end))) return null;
	const number = text.slice(0, end).replace(/[.#‐‑-]+$/, '');
	return /\d/.test(number) && number.length <= 30 ? number : null;
}

const furtherPart =
	/^(?:\s*[-–—/]\s*|\s+)(?:(?=[^\s\d]{0,6}\d)[\p{Lu}\d][\p{Lu}\d/_.#‐‑-]*|\p{Lu}|bis|ter|(?:[Rr][ée]v(?:ision|\.)?|[Vv](?:ersion|\.)?)\s?[\p{Lu}\d]{1,3})(?![\p{L}\d'’])/u;

/** A number with the blanks and hyphens that a keyboard has, each in its place. */
function plainCode(text: string): string {
	return text.replace(/\s/g, ' ').replace(/[‐‑]/g, '-');
}

/** The code that stands alone beside or below the document's bare name: `QUOTE`, under it `Q-1009`. */
function numberUnderTitle(head: readonly Row[], conventions: Conventions): Found | undefined {
	const found = head.flatMap((row, rowIndex) =>
		row.cells.flatMap((cell, cellIndex): Found[] => {
			const end = cell.text.length;
			if (!isDocumentTitle(cell.text) || /\d/.test(cell.text)) return [];
			const site: Site = { label: 'title', start: 0, end, until: end, row, rowIndex, cell, cellIndex };
			const [first] = slicesAfter(head, site);
			const code = /^(?=[^\d]*\p{Lu})(?=.*\d)[\p{Lu}\d][\p{Lu}\d/_.#-]{2,20}$/u.exec(first?.text.trim() ?? '')?.[0];
			if (first === undefined || code === undefined || isOtherNumber(code)) return [];
			return datesIn(code, conventions.dateOrder).length > 0
				? []
				: [foundIn(first.cell, first.start, first.cell.text.length, code)];
		}),
	);
	return unique(found);
}

function dateAfter(rows: readonly Row[], site: Site, conventions: Conventions): Found | undefined {
	for (const { cell, start, text } of slicesAfter(rows, site)) {
		const [first] = datesIn(text, conventions.dateOrder);
		if (first !== undefined && first.start <= 12) {
			if (first.reading.kind === 'ambiguous') return undefined;
			return foundIn(cell, start + first.start, start + first.end, first.reading.value);
		}
		const columnHead =
			!/:\s*$/.test(site.cell.text.slice(site.start, site.end)) && cell !== site.cell && site.row.cells.includes(cell);
		if (/\p{L}{3}/u.test(text) && !columnHead) return undefined;
	}
	return undefined;
}

/** The date that follows the number: `Facture F-12 du 22/11/2026`, `CL-78 — 22/11/2026`, or `du 22/11/2026` below it. */
function dateBehind(number: Found, rows: readonly Row[], conventions: Conventions): Found | undefined {
	const order = conventions.dateOrder;
	for (const [rowIndex, row] of rows.entries()) {
		for (const cell of row.cells) {
			const at = plainCode(cell.text).indexOf(number.value);
			const from = at + number.value.length;
			if (at === -1 || !isSamePlace(foundIn(cell, at, from, number.value), number)) continue;
			const rest = cell.text.slice(from);
			const [date] = datesIn(rest, order);
			if (date === undefined && rest.trim() === '')
				return dateBelow(row, cell, rows.slice(rowIndex + 1, rowIndex + 4), order);
			if (
				date === undefined ||
				date.reading.kind === 'ambiguous' ||
				!betweenNumberAndDate.test(rest.slice(0, date.start))
			)
				return undefined;
			return foundIn(cell, from + date.start, from + date.end, date.reading.value);
		}
	}
	return undefined;
}

const betweenNumberAndDate =
	/^\s*[,|·•–—-]?\s*(?:(?:ind(?:ice|\.)?|version|r[ée]v(?:ision|\.)?) \S{1,3}\s*,?)?\s*(?:établie?|émise?|fait)?\s*(?:vom|von|du|en date du|dated|issued (?:at|on)|date|le|of|am|:|\s)*\s*$/i;

function dateBelow(above: Row, cell: Cell, next: readonly Row[], order: DateOrder | undefined): Found | undefined {
	const under = next
		.filter(({ page, top }) => page === above.page && top - above.bottom <= above.bottom - above.top)
		.flatMap(({ cells }) => cells.filter((one) => one.left < cell.right && one.right > cell.left));
	const [first] = under;
	if (first === undefined || !/^(?:du|vom|le|dated|en date du)\s/i.test(first.text)) return undefined;
	const reading = readDate(first.text.replace(/^en date /i, ''), order);
	return reading?.kind === 'date' ? foundIn(first, 0, first.text.length, reading.value) : undefined;
}

function isSamePlace({ place: a }: Found, { place: b }: Found): boolean {
	if ('box' in a && 'box' in b) return a.page === b.page && a.box.every((edge, index) => edge === b.box[index]);
	return 'offset' in a && 'offset' in b && a.offset === b.offset;
}

/**
 * The date of a letter head: `Lyon, le 22 novembre 2026`; in the head of the page also `Lyon, 22 novembre 2026`, and
 * without a comma where the town stands in an address. Below a mention of the client's agreement it is a signature's.
 */
function datePlaced(rows: readonly Row[], head: readonly Row[], conventions: Conventions): Found | undefined {
	const towns = new Set(
		rows.flatMap(({ cells }) =>
			cells.flatMap(({ text }) => /\b\d{5} (\p{Lu}[\p{L}' -]+)/u.exec(text)?.[1]?.trim().toLowerCase() ?? []),
		),
	);
	const found: Found[] = [];
	for (const row of rows) {
		for (const cell of row.cells) {
			if (/bon pour|signature|accord/i.test(cell.text)) return unique(found);
			const match =
				/^(?:(?:[Ff]ait )?[àÀ] )?(?<town>\p{Lu}[\p{L}' -]{1,30}?)(?<comma>,?) (?<le>le |den |am )?(?=\S*\d|\p{L}+,? \d)/u.exec(
					cell.text,
				);
			const { town = '', comma = '', le } = match?.groups ?? {};
			const [date] = match === null ? [] : datesIn(cell.text.slice(match[0].length), conventions.dateOrder);
			if (match === null || date?.start !== 0 || date.reading.kind === 'ambiguous') continue;
			const ends = cell.text.slice(match[0].length + date.end).replace(/[\s.]/g, '') === '';
			const said = le !== undefined && (comma !== '' || /^(?:fait )?à /i.test(cell.text));
			const known = towns.has(town.toLowerCase());
			if (!said && !(head.includes(row) && ends && labelAt(cell.text) === null && (comma !== '' || known))) continue;
			found.push(foundIn(cell, match[0].length, match[0].length + date.end, date.reading.value));
		}
	}
	return unique(found);
}

/** The date that stands by itself above the lines, when no other one does. */
function onlyDate(head: readonly Row[], conventions: Conventions): Found | undefined {
	const dates = head.flatMap(({ cells }) =>
		cells.flatMap((cell) => datesIn(cell.text, conventions.dateOrder).map((date) => ({ ...date, cell }))),
	);
	const [only, ...more] = dates;
	if (only === undefined || more.length > 0 || only.reading.kind === 'ambiguous') return undefined;
	const alone =
		/^(?:(?:le|du|vom|den|am|on)\s+)?$/i.test(only.cell.text.slice(0, only.start)) &&
		only.end === only.cell.text.trimEnd().length;
	return alone ? foundIn(only.cell, only.start, only.end, only.reading.value) : undefined;
}

function unique(found: readonly Found[]): Found | undefined {
	return new Set(found.map(({ value }) => value)).size === 1 ? found[0] : undefined;
}

const untilPhrases: Readonly<Record<DocumentKind, RegExp>> = {
	devis: /(?:valable|validité|valide|offre|gültig|valid|prix)[^.;]{0,60}?(?:jusqu['’]au|bis(?: zum)?|until) /giu,
	invoice:
		/(?:netto bis(?: zum)?|(?:zahlbar|überweisen|begleichen|zahlen)[^.;]{0,60}? bis(?: zum)?|(?:payer|régler|payable)[^.;]{0,40}? (?:avant|au plus tard) le|(?:pay|remit)[^.;]{0,40}? (?:by|until)) /giu,
};

function untilInText(rows: readonly Row[], kind: DocumentKind, conventions: Conventions): Found | undefined {
	const found = rows.flatMap(({ cells }) =>
		cells.flatMap((cell) =>
			[...cell.text.matchAll(untilPhrases[kind])].flatMap((match): Found[] => {
				const start = match.index + match[0].length;
				const [date] = datesIn(cell.text.slice(start), conventions.dateOrder);
				if (date?.start !== 0 || date.reading.kind === 'ambiguous') return [];
				return [foundIn(cell, start, start + date.end, date.reading.value)];
			}),
		),
	);
	return unique(found);
}

// ---- money

/** The currency, when all that state one state the same: amounts, heads of columns, a label. */
function currencyIn(rows: readonly Row[]): Found | undefined {
	const found = rows.flatMap(({ cells }) =>
		cells.flatMap((cell) =>
			[...cell.text.matchAll(statedCurrency)].flatMap((match): Found[] => {
				const value = readCurrency(match[0]);
				return value === null ? [] : [foundIn(cell, match.index, match.index + match[0].length, value)];
			}),
		),
	);
	return unique(found);
}

const statedCurrency =
	/(?:€|£|\$)(?=[ \u00a0\u202f]?[-−]?\d)|(?<=\d[ \u00a0\u202f]?)(?:€|£|\$|[Ee]uros?(?!\p{L}))|(?<=[(/:] ?|^|in |en |\p{L} )(?:€|£|[Ee]uros?)(?=[)\s]|$)|(?<!\p{L})(?:EUR|CHF|USD|GBP)(?!\p{L})/gu;

/** Discounts and charges printed between the first and the last of the totals. */
function adjustmentsAmongTotals(rows: readonly Row[], sites: readonly Site[], conventions: Conventions): Adjustment[] {
	return rowsOfTotals(rows, sites).flatMap((row) => {
		const [first] = row.cells;
		const adjusts = first !== undefined && labelAt(first.text)?.label === 'adjustment';
		return adjusts ? (adjustmentOf(row, conventions) ?? []) : [];
	});
}

/** Amounts printed there under any other name, such as `Livraison`. */
function amountsBetweenTotals(rows: readonly Row[], sites: readonly Site[], conventions: Conventions): Found[] {
	return rowsOfTotals(rows, sites).flatMap(({ cells }) => {
		const [first, second, ...more] = cells;
		const label = labelAt(first?.text ?? '')?.label;
		if (first === undefined || second === undefined || more.length > 0) return [];
		if (label !== undefined && (totalLabels.has(label) || label === 'adjustment' || label === 'other-amount'))
			return [];
		const [only, ...others] = numbersIn(second.text, conventions.decimalMark);
		const [value, ...readings] = only?.could ?? [];
		if (only === undefined || value === undefined || others.length + readings.length > 0 || only.percent) return [];
		return [foundIn(second, only.start, only.end, value)];
	});
}

function rowsOfTotals(rows: readonly Row[], sites: readonly Site[]): readonly Row[] {
	const totals = sites
		.filter(({ label }) => label === 'net' || label === 'gross' || label === 'subtotal' || label === 'total')
		.map(({ rowIndex }) => rowIndex);
	return rows.slice(Math.min(...totals, rows.length), Math.max(...totals, 0) + 1);
}

/**
 * Settles what the words leave open, by the one arithmetic that holds: whether a discount or charge is
 * counted at all, which amount among the totals is such a charge although no word for one stands there, and which lines the net does not contain (options, details of other lines). Nothing is left out or turned
 * around unless the sum then is the printed net.
 */
function settle(
	lines: readonly TableLine[],
	adjustments: readonly Adjustment[],
	between: readonly Found[],
	net: Found | undefined,
) {
	// What is taken off brings the net nearer to nothing, however it is signed: on a credit note it is positive.
	const negative = net !== undefined && new Big(net.value).lt(0);
	const settled = adjustments.map(({ found, lowers }) => {
		const size = new Big(found.value).abs().toFixed(found.value.split('.')[1]?.length ?? 0);
		return lowers ? { ...found, value: negative ? size : `-${size}` } : found;
	});
	const positions = new Set(lines.flatMap(({ position }) => position ?? []));
	const parentOf = (position: string) => position.replace(/\.?[^.]+$/, '');
	const parents = new Set([...positions].map(parentOf));
	const choices: ReadonlyArray<(line: TableLine) => boolean> = [
		() => true,
		({ optional }) => !optional,
		({ position }) => position === null || !parents.has(position),
		({ position }) => position === null || !positions.has(parentOf(position)),
	];
	const fit = choices.flatMap((counted) =>
		[settled, [], ...(between.length <= mostCharges ? between : []).map((each) => [...settled, each])]
			.filter((each) => addsUp(lines.filter(counted), each, net))
			.map((each) => ({ counted, each })),
	)[0] ?? { counted: null, each: settled };
	return {
		adjustments: fit.each,
		lineFigures: lines.map(
			(line): LineFigures => ({
				...line.figures,
				// An option that the net is known to contain is a line like any other.
				...(line.optional && fit.counted?.(line) !== true ? { optional: true } : {}),
				...(fit.counted === null || fit.counted(line) ? {} : { counted: false }),
			}),
		),
	};
}

/** More amounts among the totals than any document has charges. */
const mostCharges = 8;

function netOf({ net, tax, gross }: Totals): Found | undefined {
	if (net !== undefined || tax === undefined || gross === undefined) return net;
	return { ...gross, value: new Big(gross.value).minus(tax.value).toFixed() };
}

function addsUp(lines: readonly TableLine[], adjustments: readonly Found[], net: Found | undefined): boolean {
	if (net === undefined) return false;
	const parts = [...lines.flatMap(({ values }) => values.total ?? []), ...adjustments];
	const sum = parts.reduce((sofar, { value }) => sofar.plus(value), new Big(0));
	return sum.minus(net.value).abs().lte('0.005');
}

/** The title of the other kind of document, where no title of the wanted kind stands beside it. */
function otherTitle(head: readonly Row[], kind: DocumentKind): Found | null {
	const titles = head.flatMap(({ cells }) =>
		cells.flatMap((cell) => {
			const titled = kindOfTitle(cell.text);
			return titled === null ? [] : [{ titled, cell }];
		}),
	);
	const [first] = titles;
	return first !== undefined && titles.every(({ titled }) => titled !== kind) ? foundCell(first.cell) : null;
}

/** Amounts between the lines and their totals, in rows that are neither. */
function unreadAmong(
	lines: readonly TableLine[],
	rows: readonly Row[],
	sites: readonly Site[],
	conventions: Conventions,
): Found[] {
	const read = new Set(lines.flatMap(({ values }) => Object.values(values).map(({ place }) => levelOf(place))));
	const [first] = lines.flatMap(({ values }) => values.total?.place ?? values.description?.place ?? []);
	if (first === undefined) return [];
	const isRead = ({ cells }: Row) => cells.some(({ words }) => words.some(({ place }) => read.has(levelOf(place))));
	const firstTotal = sites.find(({ label, row }) => totalLabels.has(label) && comesAfter(row, first))?.rowIndex;
	const from = rows.findIndex((row) => comesAfter(row, first));
	// What misses its line may stand right above the first one that was read.
	return rows.slice(Math.max(0, from - 2), firstTotal).flatMap((row) => {
		const [cell] = row.cells;
		if (cell === undefined || isRead(row) || labelAt(cell.text) !== null) return [];
		const amounts = row.cells.flatMap((one) =>
			numbersIn(one.text, conventions.decimalMark)
				.filter(
					({ percent, could, currency }) =>
						!percent && could.length === 1 && (currency !== null || /\.\d{2}$/.test(could[0] ?? '')),
				)
				.map(({ start, end, could }) => foundIn(one, start, end, could[0] ?? '')),
		);
		return amounts.slice(-1);
	});
}

/** Where a place stands, to look rows up by: its page and height to half a point, or its place in a text. */
function levelOf(place: Found['place']): string {
	if ('box' in place) return `${place.page} ${Math.round(2 * place.box[1])}`;
	return 'offset' in place ? `${place.offset}` : '';
}

const totalLabels = new Set<Label>(['net', 'tax', 'gross', 'total', 'due', 'subtotal']);

function comesAfter({ page, top, cells }: Row, place: Found['place']): boolean {
	if ('box' in place) return page > place.page || (page === place.page && top > place.box[1]);
	const own = cells[0]?.words[0]?.place;
	return own !== undefined && 'offset' in own && 'offset' in place && own.offset > place.offset;
}

/**
 * The lines of a row whose labels stand one under the other in one cell, each a row: `Total TVA` and `Total TTC` beside
 * `46,16` and `449,36` are no row of a table.
 */
function unstacked(row: Row): Row[] {
	const stacks = row.cells.map(linesOf);
	const isLabels = (lines: readonly Cell[]) =>
		lines.length > 1 && lines.every(({ text }) => isBareLabel(text.replace(/\d+(?:[.,]\d+)? ?%/, '')));
	if (!stacks.some(isLabels)) return [row];
	const rows: Row[] = [];
	const placed = stacks.flat().flatMap((cell) => {
		const boxes = cell.words.flatMap(({ place }) => ('box' in place ? [place.box] : []));
		return [{ cell, top: Math.min(...boxes.map(([, top]) => top)), bottom: Math.max(...boxes.map((box) => box[3])) }];
	});
	for (const { cell, top, bottom } of placed.toSorted((a, b) => a.top - b.top)) {
		const last = rows.at(-1);
		const beside = last !== undefined && Math.abs(top - last.top) < (bottom - top) / 2;
		if (last === undefined || !beside) rows.push({ ...row, top, bottom, cells: [cell] });
		else rows[rows.length - 1] = { ...last, cells: [...last.cells, cell].toSorted((a, b) => a.left - b.left) };
	}
	return rows;
}

function withoutProse(row: Row): Row[] {
	const cells = row.cells.filter(({ isPiece }) => isPiece !== true);
	return cells.length === row.cells.length ? [row] : cells.length === 0 ? [] : [{ ...row, cells }];
}

function withoutCells(row: Row, used: ReadonlySet<Cell>): Row[] {
	const cells = row.cells.filter((cell) => !used.has(cell));
	return cells.length === 0 ? [] : cells.length === row.cells.length ? [row] : [{ ...row, cells }];
}
