import type { Page, Run } from '../pdf/pdf';
import type { Box, Place } from '../result';

/** Where a text stands in its source; never `model-only`. */
export type SourcePlace = Exclude<Place, 'model-only'>;

/** A word of a cell; `start` is its offset in the cell's text. */
export interface Word {
	readonly text: string;
	readonly start: number;
	readonly place: SourcePlace;
}

/** A piece of text that stands apart from its neighbours on the same row. Its words, joined as `text`, keep their places. */
export interface Cell {
	readonly text: string;
	readonly left: number;
	readonly right: number;
	readonly words: readonly Word[];
	/** Set for a part of a text that was too long for one cell: prose, in which no field is looked for by its place. */
	readonly isPiece?: true;
}

/** What a reader sees as one row: its cells from left to right. Wrapped text and stacked references stay in their cell. */
export interface Row {
	readonly page: number;
	readonly top: number;
	readonly bottom: number;
	readonly cells: readonly Cell[];
}

/**
 * The rows of a page, from top to bottom: a table row is one row however many lines its cells take, all other text goes
 * by line. Every word of the page's runs is in exactly one cell.
 */
export function rowsOf(page: Page): Row[] {
	const { level, upright } = glyphWords(page.runs);
	const lines = linesOf(level);
	const tableRows = rowsOfTables(lines, tablesOf(lines));
	const inTables = new Set(tableRows.flatMap((row) => row.lines));
	const rows = [
		...tableRows.map(({ cells }) => rowOf(page.number, cells)),
		...lines
			.filter((line) => !inTables.has(line))
			.map(({ segments }) =>
				rowOf(
					page.number,
					segments.map((s) => [s]),
				),
			),
		...upright.map((segment) => rowOf(page.number, [[segment]])),
	];
	return rows.sort((a, b) => a.top - b.top || a.cells[0]!.left - b.cells[0]!.left);
}

/** A word as it is drawn. `em` is its font size, the unit of every distance below. */
interface Glyphs {
	readonly text: string;
	readonly box: Box;
	readonly em: number;
	readonly rightToLeft: boolean;
}

/** Words of one line that read on without a gap. */
interface Segment {
	readonly words: readonly Glyphs[];
	readonly box: Box;
	readonly em: number;
	readonly text: string;
	readonly numeric: boolean;
	readonly amount: boolean;
}

/** What stands on one baseline, over the whole width of the page. */
interface Line {
	readonly segments: readonly Segment[];
	readonly box: Box;
	readonly em: number;
	readonly middle: number;
	/** The figure that a row of a table is read for: its last sum of money. */
	readonly key: Segment | null;
	/** Enough cells to be a table's row by itself: figures in two places, or one and two more cells. */
	readonly strong: boolean;
}

/** A table: its header, if it has one, and the lines that bear its figures, by index in the page's lines. */
interface Table {
	readonly header: number | null;
	readonly bearing: readonly number[];
	readonly columns: readonly Column[];
	readonly corridors: readonly Extent[];
	readonly em: number;
}

type Extent = readonly [left: number, right: number];

/** An upright strip of a table; `numeric` when its rows hold figures there. */
interface Column {
	readonly left: number;
	readonly right: number;
	readonly numeric: boolean;
}

interface TableRow {
	readonly lines: readonly Line[];
	/** Segments by cell, cells from left to right. */
	readonly cells: Segment[][];
}

// Distances in em, each with room on both sides in print: a word space is about 0.28, leading leaves 0.1 to 0.5 white.
const cellGap = 0.9;
const figureGap = 0.45;
const corridorWidth = 0.4;
const sameBaseline = 0.3;
const leading = 0.6;
const touching = 0.05;
const farthest = 60;
const farthestHeader = 10;

// ---- words and lines

function glyphWords(runs: readonly Run[]): { level: Glyphs[]; upright: Segment[] } {
	const level: Glyphs[] = [];
	const upright: Segment[] = [];
	const ordered = [...runs].sort(
		(a, b) => a.box[1] - b.box[1] || a.box[0] - b.box[0] || a.box[2] - b.box[2] || (a.text < b.text ? -1 : 1),
	);
	for (const run of ordered) {
		if (isUpright(run)) {
			const words = run.text
				.split(/\s+/)
				.filter(Boolean)
				.map((text) => glyphs(run, text, run.box, false));
			if (words.length > 0) upright.push(segmentOf(words));
		} else {
			for (const word of wordsOf(run)) level.push(word);
		}
	}
	return { level, upright };
}

