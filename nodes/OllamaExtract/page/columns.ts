import { isOfText } from './found';
import type { Head } from './heads';
import { type Column, folded } from './labels';
import type { Cell, Row } from '../rows/layout';

/** True for a cell that holds a figure with at most its unit, not a sentence with a number in it. */
export function isFigure(cell: Cell): boolean {
	return (
		(folded(cell.text)
			.replace(/eur(?:os?)?|chf/g, '')
			.match(/\p{L}/gu)?.length ?? 0) <= 12
	);
}

/** The cell of a row that says what is sold; undefined where none does. */
export function describedBy(row: Row, cells: ReadonlyMap<Column, Cell[]>): Cell | undefined {
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

/** Columns whose cells hold figures and nothing else. */
export const figureColumns = new Set<Column>(['quantity', 'unitPrice', 'total', 'totalWithTax']);

/** True for a line of text that lacks cells in a table whose lines do not stand under their heads. */
export function strays(row: Row, head: Head): boolean {
	return head.unaligned && isOfText(row) && row.cells.length > 1 && row.cells.length < head.cells.length;
}

/** Whether a line of text shows that figures stand under other heads than their own. */
export function isUnaligned(rows: readonly Row[], head: Head): boolean {
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
export function columned(row: Row, head: Head): Map<Column, Cell[]> {
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
