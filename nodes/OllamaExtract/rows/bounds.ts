import type { Cell, Row, Word } from './layout';

/** Rows that are safe to look through in the host's own process, and what was left out of them to make them so. */
export interface Bounded {
	readonly rows: readonly Row[];
	/** What a person should know, as a whole sentence; null where every row is there. */
	readonly leftOut: string | null;
}

/** Cells of this length hold no field, and patterns take their time over them. */
const longestCell = 2_000;
/** Some 80 full pages of lines, or 300 dense ones of prose. What follows would keep the host from its other work for longer than a few seconds. */
const mostRows = 5_000;
const mostWords = 100_000;
const mostCharacters = 1_000_000;
/** Tables of four columns on each of those pages. Cells, and words that may be numbers, take far more time than prose. */
const mostCells = 20_000;
const mostFigures = 30_000;

/**
 * Cuts cells of more than 2,000 characters into pieces, the first in its row and the others in rows of their own, and
 * leaves out what follows 5,000 rows, 20,000 cells, 100,000 words (30,000 with a digit) or 1,000,000 characters. Every
 * other row stays the object that it was.
 */
export function boundedRows(rows: readonly Row[]): Bounded {
	let cellsSeen = 0;
	let words = 0;
	let figures = 0;
	let characters = 0;
	const end = rows.findIndex(({ cells }, at) => {
		cellsSeen += cells.length;
		for (const cell of cells) {
			figures += cell.words.filter(({ text }) => /\d/.test(text)).length;
			words += cell.words.length;
			characters += cell.text.length;
		}
		const isPast = words > mostWords || figures > mostFigures || characters > mostCharacters;
		return at >= mostRows || cellsSeen > mostCells || isPast;
	});
	const leftOut =
		end === -1
			? null
			: `${rows.length - end} of ${rows.length} rows were left out, from page ${rows[end]!.page} on: no more than ${mostRows} rows, ${mostCells} cells, ${mostWords} words (${mostFigures} with a digit) and ${mostCharacters} characters are looked through.`;
	return { rows: (end === -1 ? rows : rows.slice(0, end)).flatMap(withShortCells), leftOut };
}

function withShortCells(row: Row): Row[] {
	if (row.cells.every(({ text }) => text.length <= longestCell)) return [row];
	const cut = row.cells.map((cell) => (cell.text.length <= longestCell ? [cell] : piecesOf(cell)));
	const further = cut.flatMap((pieces) => pieces.slice(1));
	return [{ ...row, cells: cut.map(([first]) => first!) }, ...further.map((cell) => ({ ...row, cells: [cell] }))];
}

function piecesOf(cell: Cell): Cell[] {
	const groups: Word[][] = [];
	let from = 0;
	for (const word of cell.words.flatMap(shortWords)) {
		const group = groups.at(-1);
		if (group === undefined || word.start + word.text.length - from > longestCell) {
			groups.push([word]);
			from = word.start;
		} else {
			group.push(word);
		}
	}
	return groups.map((words) => {
		const start = words[0]!.start;
		const last = words.at(-1)!;
		return {
			...cell,
			text: cell.text.slice(start, last.start + last.text.length),
			words: words.map((word) => ({ ...word, start: word.start - start })),
			isPiece: true,
		};
	});
}

/** The word itself or, where it is longer than a cell may be, its parts. */
function shortWords(word: Word): Word[] {
	if (word.text.length <= longestCell) return [word];
	return Array.from({ length: Math.ceil(word.text.length / longestCell) }, (_, nth) => {
		const at = nth * longestCell;
		const text = word.text.slice(at, at + longestCell);
		const place =
			'offset' in word.place ? { offset: word.place.offset + at, quote: text } : { ...word.place, quote: text };
		return { text, start: word.start + at, place };
	});
}
