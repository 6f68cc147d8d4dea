import Big from 'big.js';
import { labelAt, type Label } from '../page/labels';
import { sitesIn, slicesAfter, type Site, type Slice } from '../page/labelled';
import type { HeaderPath } from '../result';
import type { Row, SourcePlace } from '../rows/layout';
import { matches, samePlaces, type IndexedCell, type Match, type PageIndex } from './pageIndex';

/** What a place says of the field that a model took it for: that very field, another one (`as` names it), or nothing. */
export type Support =
	| { readonly kind: 'own' }
	| { readonly kind: 'other'; readonly as: string }
	| { readonly kind: 'none' };

/**
 * Whether the place of a header value bears that field's own label, or is the only thing on the page that looks like
 * it. Two values that bear the label support neither.
 */
export function supportOf(index: PageIndex, path: HeaderPath, value: string, place: SourcePlace): Support {
	const at = locate(index, place, value);
	if (at === null) return { kind: 'none' };
	const { sites } = printedOn(index);
	const rival = wordsOfAnother(index, path, at);
	if (rival !== null) return { kind: 'other', as: rival };
	const labelled = sites.flatMap((site) => (isOwn(index, site, path) ? (valueOf(index, site, path) ?? []) : []));
	const values = new Set(labelled.map((one) => one.value));
	if (labelled.some((one) => isAt(one, at, value))) return { kind: values.size === 1 ? 'own' : 'none' };
	const other = sites.find(
		(site) =>
			isAnother(path, site.label) &&
			slicesOf(index, site)
				.slice(0, 1)
				.some(({ cell, start, text }) => cell === at.cell.cell && at.start >= start && at.start < start + text.length),
	);
	if (other !== undefined) return { kind: 'other', as: other.cell.text.slice(other.start, other.end).trim() };
	return { kind: labelled.length === 0 && isOnlyOne(index, path, at, value) ? 'own' : 'none' };
}

/** The rows and labels of a page; every field of a document asks for them, and a long one has thousands. */
function printedOn(index: PageIndex): { rows: readonly Row[]; sites: readonly Site[] } {
	let printed = printedPages.get(index);
	if (printed === undefined) {
		const rows = index.rows.map(({ row }) => row);
		printedPages.set(index, (printed = { rows, sites: sitesIn(rows) }));
	}
	return printed;
}

const printedPages = new WeakMap<PageIndex, { rows: readonly Row[]; sites: readonly Site[] }>();

/** Where in its cell a value stands. */
interface At {
	readonly row: number;
	readonly cellAt: number;
	readonly cell: IndexedCell;
	readonly start: number;
	readonly end: number;
}

function locate(index: PageIndex, place: SourcePlace, value: string): At | null {
	for (const [row, { cells }] of index.rows.entries()) {
		for (const [cellAt, cell] of cells.entries()) {
			const words = cell.cell.words.filter((word) => samePlaces(word.place, place));
			const [first, last] = [words[0], words.at(-1)];
			if (first === undefined || last === undefined) continue;
			// `N°26/05-12` is one word, of which the value is the end.
			const within = cell.cell.text.indexOf(value, first.start);
			const end = last.start + last.text.length;
			return within !== -1 && within + value.length <= end
				? { row, cellAt, cell, start: within, end: within + value.length }
				: { row, cellAt, cell, start: first.start, end };
		}
	}
	return null;
}

const ownLabels: Readonly<Record<HeaderPath, readonly Label[]>> = {
	number: ['number', 'title'],
	date: ['date'],
	validUntil: ['valid-until'],
	currency: ['currency'],
	'seller.name': ['seller'],
	'seller.vat': [],
	'seller.siret': [],
	'buyer.name': ['buyer'],
	'buyer.email': ['buyer'],
	'totals.net': ['net'],
	'totals.tax': ['tax'],
	'totals.gross': ['gross', 'total'],
};

