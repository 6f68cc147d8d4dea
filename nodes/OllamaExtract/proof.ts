import Big from 'big.js';
import type { Cell, Row, SourcePlace, Word } from './layout';
import { dateOrderOf, datesIn, decimalMarkOf, readCurrency, readDate, readNumber, type DateOrder, type DecimalMark } from './numbers';
import type { DocumentLine } from './result';
import type { HeaderFieldPath, ValueKind } from './schema';

/** A value as the document prints it (number and date normalised), and where. */
export interface Proven {
	readonly value: string;
	readonly place: SourcePlace;
}

/** A value with its proof, or why there is none. */
export type Proof = ({ readonly ok: true } & Proven) | { readonly ok: false; readonly reason: string };

/** The rows of a document, prepared for looking values up. */
export interface PageIndex {
	readonly rows: readonly IndexedRow[];
	readonly decimalMark: DecimalMark | undefined;
	readonly dateOrder: DateOrder | undefined;
}

/** Prepares rows; `text` is the whole source when it is plain text, so that quotes are cut from it unchanged. */
export function indexOf(rows: readonly Row[], text?: string): PageIndex {
	const cells = rows.flatMap((row) => row.cells).filter((cell) => /\d/.test(cell.text));
	const decimalMark = decimalMarkOf(cells.flatMap((cell) => cell.words.filter((word) => /\d/.test(word.text)).map((word) => bare(word.text))));
	const dateOrder = dateOrderOf(
		cells.map((cell) => cell.text),
		'fr',
	);
	return {
		rows: rows.map((row, at) => indexRow(row, at, decimalMark, dateOrder, text)),
		decimalMark,
		dateOrder,
	};
}

/** The names of both parties as far as they are known: a code that stands under one of them is that one's. */
export interface Parties {
	readonly seller?: string | undefined;
	readonly buyer?: string | undefined;
}

/**
 * Finds a header value on the page. Of several places the one with the field's own label wins; a place that bears only
 * another field's label, or stands under the other party's name, is no proof.
 */
export function proveHeader(index: PageIndex, path: HeaderFieldPath, printed: string, kind: ValueKind, parties: Parties = {}): Proof {
	const everywhere = matches(index, printed, kind);
	if (everywhere.length === 0) return refused(`"${printed}" is not on the page`);
	const told = everywhere.filter((match) => !inProse(index, match, path));
	if (told.length === 0) return refused(`"${printed}" is on the page only within a sentence`);
	const found = told.filter((match) => !underOther(index, match, path, parties));
	if (found.length === 0) return refused(`"${printed}" stands with the other party's name`);
	const { own, rival } = labels[path];
	const scored = found.map((match) => ({ match, own: labelScore(index, match, own), rival: labelScore(index, match, rival) }));
	const standing = scored.filter((one) => one.rival === 0 || one.own >= one.rival);
	if (standing.length === 0) return refused(`"${printed}" is on the page, but as another field`);
	const best = standing.reduce((a, b) => (b.own > a.own ? b : a));
	return { ok: true, value: best.match.value, place: best.match.place };
}

/** Finds a value of a person's own schema on the page, wherever it stands. */
export function prove(index: PageIndex, printed: string, kind: ValueKind): Proof {
	const [first] = matches(index, printed, kind);
	return first ? { ok: true, value: first.value, place: first.place } : refused(`"${printed}" is not on the page`);
}

export type LineProof = Partial<Record<keyof DocumentLine, Proof>>;

/** What earlier lines have been proven by. A line may not use it again. */
export class UsedPlaces {
	private readonly keys = new Set<string>();

	has({ row, cell, from, to }: Span): boolean {
		for (let at = from; at < to; at++) if (this.keys.has(`${row}:${cell}:${at}`)) return true;
		return false;
	}

	add({ row, cell, from, to }: Span): void {
		for (let at = from; at < to; at++) this.keys.add(`${row}:${cell}:${at}`);
	}
}

/**
 * Finds a line on the page as a whole: its description, and its figures beside it, each printed figure standing for one
 * of them and for no other line. What is not found together is refused, each value with its reason.
 */
