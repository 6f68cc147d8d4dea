import { languageOf, type Language } from './labels';
import type { Cell, Row, SourcePlace } from '../rows/layout';
import { dateOrderOf, decimalMarkOf, readNumber, type DateOrder, type DecimalMark } from './numbers';
import type { Box } from '../result';

/** A value read from the page, normalised (ISO date, decimal string), with the place of what is printed. */
export interface Found {
	readonly value: string;
	readonly place: SourcePlace;
}

/** How one document writes: settled once from all its text, used for every value in it. */
export interface Conventions {
	readonly language: Language | null;
	readonly decimalMark: DecimalMark | undefined;
	readonly dateOrder: DateOrder | undefined;
}

/** A number printed in a text: where it stands and each decimal that it could be. */
export interface Printed {
	readonly start: number;
	readonly end: number;
	readonly could: readonly string[];
	readonly percent: boolean;
	readonly currency: string | null;
}

/** The conventions that the rows of a document prove. */
export function conventionsOf(rows: readonly Row[]): Conventions {
	const texts = rows.flatMap(({ cells }) => cells.map(({ text }) => text));
	const language = languageOf(texts);
	const numbers = texts
		.filter((text) => /\d/.test(text))
		.flatMap((text) => [...text.matchAll(anyNumber)].map(([number]) => number.trim()));
	// Amounts have two decimals; `2.4` is as often a version or a section as a number.
	const amounts = numbers.filter((number) => /[.,]\d{2}(?!\d)/.test(number));
	return {
		language,
		decimalMark: decimalMarkOf(amounts.length > 0 ? amounts : numbers),
		dateOrder: dateOrderOf(texts, language),
	};
}

/** True for a row of a plain text: its cells are parted by what its author typed, not by where glyphs stand. */
export function isOfText({ cells }: Row): boolean {
	const place = cells[0]?.words[0]?.place;
	return place !== undefined && 'offset' in place;
}

/**
 * The row with the thousands of a number in one cell again: `11` and `016,92 €` a word space apart are `11 016,92 €`,
 * even where a column of shorter amounts makes a gap of that space. In a text a delimiter is always a boundary.
 */
