import type { Cell, Row, Word } from './layout';

/**
 * Rows in the form in which they pass from process to process: cloning their many small objects takes longer than
 * making them. No word holds white space, so a cell's text is its words, parted by a space, and a place's quote its word.
 */
export interface PackedRows {
	/** Cells parted by line feeds, rows by form feeds. */
	readonly text: string;
	/** In order: page, top and bottom of a row; left and right of each of its cells; the box of each of its words. */
	readonly numbers: Float64Array;
}

/** The rows that `rowsOf` makes, packed; `unpackedRows` gives back their equal. */
export function packedRows(rows: readonly Row[]): PackedRows {
	const numbers: number[] = [];
	const texts = rows.map(({ page, top, bottom, cells }) => {
		numbers.push(page, top, bottom);
		for (const { left, right, words } of cells) {
			numbers.push(left, right);
			for (const { place } of words) if ('box' in place) numbers.push(...place.box);
		}
		return cells.map(({ text }) => text).join('\n');
	});
	return { text: texts.join('\f'), numbers: Float64Array.from(numbers) };
}

/** The rows that were packed. */
export function unpackedRows({ text, numbers }: PackedRows): Row[] {
	if (numbers.length === 0) return [];
	let at = 0;
	const next = () => numbers[at++]!;
	const cellOf = (page: number, text: string): Cell => {
		const [left, right] = [next(), next()];
		let start = 0;
		const words = text.split(' ').map((word): Word => {
			const place = { page, box: [next(), next(), next(), next()], quote: word } as const;
			const found = { text: word, start, place };
			start += word.length + 1;
			return found;
		});
		return { text, left, right, words };
	};
	return text.split('\f').map((texts) => {
		const [page, top, bottom] = [next(), next(), next()];
		return { page, top, bottom, cells: texts.split('\n').map((each) => cellOf(page, each)) };
	});
}
