import { labelAt, type Label } from './labels';
import type { Cell, Row } from '../rows/layout';

/** A printed label: in its cell it begins at `start`, the text after it at `end`; what stands from `until` on has another label. */
export interface Site {
	readonly label: Label;
	readonly rowIndex: number;
	readonly cellIndex: number;
	readonly row: Row;
	readonly cell: Cell;
	readonly start: number;
	readonly end: number;
	readonly until: number;
}

/** A part of a cell, from `start` to the end of its text. */
export interface Slice {
	readonly cell: Cell;
	readonly start: number;
	readonly text: string;
}

/** The labels of a document, those at the beginning of a cell and those behind a dash, a bar or an amount within it. */
export function sitesIn(rows: readonly Row[]): Site[] {
	return rows.flatMap((row, rowIndex) =>
		row.cells.flatMap((cell, cellIndex): Site[] => {
			const subject = /^(?:objet|concerne|betreff|subject|re)\s*:\s*/i.exec(cell.text)?.[0].length;
			const starts = [
				0,
				...(subject === undefined ? [] : [subject]),
				...[...cell.text.matchAll(divider)].map(({ index, 0: { length } }) => index + length),
			];
			const found = starts.flatMap((start) => {
				const labelled = labelAt(cell.text.slice(start));
				if (labelled === null) return [];
				const end = start + labelled.end;
				// Within a text, only what is written as a label is one.
				const marked = start === 0 || /[:°#]\s*$/.test(cell.text.slice(start, end)) || /^\d/.test(cell.text.slice(end));
				return marked ? [{ label: labelled.label, start, end }] : [];
			});
			return found.map((one, nth) => ({
				...one,
				until: found[nth + 1]?.start ?? clauseEnd(cell.text, one.end),
				rowIndex,
				cellIndex,
				row,
				cell,
			}));
		}),
	);
}

/** Where the clause ends in which a label stands: behind an amount and a comma something else is said. */
function clauseEnd(text: string, from: number): number {
	const match = /(?<=\d ?€),\s+(?=\p{L})/u.exec(text.slice(from));
	return match === null ? text.length : from + match.index;
}

const divider = /\s+[-–—|·•]\s+|\s{2,}|(?<=\d ?€),\s+/gu;

/**
 * Where the value of a label may stand, likeliest first: behind it in its cell, in the cells to its right up to the
 * next label, in the cells below it.
 */
export function slicesAfter(rows: readonly Row[], site: Site): Slice[] {
	const own = {
		...slice(site.cell, site.end),
		text: site.cell.text.slice(site.end, site.until).replace(/[\s,–—|·•-]+$/u, ''),
	};
	if (site.until < site.cell.text.length) return [own].filter(({ text }) => text !== '');
	const rest = site.row.cells.slice(site.cellIndex + 1);
	const next = rest.findIndex(({ text }) => labelAt(text) !== null || /:\s*$/.test(text));
	const right = (next === -1 ? rest : rest.slice(0, next)).map((cell) => slice(cell, 0));
	return [own, ...right, ...below(rows, site)].filter(({ text }) => text.trim() !== '');
}

function below(rows: readonly Row[], { rowIndex, row, cell }: Site): Slice[] {
	const height = Math.max(1, row.bottom - row.top);
	const found: Slice[] = [];
	for (const next of rows.slice(rowIndex + 1, rowIndex + 4)) {
		if (next.page !== row.page || next.top - row.bottom > 2 * height) break;
		const under = next.cells.filter((one) => Math.min(one.right, cell.right) > Math.max(one.left, cell.left));
		if (under.some(({ text }) => labelAt(text) !== null)) break;
		found.push(...under.map((one) => slice(one, 0)));
		const nth = isRowOfCaptions(row, next) ? next.cells[row.cells.indexOf(cell)] : undefined;
		if (under.length === 0 && nth !== undefined) found.push(slice(nth, 0));
		// A caption over a value that is set to the right edge of the same box: nothing else stands on its row.
		const [alone] = next.cells;
		const beside = row.cells.filter(({ left }) => left > cell.left);
		if (under.length === 0 && next.cells.length === 1 && beside.length === 0 && alone !== undefined) {
			if (alone.left > cell.left && labelAt(alone.text) === null) found.push(slice(alone, 0));
		}
	}
	return found;
}

/** True for captions over as many values, each in a box of its own wherever in the box it stands. */
function isRowOfCaptions(row: Row, next: Row): boolean {
	return (
		row.cells.length >= 3 &&
		row.cells.length === next.cells.length &&
		row.cells.every(({ text }) => /^[^\d:]{1,30}$/.test(text))
	);
}

function slice(cell: Cell, start: number): Slice {
	return { cell, start, text: cell.text.slice(start) };
}