export function rejoined(row: Row): Row {
	if (isOfText(row)) return row;
	const cells: Cell[] = [];
	for (const cell of row.cells) {
		const before = cells.at(-1);
		const gap = before === undefined ? Infinity : cell.left - before.right;
		const split =
			before !== undefined &&
			/(?:^|[\s(−–-])\d{1,3}(?: \d{3})*$/.test(before.text) &&
			/^\d{3}(?:[ ,.]\d|[^\d.,]|$)/.test(cell.text);
		// In a face of equal widths a space is as wide as a digit.
		const widest = before !== undefined && isMonospaced(row) ? 1.3 * letterWidth(before) : (row.bottom - row.top) / 2;
		if (before === undefined || !split || gap < 0 || gap > widest) cells.push(cell);
		else cells[cells.length - 1] = joinedCells(before, cell);
	}
	return cells.length === row.cells.length ? row : { ...row, cells };
}

/** The width of a letter of a cell, on average. */
export function letterWidth({ left, right, text }: Cell): number {
	return (right - left) / Math.max(1, text.length);
}

/** True where letters, digits and marks take the same width, as nothing but a typewriter's face does. */
function isMonospaced({ cells }: Row): boolean {
	const widths = cells.filter(({ text }) => text.length > 3).map(letterWidth);
	return (
		widths.length > 1 &&
		cells.some(({ text }) => (text.match(/\p{L}/gu)?.length ?? 0) > 6) &&
		Math.max(...widths) <= 1.04 * Math.min(...widths)
	);
}

/** A part of a cell as a cell of its own, from one character to before another. Null where no word begins in it. */
export function partOf(cell: Cell, from: number, to: number): Cell | null {
	const words = cell.words.filter(({ start }) => start >= from && start < to);
	const boxes = words.flatMap(({ place }) => ('box' in place ? [place.box] : []));
	if (words.length === 0) return null;
	return {
		text: cell.text.slice(from, to).trimEnd(),
		left: boxes.length === 0 ? cell.left + from : Math.min(...boxes.map(([left]) => left)),
		right: boxes.length === 0 ? cell.left + to : Math.max(...boxes.map(([, , right]) => right)),
		words: words.map((word) => ({ ...word, start: word.start - from })),
	};
}

/** The lines of text of a cell, from top to bottom; the cell itself where it has one or stands in a plain text. */
export function linesOf(cell: Cell): Cell[] {
	const starts: number[] = [];
	let middle = -Infinity;
	for (const { start, place } of cell.words) {
		if (!('box' in place)) return [cell];
		const [, top, , bottom] = place.box;
		const own = (top + bottom) / 2;
		if (Math.abs(own - middle) > (bottom - top) / 2) starts.push(start);
		middle = own;
	}
	return starts.flatMap((start, index) => partOf(cell, start, starts[index + 1] ?? cell.text.length) ?? []);
}

/** True where two cells stand in part above each other. */
export function overlaps(a: Cell, b: Cell): boolean {
	return a.left < b.right && b.left < a.right;
}

/** Two cells as one that reads on from the first to the second, a blank between them. */
export function joinedCells(a: Cell, b: Cell): Cell {
	const shift = a.text.length + 1;
	return {
		text: `${a.text} ${b.text}`,
		left: Math.min(a.left, b.left),
		right: Math.max(a.right, b.right),
		words: [...a.words, ...b.words.map((word) => ({ ...word, start: word.start + shift }))],
	};
}

/** The numbers printed in a text, from left to right. Digits inside words, references, dates and times are none. */
export function numbersIn(text: string, decimalMark: DecimalMark | undefined): Printed[] {
	if (!/\d/.test(text)) return [];
	return [...text.matchAll(anyNumber)].flatMap((match) => {
		const reading = readNumber(match[0], decimalMark);
		if (reading === null) return [];
		const start = match.index + (match[0].length - match[0].trimStart().length);
		const could = reading.kind === 'number' ? [reading.value] : reading.could;
		const percent = reading.kind === 'number' && reading.percent;
		return [{ start, end: match.index + match[0].trimEnd().length, could, percent, currency: reading.currency }];
	});
}

/** A value with the place of the words of the cell that hold the characters from `start` to `end`. */
export function foundIn(cell: Cell, start: number, end: number, value: string): Found {
	const words = cell.words.filter((word) => word.start < end && word.start + word.text.length > start);
	const [first = cell.words[0]] = words;
	if (first === undefined) throw new RangeError(`no words between ${start} and ${end}`);
	const last = lastInOnePiece(words) ?? first;
	const quote = cell.text.slice(first.start, last.start + last.text.length);
	if (!('page' in first.place)) return { value, place: { ...first.place, quote } };
	const boxes = words.flatMap(({ place }) => ('box' in place ? [place.box] : []));
	return { value, place: { page: first.place.page, box: around(boxes, first.place.box), quote } };
}

/** Of a text, the last word before what was joined from another row: a quote is what stands there in one piece. */
function lastInOnePiece(words: Cell['words']): Cell['words'][number] | undefined {
	const shiftOf = ({ place, start }: Cell['words'][number]) => ('offset' in place ? place.offset - start : 0);
	const [first] = words;
	return first && words.findLast((word) => shiftOf(word) === shiftOf(first));
}

/** The whole cell as a value, its text as printed. */
export function foundCell(cell: Cell): Found {
	return foundIn(cell, 0, cell.text.length, cell.text.trim());
}

const digits = "(?:\\d{1,3}(?:[ \\u00a0\\u202f\\u2009]\\d{3})+(?![\\d])(?:[.,]\\d+)?|\\d+(?:[.,'’]\\d+)*)";
const currency = '(?:€|euros?|eur|us\\$|\\$|£|gbp|chf|usd)';
const anyNumber = new RegExp(
	`(?<![\\p{L}\\d.,/°#_'’-])(?:\\((?=[^()\\d]{0,20}\\d[^()]{0,40}\\)))?(?:[-−–+] ?)?(?:${currency}[ \\u00a0\\u202f]?)?(?:[-−–] ?)?${digits}` +
		`(?![\\d/_°:]|[-.,]\\d)(?:[ \\u00a0\\u202f]?(?:${currency}(?![\\p{L}])|%))?(?!\\p{L})(?:[-−–](?![ \\d\\p{L}]))?\\)?`,
	'giu',
);

function around(boxes: readonly Box[], first: Box): Box {
	return boxes.reduce<Box>(
		([left, top, right, bottom], [l, t, r, b]) => [
			Math.min(left, l),
			Math.min(top, t),
			Math.max(right, r),
			Math.max(bottom, b),
		],
		first,
	);
}

/** A value that could be several things: which one, and where it stands. */
export interface Ambiguous {
	readonly path: string;
	readonly message: string;
	readonly place: SourcePlace;
}
