import { isOfText, overlaps, partOf } from './found';
import { type Column, columnOf, folded, isBareLabel, labelAt } from './labels';
import type { Cell, Row } from '../rows/layout';

interface HeadColumn {
	readonly column: Column;
	readonly left: number;
	readonly right: number;
	readonly head: string;
}

/** The head of a table: its cells, and what each column holds and how far it reaches. */
export interface Head {
	readonly kind: 'lines' | 'taxes';
	readonly cells: readonly Cell[];
	readonly columns: readonly HeadColumn[];
	/** True where lines of a plain text do not stand under their heads: only whole ones can be read, by ordinal. */
	readonly unaligned: boolean;
}

const taxWord = /\b(?:tva|t\.v\.a\.?|taxes?|ust|mwst|umsatzsteuer|steuer\w*|vat|tax)\b/;

/** The head of a table of lines or of taxes that a row is; null for any other row. */
export function headOf(row: Row): Head | null {
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
export function separated(row: Row, below: readonly Row[]): Row {
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

/** Labels of what the lines come to. */
export const totalLabels = new Set<string>(['net', 'gross', 'due', 'total']);

/** True for a bare label of a total that is no head of a column. */
export function isTotalLabel(text: string): boolean {
	return isBareLabel(text) && totalLabels.has(labelAt(text)?.label ?? '') && columnOf(text) !== 'base';
}

/** The cells of a row that stand under the head of a table. */
export function within(row: Row, head: Head): Cell[] {
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

/** True for a head whose only totals are `Total TTC`, and whose prices are no others. */
export function isWithTax({ columns }: Head): boolean {
	const has = (column: Column) => columns.some((one) => one.column === column);
	const net = columns.some(({ column, head }) => column === 'unitPrice' && /\bht\b|h\.t\b|hors|net/.test(head));
	const gross = columns.some(({ column, head }) => column === 'unitPrice' && withTaxWord.test(head));
	return !has('total') && !net && (has('totalWithTax') || gross);
}

const withTaxWord = /\b(?:ttc|t\.t\.c|brutto|incl|inkl)\b/;
