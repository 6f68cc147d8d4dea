import Big from 'big.js';
import {
	foundCell,
	foundIn,
	isOfText,
	joinedCells,
	letterWidth,
	numbersIn,
	partOf,
	type Conventions,
	type Found,
	type Printed,
} from './found';
import { columnOf, folded, isBareLabel, labelAt, type Column } from './labels';
import type { Cell, Row } from '../rows/layout';
import type { Box, DocumentLine } from '../result';
import { wrappedIn, type Below, type Loose, type RowBelow } from './wrapped';

/** What stands with one line of a document and takes part in its arithmetic. */
export interface LineFigures {
	/** Discounts (negative) and charges (positive) on the line. */
	readonly adjustments: readonly string[];
	/** The quantity that the unit price stands for, when that is not 1. */
	readonly priceQuantity: string | null;
	/** Discount on the line in percent: `10` takes a tenth off. */
	readonly discountPercent?: string | null;
	/** False for a line that the sum of lines leaves out: an option, a detail of another line. */
	readonly counted?: boolean;
	/** True for a line that calls itself an option, or stands under a title that does. */
	readonly optional?: boolean;
}

export interface TableLine {
	readonly values: Partial<Record<keyof DocumentLine, Found>>;
	readonly figures: LineFigures;
	/** The printed position (`1.2`), when a column holds it. */
	readonly position: string | null;
	readonly optional: boolean;
}

/** A discount or charge on the whole document. `lowers` when its words say that it is taken off, whatever its sign. */
export interface Adjustment {
	readonly found: Found;
	readonly lowers: boolean;
}

export interface TableReading {
	readonly lines: readonly TableLine[];
	readonly taxes: ReadonlyArray<{ readonly rate?: Found; readonly base?: Found; readonly amount?: Found }>;
	readonly adjustments: readonly Adjustment[];
	/** True where lines have no other total or price than one with tax. */
	readonly withTax: boolean;
	/** The cells that belong to the table of lines or of taxes, heads included. */
	readonly used: ReadonlySet<Cell>;
	readonly unsure: ReadonlyArray<{
		readonly path: string;
		readonly message: string;
		readonly place: Found['place'];
	}>;
	/** Rows among the lines that may be a line, or a part of the one that `line` is the index of, and were not read. */
	readonly loose: readonly Loose[];
}

/** Reads the table of lines and the table of taxes, by the heads of their columns, over as many pages as they take. */
export function readTables(rows: readonly Row[], conventions: Conventions): TableReading {
	const state = {
		lines: [] as TableLine[],
		described: [] as Array<Cell | undefined>,
		heads: [] as Head[],
		taxes: [] as Array<TableReading['taxes'][number]>,
		adjustments: [] as Adjustment[],
		used: new Set<Cell>(),
		unsure: [] as Array<{ line: number } & TableReading['unsure'][number]>,
		blocks: [] as Below[],
	};
	const use = (cells: readonly Cell[]) => cells.forEach((cell) => state.used.add(cell));
	let table: Head | null = null;
	let optional = false;
	let titled = false;
	let below: Below | null = null;
	for (let index = 0; index < rows.length; index++) {
		const staggered = staggeredAt(rows, index, table);
		const row = staggered?.row ?? rows[index]!;
		if (staggered !== null) {
			use(staggered.of.flatMap(({ cells }) => cells));
			index += staggered.of.length - 1;
		}
		const apart = separated(row, rows.slice(index + 1, index + 4));
		const head = headOf(apart);
		if (head !== null && apart !== row) use(row.cells);
		if (head !== null) {
			table = isOfText(row)
				? { ...head, unaligned: isUnaligned(rows.slice(index + 1, index + farthestLine), head) }
				: head;
			use(head.cells);
			below = { line: null, row, described: undefined, rows: [], next: null };
			state.blocks.push(below);
			continue;
		}
		if (table === null) continue;
		if (table.kind === 'taxes') {
			const tax = taxOf(row, table, conventions);
			if (tax === 'end') table = null;
			else if (tax !== null) {
				state.taxes.push(tax);
				use(within(row, table));
			}
			continue;
		}
		const kind = rowKind(row, table, conventions);
		if (kind === 'totals') {
			table = null;
			continue;
		}
		if (kind === 'title' && (below === null || below.line === null)) titled ||= isTitle(row);
		if (kind === 'subtotal' || kind === 'adjustment') below = null;
		if (kind === 'title' || kind === 'other')
			below?.rows.push({ row, kind: rowBelow(row, table, below.line, conventions) });
		if (kind === 'title') optional = isOptional(row.cells[0]?.text ?? '');
		if (kind === 'subtotal') optional = false;
		if (kind === 'adjustment') {
			const adjustment = adjustmentOf(row, conventions);
			if (adjustment !== null) state.adjustments.push(adjustment);
			use(row.cells);
		}
		if (kind === 'line') {
			const { unsure, described, ...line } = lineOf(row, table, conventions);
			if (below !== null) below.next = row;
			below = { line: state.lines.length, row, described, rows: [], next: null };
			state.blocks.push(below);
			state.described.push(described);
			state.heads.push(table);
			state.unsure.push(...unsure.map((one) => ({ ...one, line: state.lines.length })));
			state.lines.push({ ...line, optional: optional || isOptional(line.values.description?.value ?? '') });
			use(row.cells);
		}
	}
	const { taxes, adjustments, used } = state;
	const { parts, loose } = wrappedIn(state.blocks, titled);
	for (const [index, cells] of parts) {
		const [line, described] = [state.lines[index], state.described[index]];
		if (line === undefined || described === undefined) continue;
		const whole = cells.reduce(joinedCells, described);
		state.described[index] = whole;
		state.lines[index] = { ...line, values: { ...line.values, description: descriptionIn(whole) } };
		use(cells);
	}
	const heading = sectionHeads(state.lines);
	const kept = state.lines.flatMap((_, index) => (heading.has(index) ? [] : [index]));
	const now = new Map(kept.map((index, at) => [index, at]));
	const [all, described, heads] = [state.lines, state.described, state.heads].map((list) =>
		kept.map((index) => list[index]),
	) as [TableLine[], Array<Cell | undefined>, Head[]];
	const lines = withoutReferences(withoutTitles(all, described), described);
	const unsure = state.unsure.flatMap(({ line, path, ...one }) =>
		now.has(line) ? [{ ...one, path: `lines.${now.get(line)}.${path}` }] : [],
	);
	return {
		taxes,
		adjustments,
		used,
		withTax: heads.length > 0 && heads.every(isWithTax),
		lines: withoutPositions(lines, described),
		loose: loose.map(({ line, found }) => ({ line: line === null ? null : (now.get(line) ?? null), found })),
		unsure: [...unsure, ...holesIn(lines, heads, unsure)],
	};
}

