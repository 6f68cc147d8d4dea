import type { Cell, Row, Word } from './layout';

const charWidth = 5;
const lineHeight = 12;

/**
 * The rows of a plain text, one for each line that holds text. Tabs, bars and two or more blanks part its cells. Places
 * are offsets into the text; left and right count columns, so that cells that stand under each other overlap.
 */
export function rowsOfText(text: string): Row[] {
	const rows: Row[] = [];
	let page = 1;
	let number = 0;
	for (const { 0: line, index } of text.matchAll(/[^\n\f]+|\n|\f/g)) {
		if (line === '\n') number++;
		else if (line === '\f') [page, number] = [page + 1, 0];
		else {
			const cells = [...line.matchAll(/[^\s|](?:(?!\s{2,}|\t|\|).)*/gu)].map((part) =>
				cellOf(part[0].trimEnd(), index, part.index),
			);
			if (cells.length > 0)
				rows.push({ page, top: number * lineHeight, bottom: number * lineHeight + lineHeight - 2, cells });
		}
	}
	return rows;
}

function cellOf(text: string, lineOffset: number, column: number): Cell {
	const words: Word[] = [...text.matchAll(/\S+/g)].map((word) => ({
		text: word[0],
		start: word.index,
		place: { offset: lineOffset + column + word.index, quote: word[0] },
	}));
	return { text, left: column * charWidth, right: (column + text.length) * charWidth, words };
}
