import type { Cell, Row, Word } from './layout';

const charWidth = 5;
const lineHeight = 12;
/** Where the fields of delimited lines begin, in columns: wider than a field, so that fields of one ordinal line up. */
const fieldWidth = 400;
const tabStop = 8;

/**
 * The rows of a plain text, one for each line that holds text. Tabs and bars part the cells of a line, without them two
 * or more blanks do. Places are offsets into the text; left and right count columns, so that cells that stand under
 * each other overlap, those of delimited lines by their ordinal.
 */
export function rowsOfText(text: string): Row[] {
	const rows: Row[] = [];
	const typed = isTypedWithTabs(text);
	let page = 1;
	let number = 0;
	for (const { 0: line, index } of text.matchAll(/[^\n\f]+|\n|\f/g)) {
		if (line === '\n') number++;
		else if (line === '\f') [page, number] = [page + 1, 0];
		else {
			const cells = partsOf(line, typed).map(({ start, end, column }) =>
				cellOf(line.slice(start, end), index + start, column),
			);
			if (cells.length > 0)
				rows.push({ page, top: number * lineHeight, bottom: number * lineHeight + lineHeight - 2, cells });
		}
	}
	return rows;
}

interface Part {
	readonly start: number;
	readonly end: number;
	readonly column: number;
}

function partsOf(line: string, typed: boolean): Part[] {
	const fields = fieldsOf(line);
	if (fields.filter(({ text }) => text.trim() !== '').length < 2) {
		return [...line.matchAll(/[^\s|](?:(?!\s{2,}|\t|\|).)*/gu)].map(({ 0: part, index }) => ({
			start: index,
			end: index + part.trimEnd().length,
			column: index,
		}));
	}
	let stop = 0;
	return fields.flatMap(({ start, text }, ordinal): Part[] => {
		const before = stop;
		stop += text.length + tabStop - ((stop + text.length) % tabStop);
		if (text.trim() === '') return [];
		const from = start + text.length - text.trimStart().length;
		const column = typed && !line.includes('|') ? before + from - start : ordinal * fieldWidth;
		return [{ start: from, end: start + text.trimEnd().length, column }];
	});
}

/** What tabs and bars part, empty fields too; bars that frame the line part nothing. */
function fieldsOf(line: string): Array<{ start: number; text: string }> {
	let start = /^\s*\|/.exec(line)?.[0].length ?? 0;
	const ended = line.trimEnd();
	const inner = ended.slice(start, ended.endsWith('|') ? -1 : undefined);
	return inner.split(/[\t|]/).map((text) => {
		const field = { start, text };
		start += text.length + 1;
		return field;
	});
}

/** Whether several tabs in a row fill up columns, as at a typewriter, and do not stand for empty fields. */
function isTypedWithTabs(text: string): boolean {
	const lines = text
		.split(/[\n\f]/)
		.filter((line) => line.includes('\t') && !line.includes('|'))
		.map((line) => line.trimEnd().split('\t'))
		.filter(({ length }) => length > 2);
	const filled = lines.some((fields) => fields.some((field, index) => index > 0 && field.trim() === ''));
	return filled && new Set(lines.map(({ length }) => length)).size > 1;
}

function cellOf(text: string, offset: number, column: number): Cell {
	const words: Word[] = [...text.matchAll(/\S+/g)].map((word) => ({
		text: word[0],
		start: word.index,
		place: { offset: offset + word.index, quote: word[0] },
	}));
	const width = Math.min(text.length, fieldWidth - 1);
	return { text, left: column * charWidth, right: (column + width) * charWidth, words };
}