/**
 * The titles of sections that have the section's sum beside them, by their index among the lines: they are no lines, for
 * theirs follow, by their position (`1.1` under `1`) or up to the next title.
 */
function sectionHeads(lines: readonly TableLine[]): ReadonlySet<number> {
	const heads = new Set<number>();
	const isBare = ({ values }: TableLine) => values.quantity === undefined && values.unitPrice === undefined;
	let open: { index: number; position: string | null; sum: Big; count: number } | null = null;
	const close = () => {
		const total = open === null ? undefined : lines[open.index]?.values.total?.value;
		if (open !== null && total !== undefined && open.count >= (open.position === null ? 2 : 1) && open.sum.eq(total))
			heads.add(open.index);
	};
	for (const [index, line] of lines.entries()) {
		if (isBare(line)) {
			close();
			open = { index, position: line.position, sum: new Big(0), count: 0 };
		} else if (open !== null && (open.position === null || line.position?.startsWith(`${open.position}.`) === true)) {
			open.sum = open.sum.plus(line.values.total?.value ?? 0);
			open.count += 1;
		}
	}
	close();
	return heads;
}

/** True for a head whose only totals are `Total TTC`, and whose prices are no others. */
function isWithTax({ columns }: Head): boolean {
	const has = (column: Column) => columns.some((one) => one.column === column);
	const net = columns.some(({ column, head }) => column === 'unitPrice' && /\bht\b|h\.t\b|hors|net/.test(head));
	const gross = columns.some(({ column, head }) => column === 'unitPrice' && withTaxWord.test(head));
	return !has('total') && !net && (has('totalWithTax') || gross);
}

const withTaxWord = /\b(?:ttc|t\.t\.c|brutto|incl|inkl)\b/;

/** Where a line has no quantity or price although its head has a column for it and other lines, on any page, have one. */
function holesIn(
	lines: readonly TableLine[],
	heads: readonly Head[],
	known: TableReading['unsure'],
): Array<TableReading['unsure'][number]> {
	const paths = new Set(known.map(({ path }) => path));
	return (['quantity', 'unitPrice'] as const).flatMap((key) => {
		if (lines.every(({ values }) => values[key] === undefined)) return [];
		return lines.flatMap(({ values }, index) => {
			const head = heads[index];
			const path = `lines.${index}.${key}`;
			const [seen] = Object.values(values);
			if (values[key] !== undefined || head === undefined || seen === undefined || paths.has(path)) return [];
			if (!head.columns.some(({ column }) => column === key)) return [];
			return [{ path, message: 'was not found in its column, where other lines have a value', place: seen.place }];
		});
	});
}

/** Where the words of a description stand beside the figures of their line; null without boxes. */
function levels({ values }: TableLine, described: Cell | undefined) {
	const figures = [values.total, values.unitPrice, values.quantity]
		.map((found) => boxOf(found?.place))
		.filter((box) => box !== undefined);
	const [figure] = figures.toSorted((a, b) => a[1] - b[1]);
	const from = values.description?.value.split(' ', 1)[0] ?? '';
	if (described === undefined || figure === undefined) return null;
	const words = described.words.filter(({ start }) => start >= described.text.indexOf(from));
	const slack = 0.3 * (figure[3] - figure[1]);
	const above = words.filter(({ place }) => (boxOf(place)?.[3] ?? Infinity) <= figure[1] + slack);
	const below = words.filter(({ place }) => (boxOf(place)?.[1] ?? -Infinity) >= figure[3] - slack);
	const level = words.filter((word) => !above.includes(word) && !below.includes(word));
	return { top: figure[1], above, level, below };
}

function boxOf(place: Found['place'] | undefined): Box | undefined {
	return place !== undefined && 'box' in place ? place.box : undefined;
}

/**
 * A title in the column of descriptions is no part of the description below it: where rows begin level with their
 * figures, as other rows of two lines show, or where it is in capitals and stands as far above as a row of its own.
 */
function withoutTitles(lines: readonly TableLine[], described: ReadonlyArray<Cell | undefined>): TableLine[] {
	const set = lines.map((line, index) => levels(line, described[index]));
	const single = set.flatMap((one, index) => {
		const next = set[index + 1];
		const plain = one?.above.length === 0 && one.below.length === 0 && next?.above.length === 0;
		return plain && next.top > one.top ? [next.top - one.top] : [];
	});
	const pitch = Math.min(...single);
	const isTitled = (one: (typeof set)[number]) => one !== null && one.above.length > 0 && one.level.length > 0;
	const beginsLevel =
		set.some((one) => one?.above.length === 0 && one.below.length > 0) &&
		set.every((one) => one === null || one.above.length === 0 || one.level.length > 0) &&
		set.filter(isTitled).length < set.filter((one) => one?.above.length === 0 && one.below.length > 0).length;
	return lines.map((line, index) => {
		const [one, cell] = [set[index] ?? null, described[index]];
		const [title, first] = [one?.above[0], one?.level[0]];
		const [titleBox, box] = [boxOf(title?.place), boxOf(first?.place)];
		if (one === null || cell === undefined || first === undefined || titleBox === undefined || box === undefined)
			return line;
		const text = one.above.map((word) => word.text).join(' ');
		const capitals = /\p{Lu}{2}/u.test(text) && !/\p{Ll}/u.test(text) && /\p{Ll}{2}/u.test(cell.text);
		const last = boxOf(one.above.at(-1)?.place) ?? titleBox;
		const apart = box[1] - last[1] >= 0.9 * pitch;
		// Lines of one text stand closer together than rows that have white between them.
		const white = box[1] - last[1] >= 1.4 * (box[3] - box[1]) && last[1] - titleBox[1] < 0.3 * (box[3] - box[1]);
		if (!beginsLevel && !(apart && (capitals || white))) return line;
		const rest = cell.text.slice(first.start).trim();
		const description = foundIn(cell, first.start, cell.text.length, rest);
		return { ...line, values: { ...line.values, description } };
	});
}

