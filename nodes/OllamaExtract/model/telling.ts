import { conventionsOf, numbersIn, type Conventions } from '../page/found';
import { columnOf, labelAt } from '../page/labels';
import type { Cell, Row } from '../rows/layout';

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

/**
 * What of the rows can hold a field of a devis or an invoice, as short as it can be said: amounts without thousands
 * marks, needless zeros and repeated currency signs, long descriptions by their first words. Left out are addresses,
 * bank details, telephones, other documents' numbers and dates, sentences without a figure of the document, and what
 * repeats an earlier row without an amount.
 */
export function tellingRows(rows: readonly Row[]): PromptRow[] {
	const conventions = conventionsOf(rows);
	const currencies = new Set<string>();
	const firstOn = new Map<string, number>();
	const beginnings = beginningsOf(rows);
	const bearing = rows.map(bearsAmount);
	let heads: readonly Cell[] = [];
	let previous = '';
	return rows.flatMap((row, at): PromptRow[] => {
		const text = row.cells.map((cell) => squeezed(cell.text)).join('|');
		const first = firstOn.get(text) ?? row.page;
		firstOn.set(text, first);
		const again = text === previous || first < row.page;
		previous = text;
		if (!bearing[at] && again) return [];
		if (isHead(row)) heads = row.cells;
		const cut = bearing[at] ? longCell(row) : undefined;
		const besideFigures = [at - 1, at + 1].some((near) => bearing[near] === true && rows[near]!.page === row.page);
		const kept = bearing[at]
			? row.cells.map((cell) => (cell === cut ? beginning(squeezed(cell.text), beginnings) : ofLine(cell, heads)))
			: tellingCells(row, besideFigures);
		const cells = kept.filter((cell) => cell !== '').map((cell) => shortFigures(cell, conventions, currencies));
		if (cells.length === 0) return [];
		const amounts = bearing[at] === true && !totals.has(labelAt(cells[0]!)?.label);
		return [{ page: row.page, cells, amounts, ...(cut === undefined ? {} : { cut }) }];
	});
}

const totals: ReadonlySet<string | undefined> = new Set([
	'net',
	'tax',
	'gross',
	'total',
	'due',
	'subtotal',
	'other-amount',
]);

function bearsAmount({ cells }: Row): boolean {
	const figures = cells.filter(({ text }) => isFigure(squeezed(text)));
	const amounts = cells.filter(({ text }) => amount.test(withoutAsides(text)));
	return figures.length > 1 || amounts.some(({ text }) => text.split(' ').length <= proseFrom);
}

/** A row of more cells heads no table that a person could read. */
const columnsOfAHead = 64;