/** Text drawn along the height of the page: it belongs to no line. */
function isUpright({ text, box, fontSize }: Run): boolean {
	const width = box[2] - box[0];
	const height = box[3] - box[1];
	return height > 2 * fontSize && height > 2 * width && text.trim().length > 2;
}

function glyphs({ fontSize, box: whole }: Run, text: string, box: Box, rightToLeft: boolean): Glyphs {
	return { text, box, em: fontSize > 0 ? fontSize : Math.max(whole[3] - whole[1], 1), rightToLeft };
}

/** Splits a run at its spaces; the places within it follow the usual proportions of a sans-serif face. */
function wordsOf(run: Run): Glyphs[] {
	const { text, box } = run;
	const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(text);
	const [left, top, right, bottom] = box;
	if (!/\s/.test(text)) return [glyphs(run, text, box, rightToLeft)];
	const pieces = text.split(/(\s+)/);
	const widths = pieces.map(advanceOf);
	const scale = (right - left) / (widths.reduce((sum, width) => sum + width, 0) || 1);
	const words: Glyphs[] = [];
	let before = 0;
	for (const [nth, piece] of pieces.entries()) {
		const width = widths[nth]! * scale;
		// Words and the spaces between them take turns; at either end a word may be missing.
		if (nth % 2 === 0 && piece !== '') {
			const from = rightToLeft ? right - before - width : left + before;
			const to = rightToLeft ? right - before : left + before + width;
			words.push(glyphs(run, piece, [from, top, to, bottom], rightToLeft));
		}
		before += width;
	}
	return words;
}

// Advance widths of Helvetica in thousandths of an em (Adobe's AFM of the standard 14 fonts), from U+0020 to U+007E.
const advances = [
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
	556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
	722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
	556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
	260, 334, 584,
];

function advanceOf(text: string): number {
	let sum = 0;
	for (let index = 0; index < text.length; index++) {
		const code = text.charCodeAt(index);
		// U+00A0 and U+202F are spaces; accented Latin letters are as wide as an average letter.
		sum += code === 0xa0 || code === 0x202f ? 278 : (advances[code - 0x20] ?? 556);
	}
	return sum;
}

function linesOf(words: readonly Glyphs[]): Line[] {
	const open: Array<{ words: Glyphs[]; middle: number; em: number }> = [];
	const byMiddle = words
		.map((word) => ({ word, middle: (word.box[1] + word.box[3]) / 2 }))
		.sort((a, b) => a.middle - b.middle);
	for (const { word, middle } of byMiddle) {
		const line = open.at(-1);
		if (line && middle - line.middle <= sameBaseline * Math.min(line.em, word.em)) line.words.push(word);
		else open.push({ words: [word], middle, em: word.em });
	}
	const lines: Line[] = [];
	for (const { words: found } of open) {
		const line = lineOf(found);
		const above = lines.at(-1);
		if (above && standsBeside(above, line)) lines[lines.length - 1] = lineOf([...wordsIn(above), ...wordsIn(line)]);
		else lines.push(line);
	}
	return lines.map((line, index) => partedLikeNeighbours(line, lines.slice(Math.max(index - 4, 0), index + 5)));
}

/** Parts a line at a narrow gap where the cells of its neighbours begin: a label and its value, set tightly. */
function partedLikeNeighbours(line: Line, neighbours: readonly Line[]): Line {
	const segments = parted(line.segments, (right, { box, em }) => {
		if (box[0] - right < corridorWidth * em) return false;
		const begins = ({ segments }: Line) =>
			segments.some((other, nth) => nth > 0 && Math.abs(other.box[0] - box[0]) < em / 8);
		return neighbours.filter(begins).length > 1;
	});
	return segments.length === line.segments.length ? line : lineFrom(segments);
}

/** Different sizes on one baseline: the lower line mostly overlaps the upper one in height and not at all in width. */
function standsBeside(above: Line, line: Line): boolean {
	const shared = Math.min(above.box[3], line.box[3]) - Math.max(above.box[1], line.box[1]);
	const lower = Math.min(above.box[3] - above.box[1], line.box[3] - line.box[1]);
	if (shared < 0.65 * lower) return false;
	return above.segments.every(({ box: a }) => line.segments.every(({ box: b }) => a[2] <= b[0] || b[2] <= a[0]));
}