/**
 * A code that fills its column and so runs into the description is no part of it: the description begins where those
 * of the other lines begin, which have no code in theirs.
 */
function withoutReferences(lines: readonly TableLine[], described: ReadonlyArray<Cell | undefined>): TableLine[] {
	const begins = lines.map(({ values }) => boxOf(values.description?.place)?.[0]);
	const most = Math.max(...begins.map((left) => left ?? -Infinity));
	return lines.map((line, index) => {
		const [cell, left] = [described[index], begins[index]];
		if (cell === undefined || left === undefined || most - left < letterWidth(cell)) return line;
		const at = cell.words.findIndex(({ place }) => Math.abs((boxOf(place)?.[0] ?? 0) - most) <= letterWidth(cell) / 2);
		const word = cell.words[at];
		const code = cell.words[0]?.text ?? '';
		if (at !== 1 || word === undefined || !/\d/.test(code) || /\p{Ll}/u.test(code)) return line;
		const rest = cell.text.slice(word.start).trim();
		return { ...line, values: { ...line.values, description: foundIn(cell, word.start, cell.text.length, rest) } };
	});
}

/**
 * The row that two or three rows of a page make together where figures are centred on their row: lines of text that
 * overlap in height, each neighbour beside the other, never under it. Null where the rows stand for themselves.
 */
function staggeredAt(rows: readonly Row[], index: number, table: Head | null): { row: Row; of: readonly Row[] } | null {
	const chain: Row[] = [];
	for (const row of rows.slice(index, index + 4)) {
		const before = chain.at(-1);
		if (before !== undefined && !interlocks(before, row)) break;
		chain.push(row);
	}
	const own = chain.length > 3 ? chain.slice(0, 2) : chain;
	const [first] = own;
	if (own.length < 2 || first === undefined || isOfText(first)) return null;
	const cells: Cell[] = [];
	for (const cell of own.flatMap((row) => row.cells)) {
		const above = cells.findIndex((one) => overlaps(one, cell));
		if (above === -1) cells.push(cell);
		else cells[above] = joinedCells(cells[above]!, cell);
	}
	const bottom = own.at(-1)?.bottom ?? first.bottom;
	const row = { ...first, bottom, cells: cells.toSorted((a, b) => a.left - b.left) };
	const columns = headOf(row)?.columns.length ?? 0;
	const heads = own.map((one) => headOf(one)?.columns.length ?? 0);
	if (columns > Math.max(...heads)) return { row, of: own };
	return table?.kind === 'lines' && Math.max(...heads) === 0 && columns === 0 ? { row, of: own } : null;
}

function interlocks(above: Row, below: Row): boolean {
	const shared = above.bottom - below.top;
	const height = Math.min(above.bottom - above.top, below.bottom - below.top);
	return (
		above.page === below.page &&
		shared > height / 5 &&
		above.cells.length + below.cells.length > 2 &&
		above.cells.every((cell) => below.cells.every((other) => !overlaps(cell, other)))
	);
}

function overlaps(a: Cell, b: Cell): boolean {
	return a.left < b.right && b.left < a.right;
}

/** `1 Dépose`, `2 Pose`: what counts the lines from the first to the last is their position, not their text. */
function withoutPositions(lines: readonly TableLine[], described: ReadonlyArray<Cell | undefined>): TableLine[] {
	const counted = lines.map(({ values }) => /^(\d{1,3})[.)]? +(?=\S)/.exec(values.description?.value ?? ''));
	const all = counted.every((match, index) => match !== null && Number(match[1]) === index + 1);
	if (lines.length < 2 || !all) return [...lines];
	return lines.map((line, index) => {
		const [text, cell] = [line.values.description?.value ?? '', described[index]];
		const rest = text.slice(counted[index]?.[0].length ?? 0);
		if (cell === undefined || !cell.text.includes(rest)) return line;
		const start = cell.text.indexOf(rest);
		const description = foundIn(cell, start, start + rest.length, rest);
		return { ...line, position: line.position ?? String(index + 1), values: { ...line.values, description } };
	});
}

/** True for a title or a line that the client may leave out: an option, a variant. */
export function isOptional(text: string): boolean {
	return /^(?:\W*|\d[\d.]* )(?:en )?(?:options?|variantes?|alternativ|optional|bedarfsposition|eventualposition)(?![\p{L}])/u.test(
		folded(text),
	);
}

/** A discount or a charge on the whole document as printed, from a row that announces one: the last amount of the row. */
export function adjustmentOf(row: Row, conventions: Conventions): Adjustment | null {
	const text = folded(row.cells.map((cell) => cell.text).join(' '));
	const amounts = row.cells.flatMap((cell) =>
		numbersIn(cell.text, conventions.decimalMark)
			.filter(({ percent }) => !percent)
			.map((printed) => ({ cell, printed })),
	);
	const withDecimals = amounts.filter(({ printed }) => printed.could.some((value) => value.includes('.')));
	const last = (withDecimals.length > 0 ? withDecimals : amounts).at(-1);
	const [value, ...others] = last?.printed.could ?? [];
	if (last === undefined || value === undefined || others.length > 0) return null;
	const lowers =
		/^\W*(?:\S+ )?(?:remise|rabais|ristourne|escompte|abzgl|abzuglich|rabatt|nachlass|skonto|discount|allowance|rebate|sondernachlass)/.test(
			text,
		);
	return { found: foundIn(last.cell, last.printed.start, last.printed.end, value), lowers };
}

