import Big from 'big.js';
import { conventionsOf } from '../page/found';
import type { Cell, Row, SourcePlace, Word } from '../rows/layout';
import { datesIn, readCurrency, readDate, readNumber, type DateOrder, type DecimalMark } from '../page/numbers';
import type { ValueKind } from '../model/schema';

/** The rows of a document, prepared for looking values up. */
export interface PageIndex {
	readonly rows: readonly IndexedRow[];
	/** All cells' `solid` texts one after the other, a line break before each, and the cells by where theirs begin. */
	readonly solid: {
		readonly text: string;
		readonly cells: ReadonlyArray<{ start: number; row: number; cell: number }>;
	};
	/** All numbers by the decimal that they are, in the order of the page. */
	readonly numbers: ReadonlyMap<string, readonly Match[]>;
	/** By row, the nearest row above on its page that holds column titles; -1 where there is none. */
	readonly titleRows: readonly number[];
	readonly decimalMark: DecimalMark | undefined;
	readonly dateOrder: DateOrder | undefined;
}

/** Prepares rows; `text` is the whole source when it is plain text, so that quotes are cut from it unchanged. */
export function indexOf(rows: readonly Row[], text?: string): PageIndex {
	const { decimalMark, dateOrder } = conventionsOf(rows);
	const indexed = rows.map((row, at) => indexRow(row, at, decimalMark, dateOrder, text));
	return {
		rows: indexed,
		solid: solidOfAll(indexed),
		numbers: numbersByValue(indexed),
		titleRows: titleRowsOf(indexed),
		decimalMark,
		dateOrder,
	};
}

function numbersByValue(rows: readonly IndexedRow[]): PageIndex['numbers'] {
	const found = new Map<string, Match[]>();
	for (const match of rows.flatMap(({ cells }) => cells.flatMap(({ numbers }) => numbers))) {
		const value = new Big(match.value).toFixed();
		const same = found.get(value);
		if (same === undefined) found.set(value, [match]);
		else same.push(match);
	}
	return found;
}

function titleRowsOf(rows: readonly IndexedRow[]): number[] {
	let last = -1;
	return rows.map(({ row: { page } }, at) => {
		const above = last;
		if (rows[at]!.columns.size >= 2) last = at;
		return above !== -1 && rows[above]!.row.page === page ? above : -1;
	});
}

/** Some words of one cell. */
export interface Span {
	readonly row: number;
	readonly cell: number;
	/** Word numbers in the cell, `to` exclusive. */
	readonly from: number;
	readonly to: number;
}

/** Words of a cell that hold a value; a value that is ambiguous has a match for each thing that it could be. */
export interface Match extends Span {
	readonly value: string;
	readonly place: SourcePlace;
	/** False when what is printed could as well be another value: `03/04/2026`, `1.234`. */
	readonly sure: boolean;
}

/** A cell, prepared. */
export interface IndexedCell {
	readonly cell: Cell;
	/** The cell's words as they are compared, joined by one blank, and where each begins in that. */
	readonly plain: string;
	readonly starts: readonly number[];
	/** `plain` in lower case without blanks, and where each of its characters stands in `plain`. */
	readonly solid: { readonly text: string; readonly at: readonly number[] };
	readonly numbers: readonly Match[];
	readonly dates: readonly Match[];
}

/** A row, prepared. */
export interface IndexedRow {
	readonly row: Row;
	readonly cells: readonly IndexedCell[];
	/** What the row's cells announce, when it holds column titles. */
	readonly columns: ReadonlyMap<IndexedCell, Column>;
}

function indexRow(
	row: Row,
	at: number,
	mark: DecimalMark | undefined,
	order: DateOrder | undefined,
	text: string | undefined,
): IndexedRow {
	const cells = row.cells.map((cell, cellAt): IndexedCell => {
		const starts: number[] = [];
		let plain = '';
		for (const word of cell.words) {
			if (plain !== '') plain += ' ';
			starts.push(plain.length);
			plain += normal(word.text);
		}
		const place = (from: number, to: number) => placeOf(cell, from, to, text);
		const figures = /\d/.test(plain);
		const numbers = figures ? numberMatches(cell.words, at, cellAt, mark, place) : [];
		const dates = (figures ? datesIn(plain, order) : []).flatMap(({ start, end, reading }): Match[] => {
			const { from, to } = wordsAt(starts, start, end);
			const values = reading.kind === 'date' ? [reading.value] : reading.could;
			return values.map((value) => ({
				row: at,
				cell: cellAt,
				from,
				to,
				value,
				place: place(from, to),
				sure: values.length === 1,
			}));
		});
		return { cell, plain, starts, solid: solidOf(plain), numbers, dates };
	});
	return { row, cells, columns: columnsOf({ cells }) };
}