/** A bare `le 20/05/2026` is labelled by what stands before it, where anything does. */
function isOwn(index: PageIndex, site: Site, path: HeaderPath): boolean {
	if (!ownLabels[path].includes(site.label)) return false;
	const bare = /^le\b/i.test(site.cell.text.slice(site.start, site.end));
	const before =
		site.row.cells[site.cellIndex - 1]?.text ?? index.rows[site.rowIndex - 1]?.row.cells.at(-1)?.text ?? '';
	return !bare || !/\p{L}/u.test(before);
}

function isAnother(path: HeaderPath, label: Label): boolean {
	const parties: readonly Label[] = ['seller', 'buyer', 'other-party'];
	if (path === 'currency' || ownLabels[path].includes(label)) return false;
	if (path.startsWith('seller.') && path !== 'seller.name') return parties.includes(label) && label !== 'seller';
	if (path === 'buyer.email') return parties.includes(label);
	if (label === 'name') return false;
	// Behind the document's own number stands its date.
	if (path === 'date') return !['number', 'title', 'reference'].includes(label);
	return !(path === 'number' && label === 'reference');
}

interface Labelled {
	readonly cell: IndexedCell['cell'];
	readonly start: number;
	readonly value: string;
}

/** The value that a label names: its first figure or date, or all of its text. */
function valueOf(index: PageIndex, site: Site, path: HeaderPath): Labelled | null {
	for (const { cell, start, text } of slicesOf(index, site)) {
		const indexed = cellOf(index, cell);
		if (path === 'date' || path === 'validUntil' || path.startsWith('totals.')) {
			const found = (path.startsWith('totals.') ? indexed?.numbers : indexed?.dates)?.find((match) => {
				const from = cell.words[match.from]!.start;
				return from >= start && from < start + text.length && !isRate(match, cell);
			});
			if (found === undefined) continue;
			const value = path.startsWith('totals.') ? new Big(found.value).toFixed() : found.value;
			return { cell, start: cell.words[found.from]!.start, value };
		}
		const lead = /^[\s:.#°]*/.exec(text)![0].length;
		if (path === 'buyer.email') {
			const email = /[^\s@:<(]+@[^\s@>),;]+/.exec(text);
			if (email === null) continue;
			return { cell, start: start + email.index, value: email[0] };
		}
		// Behind its number a document has its date.
		const whole = path === 'number' ? text.replace(/\s+(?:du|le|vom|dated|en date|date|[-–|,(]).*$/i, '') : text;
		return { cell, start: start + lead, value: whole.slice(lead).trim() };
	}
	return null;
}

/** Where the value of a label may stand; one that follows in its cell leaves no other. */
function slicesOf(index: PageIndex, site: Site): Slice[] {
	return slicesAfter(printedOn(index).rows, site);
}

function isAt(one: Labelled, at: At, value: string): boolean {
	if (one.cell !== at.cell.cell || one.start !== at.start) return false;
	const printed = at.cell.cell.text.slice(at.start, at.end);
	const isText = !/^\d{4}-\d{2}-\d{2}$/.test(one.value) && !/^-?\d+(?:\.\d+)?$/.test(one.value);
	return !isText || one.value === printed || one.value === value;
}

function isRate({ to }: Match, { words }: IndexedCell['cell']): boolean {
	return words[to - 1]!.text.includes('%') || words[to]?.text.startsWith('%') === true;
}

function cellOf(index: PageIndex, cell: IndexedCell['cell']): IndexedCell | undefined {
	for (const { cells } of index.rows) {
		const found = cells.find((one) => one.cell === cell);
		if (found !== undefined) return found;
	}
	return undefined;
}

const otherThings: ReadonlyArray<readonly [(path: HeaderPath) => boolean, RegExp]> = [
	[
		(path) => path.endsWith('.name') || path === 'buyer.email',
		/interlocut|\bcontact|conseill|suivi(?:e)? par|technicien|commercial(?:e)?\b|charg[ée]e? d|r[ée]dig[ée] par|[ée]tabli par|g[ée]rante?\b|repr[ée]sent|ansprechpartner|bearbeiter|sales rep|account manager/i,
	],
	[
		(path) => path === 'date',
		/livraison|visite|rendez-?vous|\brdv\b|intervention|travaux|chantier|d[ée]but|demande|commande|souhait|naissance|d[ée]lai|r[ée]union|appel|courrier|lieferung|leistung|anfrage|delivery|visit|request|order|meeting|valable|validit|[ée]ch[ée]ance|jusqu|g[üu]ltig|valid|due\b/i,
	],
	[
		(path) => path === 'validUntil',
		/livraison|visite|rendez-?vous|\brdv\b|intervention|travaux|chantier|d[ée]but|demande|commande|souhait|naissance|lieferung|leistung|anfrage|delivery|visit|request|order|meeting/i,
	],
	[
		(path) => path === 'number',
		/siret|siren|\btva\b|\brcs\b|\bape\b|\bnaf\b|capital|t[ée]l|fax|iban|client|commande|contrat|dossier|chantier|ust-?id|steuernummer|\bvat\b|customer|order/i,
	],
];

/** The words beside a place by which it is something else, or what of an address or a label it is; null for none. */
function wordsOfAnother(index: PageIndex, path: HeaderPath, at: At): string | null {
	const { text } = at.cell.cell;
	const before = text.slice(0, at.start);
	const clause = before.split(/\s[-–—|·•]\s|\s{2,}|[;.]\s/).at(-1)!;
	const row = index.rows[at.row]!;
	const left = /\p{L}/u.test(clause) ? '' : (row.cells[at.cellAt - 1]?.cell.text ?? '');
	const over = path.startsWith('buyer.') ? cellOver(index, at) : '';
	for (const [applies, words] of otherThings) {
		if (!applies(path)) continue;
		for (const beside of [clause.slice(-60), left, over]) {
			if (beside.length <= 60 && words.test(beside)) return beside.trim();
		}
	}
	if (path === 'number' || path.endsWith('.name')) {
		const printed = text.slice(at.start, at.end);
		if (/^(?:[A-Z]{1,2}-)?\d{4,5} \p{L}/u.test(printed)) return 'a postcode and its town';
		if (path === 'number' && /^\d{4,5}$/.test(printed) && /^\s+\p{Lu}[\p{L}'-]+/u.test(text.slice(at.end)))
			return 'a postcode';
		if (path !== 'number' && /(?:^|[\s,])(?:[A-Z]{1,2}-)?\d{4,5}\s+$/.test(before)) return 'the town of an address';
		if (path !== 'number' && /^\s*,\s*(?:le|den)\s/i.test(text.slice(at.end))) return 'the place of a date';
		if (path !== 'number' && labelAt(printed)?.end === printed.length) return `the label "${printed}"`;
	}
	return null;
}

function cellOver(index: PageIndex, { row, cell }: At): string {
	const over = index.rows[row - 1]?.cells.find(
		({ cell: one }) => one.left < cell.cell.right && cell.cell.left < one.right,
	);
	return over?.cell.text ?? '';
}

/** A lone date, currency or seller's code; names, numbers and amounts look like too many other things. */
function isOnlyOne(index: PageIndex, path: HeaderPath, at: At, value: string): boolean {
	const cells = index.rows.flatMap((row) => row.cells);
	const alike = (code: RegExp) => cells.flatMap(({ plain }) => plain.match(code) ?? []);
	const isAlone = (codes: readonly string[]) => codes.length === 1 && bare(codes[0]!) === bare(value);
	switch (path) {
		case 'date': {
			const alone = at.start === 0 && at.end === at.cell.cell.text.length && at.cellAt === 0;
			return alone && cells.flatMap(({ dates }) => dates).length === 1 && cellOver(index, at) === '';
		}
		case 'currency': {
			const used = ['EUR', 'USD', 'GBP', 'CHF'].filter((code) => matches(index, code, 'currency').length > 0);
			return used.length === 1 && used[0] === value;
		}
		case 'seller.siret':
			return isAlone(alike(/(?<!\d)\d{3} ?\d{3} ?\d{3} ?\d{5}(?!\d)/g));
		case 'seller.vat':
			return isAlone(alike(/\b[A-Z]{2} ?\d{2}(?: ?\d{3}){3}\b/g));
		default:
			return false;
	}
}

function bare(code: string): string {
	return code.replace(/[ .]/g, '').toUpperCase();
}