/** In rows below their head: as far as lines are looked at to learn how a table is set. */
const farthestLine = 100;

interface HeadColumn {
	readonly column: Column;
	readonly left: number;
	readonly right: number;
	readonly head: string;
}

interface Head {
	readonly kind: 'lines' | 'taxes';
	readonly cells: readonly Cell[];
	readonly columns: readonly HeadColumn[];
	/** True where lines of a plain text do not stand under their heads: only whole ones can be read, by ordinal. */
	readonly unaligned: boolean;
}

const taxWord = /\b(?:tva|t\.v\.a\.?|taxes?|ust|mwst|umsatzsteuer|steuer\w*|vat|tax)\b/;

function headOf(row: Row): Head | null {
	const taxes = taxHeadOf(row);
	if (taxes !== null) return taxes;
	const columns = row.cells.flatMap((cell): HeadColumn[] => {
		const column = columnOf(cell.text);
		return column === null ? [] : [{ column, left: cell.left, right: cell.right, head: folded(cell.text) }];
	});
	if (row.cells.some(({ text }) => printsAmount.test(text))) return null;
	const has = (...wanted: Column[]) => columns.some(({ column }) => wanted.includes(column));
	const length = row.cells.reduce((sum, { text }) => sum + text.length, 0);
	if (columns.length < 2 || columns.length < row.cells.length / 2 || length > 220) return null;
	const unknown = row.cells
		.filter(({ text }) => columnOf(text) === null)
		.map(({ text, left, right }): HeadColumn => ({ column: 'other', left, right, head: folded(text) }));
	const priced = has('total', 'totalWithTax', 'unitPrice', 'price');
	if (!priced || (!has('description') && !(has('quantity') && has('unitPrice', 'price')))) return null;
	return { kind: 'lines', cells: row.cells, columns: [...settled(columns), ...unknown], unaligned: false };
}

/**
 * The head of a table with each column in a cell of its own: heads that nearly touch are one cell, under which the rows
 * have several. The words are parted so that each part heads a column, as near as can be to the cells below.
 */
function separated(row: Row, below: readonly Row[]): Row {
	if (row.cells.length > 8 || row.cells.some(({ text }) => printsAmount.test(text))) return row;
	if (row.cells.every(({ text }) => columnOf(text) === null)) return row;
	const cells = row.cells.flatMap((cell) => {
		const under = below
			.filter(({ page, cells: { length } }) => page === row.page && length > row.cells.length)
			.map((one) => one.cells.filter((other) => overlaps(cell, other)))
			.toSorted((a, b) => b.length - a.length)[0];
		return under === undefined || under.length < 2 ? [cell] : (partedOver(cell, under) ?? [cell]);
	});
	return cells.length === row.cells.length ? row : { ...row, cells };
}

const mostWordsOfHeads = 14;

function partedOver(cell: Cell, under: readonly Cell[]): Cell[] | null {
	const starts = cell.words.map(({ start }) => start);
	if (
		starts.length < under.length ||
		starts.length > mostWordsOfHeads ||
		isOfText({ page: 1, top: 0, bottom: 0, cells: [cell] })
	)
		return null;
	const middle = ({ left, right }: Cell) => (left + right) / 2;
	let best: { cells: Cell[]; distance: number } | null = null;
	const extend = (cells: Cell[], from: number, distance: number): void => {
		const target = under[cells.length];
		if (target === undefined) {
			if (from === starts.length && (best === null || distance < best.distance)) best = { cells, distance };
			return;
		}
		for (let to = from + 1; to <= starts.length - (under.length - cells.length - 1); to += 1) {
			const part = partOf(cell, starts[from]!, starts[to] ?? cell.text.length);
			if (part === null || columnOf(part.text) === null) continue;
			extend([...cells, part], to, distance + Math.abs(middle(part) - middle(target)));
		}
	};
	extend([], 0, 0);
	return (best as { cells: Cell[] } | null)?.cells ?? null;
}

const printsAmount = /\d[\d .,]*(?:€|[.,]\d{2}\b)/;

/**
 * The head of a table of taxes: a word for the tax, and what is taxed or its amount. The totals often stand beside it,
 * so it ends where a cell holds one of their labels.
 */
function taxHeadOf(row: Row): Head | null {
	const end = row.cells.findIndex(({ text }, index) => index > 0 && (printsAmount.test(text) || isTotalLabel(text)));
	const cells = end === -1 ? row.cells : row.cells.slice(0, end);
	const heads = cells.map(({ text }) => columnOf(text));
	const taxed = cells.some(({ text }) => taxWord.test(folded(text)));
	if (!taxed || cells.length < 2 || cells.length > 8 || heads.includes('quantity') || heads.includes('description'))
		return null;
	const short = heads.length === 3 && heads[0] === 'vatRate' && heads.slice(1).every((head) => head !== null);
	const long =
		heads.includes('base') && (heads.includes('vatAmount') || heads.includes('vatRate') || heads.includes('total'));
	return short || long ? { kind: 'taxes', cells, columns: taxColumns(cells), unaligned: false } : null;
}

const totalLabels = new Set<string>(['net', 'gross', 'due', 'total']);

function isTotalLabel(text: string): boolean {
	return isBareLabel(text) && totalLabels.has(labelAt(text)?.label ?? '') && columnOf(text) !== 'base';
}