function wordsIn({ segments }: Line): Glyphs[] {
	return segments.flatMap(({ words }) => [...words]);
}

function lineOf(words: readonly Glyphs[]): Line {
	const ordered = [...words].sort((a, b) => a.box[0] - b.box[0] || a.box[2] - b.box[2] || (a.text < b.text ? -1 : 1));
	const parts = partsOf(wholeWords(ordered), (right, word, previous) => {
		const gap = word.box[0] - right;
		const em = (previous.em + word.em) / 2;
		return (
			gap > cellGap * em ||
			(gap > figureGap * em && /[\d%\p{Sc}]$|^[A-Z]{3}$/u.test(previous.text) && /^[-+−–(]?\d/.test(word.text))
		);
	});
	return lineFrom(parts.map(segmentOf));
}

/** A font draws a ligature, or a letter that it lacks, as a run of its own: runs that touch are one word. */
function wholeWords(ordered: readonly Glyphs[]): Glyphs[] {
	const whole: Glyphs[] = [];
	for (const word of ordered) {
		const previous = whole.at(-1);
		if (previous === undefined || !touches(previous, word)) {
			whole.push(word);
			continue;
		}
		whole[whole.length - 1] = {
			...previous,
			text: previous.text + word.text,
			box: hull([previous, word]),
		};
	}
	return whole;
}

function touches(left: Glyphs, right: Glyphs): boolean {
	if (left.rightToLeft || right.rightToLeft) return false;
	const gap = (right.box[0] - left.box[2]) / Math.min(left.em, right.em);
	const sameLevel = Math.abs(left.box[3] - right.box[3]) < left.em / 8;
	return gap < touching && gap > -touching && sameLevel && Math.abs(left.em - right.em) < left.em / 8;
}

function lineFrom(segments: readonly Segment[]): Line {
	const box = hull(segments);
	const key = segments.findLast(({ amount }) => amount) ?? null;
	const strong = key !== null && (segments.length > 2 || segments.filter(({ numeric }) => numeric).length > 1);
	return { segments, box, em: middleEm(segments), middle: (box[1] + box[3]) / 2, key, strong };
}

function segmentOf(words: readonly Glyphs[]): Segment {
	const text = words.map((word) => word.text).join(' ');
	const figures = /\d/.test(text);
	const amount = figures && amountPattern.test(text);
	return {
		words,
		box: hull(words),
		em: middleEm(words),
		text,
		numeric: amount || (figures && numberPattern.test(text) && !datePattern.test(text)),
		amount,
	};
}

/** A sum of money: decimals, or a currency. */
const amountPattern =
	/^[-–−+(]?\s?(?:\p{Sc}|[A-Z]{3})?\s?[-–−+]?\s?\d{1,3}(?:(?:[\s.,'’]?\d{3})*[.,]\d{2,4}|(?:[\s.,'’]?\d{3})*(?=\s?(?:\p{Sc}|[A-Z]{3}\b)))\s?(?:\p{Sc}|[A-Z]{3})?(?:\s?[-)])?$/u;
/** A figure of any kind, a unit allowed; a date looks like one. */
const numberPattern = /^[-–−+(]?\s?\p{Sc}?\s?\d[\d\s.,'’]*\s?(?:%|\p{Sc}|\p{L}{1,4}[.²³]?|\p{L}+\(s\))?\)?$/u;
const datePattern = /\d{1,4}[.]\d{1,2}[.]\d{2,4}/;

// ---- tables

/** The tables of a page, found by the lines that bear figures: those align, and what stands between belongs to them. */
function tablesOf(lines: readonly Line[]): Table[] {
	const tables: Table[] = [];
	let from = 0;
	for (;;) {
		const bearing = bearingFrom(lines, from);
		if (bearing.length === 0) return tables;
		tables.push(tableFrom(lines, bearing, from));
		from = bearing.at(-1)! + 1;
	}
}

/** Indexes of the lines that bear the figures of the next table; none when no more amounts follow. */
function bearingFrom(lines: readonly Line[], from: number): number[] {
	let first = from;
	while (first < lines.length && !startsTable(lines, first, from)) first++;
	if (first === lines.length) return [];
	const bearing = [first];
	let key = extentOf(lines[first]!.key!);
	let header: Line | null = null;
	for (let index = first + 1; index < lines.length; index++) {
		const line = lines[index]!;
		if (line.box[1] > lines[bearing.at(-1)!]!.box[3] + farthest * line.em) break;
		if (mayHead(line)) header = line;
		const own = line.key;
		if (own === null) continue;
		if (header !== null && heads(header, [line])) break;
		if (meets(extentOf(own), key, line.em / 2)) {
			bearing.push(index);
			key = [Math.min(key[0], own.box[0]), Math.max(key[1], own.box[2])];
		} else if (line.strong && !continues(lines[bearing.at(-1)!]!, line)) {
			break;
		}
	}
	return bearing;
}

/** A line with an amount, unless it goes on with the row that ended the table before. */
function startsTable(lines: readonly Line[], index: number, from: number): boolean {
	const line = lines[index]!;
	if (line.key === null) return false;
	const row = lines[from - 1];
	if (row === undefined || line.strong || !row.strong || !continues(row, line)) return true;
	const joined = lines
		.slice(from, index + 1)
		.every((next, nth) => whiteBetween(lines[from + nth - 1] ?? next, next) <= next.em / 2);
	return !joined;
}

/** A second line of figures within the row: fewer of them, each below a cell of the row's, none where rows are read. */
function continues(row: Line, line: Line): boolean {
	const own = line.segments.filter(({ numeric }) => numeric);
	return (
		own.length < row.segments.filter(({ numeric }) => numeric).length &&
		own.every((segment) => row.segments.some((cell) => cell !== row.key && meets(extentOf(segment), extentOf(cell), 0)))
	);
}

function mayHead({ segments }: Line): boolean {
	return segments.length > 2 && segments.every(({ numeric }) => !numeric);
}

/** Names of columns: text over the figures of the rows, where a wrapped description would leave white. */
function heads(line: Line, rows: readonly Line[]): boolean {
	if (!mayHead(line)) return false;
	return rows.some((row) => {
		const figures = row.segments.filter(({ numeric }) => numeric);
		const named = figures.filter((figure) =>
			line.segments.some((name) => meets(extentOf(name), extentOf(figure), line.em / 2)),
		);
		return named.length >= Math.min(2, figures.length);
	});
}

function tableFrom(lines: readonly Line[], bearing: readonly number[], from: number): Table {
	const borne = bearing.map((index) => lines[index]!);
	const rows = borne.some(({ strong }) => strong) ? borne.filter(({ strong }) => strong) : borne;
	const em = middleEm(rows);
	const header = headerAbove(lines, bearing[0]!, from, rows);
	const model = header === null ? rows : [lines[header]!, ...rows];
	const plain = model.flatMap(({ segments }) => segments.filter((segment) => !spans(segment, model)));
	const corridors = model.length > 1 ? corridorsOf(plain, em) : [];
	const figures = rows.flatMap((line) => splitAt(line.segments, corridors, em));
	return { header, bearing, corridors, em, columns: columnsOf(splitAt(plain, corridors, em), figures) };
}

/** A segment that lies over two of another row's is no guide to where columns are. */
function spans({ box, em }: Segment, model: readonly Line[]): boolean {
	return model.some(
		({ segments }) => segments.filter(({ box: b }) => b[0] < box[2] - em / 4 && b[2] > box[0] + em / 4).length > 1,
	);
}

/** The line with the names of the columns: the one with most of them, a few lines above the first row. */
function headerAbove(lines: readonly Line[], first: number, from: number, rows: readonly Line[]): number | null {
	let best: number | null = null;
	for (let index = first - 1; index >= from; index--) {
		const line = lines[index]!;
		if (lines[first]!.box[1] - line.box[3] > farthestHeader * line.em) break;
		if (heads(line, rows) && (best === null || line.segments.length > lines[best]!.segments.length)) best = index;
	}
	return best;
}

/** Upright strips that none of the segments crosses. */
function corridorsOf(segments: readonly Segment[], em: number): Extent[] {
	const taken = segments.flatMap(({ words }) => words).sort((a, b) => a.box[0] - b.box[0]);
	const corridors: Extent[] = [];
	let right = taken[0]?.box[2] ?? 0;
	for (const { box } of taken) {
		if (box[0] - right >= corridorWidth * em) corridors.push([right, box[0]]);
		right = Math.max(right, box[2]);
	}
	return corridors;
}

/** Parts segments where a gap between words lies over a corridor, or is wider than a word space and shares its edge or middle. */
function splitAt(segments: readonly Segment[], corridors: readonly Extent[], em: number): readonly Segment[] {
	if (corridors.length === 0) return segments;
	return parted(segments, (right, { box: [left] }) =>
		corridors.some(([from, to]) => {
			if (from >= right && to <= left) return true;
			if (left - right <= em / 3 || right >= to || left <= from) return false;
			const middle = (from + to) / 2;
			return Math.abs(left - to) < em / 4 || Math.abs(right - from) < em / 4 || (right <= middle && middle <= left);
		}),
	);
}

/** The segments with those parted where `apart` says so; the others stay the objects that they were. */
function parted(segments: readonly Segment[], apart: Apart): Segment[] {
	return segments.flatMap((segment) => {
		if (segment.words.length === 1) return segment;
		const parts = partsOf(segment.words, apart);
		return parts.length === 1 ? segment : parts.map(segmentOf);
	});
}

type Apart = (right: number, word: Glyphs, previous: Glyphs) => boolean;

/** Groups of words from left to right, parted where `apart` says so of the right edge so far and the next word. */
function partsOf(words: readonly Glyphs[], apart: Apart): Glyphs[][] {
	const parts: Glyphs[][] = [];
	let right = -Infinity;
	let rightmost: Glyphs | undefined;
	for (const word of words) {
		const part = parts.at(-1);
		if (part === undefined || rightmost === undefined || apart(right, word, rightmost)) parts.push([word]);
		else part.push(word);
		if (word.box[2] >= right || rightmost === undefined) {
			right = word.box[2];
			rightmost = word;
		}
	}
	return parts;
}

function columnsOf(segments: readonly Segment[], ofRows: readonly Segment[]): Column[] {
	const extents: Array<[left: number, right: number]> = [];
	for (const { box } of [...segments].sort((a, b) => a.box[0] - b.box[0])) {
		const last = extents.at(-1);
		if (last && box[0] < last[1]) last[1] = Math.max(last[1], box[2]);
		else extents.push([box[0], box[2]]);
	}
	return extents.map(([left, right]) => {
		const within = ofRows.filter(({ box }) => box[0] < right && box[2] > left);
		return { left, right, numeric: within.length > 0 && within.every(({ numeric }) => numeric) };
	});
}

// ---- rows of tables

/**
 * Gives each line between two anchors to the one or the other. Rows do not interleave, so there is one cut between two
 * anchors: where the white is widest. What stands too far from both, or beside the columns, stays a line of its own.
 */
function rowsOfTables(lines: readonly Line[], tables: readonly Table[]): TableRow[] {
	const anchors = tables.flatMap((table) => {
		const style = styleOf(lines, table);
		return [...(table.header === null ? [] : [table.header]), ...table.bearing].map((index) => ({
			index,
			table,
			style,
		}));
	});
	const cuts: number[] = [];
	for (const [nth, below] of anchors.slice(1).entries()) {
		const above = anchors[nth]!;
		const own = lines.slice(Math.max(cuts.at(-1) ?? above.index, above.index - 3), above.index + 1);
		const strays = lines.slice(above.index + 1, below.index);
		cuts.push(above.index + 1 + cutBetween(own, strays, lines[below.index]!, below.style));
	}
	return anchors.map(({ index, table, style }, nth): TableRow => {
		const anchor = lines[index]!;
		const before = lines.slice(cuts[nth - 1] ?? 0, index).reverse();
		const after = lines.slice(index + 1, cuts[nth]);
		const hangsFree = nth === 0 || anchors[nth - 1]!.table !== table;
		const aboveLimit =
			index === table.header ? 0.45 * table.em : hangsFree && style.figures === 'first' ? 0 : style.white;
		const header = table.header === null ? undefined : lines[table.header];
		const around = [
			[before, aboveLimit],
			[after, style.white],
		] as const;
		const taken = around.flatMap(([nearest, limit]) => attached(anchor, nearest, limit, header, table));
		return { lines: [anchor, ...taken], cells: cellsOf(anchor, taken, table) };
	});
}

/** How a table sets its rows: on which line of a row its figures stand, and how much white there is within a row. */
interface RowStyle {
	readonly figures: 'first' | 'middle' | 'last';
	/** In points: more white than this parts rows. */
	readonly white: number;
}

function styleOf(lines: readonly Line[], { header, bearing, em }: Table): RowStyle {
	const strong = bearing.some((index) => lines[index]!.strong)
		? bearing.filter((index) => lines[index]!.strong)
		: bearing;
	const first = lines[strong[0]!]!;
	const last = lines[strong.at(-1)!]!;
	const wraps = (anchor: Line, line: Line | undefined) =>
		line !== undefined &&
		whiteBetween(anchor, line) <= leading * em &&
		line.segments.length < 3 &&
		anchor.segments.some(({ numeric, box }) => !numeric && Math.abs(box[0] - line.box[0]) <= em / 2);
	const above = header !== strong[0]! - 1 && wraps(first, lines[strong[0]! - 1]);
	const below = wraps(last, lines[strong.at(-1)! + 1]);
	const interleaves = strong.some((index) =>
		[lines[index - 1], lines[index + 1]].some(
			(line) => line !== undefined && whiteBetween(lines[index]!, line) < -0.2 * em,
		),
	);
	const figures = interleaves || (above && below) ? 'middle' : above ? 'last' : 'first';
	const parted = header === null ? strong : [header, ...strong];
	const whites = parted.slice(1).map((index, nth) => {
		const between = lines.slice(parted[nth]! + 1, index);
		return Math.max(...whitesIn(lines[parted[nth]!]!, between, lines[index]!));
	});
	const rowWhite = Math.min(...whites);
	const white = whites.length === 0 ? leading * em : Math.min(Math.max(0.8 * rowWhite, leading * em), 1.5 * em);
	return { figures, white };
}

function whiteBetween({ box: a }: Line, { box: b }: Line): number {
	return Math.max(a[1], b[1]) - Math.min(a[3], b[3]);
}

/** The white at each place where a cut between two anchors may go; negative where lines overlap. */
function whitesIn(above: Line, strays: readonly Line[], below: Line): number[] {
	const whites: number[] = [];
	for (let cut = 0; cut <= strays.length; cut++) {
		const bottom = Math.max(above.box[3], ...strays.slice(0, cut).map(({ box }) => box[3]));
		const top = Math.min(below.box[1], ...strays.slice(cut).map(({ box }) => box[1]));
		whites.push(top - bottom);
	}
	return whites;
}

/** How many of the strays belong to the anchor above, the last of `own`. Where the white is alike, the style decides. */
function cutBetween(own: readonly Line[], strays: readonly Line[], below: Line, { figures }: RowStyle): number {
	const anchor = own.at(-1)!;
	const whites = whitesIn(anchor, strays, below);
	const top = Math.min(...own.map(({ box }) => box[1]));
	const scores = whites.map((white, cut) => {
		if (figures !== 'middle') return white;
		const bottom = Math.max(anchor.box[3], ...strays.slice(0, cut).map(({ box }) => box[3]));
		return white - Math.abs((top + bottom) / 2 - anchor.middle);
	});
	const best = Math.max(...scores) - 0.15 * below.em;
	const cuts = scores.flatMap((score, cut) => (score >= best ? [cut] : []));
	switch (figures) {
		case 'first':
			return cuts.at(-1)!;
		case 'last':
			return cuts[0]!;
		case 'middle':
			return cuts[cuts.length >> 1]!;
	}
}

/** The lines, nearest first, that follow the anchor without more white than `limit` and within the table's columns. */
function attached(
	anchor: Line,
	nearestFirst: readonly Line[],
	limit: number,
	header: Line | undefined,
	{ columns, corridors, em }: Table,
): Line[] {
	const taken: Line[] = [];
	let [, top, , bottom] = anchor.box;
	for (const line of nearestFirst) {
		const white = Math.max(line.box[1] - bottom, top - line.box[3]);
		// The lines of wrapped column titles stand closer than a word space allows, over columns that are known by now.
		const segments = anchor === header ? splitAt(line.segments, corridors, em) : line.segments;
		if (white > limit || !segments.every((segment) => fits(segment, columns, em))) break;
		taken.push(line);
		top = Math.min(top, line.box[1]);
		bottom = Math.max(bottom, line.box[3]);
	}
	return taken;
}

/** Text may run on over the columns to the right of its own, but not out of a column of figures. */
function fits({ box, text }: Segment, columns: readonly Column[], em: number): boolean {
	const index = columnOf(box, columns, em);
	if (index === -1) return false;
	const next = columns[index + 1]?.left ?? Infinity;
	return !columns[index]!.numeric || box[2] <= Math.max(columns[index]!.right + em, next) || !/\p{L}{3}/u.test(text);
}

/** The column in which a box begins, else the one that it overlaps most; -1 for none. */
function columnOf([left, , right]: Box, columns: readonly Column[], em: number): number {
	const start = left + em / 4;
	const begins = columns.findIndex((column) => start >= column.left - em / 2 && start <= column.right);
	if (begins !== -1) return begins;
	let best = -1;
	let most = -em / 2;
	for (const [index, column] of columns.entries()) {
		const shared = Math.min(right, column.right) - Math.max(left, column.left);
		if (shared > most) [best, most] = [index, shared];
	}
	return best;
}

/** The anchor's segments are the cells; each further segment joins the nearest cell of its column, or makes one. */
function cellsOf(anchor: Line, lines: readonly Line[], { columns, corridors, em }: Table): Segment[][] {
	const cells = splitAt(anchor.segments, corridors, em).map((segment) => ({
		segments: [segment],
		column: columnOf(segment.box, columns, em),
	}));
	for (const segment of splitAt(
		lines.flatMap(({ segments }) => segments),
		corridors,
		em,
	)) {
		const column = columnOf(segment.box, columns, em);
		const [nearest] = cells
			.filter((cell) => cell.column === column)
			.sort((a, b) => distance(a.segments[0]!, segment) - distance(b.segments[0]!, segment));
		if (nearest) nearest.segments.push(segment);
		else cells.push({ segments: [segment], column });
	}
	return cells.map(({ segments }) => segments).sort((a, b) => hull(a)[0] - hull(b)[0]);
}

function distance({ box: a }: Segment, { box: b }: Segment): number {
	return Math.max(a[0] - b[2], b[0] - a[2], 0) || Math.abs(a[0] - b[0]) / 1000;
}

// ---- what comes out

function rowOf(page: number, cells: ReadonlyArray<readonly Segment[]>): Row {
	const [, top, , bottom] = hull(cells.flat());
	return { page, top, bottom, cells: cells.map((segments) => cellOf(page, segments)) };
}

function cellOf(page: number, segments: readonly Segment[]): Cell {
	const [left, , right] = hull(segments);
	const inReadingOrder = [...segments].sort((a, b) => a.box[1] + a.box[3] - b.box[1] - b.box[3] || a.box[0] - b.box[0]);
	const glyphs = inReadingOrder.flatMap(({ words }) =>
		words.filter(({ rightToLeft }) => rightToLeft).length * 2 > words.length ? [...words].reverse() : words,
	);
	const words: Word[] = [];
	let text = '';
	for (const word of glyphs) {
		if (text !== '') text += ' ';
		words.push({ text: word.text, start: text.length, place: { page, box: word.box, quote: word.text } });
		text += word.text;
	}
	return { text, left, right, words };
}

// ---- geometry

function hull(boxed: ReadonlyArray<{ readonly box: Box }>): Box {
	let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
	for (const { box } of boxed) {
		left = Math.min(left, box[0]);
		top = Math.min(top, box[1]);
		right = Math.max(right, box[2]);
		bottom = Math.max(bottom, box[3]);
	}
	return [left, top, right, bottom];
}

function extentOf({ box }: { readonly box: Box }): Extent {
	return [box[0], box[2]];
}

function meets(a: Extent, b: Extent, tolerance: number): boolean {
	return a[0] <= b[1] + tolerance && b[0] <= a[1] + tolerance;
}

/** The median font size; most texts have but one. */
function middleEm(sized: ReadonlyArray<{ readonly em: number }>): number {
	const first = sized[0]?.em ?? 0;
	if (sized.every(({ em }) => em === first)) return first;
	return sized.map(({ em }) => em).sort((a, b) => a - b)[sized.length >> 1]!;
}