/** The numbers of a cell, each as long as it can be: of `1 234,56` neither `1` nor `234,56` is one. */
function numberMatches(
	words: readonly Word[],
	row: number,
	cell: number,
	mark: DecimalMark | undefined,
	place: (from: number, to: number) => SourcePlace,
): Match[] {
	const found: Match[] = [];
	for (let from = 0; from < words.length; from++) {
		if (!beginsNumber.test(words[from]!.text)) continue;
		let longest: { to: number; values: readonly string[] } | undefined;
		let joined = '';
		for (let to = from + 1; to <= Math.min(words.length, from + 6); to++) {
			// A dash between two words parts them; the minus behind an amount is the last word of its cell.
			if (joined !== '' && to < words.length && /^[-−–—]$/.test(words[to - 1]!.text)) break;
			joined += (joined === '' ? '' : ' ') + words[to - 1]!.text;
			const reading = readNumber(bare(joined), mark);
			if (reading !== null) longest = { to, values: reading.kind === 'number' ? [reading.value] : reading.could };
		}
		if (longest === undefined) continue;
		const { to, values } = longest;
		const sure = values.length === 1;
		for (const value of values) found.push({ row, cell, from, to, value, place: place(from, to), sure });
		from = to - 1;
	}
	return found;
}

const beginsNumber = /^\D{0,4}\d|^[-−–+(€$£]|^(?:EUR|USD|GBP|CHF)$/i;

/** A printed number without what often touches it: punctuation, a unit. */
function bare(text: string): string {
	return text
		.replace(/^[:=x×*[]+/i, '')
		.replace(/[:;,.\]*]+$/, '')
		.replace(/(\d)\s?(?:h|hrs?|j|jrs?|m|m²|m2|m³|m3|ml|l|kg|g|t|u|ens|pce|pcs|st|stk|forfait)$/i, '$1');
}

/** Every place where the rows hold a value that equals `printed`, by number, by date or as words. */
export function matches(index: PageIndex, printed: string, kind: ValueKind): Match[] {
	switch (kind) {
		case 'text':
			return [...textMatches(index, printed)];
		case 'identifier':
			return identifierMatches(index, printed);
		case 'number':
			return valuesOf(index, printed)
				.flatMap((value) => index.numbers.get(value) ?? [])
				.sort((a, b) => a.row - b.row || a.cell - b.cell || a.from - b.from);
		case 'date': {
			const wanted = readDate(printed, index.dateOrder);
			if (wanted === null) return [];
			const values = wanted.kind === 'date' ? [wanted.value] : wanted.could;
			return everyCell(index, ({ dates }) => dates).filter(({ value }) => values.includes(value));
		}
		case 'currency': {
			const code = currencyCode(printed);
			if (code === null) return [];
			return everyCell(index, ({ cell }, row, at) =>
				cell.words.flatMap((word, from): Match[] =>
					currencyIn(word.text) === code
						? [{ row, cell: at, from, to: from + 1, value: code, place: word.place, sure: true }]
						: [],
				),
			);
		}
		default:
			return kind satisfies never;
	}
}

/** Each place of a text as it is printed, in order, whatever case and blanks the model wrote it with. */
export function* textMatches(index: PageIndex, printed: string): Generator<Match, void> {
	const wanted = solidWords(printed);
	if (wanted === null) return;
	const { text, cells } = index.solid;
	let from = text.indexOf(wanted);
	while (from !== -1) {
		const here = lastAtOrBefore(cells, from);
		yield* wordsInCell(index, here.row, here.cell, wanted);
		from = text.indexOf(wanted, here.start + index.rows[here.row]!.cells[here.cell]!.solid.text.length);
	}
}

/** The same on one row only. */
export function textMatchesOn(index: PageIndex, row: number, printed: string): Match[] {
	const wanted = solidWords(printed);
	return wanted === null ? [] : index.rows[row]!.cells.flatMap((_, cell) => wordsInCell(index, row, cell, wanted));
}

function solidWords(printed: string): string | null {
	const wanted = normal(printed).replace(/ /g, '').toLowerCase();
	return /[\p{L}\p{N}]/u.test(wanted) ? wanted : null;
}

function wordsInCell({ rows }: PageIndex, row: number, at: number, wanted: string): Match[] {
	const { cell, plain, starts, solid } = rows[row]!.cells[at]!;
	const found: Match[] = [];
	for (let solidAt = solid.text.indexOf(wanted); solidAt !== -1; solidAt = solid.text.indexOf(wanted, solidAt + 1)) {
		const start = solid.at[solidAt]!;
		const end = solid.at[solidAt + wanted.length - 1]! + 1;
		if (continues(plain, start - 1, start) || continues(plain, end - 1, end)) continue;
		const { from, to } = wordsAt(starts, start, end);
		const words = cell.words.slice(from, to);
		const wholeWords = start === starts[from] && end === starts[to - 1]! + normal(words.at(-1)!.text).length;
		const value = wholeWords ? words.map(({ text }) => text).join(' ') : plain.slice(start, end);
		found.push({ row, cell: at, from, to, value, place: placeOf(cell, from, to, undefined), sure: true });
	}
	return found;
}

function solidOfAll(rows: readonly IndexedRow[]): PageIndex['solid'] {
	const texts: string[] = [];
	const cells: Array<{ start: number; row: number; cell: number }> = [];
	let start = 1;
	rows.forEach((row, at) => {
		row.cells.forEach(({ solid }, cell) => {
			cells.push({ start, row: at, cell });
			texts.push(solid.text);
			start += solid.text.length + 1;
		});
	});
	return { text: `\n${texts.join('\n')}`, cells };
}

function lastAtOrBefore<Placed extends { readonly start: number }>(sorted: readonly Placed[], at: number): Placed {
	let [low, high] = [0, sorted.length - 1];
	while (low < high) {
		const middle = Math.ceil((low + high) / 2);
		if (sorted[middle]!.start <= at) low = middle;
		else high = middle - 1;
	}
	return sorted[low]!;
}

/** Whether both sides of a cut belong to one word, number or code. */
function continues(text: string, left: number, right: number): boolean {
	const [a, b] = [text[left] ?? ' ', text[right] ?? ' '];
	const word = /[\p{L}\p{N}@_]/u;
	if (word.test(a) && word.test(b)) return true;
	// `12` is no part of `12,50`, nor `D-2026` of `D-2026-14`.
	if (/[\p{N}]/u.test(b) && /[-.,/]/.test(a) && /[\p{L}\p{N}]/u.test(text[left - 1] ?? ' ')) return true;
	return /[\p{N}]/u.test(a) && /[-.,/]/.test(b) && /[\p{L}\p{N}]/u.test(text[right + 1] ?? ' ');
}

/** Codes that are printed with blanks or points between their groups: a SIRET, a VAT number. */
function identifierMatches(index: PageIndex, printed: string): Match[] {
	const wanted = squeezed(printed);
	if (wanted.length < 5) return [...textMatches(index, printed)];
	return everyCell(index, ({ cell }, row, at) => {
		const found: Match[] = [];
		const parts = cell.words.map(({ text }) => squeezed(text.replace(/^.*[:°](?=.)/u, '')));
		for (let from = 0; from < parts.length; from++) {
			let joined = '';
			for (let to = from + 1; to <= parts.length && joined.length < wanted.length; to++) {
				joined += parts[to - 1]!;
				if (joined !== wanted) continue;
				found.push({ row, cell: at, from, to, value: wanted, place: placeOf(cell, from, to, undefined), sure: true });
			}
		}
		return found;
	});
}

/** A match within a cell, grown to the cell's whole text. */
export function wholeCell({ cell }: IndexedCell, match: Match): Match {
	const to = cell.words.length;
	const value = cell.words.map(({ text }) => text).join(' ');
	return { ...match, from: 0, to, value, place: placeOf(cell, 0, to, undefined), sure: true };
}

/** Those of some figures that are one of some decimals. */
export function equalTo(values: readonly string[], figures: readonly Match[]): Match[] {
	return figures.filter(({ value }) =>
		// Exact decimals take their time, and most figures are far from equal.
		values.some((one) => Number(one) === Number(value) && new Big(one).eq(value)),
	);
}

/** The decimals that a text could be, without zeros that say nothing. */
export function valuesOf({ decimalMark }: PageIndex, printed: string): string[] {
	const text = bare(printed.trim());
	const wanted = readNumber(text, decimalMark) ?? readNumber(text, '.');
	if (wanted === null) return [];
	const values = wanted.kind === 'number' ? [wanted.value] : wanted.could;
	return [...new Set(values.map((value) => new Big(value).toFixed()))];
}

/** A figure of a line that a column title can announce. */
export type Column = 'quantity' | 'unitPrice' | 'vatRate' | 'total';

const columnTitles: ReadonlyArray<readonly [Column, RegExp]> = [
	['quantity', /^(?:qt[ée]s?|quantit|nombre|nb|menge|anzahl|qty|hours|heures)/i],
	['vatRate', /^(?:taux|%)?\s*(?:de )?(?:t\.?v\.?a|mwst|ust|vat|tax)\b/i],
	['unitPrice', /\bunit|\bp\.?\s?u\b|einzelpreis|stückpreis/i],
	['total', /montant|total|betrag|amount|gesamt|\bnet\b/i],
	['unitPrice', /prix|preis|price|tarif|rate$/i],
];

/** Which figure of a line each column title announces. Of two titles for one figure the later column is the total. */
function columnsOf({ cells }: Pick<IndexedRow, 'cells'>): ReadonlyMap<IndexedCell, Column> {
	const columns = new Map<IndexedCell, Column>();
	for (const cell of cells) {
		if (cell.numbers.length > 0) continue;
		const kind = columnTitles.find(([, title]) => title.test(cell.plain))?.[0];
		if (kind === undefined) continue;
		const earlier = [...columns].find(([, one]) => one === kind)?.[0];
		if (earlier === undefined) columns.set(cell, kind);
		else if (kind === 'unitPrice') columns.set(cell, 'total');
		else if (kind === 'total') columns.set(cell, kind).delete(earlier);
	}
	return columns;
}

function everyCell(index: PageIndex, find: (cell: IndexedCell, row: number, at: number) => readonly Match[]): Match[] {
	return index.rows.flatMap(({ cells }, row) => cells.flatMap((cell, at) => find(cell, row, at)));
}

function solidOf(plain: string): IndexedCell['solid'] {
	const at: number[] = [];
	let text = '';
	for (let index = 0; index < plain.length; index++) {
		const low = plain[index]!.toLowerCase();
		if (low === ' ' || low.length !== 1) continue;
		text += low;
		at.push(index);
	}
	return { text, at };
}

function wordsAt(starts: readonly number[], start: number, end: number): { from: number; to: number } {
	let from = 0;
	while (from + 1 < starts.length && starts[from + 1]! <= start) from++;
	let to = from + 1;
	while (to < starts.length && starts[to]! < end) to++;
	return { from, to };
}

/** One place around several words; its quote is the source's own text. */
function placeOf(cell: Cell, from: number, to: number, text: string | undefined): SourcePlace {
	const words = cell.words.slice(from, to);
	const [first, last] = [words[0]!, words.at(-1)!];
	if ('box' in first.place) {
		const boxes = words.flatMap(({ place }) => ('box' in place ? [place.box] : []));
		return {
			page: first.place.page,
			box: [
				Math.min(...boxes.map(([left]) => left)),
				Math.min(...boxes.map(([, top]) => top)),
				Math.max(...boxes.map(([, , right]) => right)),
				Math.max(...boxes.map(([, , , bottom]) => bottom)),
			],
			quote: cell.text.slice(first.start, last.start + last.text.length),
		};
	}
	if ('offset' in first.place && 'offset' in last.place) {
		const { offset } = first.place;
		const end = last.place.offset + last.place.quote.length;
		return { offset, quote: text?.slice(offset, end) ?? cell.text.slice(first.start, last.start + last.text.length) };
	}
	return first.place;
}

/** Whether one cell stands at least partly under the other. */
export function overlaps(a: Cell, b: Cell): boolean {
	return a.left < b.right && b.left < a.right;
}

/** Whether two places share a part of the source. */
export function samePlaces(a: SourcePlace, b: SourcePlace): boolean {
	if ('box' in a && 'box' in b) {
		return (
			a.page === b.page && a.box[0] < b.box[2] && b.box[0] < a.box[2] && a.box[1] < b.box[3] && b.box[1] < a.box[3]
		);
	}
	if ('offset' in a && 'offset' in b)
		return a.offset < b.offset + b.quote.length && b.offset < a.offset + a.quote.length;
	return false;
}

/** White space of every kind, typographic quotes and dashes are written in many ways and mean the same. */
export function normal(text: string): string {
	return text
		.normalize('NFC')
		.replace(/\u00ad/g, '')
		.replace(/\s+/g, ' ')
		.replace(/[’‘‛´`]/g, "'")
		.replace(/‹/g, '<')
		.replace(/[“”„«»]/g, '"')
		.replace(/[‐‑‒–—−]/g, '-');
}

function squeezed(text: string): string {
	return text
		.normalize('NFKC')
		.toUpperCase()
		.replace(/[\s.\-_/]/g, '');
}

function currencyCode(printed: string): string | null {
	return readCurrency(printed) ?? (/^[A-Z]{3}$/.test(printed.trim()) ? printed.trim() : null);
}

function currencyIn(word: string): string | null {
	const sign = word.replace(/^[(\d\s.,'+-]+/, '').replace(/[\s).,:;\d]+$/, '');
	return sign === '' ? null : currencyCode(sign);
}