/** The cells of a row that stand under the head of a table. */
function within(row: Row, head: Head): Cell[] {
	const left = Math.min(...head.cells.map((cell) => cell.left));
	const right = Math.max(...head.cells.map((cell) => cell.right));
	const slack = (right - left) / 4;
	return row.cells.filter((cell) => cell.right > left - slack && cell.left < right);
}

function taxColumns(cells: readonly Cell[]): HeadColumn[] {
	const known = cells.map((cell): HeadColumn => {
		const head = folded(cell.text);
		const column = columnOf(cell.text);
		const amount = /betrag|amount|montant|steuer ?$|tva ?$/.test(head);
		if (column === 'vatAmount' || (column === 'total' && !/net|ht\b/.test(head)))
			return { column: 'vatAmount', left: cell.left, right: cell.right, head };
		if (/kategorie|category|code|motif|detail/.test(head))
			return { column: 'reference', left: cell.left, right: cell.right, head };
		if (column === 'base' || /net|\bht\b|basis/.test(head))
			return { column: 'base', left: cell.left, right: cell.right, head };
		if (column === 'vatRate' || /%|taux|satz|rate/.test(head))
			return { column: 'vatRate', left: cell.left, right: cell.right, head };
		return { column: amount ? 'vatAmount' : 'reference', left: cell.left, right: cell.right, head };
	});
	// Of two columns for the rate the one headed by nothing but the tax holds its amount: `RATE | VAT | NET`.
	const rates = known.filter(({ column }) => column === 'vatRate');
	if (rates.length > 1)
		return known.map((one) =>
			rates.includes(one) && /^(?:tva|t\.v\.a\.?|ust|mwst|vat|tax)$/.test(one.head.trim())
				? { ...one, column: 'vatAmount' }
				: one,
		);
	return known;
}

/** Decides what a column headed only `Prix`, `Price` or `Montant` holds, from its neighbours. */
function settled(columns: readonly HeadColumn[]): HeadColumn[] {
	const description = columns.findIndex(({ column }) => column === 'description');
	let result = columns.map((column, index) =>
		column.column === 'total' && /^(?:amount|montant|nombre)$/.test(column.head.trim()) && index < description
			? { ...column, column: 'quantity' as const }
			: column,
	);
	const has = (column: Column) => result.some((one) => one.column === column);
	const taxed = result.filter(({ column }) => column === 'totalWithTax');
	if (taxed.length > 1 && !has('unitPrice') && !has('price'))
		result = result.map((column) =>
			column === taxed[0] && /tarif|prix|price|preis/.test(column.head)
				? { ...column, column: 'unitPrice' as const }
				: column,
		);
	const prices = result.filter(({ column }) => column === 'price');
	result = result.map((column) => {
		if (column.column !== 'price') return column;
		const last = column === prices.at(-1);
		const total = !has('total') && last && (has('unitPrice') || prices.length > 1 || !has('quantity'));
		return { ...column, column: total ? ('total' as const) : ('unitPrice' as const) };
	});
	return result;
}

type RowKind = 'line' | 'subtotal' | 'adjustment' | 'totals' | 'title' | 'other';

function rowKind(row: Row, head: Head, conventions: Conventions): RowKind {
	const cells = columned(row, head);
	const amounts = (column: Column) =>
		(cells.get(column) ?? []).filter(isFigure).flatMap((cell) => numbersIn(cell.text, conventions.decimalMark));
	const total = [...amounts('total'), ...amounts('totalWithTax')].some(({ percent }) => !percent);
	const priced = amounts('quantity').length > 0 && amounts('unitPrice').length > 0;
	const worded = row.cells.filter(({ text }) => /\p{L}{2}/u.test(text));
	const first = worded.find(({ text }) => ['adjustment', 'subtotal'].includes(labelAt(text)?.label ?? '')) ?? worded[0];
	const label =
		first === undefined
			? null
			: (labelAt(first.text) ??
				labelAt(
					row.cells
						.slice(row.cells.indexOf(first))
						.map(({ text }) => text)
						.join(' '),
				));
	if (row.cells.some(({ text }, index) => index > 0 && isTotalLabel(text)) && !priced) return 'totals';
	const anyAmount = row.cells.some(({ text }) =>
		numbersIn(text, conventions.decimalMark).some(({ percent }) => !percent),
	);
	if (first !== undefined && label !== null && !priced) {
		const rest = folded(first.text.slice(label.end)).replace(/[\d\s.,€%()-]|eur/g, '');
		if (label.label === 'subtotal') return 'subtotal';
		if (label.label === 'adjustment') return total || anyAmount ? 'adjustment' : 'other';
		if (['net', 'tax', 'gross', 'due', 'total'].includes(label.label)) {
			if (rest === '' || label.label === 'tax') return 'totals';
			if (/^total\b/.test(folded(first.text))) return 'subtotal';
		}
		if (label.label === 'other-amount' || label.label === 'other-party') return 'other';
	}
	const stray = anyAmount && strays(row, head);
	if (first !== undefined && (total || priced || stray))
		return describedBy(row, cells) === undefined ? 'other' : 'line';
	return row.cells.length === 1 && !anyAmount ? 'title' : 'other';
}

/** True for words that are no second line of a head. */
function isTitle({ cells }: Row): boolean {
	return cells.every(({ text }) => /\p{L}{4}/u.test(text) && columnOf(text) === null);
}