function isHead({ cells }: Row): boolean {
	if (cells.length > columnsOfAHead) return false;
	const columns = cells.map(({ text }) => columnOf(text));
	return columns.includes('description') && columns.filter((column) => column !== null).length >= 3;
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

/** The cells of a row without amounts that can hold a field. */
function tellingCells({ cells }: Row, besideFigures: boolean): string[] {
	const printed = cells.map(({ text }) => squeezed(text));
	const kept: string[] = [];
	const said = new Set<string>();
	for (let at = 0; at < printed.length; at++) {
		const text = printed[at]!;
		const value = printed[at + 1];
		if (value !== undefined && isOtherLabel(text) && !wanted.test(value) && labelAt(value) === null) at++;
		else if (!said.has(text)) {
			kept.push(telling(text, besideFigures));
			said.add(kept.at(-1)!);
		}
	}
	const left = kept.filter((text) => text !== '');
	return left.length === 1 && left.length < kept.length && /:$/.test(left[0]!) ? [] : left;
}

function squeezed(text: string): string {
	return text
		.replace(/\s+/g, ' ')
		.replace(/([._\-–—=*])\1{3,}/g, '$1$1')
		.trim();
}

const amount = /\d[.,]\d{2}(?!\d)|\d\s?[€$£]|[€$£]\s?\d/;

function isFigure(text: string): boolean {
	return /^[\d ]+(?:[.,]\d+)?(?: ?\p{L}{1,7}[²³]?| ?%)?$/u.test(text);
}

// ---- what cannot hold a field

/** A code of a party, an address for mail, or the words of the French exemption. */
const wanted = /@|\d(?:[ .]?\d){13}|\b[A-Z]{2} ?\d(?:[ .]?\d){7}|siret|293/i;
const postcode = /^(?:\p{Lu}{1,2}[- ])?\d{4,5} \p{Lu}[\p{L} '’.-]*(?: cedex(?: \d+)?)?(?:,? (?:france|\p{Lu}{2}))?$/iu;
const street = new RegExp(
	[
		'\\d{1,4}(?: ?(?:bis|ter|quater|[a-d]))?,? (?:rue|avenue|av\\.?|bd|boulevard|place|chemin|impasse|quai|all[ée]e|route|cours|square|passage|voie|faubourg)\\b.{0,50}',
		'[\\p{L} .-]+(?:str\\.|stra(?:ß|ss)e|weg|platz|gasse|allee) \\d{1,4} ?[a-z]?',
		"\\d{1,4}[a-z]?,? [\\p{L} '.-]+ (?:street|st|road|rd|lane|avenue|ave|drive|way|close)\\.?",
		'\\p{L}[\\p{L} ]+ [A-Z]{1,2}\\d[A-Z\\d]? \\d[A-Z]{2}',
	]
		.map((source) => `^${source}$`)
		.join('|'),
	'iu',
);
const company = /\b(?:sarl|s\.a\.r\.l|sasu?|eurl|sci|snc|sa|ei|gmbh|ag|kg|ug|ohg|e\.k|ltd|limited|llc|inc|plc)\b\.?/i;
// Every repetition below is bounded, or cannot overlap its neighbours: a hostile cell costs time by its length alone.
const ballast =
	/^(?:(?:page|seite) ?\d+(?: ?(?:\/|sur|von|of|de) ?\d+)?|(?:\p{L}+-)?(?:iban|bic|swift|blz|t[ée]l[.ée]?\w*|fax|phone|mobile|portable|web(?:site)?|internet)\b[\s\w.:|/+()-]*|https?:\S+|www\.\S+|france|deutschland|allemagne)$/iu;
const asides = [
	/[(,–-]{0,3}\s?(?:au )?capital(?: social)? (?:de|:) ?[\d .,]{1,24} ?(?:€|EUR|euros?)/i,
	/[,–-]{0,3}\s?R\.?C\.?S\.?(?: [\p{L}' -]{2,30}?)? (?:[AB] )?\d{3} ?\d{3} ?\d{3}(?!\d| \d)/iu,
	/[,–-]{0,3}\s?(?:code )?(?:APE|NAF) ?:? ?\d{2}\.?\d{2} ?[A-Z]\b/i,
	/[,–-]{0,3}\s?\bIBAN\b[ :.-]{0,8}[A-Z]{2}\d{2}(?: ?[A-Z\d]{2,4}){3,8}/,
	/[,–-]{0,3}\s?\bBIC\b[ :.-]{0,8}[A-Z]{6}[A-Z\d]{2,5}\b/,
	/[,–-]{0,3}\s?(?:t[ée]l[.ée]?\w{0,12}|fax|phone|mobile|portable)[ :.]{0,8}\+?\d[\d .()/-]{7,30}\d/i,
	/[,–-]{0,3}\s?(?:https?:\/\/|www\.)[^\s|]+/i,
];

/** A cell outside the lines without what is no field; empty when nothing is left. */
function telling(text: string, besideFigures: boolean): string {
	if (ballast.test(text)) return '';
	if (!company.test(text) && (postcode.test(text) || street.test(text))) return '';
	if (text.length <= 60 && isOtherLabel(text) && !wanted.test(text)) return '';
	const prose = besideFigures && !terms.test(text) ? text : withoutProse(text);
	const short = withoutAsides(prose);
	return /^[\s,;:–—-]*$/.test(short) && short !== text ? '' : short;
}

function withoutAsides(text: string): string {
	return asides.reduce((rest, aside) => rest.replace(aside, ''), text).trim();
}

/** Whether a text begins with the label of a number or date that the schema has no field for. */
function isOtherLabel(text: string): boolean {
	const label = labelAt(text)?.label;
	return label === 'other-number' || label === 'other-date';
}

/** A text of more words than this is prose. */
const proseFrom = 12;
const figure = /\d[.,]\d{2}(?!\d)|\d[\d./ -]{5,}\d|\b\d{4,5}\b|@|[€$£]|\d\s?%/;
const period =
	/valable|validit|jours|mois|[ée]ch[ée]ance|payable|f[äa]llig|tage\b|g[üu]ltig|days|months?\b|due|valid|293/i;
const terms =
	/p[ée]nalit|escompte|indemnit[ée]|recouvrement|retard de paiement|r[ée]serve de propri[ée]t[ée]|verzug|eigentumsvorbehalt|late payment/i;

/** The sentences of a cell that can hold a field; a cell that is no prose stays as it is. */
function withoutProse(text: string): string {
	if (text.split(' ').length <= proseFrom) return text;
	return text
		.split(/(?<=[.!?;]) (?=\p{Lu})/u)
		.filter((sentence) => {
			if (wanted.test(sentence) || company.test(sentence)) return true;
			if (terms.test(sentence)) return false;
			return sentence.split(' ').length <= 5 || figure.test(sentence) || period.test(sentence);
		})
		.join(' ');
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

/** Enough of a description to know it by. */
const wordsKept = 4;
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
		if (beginnings.get(start) === 1 && /[\p{L}\p{N})]$/u.test(start)) return start;
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
