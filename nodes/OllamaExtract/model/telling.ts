import { conventionsOf, numbersIn, type Conventions } from '../page/found';
import { columnOf, labelAt } from '../page/labels';
import type { HeaderPath } from '../result';
import type { Cell, Row } from '../rows/layout';
import { currencySign, holdersOf, isHead, isTaxHead, type Asked, type Holders } from './holders';
import { lineFields } from './schema';
import {
	amount,
	isFigure,
	isOtherLabel,
	proseFrom,
	squeezed,
	terms,
	wanted,
	withoutAsides,
	withoutBallast,
	withoutProse,
} from './wording';

/** A row as a model reads it. */
export interface PromptRow {
	readonly page: number;
	readonly cells: readonly string[];
	/** Whether it bears an amount, as a line does. */
	readonly amounts: boolean;
	/** The cell of which only the beginning is sent: a long description. */
	readonly cut?: Cell;
}

/** Rows as they are printed, blanks and rulings squeezed. */
export function wholeRows(rows: readonly Row[]): PromptRow[] {
	return rows.flatMap(({ page, cells }) => {
		const texts = cells.map(({ text }) => squeezed(text)).filter((text) => text !== '');
		return texts.length === 0 ? [] : [{ page, cells: texts, amounts: texts.some((text) => amount.test(text)) }];
	});
}

/** What is sent of a document, and the asked fields that it can hold. */
export interface Told {
	readonly rows: PromptRow[];
	readonly header: HeaderPath[];
}

/**
 * What of the rows can hold what is asked, as short as it can be said: the cells that can hold a field, with their
 * labels, and the rows of lines and totals. Amounts are sent without thousands marks, needless zeros and repeated
 * currency signs, long descriptions by their first words. What repeats an earlier row without an amount is left out.
 */
export function tellingRows(rows: readonly Row[], asked: Asked): Told {
	const conventions = conventionsOf(rows);
	const currencies = new Set<string>();
	const firstOn = new Map<string, number>();
	const beginnings = beginningsOf(rows);
	const bearing = rows.map(bearsAmount);
	const holders = holdersOf(rows, asked, bearing);
	const parts = partsOf(rows, asked, bearing, holders);
	let heads: readonly Cell[] = [];
	let previous = '';
	const told = rows.flatMap((row, at): PromptRow[] => {
		const text = row.cells.map((cell) => squeezed(cell.text)).join('|');
		const first = firstOn.get(text) ?? row.page;
		firstOn.set(text, first);
		const again = text === previous || first < row.page;
		previous = text;
		if (!bearing[at] && again) return [];
		if (isHead(row)) heads = row.cells;
		const part = parts[at]!;
		const cut = part === 'line' ? longCell(row) : undefined;
		const kept = cellsOf(row, part, holders).map((cell) => {
			if (cell === cut) return beginning(squeezed(cell.text), beginnings);
			if (part === 'line') return ofLine(cell, heads);
			return part === 'head' ? ofHead(cell, heads) : telling(squeezed(cell.text), part === 'text');
		});
		const cells = unlike(kept).map((cell) => shortFigures(cell, conventions, currencies));
		if (cells.length === 0) return [];
		return [{ page: row.page, cells, amounts: part === 'line', ...(cut === undefined ? {} : { cut }) }];
	});
	return { rows: told, header: asked.header.filter((path) => holders.fields.has(path)) };
}

/** A line or what may be one, the titles over lines, a text that may belong to a line, or whatever holds a field. */
type Part = 'line' | 'head' | 'text' | 'other';