/** What a row of a table that is no line may be to the one above it. */
function rowBelow(row: Row, head: Head, line: number | null, conventions: Conventions): RowBelow {
	const [first, ...more] = row.cells;
	const isAmount = (cell: Cell) =>
		numbersIn(cell.text, conventions.decimalMark).some(
			({ percent, currency, could }) =>
				!percent && (currency !== null || could.some((value) => /\.\d{2}$/.test(value))),
		);
	if (first === undefined || row.cells.some(isAmount)) return 'other';
	if (more.length === 0) return 'text';
	const cells = columned(row, head);
	const described = cells.get('description') ?? [];
	const figures = row.cells.filter((cell) => !described.includes(cell));
	const inColumns = (cell: Cell, columns: Iterable<Column>) =>
		[...columns].some((column) => cells.get(column)?.includes(cell) === true);
	const isPriced = (cell: Cell) => inColumns(cell, figureColumns) || !inColumns(cell, cells.keys());
	const stands = described.length === 1 && /\p{L}{2}/u.test(described[0]?.text ?? '') && labelAt(first.text) === null;
	const short = figures.every(({ text }) => text.length <= longestFigureWord);
	if (!stands || !short || !(figures.some(isPriced) || strays(row, head))) return 'other';
	// Right below the heads of the columns stand their second lines and their units.
	return line !== null || figures.some(({ text }) => withoutCharge.test(folded(text))) ? 'unpriced' : 'other';
}

/** In characters: `en supplément`, `non chiffré`. */
const longestFigureWord = 24;
const withoutCharge =
	/\b(?:offerte?s?|gratuite?s?|inclus(?:es?)?|compris(?:es?)?|sans frais|(?:pour )?memoire|p\.?m|geschenkt|kostenlos|gratis|inkl(?:usive)?|inklusiv|enthalten|free|included|incl|complimentary|no charge)\b/;

/** True for a cell that holds a figure with at most its unit, not a sentence with a number in it. */
function isFigure(cell: Cell): boolean {
	return (
		(folded(cell.text)
			.replace(/eur(?:os?)?|chf/g, '')
			.match(/\p{L}/gu)?.length ?? 0) <= 12
	);
}

function describedBy(row: Row, cells: ReadonlyMap<Column, Cell[]>): Cell | undefined {
	const letters = (cell: Cell) => cell.text.match(/\p{L}/gu)?.length ?? 0;
	const described = (cells.get('description') ?? []).filter((cell) => letters(cell) >= 2);
	// Where two columns describe, the first names what is sold, unless it holds codes.
	const [name] = described;
	if (name !== undefined && letters(name) >= 0.6 * name.text.replace(/\s/g, '').length && !name.text.includes(':'))
		return name;
	const candidates =
		described.length > 0 ? described : [...(cells.get('reference') ?? []), ...(cells.get('position') ?? [])];
	const [best] = candidates.filter((cell) => letters(cell) >= 2).toSorted((a, b) => letters(b) - letters(a));
	if (best !== undefined) return best;
	const [first] = row.cells;
	return first !== undefined && letters(first) >= 3 && (!isFigure(first) || ![...cells.values()].flat().includes(first))
		? first
		: undefined;
}

/** The columns of a line of text that has a cell for each head and a figure where one is asked; null for any other. */
function ordinalColumns(row: Row, head: Head): Column[] | null {
	if (!isOfText(row) || row.cells.length !== head.cells.length) return null;
	const ordinal = head.cells.map((cell) => head.columns.find(({ left }) => left === cell.left)?.column ?? 'other');
	const fits = row.cells.every((cell, index) => {
		const column = ordinal[index] ?? 'other';
		if (figureColumns.has(column)) return isFigure(cell) && !/\p{L}{4}/u.test(cell.text);
		return column !== 'description' || /\p{L}{2}/u.test(cell.text);
	});
	return fits ? ordinal : null;
}

const figureColumns = new Set<Column>(['quantity', 'unitPrice', 'total', 'totalWithTax']);

/** True for a line of text that lacks cells in a table whose lines do not stand under their heads. */
function strays(row: Row, head: Head): boolean {
	return head.unaligned && isOfText(row) && row.cells.length > 1 && row.cells.length < head.cells.length;
}

/** Whether a line of text shows that figures stand under other heads than their own. */
function isUnaligned(rows: readonly Row[], head: Head): boolean {
	return rows.some(
		(row) =>
			ordinalColumns(row, head)?.some((column, index) => {
				const [own, cell] = [head.cells[index], row.cells[index]];
				return (
					figureColumns.has(column) &&
					own !== undefined &&
					cell !== undefined &&
					!(own.left < cell.right && cell.left < own.right)
				);
			}) === true,
	);
}

/** Puts each cell of a row under the head that it lines up with best; a line of text as long as its head by ordinal. */
function columned(row: Row, head: Head): Map<Column, Cell[]> {
	const cells = new Map<Column, Cell[]>();
	const ordinal = ordinalColumns(row, head);
	if (ordinal !== null) {
		for (const [index, cell] of row.cells.entries()) {
			const column = ordinal[index] ?? 'other';
			cells.set(column, [...(cells.get(column) ?? []), cell]);
		}
		return cells;
	}
	if (strays(row, head)) {
		const described = row.cells.find(({ text }) => /\p{L}{3}/u.test(text));
		for (const cell of row.cells) {
			const column = cell === described ? 'description' : 'other';
			cells.set(column, [...(cells.get(column) ?? []), cell]);
		}
		return cells;
	}
	for (const cell of row.cells) {
		const width = Math.max(1, (cell.right - cell.left) / Math.max(1, cell.text.length));
		const numeric = /^[^\p{L}]*\d[^\p{L}]*(?:eur|chf|€)?$/iu.test(cell.text);
		const scored = head.columns.map((column) => {
			const overlap = Math.min(cell.right, column.right) - Math.max(cell.left, column.left);
			const apart = Math.min(
				Math.abs(cell.left - column.left),
				Math.abs(cell.right - column.right),
				Math.abs(cell.left + cell.right - column.left - column.right) / 2,
			);
			const wordy = column.column === 'description' || column.column === 'reference';
			const misfit = numeric === wordy && column.column !== 'unit' && column.column !== 'position' ? 12 : 0;
			return {
				column,
				distance: (overlap > 0 ? apart / 4 : Math.min(apart, -overlap) + 4 * width) / width + misfit,
			};
		});
		const [best] = scored.toSorted((a, b) => a.distance - b.distance);
		if (best === undefined || best.distance > 60) continue;
		cells.set(best.column.column, [...(cells.get(best.column.column) ?? []), cell]);
	}
	// Where a wide quantity reaches under the head of the units, both stand in one cell: `16,00 h`.
	const units = cells.get('unit') ?? [];
	const asked = head.columns.some(({ column }) => column === 'quantity');
	if (asked && !cells.has('quantity') && units.some(({ text }) => /^\d[\d .,]*\p{L}/u.test(text))) {
		cells.set('quantity', units);
		cells.delete('unit');
	}
	return cells;
}