export function proveLine(
	index: PageIndex,
	line: Partial<Record<keyof DocumentLine, string>>,
	used: UsedPlaces,
): LineProof {
	const anchors =
		line.description === undefined
			? matches(index, line.total ?? '', 'number').filter((match) => !used.has(match))
			: matches(index, line.description, 'text').filter((match) => !used.has(match));
	const attempts = anchors.map((anchor) => attempt(index, line, anchor, used));
	const best = attempts.reduce<Attempt | undefined>((a, b) => (a === undefined || b.proven > a.proven ? b : a), undefined);
	if (best === undefined || best.proven === 0) {
		const reason = line.description === undefined ? 'the line has no description' : `no unread line "${line.description}" is on the page`;
		return Object.fromEntries(Object.keys(line).map((name) => [name, refused(reason)]));
	}
	for (const span of best.spans) used.add(span);
	return best.proof;
}

interface Span {
	readonly row: number;
	readonly cell: number;
	/** Word numbers in the cell, `to` exclusive. */
	readonly from: number;
	readonly to: number;
}

interface Match extends Span {
	readonly value: string;
	readonly place: SourcePlace;
}

interface IndexedCell {
	readonly cell: Cell;
	/** The cell's words as they are compared, joined by one blank, and where each begins in that. */
	readonly plain: string;
	readonly starts: readonly number[];
	/** `plain` in lower case without blanks, and where each of its characters stands in `plain`. */
	readonly solid: { readonly text: string; readonly at: readonly number[] };
	readonly numbers: readonly Match[];
	readonly dates: readonly Match[];
}

interface IndexedRow {
	readonly row: Row;
	readonly cells: readonly IndexedCell[];
	/** What the row's cells announce, when it holds column titles. */
	readonly columns: ReadonlyMap<IndexedCell, Column>;
}

interface Attempt {
	readonly proof: LineProof;
	readonly spans: readonly Span[];
	readonly proven: number;
}

function indexRow(row: Row, at: number, mark: DecimalMark | undefined, order: DateOrder | undefined, text: string | undefined): IndexedRow {
	const cells = row.cells.map((cell, cellAt): IndexedCell => {
		const starts: number[] = [];
		let plain = '';
		for (const word of cell.words) {
			if (plain !== '') plain += ' ';
			starts.push(plain.length);
			plain += normal(word.text);
		}
		const place = (from: number, to: number) => placeOf(cell, from, to, text);
		const figures = /\d/.test(plain);
		const numbers = figures ? numberMatches(cell.words, at, cellAt, mark, place) : [];
		const dates = (figures ? datesIn(plain, order) : []).flatMap(({ start, end, reading }): Match[] => {
			const { from, to } = wordsAt(starts, start, end);
			const values = reading.kind === 'date' ? [reading.value] : reading.could;
			return values.map((value) => ({ row: at, cell: cellAt, from, to, value, place: place(from, to) }));
		});
		return { cell, plain, starts, solid: solidOf(plain), numbers, dates };
	});
	return { row, cells, columns: columnsOf({ cells }) };
}

/** The numbers of a cell, each as long as it can be: of `1 234,56` neither `1` nor `234,56` is one. */
function numberMatches(
	words: readonly Word[],
	row: number,
	cell: number,
	mark: DecimalMark | undefined,
	place: (from: number, to: number) => SourcePlace,
): Match[] {
	const found: Match[] = [];
	for (let from = 0; from < words.length; from++) {
		if (!beginsNumber.test(words[from]!.text)) continue;
		let longest: { to: number; values: readonly string[] } | undefined;
		let joined = '';
		for (let to = from + 1; to <= Math.min(words.length, from + 6); to++) {
			joined += (joined === '' ? '' : ' ') + words[to - 1]!.text;
			const reading = readNumber(bare(joined), mark);
			if (reading !== null) longest = { to, values: reading.kind === 'number' ? [reading.value] : reading.could };
		}
		if (longest === undefined) continue;
		const { to, values } = longest;
		for (const value of values) found.push({ row, cell, from, to, value, place: place(from, to) });
		from = to - 1;
	}
	return found;
}