function partsOf(
	rows: readonly Row[],
	{ header, lines }: Asked,
	bearing: readonly boolean[],
	holders: Holders,
): Part[] {
	const isTotal = ({ cells }: Row) => cells.some((cell) => holders.needless.has(cell) || holders.totals.has(cell));
	const taxes = taxRows(rows, bearing, holders);
	const asksAmounts = lines || (!holders.totalsNamed && header.some((path) => path.startsWith('totals.')));
	const parts = rows.map((row, at): Part => {
		if (taxes.has(row)) return 'other';
		if (lines && isHead(row)) return 'head';
		return asksAmounts && bearing[at] === true && !isTotal(row) ? 'line' : 'other';
	});
	if (!lines) return parts;
	const tabled = rows.some((row, at) => parts[at] === 'line' && figuresIn(row) > 1);
	if (!tabled) return parts.map((part) => (part === 'other' ? 'text' : part));
	// A line without words of its own has them in the rows around it.
	rows.forEach((row, at) => {
		if (parts[at] !== 'line' || isDescribed(row)) return;
		for (let above = at - 1; parts[above] === 'other' && bearing[above] !== true; above--) parts[above] = 'text';
		if (parts[at + 1] === 'other' && bearing[at + 1] !== true) parts[at + 1] = 'text';
	});
	return parts;
}

/** The rows of a table of taxes, where the tax as a whole stands elsewhere and the lines bear their rates. */
function taxRows(rows: readonly Row[], bearing: readonly boolean[], { totalsNamed }: Holders): ReadonlySet<Row> {
	const found = new Set<Row>();
	const ratesOfLines = rows.some((row) => isHead(row) && row.cells.some(({ text }) => columnOf(text) === 'vatRate'));
	if (!totalsNamed || !ratesOfLines) return found;
	let within = false;
	rows.forEach((row, at) => {
		if (isHead(row)) within = false;
		else if (isTaxHead(row)) within = true;
		else if (within && bearing[at] === true) found.add(row);
		else within = false;
	});
	return found;
}

function figuresIn({ cells }: Row): number {
	return cells.filter(({ text }) => isFigure(squeezed(text)) || amount.test(text)).length;
}

function isDescribed({ cells }: Row): boolean {
	return cells.some(({ text }) => /\p{L}{4}/u.test(text) && !isFigure(squeezed(text)));
}

function bearsAmount({ cells }: Row): boolean {
	const figures = cells.filter(({ text }) => isFigure(squeezed(text)));
	const amounts = cells.filter(({ text }) => amount.test(withoutAsides(text)));
	return figures.length > 1 || amounts.some(({ text }) => text.split(' ').length <= proseFrom);
}

function cellsOf({ cells }: Row, part: Part, holders: Holders): readonly Cell[] {
	switch (part) {
		case 'other':
			return cells.filter((cell) => holders.cells.has(cell));
		case 'line':
			return cells.filter((cell) => !holders.needless.has(cell));
		case 'text':
			return withoutOtherValues(cells);
		case 'head':
			return cells;
		default:
			return part satisfies never;
	}
}

/** Cells without numbers and dates that the schema has no field for, and without their labels. */
function withoutOtherValues(cells: readonly Cell[]): Cell[] {
	const kept: Cell[] = [];
	for (let at = 0; at < cells.length; at++) {
		const value = cells[at + 1]?.text;
		const other = value !== undefined && isOtherLabel(cells[at]!.text) && !wanted.test(value);
		if (other && labelAt(value) === null) at++;
		else kept.push(cells[at]!);
	}
	return kept;
}

/** Texts in order, each once, none of them empty; figures may come twice. */
function unlike(texts: readonly string[]): string[] {
	return texts.filter((text, at) => text !== '' && (/^[\d.,\s€%-]+$/.test(text) || texts.indexOf(text) === at));
}

/** A cell of a line; empty where its column is known to hold nothing that the schema has a field for. */
function ofLine(cell: Cell, heads: readonly Cell[]): string {
	const text = squeezed(cell.text);
	if (terms.test(text)) return withoutProse(text);
	const over = heads.filter((head) => head.left < cell.right && cell.left < head.right);
	const column = over.length === 1 ? columnOf(over[0]!.text) : null;
	const needless = column === 'reference' || (column === 'position' && /^[\d.]+$/.test(text));
	return needless ? '' : text;
}