interface Candidate {
	readonly cell: Cell;
	readonly printed: Printed;
	readonly value: string;
}

function lineOf(row: Row, head: Head, conventions: Conventions) {
	const cells = columned(row, head);
	const described = describedBy(row, cells);
	const numbers = (column: Column): Candidate[] =>
		(cells.get(column) ?? [])
			.filter(isFigure)
			.flatMap((cell) =>
				numbersIn(cell.text, conventions.decimalMark).flatMap((printed) =>
					printed.could.map((value) => ({ cell, printed, value })),
				),
			);
	const amounts = (column: Column) => numbers(column).filter(({ printed }) => !printed.percent);
	const headed = amounts('total').length > 0 ? amounts('total') : amounts('totalWithTax');
	// Without a head for totals the figure that the line's own product confirms is its total.
	const product = (total: Candidate) =>
		amounts('quantity').some((q) =>
			amounts('unitPrice').some((p) => holds(q.value, p.value, total.value, '1', discount)),
		);
	const inPercent = head.columns.some(({ column, head: title }) => column === 'discount' && title.includes('%'));
	const discount = discountOf(cells.get('discount') ?? [], inPercent, conventions);
	const totals = headed.length > 0 ? headed : amounts('other').filter(product);
	// So is the factor that its head does not name: quantity or price is what makes the other one the total.
	const factor = (column: 'quantity' | 'unitPrice') => {
		const named = amounts(column);
		const other = amounts(column === 'quantity' ? 'unitPrice' : 'quantity');
		if (named.length > 0 || head.columns.some((one) => one.column === column)) return named;
		return amounts('other').filter((candidate) =>
			other.some((one) => totals.some((total) => holds(candidate.value, one.value, total.value, '1', discount))),
		);
	};
	const [quantities, prices] = [factor('quantity'), factor('unitPrice')];
	const unitCell = cells.get('unit')?.[0];
	const perUnit = unitCell === undefined ? null : /^(\d+)\s*(\p{L}.*)$/u.exec(unitCell.text.trim());
	const per = perUnit?.[1] ?? amounts('per')[0]?.value ?? null;
	const [charged, chosen] = chargesOf(amounts('charge'), quantities, discount)
		.map((each) => [each, chooseByArithmetic(quantities, prices, totals, each, per)] as const)
		.toSorted(([, a], [, b]) => Number(b.holds) - Number(a.holds))[0]!;
	const values: Partial<Record<keyof DocumentLine, Found>> = {};
	const isOption = described !== undefined && isOptional(described.text);
	const unsure: Array<{ path: string; message: string; place: Found['place'] }> = [];
	const place = (candidate: Candidate) =>
		foundIn(candidate.cell, candidate.printed.start, candidate.printed.end, candidate.value);
	if (described !== undefined) values.description = descriptionIn(described);
	for (const key of ['quantity', 'unitPrice', 'total'] as const) {
		const { choice, among } = chosen[key];
		if (choice !== null) {
			values[key] = place(choice);
			// The amount of an option stands in brackets because it is not counted, not because it is negative.
			if (isOption && /^\(.*\)$/.test(choice.cell.text.trim()))
				values[key] = { ...place(choice), value: choice.value.replace('-', '') };
		} else if (among[0] !== undefined) {
			const message = `could be ${[...new Set(among.map(({ value }) => value))].join(' or ')}`;
			unsure.push({ path: key, message, place: place(among[0]).place });
		}
	}
	const stray = row.cells.find((cell) => cell !== described);
	if (strays(row, head) && stray !== undefined) {
		const message = 'lacks a value in one of its columns, and none of its figures stands under a head';
		const { place: seen } = foundCell(stray);
		for (const path of ['quantity', 'unitPrice', 'total']) unsure.push({ path, message, place: seen });
	}
	const unit = unitOf(unitCell, perUnit?.[2], chosen.quantity.choice);
	if (unit !== null) values.unit = unit;
	const rates = numbers('vatRate').filter(({ value }) => new Big(value).gte(0) && new Big(value).lte(100));
	if (rates.length === 1 && rates[0] !== undefined)
		values.vatRate = { ...place(rates[0]), value: decimal(rates[0].value) };
	const position = cells.get('position')?.[0]?.text.trim() ?? null;
	return {
		values,
		unsure,
		described,
		position: position !== null && /^\d+(?:\.\d+)*\.?$/.test(position) ? position.replace(/\.$/, '') : null,
		figures: {
			adjustments: charged.amounts,
			priceQuantity: chosen.priceQuantity,
			discountPercent: discount.percent,
		},
	};
}

function descriptionIn(cell: Cell): Found {
	const [prefix = ''] = /^(?:\d{1,3}(?:\.\d{1,3})+\.?|[-•*▪–])\s+(?=\p{L})/u.exec(cell.text) ?? [];
	return foundIn(cell, prefix.length, cell.text.length, cell.text.slice(prefix.length).trim());
}

function unitOf(cell: Cell | undefined, afterNumber: string | undefined, quantity: Candidate | null): Found | null {
	if (cell !== undefined) {
		const text = afterNumber ?? cell.text.trim();
		if (!/\p{L}/u.test(text) || text.length > 20) return null;
		return foundIn(cell, cell.text.indexOf(text), cell.text.indexOf(text) + text.length, text);
	}
	if (quantity === null) return null;
	const rest = quantity.cell.text.slice(quantity.printed.end);
	const unit = /^\s*(\p{L}[\p{L}²³\d.()/ ]{0,14})\s*$/u.exec(rest)?.[1]?.trim();
	if (unit === undefined || unit.toLowerCase() === 'x') return null;
	const start = quantity.printed.end + rest.indexOf(unit);
	return foundIn(quantity.cell, start, start + unit.length, unit);
}

