import Big from 'big.js';
import { columned, describedBy, figureColumns, isFigure, isUnaligned, strays } from './columns';
import { withoutPositions, withoutReferences, withoutTitles } from './descriptions';
import { type Conventions, type Found, foundIn, isOfText, joinedCells, numbersIn, overlaps } from './found';
import { type Head, headOf, isTotalLabel, isWithTax, separated, totalLabels, within } from './heads';
import { type Column, columnOf, folded, labelAt } from './labels';
import type { Cell, Row } from '../rows/layout';
import { decimal, descriptionIn, isOptional, lineOf, type TableLine } from './tableLine';
import { type Below, type Loose, type RowBelow, wrappedIn } from './wrapped';

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