/** A column's title by the key that is asked for, where it names one field; as it is printed elsewhere. */
function ofHead(cell: Cell, heads: readonly Cell[]): string {
	const column = columnOf(cell.text);
	if (column === 'reference' || column === 'position') return '';
	const alike = heads.filter(({ text }) => columnOf(text) === column);
	const field = lineFields.find(({ name }) => name === column);
	return field === undefined || alike.length > 1 || currencySign.test(cell.text) ? squeezed(cell.text) : field.key;
}

/** A cell outside the lines without what is no field; empty when nothing is left. */
function telling(text: string, maybeOfLine: boolean): string {
	const telling = withoutBallast(text);
	if (telling !== text) return telling === '' ? '' : withoutAsides(telling);
	if (text.length <= 60 && isOtherLabel(text) && !wanted.test(text)) return '';
	const short = withoutAsides(maybeOfLine && !terms.test(text) ? text : withoutProse(text));
	return /^[\s,;:–—-]*$/.test(short) && short !== text ? '' : short;
}

// ---- what can be said shorter

/** The description that is cut: other cells of its row bear the line's figures, or its rest has none. */
function longCell({ cells }: Row): Cell | undefined {
	const longest = cells.reduce((most, { text }) => Math.max(most, text.length), 0);
	const figures = new Set(cells.filter(({ text }) => /\d/.test(text) && !/\p{L}{4}/u.test(text)));
	return cells.find((cell) => {
		if (cell.text.length < longest || isFigure(cell.text) || !/\p{L}{3}/u.test(cell.text)) return false;
		const words = squeezed(cell.text).split(' ');
		if (words.length <= wordsKept || wanted.test(cell.text) || labelAt(cell.text) !== null) return false;
		const others = figures.size - (figures.has(cell) ? 1 : 0);
		return others >= 3 || (others > 0 && !/\d/.test(words.slice(wordsKept).join(' ')));
	});
}

/** Enough of a description to know it by: words, and the characters that they have at least. */
const wordsKept = 2;
const charactersKept = 12;
/** Texts that begin with this many same words are sent whole: counting every beginning would cost their length squared. */
const wordsCompared = 12;

/** How many cells begin with the same words, by those words. */
function beginningsOf(rows: readonly Row[]): ReadonlyMap<string, number> {
	const counts = new Map<string, number>();
	for (const { cells } of rows) {
		for (const { text } of cells) {
			const words = squeezed(text).split(' ', wordsCompared);
			for (let length = wordsKept; length <= words.length; length++) {
				const start = words.slice(0, length).join(' ');
				counts.set(start, (counts.get(start) ?? 0) + 1);
			}
		}
	}
	return counts;
}

/** The first words of a text, as many as no other cell begins with. */
function beginning(text: string, beginnings: ReadonlyMap<string, number>): string {
	const words = text.split(' ', wordsCompared + 1);
	for (let length = wordsKept; length < words.length; length++) {
		const start = words.slice(0, length).join(' ');
		if (start.length >= charactersKept && beginnings.get(start) === 1 && /[\p{L}\p{N})]$/u.test(start)) return start;
	}
	return text;
}

/** Amounts and codes without the blanks that group them; a number that could be two things stays as it is printed. */
function shortFigures(text: string, { decimalMark }: Conventions, currencies: Set<string>): string {
	const code = text.replace(/\b\d{3} \d{3} \d{3} \d{5}\b/g, (siret) => siret.replaceAll(' ', ''));
	let short = '';
	let from = 0;
	for (const { start, end, could, percent, currency } of numbersIn(code, decimalMark)) {
		const printed = code.slice(start, end);
		const plain = decimalMark !== undefined && could.length === 1 && /[.,]\d{2}(?!\d)|[€$£]/.test(printed);
		const sign = currency === null || currencies.has(currency) ? '' : ` ${printed.replace(/[\d\s.,'’()+−–-]/g, '')}`;
		if (currency !== null) currencies.add(currency);
		const number = could[0]!.replace(/\.0+$/, '').replace('.', decimalMark ?? '.');
		short += code.slice(from, start);
		short += plain ? number + (percent ? '%' : sign) : printed.replace(/ (?=%$)/, '');
		from = end;
	}
	return short + code.slice(from);
}