interface Discount {
	readonly percent: string | null;
	readonly amounts: readonly string[];
}

function discountOf(cells: readonly Cell[], inPercent: boolean, conventions: Conventions): Discount {
	const numbers = cells.flatMap((cell) => numbersIn(cell.text, conventions.decimalMark));
	const percents = numbers.filter(({ percent }) => percent || inPercent).flatMap(({ could }) => could);
	const amounts = numbers.filter(({ percent, could }) => !percent && could.length === 1).flatMap(({ could }) => could);
	const [percent] = percents;
	if (percent !== undefined && percents.length === 1) return { percent: new Big(percent).abs().toFixed(), amounts: [] };
	return { percent: null, amounts };
}

/**
 * What a charge beside the price (an eco-contribution) adds to the discount: nothing where the price holds it, itself,
 * or itself for each piece.
 */
function chargesOf(charges: readonly Candidate[], quantities: readonly Candidate[], discount: Discount): Discount[] {
	const [charge, ...more] = charges;
	const [quantity, ...others] = quantities;
	if (charge === undefined || more.length > 0) return [discount];
	const each = (amount: string) => ({ ...discount, amounts: [...discount.amounts, amount] });
	const pieces =
		quantity === undefined || others.length > 0 ? [] : [new Big(charge.value).times(quantity.value).toFixed()];
	return [discount, each(charge.value), ...pieces.map(each)];
}

/** Of all that a line's cells could say, what its arithmetic confirms; a cell with a single reading stands by itself. */
function chooseByArithmetic(
	quantities: readonly Candidate[],
	prices: readonly Candidate[],
	totals: readonly Candidate[],
	discount: Discount,
	per: string | null,
) {
	const pers = per === null ? ['1'] : ['1', per];
	const fits: Array<{ quantity: Candidate; price: Candidate; total: Candidate; per: string }> = [];
	for (const quantity of quantities) {
		for (const price of prices) {
			for (const total of totals) {
				for (const divisor of pers) {
					if (holds(quantity.value, price.value, total.value, divisor, discount)) {
						fits.push({ quantity, price, total, per: divisor });
					}
				}
			}
		}
	}
	const choose = (among: readonly Candidate[], key: 'quantity' | 'price' | 'total') => {
		const values = new Set(fits.map((fit) => fit[key].value));
		const confirmed = fits[0];
		if (confirmed !== undefined && values.size === 1) return { choice: confirmed[key], among };
		const single = new Set(among.map(({ value }) => value)).size === 1;
		return { choice: single ? (among[0] ?? null) : null, among };
	};
	return {
		quantity: choose(quantities, 'quantity'),
		unitPrice: choose(prices, 'price'),
		total: choose(totals, 'total'),
		priceQuantity: fits[0] !== undefined && fits[0].per !== '1' ? fits[0].per : null,
		holds: fits.length > 0,
	};
}

function holds(quantity: string, price: string, total: string, per: string, discount: Discount): boolean {
	if (new Big(per).eq(0)) return false;
	const gross = new Big(quantity).times(price).div(per);
	const net = discount.percent === null ? gross : gross.times(new Big(100).minus(discount.percent)).div(100);
	const adjusted = discount.amounts.reduce((sum, amount) => sum.plus(amount), net);
	return [gross, adjusted].some((expected) => expected.abs().minus(new Big(total).abs()).abs().lte('0.005'));
}

/** One row of the tax table, null for a row without figures, `end` when the table is over. */
function taxOf(row: Row, head: Head, conventions: Conventions): TableReading['taxes'][number] | 'end' | null {
	const own = { ...row, cells: within(row, head) };
	const [firstCell] = own.cells;
	if (firstCell === undefined) return null;
	const cells = columned(own, head);
	const amount = (column: Column) => {
		const numbers = (cells.get(column) ?? []).flatMap((cell) =>
			numbersIn(cell.text, conventions.decimalMark).map((printed) => ({ cell, printed })),
		);
		const [only, ...more] = numbers;
		const [value, ...others] = only?.printed.could ?? [];
		if (only === undefined || value === undefined || more.length > 0 || others.length > 0) return undefined;
		return foundIn(only.cell, only.printed.start, only.printed.end, value);
	};
	const [rate, base, taxAmount] = [amount('vatRate'), amount('base'), amount('vatAmount')];
	const label = labelAt(firstCell.text)?.label;
	const single = own.cells.length < 3 && (rate === undefined || base === undefined);
	const over = own.cells.some(
		({ text }) => isTotalLabel(text) || ['subtotal', 'other-amount'].includes(labelAt(text)?.label ?? ''),
	);
	if (over) return 'end';
	const [only, ...others] = own.cells;
	const total = others.length === 0 && only !== undefined && totalLabels.has(labelAt(only.text)?.label ?? '');
	const anotherHead = own.cells.length >= 3 && own.cells.every(({ text }) => !/\d/.test(text));
	if ((label === 'tax' && single) || anotherHead || total) return 'end';
	// A row of taxes holds two of the three; a single number is one of whatever stands below the table.
	if ([rate, base, taxAmount].filter((found) => found !== undefined).length < 2) return null;
	return {
		...(rate === undefined ? {} : { rate: shortened(rate) }),
		...(base === undefined ? {} : { base }),
		...(taxAmount === undefined ? {} : { amount: taxAmount }),
	};
}

function shortened(rate: Found): Found {
	return { ...rate, value: decimal(rate.value) };
}

/** A rate without the zeros that pad it: `20.00` is `20`, `5.50` is `5.5`. */
function decimal(value: string): string {
	return new Big(value).toFixed();
}