const beginsNumber = /^\D{0,4}\d|^[-−–+(€$£]|^(?:EUR|USD|GBP|CHF)$/i;

/** A printed number without what often touches it: punctuation, a unit. */
function bare(text: string): string {
	return text
		.replace(/^[:=x×*[]+/i, '')
		.replace(/[:;,.\]*]+$/, '')
		.replace(/(\d)\s?(?:h|hrs?|j|jrs?|m|m²|m2|m³|m3|ml|l|kg|g|t|u|ens|pce|pcs|st|stk|forfait)$/i, '$1');
}

function matches(index: PageIndex, printed: string, kind: ValueKind): Match[] {
	switch (kind) {
		case 'text':
			return textMatches(index, printed);
		case 'identifier':
			return identifierMatches(index, printed);
		case 'number': {
			const wanted = readNumber(bare(printed.trim()), index.decimalMark) ?? readNumber(bare(printed.trim()), '.');
			if (wanted === null) return [];
			const values = wanted.kind === 'number' ? [wanted.value] : wanted.could;
			return everyCell(index, ({ numbers }) => numbers).filter(({ value }) => values.some((one) => new Big(one).eq(value)));
		}
		case 'date': {
			const wanted = readDate(printed, index.dateOrder);
			if (wanted === null) return [];
			const values = wanted.kind === 'date' ? [wanted.value] : wanted.could;
			return everyCell(index, ({ dates }) => dates).filter(({ value }) => values.includes(value));
		}
		case 'currency': {
			const code = currencyCode(printed);
			if (code === null) return [];
			return everyCell(index, ({ cell }, row, at) =>
				cell.words.flatMap((word, from): Match[] =>
					currencyIn(word.text) === code ? [{ row, cell: at, from, to: from + 1, value: code, place: word.place }] : [],
				),
			);
		}
		default:
			return kind satisfies never;
	}
}

/** As it is printed, whatever case and blanks the model wrote it with. */
function textMatches(index: PageIndex, printed: string): Match[] {
	const wanted = normal(printed).replace(/ /g, '').toLowerCase();
	if (!/[\p{L}\p{N}]/u.test(wanted)) return [];
	return everyCell(index, ({ cell, plain, starts, solid }, row, at) => {
		const found: Match[] = [];
		for (let solidAt = solid.text.indexOf(wanted); solidAt !== -1; solidAt = solid.text.indexOf(wanted, solidAt + 1)) {
			const start = solid.at[solidAt]!;
			const end = solid.at[solidAt + wanted.length - 1]! + 1;
			if (continues(plain, start - 1, start) || continues(plain, end - 1, end)) continue;
			const { from, to } = wordsAt(starts, start, end);
			const words = cell.words.slice(from, to);
			const wholeWords = start === starts[from] && end === starts[to - 1]! + normal(words.at(-1)!.text).length;
			const value = wholeWords ? words.map(({ text }) => text).join(' ') : plain.slice(start, end);
			found.push({ row, cell: at, from, to, value, place: placeOf(cell, from, to, undefined) });
		}
		return found;
	});
}

/** Whether both sides of a cut belong to one word, number or code. */
function continues(text: string, left: number, right: number): boolean {
	const [a, b] = [text[left] ?? ' ', text[right] ?? ' '];
	const word = /[\p{L}\p{N}@_]/u;
	if (word.test(a) && word.test(b)) return true;
	// `12` is no part of `12,50`, nor `D-2026` of `D-2026-14`.
	if (/[\p{N}]/u.test(b) && /[-.,/]/.test(a) && /[\p{L}\p{N}]/u.test(text[left - 1] ?? ' ')) return true;
	return /[\p{N}]/u.test(a) && /[-.,/]/.test(b) && /[\p{L}\p{N}]/u.test(text[right + 1] ?? ' ');
}

/** Codes that are printed with blanks or points between their groups: a SIRET, a VAT number. */
function identifierMatches(index: PageIndex, printed: string): Match[] {
	const wanted = squeezed(printed);
	if (wanted.length < 5) return textMatches(index, printed);
	return everyCell(index, ({ cell }, row, at) => {
		const found: Match[] = [];
		const parts = cell.words.map(({ text }) => squeezed(text.replace(/^.*[:°](?=.)/u, '')));
		for (let from = 0; from < parts.length; from++) {
			let joined = '';
			for (let to = from + 1; to <= parts.length && joined.length < wanted.length; to++) {
				joined += parts[to - 1]!;
				if (joined !== wanted) continue;
				found.push({ row, cell: at, from, to, value: wanted, place: placeOf(cell, from, to, undefined) });
			}
		}
		return found;
	});
}

function attempt(index: PageIndex, line: Partial<Record<keyof DocumentLine, string>>, anchor: Match, used: UsedPlaces): Attempt {
	const figures = figuresBeside(index, anchor).filter((figure) => !used.has(figure));
	const taken = new UsedPlaces();
	taken.add(anchor);
	const spans: Span[] = [anchor];
	const proof: LineProof = {};
	if (line.description !== undefined) proof.description = { ok: true, value: anchor.value, place: anchor.place };
	// The total first: it is the figure that the others must not take.
	for (const name of ['total', 'unitPrice', 'quantity', 'vatRate'] as const) {
		const printed = line[name];
		if (printed === undefined) continue;
		const wanted = matchingNumbers(index, printed, figures).filter((figure) => !taken.has(figure));
		const choice = chooseColumn(index, wanted, name);
		if (choice === undefined) {
			const rate = name === 'vatRate' ? onlyRate(index, printed) : undefined;
			if (rate !== undefined) {
				proof[name] = { ok: true, value: rate.value, place: rate.place };
				continue;
			}
			proof[name] = refused(`"${printed}" does not stand with this line`);
			continue;
		}
		taken.add(choice);
		spans.push(choice);
		proof[name] = { ok: true, value: choice.value, place: choice.place };
	}
	if (line.unit !== undefined) proof.unit = proveUnit(index, line.unit, anchor);
	const proven = Object.values(proof).filter(({ ok }) => ok).length;
	return { proof, spans, proven: line.description === undefined && proof.total?.ok !== true ? 0 : proven };
}

/** The document's tax rate, where it prints a single one: it is then that of every line. */
function onlyRate(index: PageIndex, printed: string): Match | undefined {
	const rates = index.rows.flatMap((row) =>
		/t\.?v\.?a|mwst|ust|umsatzsteuer|\bvat\b|\btax/i.test(row.cells.map(({ plain }) => plain).join(' '))
			? row.cells.flatMap(({ cell, numbers }) =>
					numbers.filter(({ to }) => cell.words[to - 1]!.text.includes('%') || cell.words[to]?.text.startsWith('%')),
				)
			: [],
	);
	const distinct = new Set(rates.map(({ value }) => new Big(value).toFixed()));
	return distinct.size === 1 ? matchingNumbers(index, printed, rates)[0] : undefined;
}

function proveUnit(index: PageIndex, unit: string, anchor: Match): Proof {
	const beside = textMatches({ ...index, rows: [index.rows[anchor.row]!] }, unit).find(
		({ cell, from, to }) => cell !== anchor.cell || to <= anchor.from || from >= anchor.to,
	);
	if (beside) return { ok: true, value: beside.value, place: beside.place };
	// `12h`: the unit touches its quantity.
	const glued = index.rows[anchor.row]!.cells.flatMap(({ cell }) => cell.words).find(
		({ text }) => /^\d/.test(text) && normal(text).toLowerCase().replace(/^[\d.,]+/, '') === normal(unit).toLowerCase(),
	);
	return glued ? { ok: true, value: unit, place: glued.place } : refused(`"${unit}" does not stand with this line`);
}

/** The numbers on the anchor's row, and on a neighbouring row that carries nothing under the description. */
function figuresBeside(index: PageIndex, anchor: Match): Match[] {
	const here = index.rows[anchor.row]!;
	const own = here.cells.flatMap(({ numbers }) => numbers);
	const beside = [anchor.row - 1, anchor.row + 1].flatMap((at) => {
		const row = index.rows[at];
		if (row === undefined || row.row.page !== here.row.page) return [];
		const height = Math.max(here.row.bottom - here.row.top, 1);
		const gap = Math.max(row.row.top - here.row.bottom, here.row.top - row.row.bottom);
		const column = here.cells[anchor.cell]!.cell;
		const onlyFigures = row.cells.every(({ cell, numbers }) => numbers.length > 0 && cell.left >= column.left + 1 && !overlaps(cell, column));
		return gap < height && onlyFigures ? row.cells.flatMap(({ numbers }) => numbers) : [];
	});
	return own.length > 1 ? own : [...own, ...beside];
}

function matchingNumbers(index: PageIndex, printed: string, figures: readonly Match[]): Match[] {
	const text = bare(printed.trim());
	const wanted = readNumber(text, index.decimalMark) ?? readNumber(text, '.');
	if (wanted === null) return [];
	const values = wanted.kind === 'number' ? [wanted.value] : wanted.could;
	return figures.filter(({ value }) => values.some((one) => new Big(one).eq(value)));
}

type Column = 'quantity' | 'unitPrice' | 'vatRate' | 'total';
const columnTitles: ReadonlyArray<readonly [Column, RegExp]> = [
	['quantity', /^(?:qt[ée]s?|quantit|nombre|nb|menge|anzahl|qty|hours|heures)/i],
	['vatRate', /^(?:taux|%)?\s*(?:de )?(?:t\.?v\.?a|mwst|ust|vat|tax)\b/i],
	['unitPrice', /\bunit|\bp\.?\s?u\b|einzelpreis|stückpreis/i],
	['total', /montant|total|betrag|amount|gesamt|\bnet\b/i],
	['unitPrice', /prix|preis|price|tarif|rate$/i],
];

/** Which figure of a line each column title announces. Of two titles for one figure the later column is the total. */
function columnsOf({ cells }: Pick<IndexedRow, 'cells'>): ReadonlyMap<IndexedCell, Column> {
	const columns = new Map<IndexedCell, Column>();
	for (const cell of cells) {
		if (cell.numbers.length > 0) continue;
		const kind = columnTitles.find(([, title]) => title.test(cell.plain))?.[0];
		if (kind === undefined) continue;
		const earlier = [...columns].find(([, one]) => one === kind)?.[0];
		if (earlier === undefined) columns.set(cell, kind);
		else if (kind === 'unitPrice') columns.set(cell, 'total');
		else if (kind === 'total') columns.set(cell, kind).delete(earlier);
	}
	return columns;
}

/** A figure under another column's title is not this one; of the rest the one under its own title, else the outermost. */
function chooseColumn(index: PageIndex, figures: readonly Match[], name: Column): Match | undefined {
	const scored = figures.flatMap((figure) => {
		const column = columnOver(index, figure);
		return column === undefined ? [{ figure, score: 0 }] : column === name ? [{ figure, score: 1 }] : [];
	});
	const best = Math.max(...scored.map(({ score }) => score));
	const candidates = scored.filter(({ score }) => score === best).map(({ figure }) => figure);
	return name === 'total' ? candidates.at(-1) : candidates[0];
}

function columnOver(index: PageIndex, figure: Match): Column | undefined {
	const { page } = index.rows[figure.row]!.row;
	const column = index.rows[figure.row]!.cells[figure.cell]!.cell;
	for (let at = figure.row - 1; at >= 0 && index.rows[at]!.row.page === page; at--) {
		const { columns } = index.rows[at]!;
		if (columns.size < 2) continue;
		return [...columns].find(([{ cell }]) => overlaps(cell, column))?.[1];
	}
	return undefined;
}

const partyWords = {
	buyer: /client|destinataire|acheteur|adress[ée] [àa]|factur[ée] [àa]|livr[ée] [àa]|[àa] l'attention|ma[îi]tre d'ouvrage|kunde|empf[äa]nger|(?<!ver)k[äa]ufer|bill(?:ed)? to|customer|buyer|sold to|ship to/i,
	seller: /[ée]metteur|vendeur|prestataire|fournisseur|entreprise|verk[äa]ufer|seller|supplier|vendor|lieferant|from\b/i,
};
const totalWords = {
	net: /\bh\.?t\.?(?!\p{L})|hors[ -]taxes?|netto|\bnet total|sub-?total|sous-?total|before tax|ohne/iu,
	tax: /t\.?v\.?a|tax(?!.*hors)|mwst|ust|umsatzsteuer|\bvat\b/i,
	gross: /t\.?t\.?c|net [àa] payer|total g[ée]n[ée]ral|toutes taxes|brutto|gesamtbetrag|endbetrag|grand total|total due|amount due|zahlbetrag|\btotal\b(?!.*(?:h\.?t|tva|net))/i,
};
const dateWords = {
	date: /date|le\b|datum|[ée]mis|fait|dated|issued/i,
	validUntil: /valable|validit[ée]|jusqu|[ée]ch[ée]ance|payer avant|f[äa]llig|zahlbar|due|valid|expire/i,
	other: /livraison|d[ée]but|fin\b|naissance|lieferdatum|leistung|delivery|commande/i,
};
const nothing = /(?!)/;
const labels: Readonly<Record<HeaderFieldPath, { own: RegExp; rival: RegExp }>> = {
	number: { own: /n[°ºo]|num[ée]ro|r[ée]f|devis|facture|avoir|nummer|number|invoice|quote/i, rival: /siret|siren|tva|client|commande|t[ée]l|iban|kunden/i },
	date: { own: dateWords.date, rival: new RegExp(`${dateWords.validUntil.source}|${dateWords.other.source}`, 'i') },
	validUntil: { own: dateWords.validUntil, rival: dateWords.other },
	currency: { own: nothing, rival: nothing },
	'seller.name': { own: partyWords.seller, rival: partyWords.buyer },
	'seller.vat': { own: partyWords.seller, rival: partyWords.buyer },
	'seller.siret': { own: partyWords.seller, rival: partyWords.buyer },
	'buyer.name': { own: partyWords.buyer, rival: partyWords.seller },
	'buyer.email': { own: partyWords.buyer, rival: partyWords.seller },
	'totals.net': { own: totalWords.net, rival: new RegExp(`${totalWords.gross.source}|${totalWords.tax.source}`, 'i') },
	'totals.tax': { own: totalWords.tax, rival: new RegExp(`${totalWords.gross.source}|${totalWords.net.source}`, 'i') },
	'totals.gross': { own: totalWords.gross, rival: new RegExp(`${totalWords.tax.source}|${totalWords.net.source}`, 'i') },
};

/** 3: in the same cell before the value; 2: the nearest cell to its left; from 1 down: above it, the nearer the more. */
function labelScore(index: PageIndex, match: Match, pattern: RegExp): number {
	const { cells } = index.rows[match.row]!;
	const cell = cells[match.cell]!;
	const before = cell.plain.slice(0, cell.starts[match.from]).slice(-40);
	if (pattern.test(before)) return 3;
	if (match.cell > 0 && isLabel(cells[match.cell - 1]!.plain, pattern)) return 2;
	const at = column(index, match).findIndex(({ above }) => isLabel(above.plain, pattern));
	return at === -1 ? 0 : 1 / (at + 1);
}

/** The cells above a match that stand in one block with it, nearest first: what is a label to them is one to it. */
function column(index: PageIndex, match: Match): Array<{ above: IndexedCell; row: number }> {
	const block: Array<{ above: IndexedCell; row: number }> = [];
	let { row: below } = index.rows[match.row]!;
	let { cell } = index.rows[match.row]!.cells[match.cell]!;
	for (let row = match.row - 1; row >= Math.max(0, match.row - 12); row--) {
		const here = index.rows[row]!;
		const gap = below.top - here.row.bottom;
		if (here.row.page !== below.page || gap > 1.5 * (below.bottom - below.top) || here.columns.size > 1) break;
		const above = here.cells.find((one) => overlaps(one.cell, cell));
		if (above === undefined) continue;
		block.push({ above, row });
		[below, cell] = [here.row, above.cell];
	}
	return block;
}

/**
 * A total stands beside its label, a name by itself or at the head of an address. Within a sentence either may be
 * anything, an order to the model included.
 */
function inProse(index: PageIndex, { row, cell, from, to }: Match, path: HeaderFieldPath): boolean {
	const sentence = index.rows[row]!.cells[cell]!.cell.words.length - (to - from) > 8;
	return sentence && (path.startsWith('totals.') || (path.endsWith('.name') && from > 0));
}

/** Whether the nearest name above, in the same block of text, is the other party's. */
function underOther(index: PageIndex, match: Match, path: HeaderFieldPath, { seller, buyer }: Parties): boolean {
	const [own, other] = path === 'seller.vat' || path === 'seller.siret' ? [seller, buyer] : path === 'buyer.email' ? [buyer, seller] : [];
	if (other === undefined) return false;
	const holds = (text: string, name: string | undefined) => name !== undefined && textMatchesIn(text, name);
	for (const { above } of [{ above: index.rows[match.row]!.cells[match.cell]! }, ...column(index, match)]) {
		if (holds(above.plain, own)) return false;
		if (holds(above.plain, other)) return true;
	}
	return false;
}

function textMatchesIn(plain: string, name: string): boolean {
	return plain.toLowerCase().replace(/ /g, '').includes(normal(name).toLowerCase().replace(/ /g, ''));
}

/** A label is short and holds no number but a rate; an address or a name is none, whatever words it holds. */
function isLabel(text: string, pattern: RegExp): boolean {
	const rest = text.replace(/\d+(?:[.,]\d+)?\s*%/g, '');
	return rest.length <= 40 && !/\d/.test(rest) && pattern.test(rest);
}

function everyCell(index: PageIndex, find: (cell: IndexedCell, row: number, at: number) => readonly Match[]): Match[] {
	return index.rows.flatMap(({ cells }, row) => cells.flatMap((cell, at) => find(cell, row, at)));
}

function solidOf(plain: string): IndexedCell['solid'] {
	const at: number[] = [];
	let text = '';
	for (let index = 0; index < plain.length; index++) {
		const low = plain[index]!.toLowerCase();
		if (low === ' ' || low.length !== 1) continue;
		text += low;
		at.push(index);
	}
	return { text, at };
}

function wordsAt(starts: readonly number[], start: number, end: number): { from: number; to: number } {
	let from = 0;
	while (from + 1 < starts.length && starts[from + 1]! <= start) from++;
	let to = from + 1;
	while (to < starts.length && starts[to]! < end) to++;
	return { from, to };
}

/** One place around several words; its quote is the source's own text. */
function placeOf(cell: Cell, from: number, to: number, text: string | undefined): SourcePlace {
	const words = cell.words.slice(from, to);
	const [first, last] = [words[0]!, words.at(-1)!];
	if ('box' in first.place) {
		const boxes = words.flatMap(({ place }) => ('box' in place ? [place.box] : []));
		return {
			page: first.place.page,
			box: [
				Math.min(...boxes.map(([left]) => left)),
				Math.min(...boxes.map(([, top]) => top)),
				Math.max(...boxes.map(([, , right]) => right)),
				Math.max(...boxes.map(([, , , bottom]) => bottom)),
			],
			quote: cell.text.slice(first.start, last.start + last.text.length),
		};
	}
	if ('offset' in first.place && 'offset' in last.place) {
		const { offset } = first.place;
		const end = last.place.offset + last.place.quote.length;
		return { offset, quote: text?.slice(offset, end) ?? cell.text.slice(first.start, last.start + last.text.length) };
	}
	return first.place;
}

function overlaps(a: Cell, b: Cell): boolean {
	return a.left < b.right && b.left < a.right;
}

/** White space of every kind, typographic quotes and dashes are written in many ways and mean the same. */
function normal(text: string): string {
	return text
		.normalize('NFC')
		.replace(/\u00ad/g, '')
		.replace(/\s+/g, ' ')
		.replace(/[’‘‛´`]/g, "'")
		.replace(/[“”„«»]/g, '"')
		.replace(/[‐‑‒–—−]/g, '-');
}

function squeezed(text: string): string {
	return text.normalize('NFKC').toUpperCase().replace(/[\s.\-_/]/g, '');
}

function currencyCode(printed: string): string | null {
	return readCurrency(printed) ?? (/^[A-Z]{3}$/.test(printed.trim()) ? printed.trim() : null);
}

function currencyIn(word: string): string | null {
	const sign = word.replace(/^[(\d\s.,'+-]+/, '').replace(/[\s).,:;\d]+$/, '');
	return sign === '' ? null : currencyCode(sign);
}

function refused(reason: string): Proof {
	return { ok: false, reason };
}
