import Big from 'big.js';
import type { Cell, SourcePlace } from '../rows/layout';
import {
	equalTo,
	matches,
	normal,
	overlaps,
	samePlaces,
	textMatches,
	textMatchesOn,
	valuesOf,
	wholeCell,
	type Column,
	type IndexedCell,
	type Match,
	type PageIndex,
	type Span,
} from './pageIndex';
import type { DocumentLine, HeaderPath } from '../result';
import type { ValueKind } from '../model/schema';

/** A value as the document prints it (number and date normalised), and where. */
export interface Proven {
	readonly value: string;
	readonly place: SourcePlace;
	/** False when what is printed could as well be another value: `03/04/2026`, `1.234`. */
	readonly sure: boolean;
}

/** A value with its proof, or why there is none. */
export type Proof = ({ readonly ok: true } & Proven) | { readonly ok: false; readonly reason: string };

/** The names of both parties as far as they are known: a code that stands under one of them is that one's. */
export interface Parties {
	readonly seller?: string | undefined;
	readonly buyer?: string | undefined;
}

/**
 * Finds a header value on the page. Of several places the one with the field's own label wins; a place that bears only
 * another field's label, or stands under the other party's name, is no proof.
 */
export function proveHeader(
	index: PageIndex,
	path: HeaderPath,
	printed: string,
	kind: ValueKind,
	parties: Parties = {},
): Proof {
	const everywhere = matches(index, printed, kind);
	if (everywhere.length === 0) return refused(`"${printed}" is not on the page`);
	const told = everywhere.filter((match) => !inProse(index, match, path));
	if (told.length === 0) return refused(`"${printed}" is on the page only within a sentence`);
	const totals = path.startsWith('totals.') ? told.filter((match) => !inLine(index, match)) : told;
	if (totals.length === 0) return refused(`"${printed}" is on the page only as a figure of a line`);
	const whole = path === 'totals.tax' ? totals.filter((match) => !ofOneRate(index, match)) : totals;
	if (whole.length === 0) return refused(`"${printed}" is the tax of one rate among several`);
	const found = whole.filter((match) => !underOther(index, match, path, parties));
	if (found.length === 0) return refused(`"${printed}" stands with the other party's name`);
	const { own, rival } = labels[path];
	const scored = found.map((match) => ({
		match,
		own: labelScore(index, match, own),
		rival: labelScore(index, match, rival),
	}));
	const standing = scored.filter((one) => one.rival === 0 || one.own >= one.rival);
	if (standing.length === 0) return refused(`"${printed}" is on the page, but as another field`);
	return asProof(standing.reduce((a, b) => (b.own > a.own ? b : a)).match);
}

/** Whether what stands at a place on the page bears a field's own label, and no other field's as near. */
export function isLabelledAt(index: PageIndex, path: HeaderPath, place: SourcePlace): boolean {
	const { own, rival } = labels[path];
	return index.rows.some(({ cells }, at) =>
		cells.some(({ cell }, cellAt) => {
			const from = cell.words.findIndex((word) => samePlaces(word.place, place));
			if (from === -1) return false;
			const span = { row: at, cell: cellAt, from, to: from + 1 };
			const score = labelScore(index, span, own);
			return score > 0 && score > labelScore(index, span, rival);
		}),
	);
}

/** Finds a value of a person's own schema on the page, wherever it stands. */
export function prove(index: PageIndex, printed: string, kind: ValueKind): Proof {
	const [first] = matches(index, printed, kind);
	return first ? asProof(first) : refused(`"${printed}" is not on the page`);
}

export type LineProof = Partial<Record<keyof DocumentLine, Proof>>;

/** What earlier lines have been proven by. A line may not use it again. */
export class UsedPlaces {
	private readonly keys = new Set<string>();
	private readonly sought = new Map<string, { passed: Match[]; readonly ahead: Iterator<Match, void> }>();

	has({ row, cell, from, to }: Span): boolean {
		for (let at = from; at < to; at++) if (this.keys.has(`${row}:${cell}:${at}`)) return true;
		return false;
	}

	add({ row, cell, from, to }: Span): void {
		for (let at = from; at < to; at++) this.keys.add(`${row}:${cell}:${at}`);
	}

	/** The unused ones of the places that `look` finds, in its order; it looks once for a key, and no further than asked. */
	*unused(key: string, look: () => Iterable<Match, void>): Generator<Match, void> {
		const known = this.sought.get(key) ?? { passed: [], ahead: look()[Symbol.iterator]() };
		this.sought.set(key, known);
		known.passed = known.passed.filter((match) => !this.has(match));
		yield* [...known.passed];
		for (let next = known.ahead.next(); next.done !== true; next = known.ahead.next()) {
			if (this.has(next.value)) continue;
			known.passed.push(next.value);
			yield next.value;
		}
	}
}

/** A line's words can stand on every row: further places than these are not tried for it. */
const mostAnchors = 50;

/**
 * Finds a line on the page as a whole: its description, and its figures beside it, each printed figure standing for one
 * of them and for no other line. Of the first 50 unused places of the description the one with most of the line holds.
 * What is not found together is refused, each value with its reason. A description that begins one of the `cut` cells is
 * that cell's whole text: the model saw only its beginning. `used` belongs to one index.
 */
export function proveLine(
	index: PageIndex,
	line: Partial<Record<keyof DocumentLine, string>>,
	used: UsedPlaces,
	cut: ReadonlySet<Cell> = new Set(),
): LineProof {
	const { description, total = '' } = line;
	const anchors =
		description === undefined
			? used.unused(`total ${total}`, () => matches(index, total, 'number'))
			: used.unused(`text ${description}`, () => textMatches(index, description));
	const figures = lineFigures.flatMap((name) => {
		const printed = line[name];
		return printed === undefined ? [] : [{ name, printed, values: valuesOf(index, printed) }];
	});
	const whole = figures.length + (description === undefined ? 0 : 1);
	let best: Attempt | undefined;
	let tried = 0;
	for (const anchor of anchors) {
		const cell = index.rows[anchor.row]!.cells[anchor.cell]!;
		const isCut = description !== undefined && anchor.from === 0 && cut.has(cell.cell);
		const grown = isCut ? wholeCell(cell, anchor) : anchor;
		if (isCut && used.has(grown)) continue;
		const one = attempt(index, figures, grown, description !== undefined, used);
		if (best === undefined || one.proven > best.proven) best = one;
		tried++;
		if (best.proven === whole || tried === mostAnchors) break;
	}
	if (best === undefined || best.proven === 0) {
		const reason =
			description === undefined ? 'the line has no description' : `no unread line "${description}" is on the page`;
		return Object.fromEntries(Object.keys(line).map((name) => [name, refused(reason)]));
	}
	for (const span of best.spans) used.add(span);
	return line.unit === undefined ? best.proof : { ...best.proof, unit: proveUnit(index, line.unit, best.anchor) };
}

/** The total first: it is the figure that the others must not take. */
const lineFigures = ['total', 'unitPrice', 'quantity', 'vatRate'] as const;

interface LineFigure {
	readonly name: (typeof lineFigures)[number];
	readonly printed: string;
	readonly values: readonly string[];
}

interface Attempt {
	readonly anchor: Match;
	readonly proof: LineProof;
	readonly spans: readonly Span[];
	readonly proven: number;
}

function attempt(
	index: PageIndex,
	wanted: readonly LineFigure[],
	anchor: Match,
	isDescription: boolean,
	used: UsedPlaces,
): Attempt {
	const figures = figuresBeside(index, anchor).filter((figure) => !used.has(figure));
	const taken = new UsedPlaces();
	taken.add(anchor);
	const spans: Span[] = [anchor];
	const proof: LineProof = isDescription ? { description: asProof(anchor) } : {};
	for (const { name, printed, values } of wanted) {
		const equal = equalTo(values, figures).filter((figure) => !taken.has(figure));
		const choice = chooseColumn(index, equal, name);
		if (choice === undefined) {
			const rate = name === 'vatRate' ? onlyRate(index) : undefined;
			const isRate = rate !== undefined && equalTo(values, [rate]).length > 0;
			proof[name] = isRate ? asProof(rate) : refused(`"${printed}" does not stand with this line`);
			continue;
		}
		taken.add(choice);
		spans.push(choice);
		proof[name] = asProof(choice);
	}
	const proven = Object.values(proof).filter(({ ok }) => ok).length;
	return { anchor, proof, spans, proven: !isDescription && proof.total?.ok !== true ? 0 : proven };
}

/** The document's tax rate, where it prints a single one: it is then that of every line. */
function onlyRate(index: PageIndex): Match | undefined {
	if (!onlyRates.has(index)) onlyRates.set(index, findOnlyRate(index));
	return onlyRates.get(index);
}

const onlyRates = new WeakMap<PageIndex, Match | undefined>();

function findOnlyRate(index: PageIndex): Match | undefined {
	const rates = index.rows.flatMap((row) =>
		/t\.?v\.?a|mwst|ust|umsatzsteuer|\bvat\b|\btax/i.test(row.cells.map(({ plain }) => plain).join(' '))
			? row.cells.flatMap(({ cell, numbers }) =>
					numbers.filter(({ to }) => cell.words[to - 1]!.text.includes('%') || cell.words[to]?.text.startsWith('%')),
				)
			: [],
	);
	const distinct = new Set(rates.map(({ value }) => new Big(value).toFixed()));
	return distinct.size === 1 ? rates[0] : undefined;
}

function proveUnit(index: PageIndex, unit: string, anchor: Match): Proof {
	const beside = textMatchesOn(index, anchor.row, unit).find(
		({ cell, from, to }) => cell !== anchor.cell || to <= anchor.from || from >= anchor.to,
	);
	if (beside) return asProof(beside);
	// `12h`: the unit touches its quantity.
	const glued = index.rows[anchor.row]!.cells.flatMap(({ cell }) => cell.words).find(
		({ text }) =>
			/^\d/.test(text) &&
			normal(text)
				.toLowerCase()
				.replace(/^[\d.,]+/, '') === normal(unit).toLowerCase(),
	);
	return glued
		? { ok: true, value: unit, place: glued.place, sure: true }
		: refused(`"${unit}" does not stand with this line`);
}

/** No line has more figures; a row of them is a list. */
const mostFigures = 100;

/** The numbers on the anchor's row, and on a neighbouring row that carries nothing under the description. */
function figuresBeside(index: PageIndex, anchor: Match): Match[] {
	const here = index.rows[anchor.row]!;
	const own = here.cells.flatMap(({ numbers }) => numbers).slice(0, mostFigures);
	const beside = [anchor.row - 1, anchor.row + 1].flatMap((at) => {
		const row = index.rows[at];
		if (row === undefined || row.row.page !== here.row.page) return [];
		const height = Math.max(here.row.bottom - here.row.top, 1);
		const gap = Math.max(row.row.top - here.row.bottom, here.row.top - row.row.bottom);
		const column = here.cells[anchor.cell]!.cell;
		const onlyFigures = row.cells.every(
			({ cell, numbers }) => numbers.length > 0 && cell.left >= column.left + 1 && !overlaps(cell, column),
		);
		return gap < height && onlyFigures ? row.cells.flatMap(({ numbers }) => numbers) : [];
	});
	return own.length > 1 ? own : [...own, ...beside];
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
	const { cell: column } = index.rows[figure.row]!.cells[figure.cell]!;
	const titles = index.rows[index.titleRows[figure.row]!];
	return titles && [...titles.columns].find(([{ cell }]) => overlaps(cell, column))?.[1];
}

const partyWords = {
	buyer:
		/client|destinataire|acheteur|adress[ée] [àa]|factur[ée] [àa]|livr[ée] [àa]|[àa] l'attention|ma[îi]tre d'ouvrage|kunde|empf[äa]nger|(?<!ver)k[äa]ufer|bill(?:ed)? to|customer|buyer|sold to|ship to/i,
	seller:
		/[ée]metteur|vendeur|prestataire|fournisseur|entreprise|verk[äa]ufer|seller|supplier|vendor|lieferant|from\b/i,
};
const totalWords = {
	net: /\bh\.?t\.?(?!\p{L})|hors[ -]taxes?|netto|\bnet total|sub-?total|sous-?total|before tax|ohne/iu,
	tax: /t\.?v\.?a|tax(?!.*hors)|mwst|ust|umsatzsteuer|\bvat\b/i,
	gross:
		/t\.?t\.?c|net [àa] payer|total g[ée]n[ée]ral|toutes taxes|brutto|gesamtbetrag|endbetrag|grand total|total due|amount due|zahlbetrag|\btotal\b(?!.*(?:h\.?t|tva|net))/i,
};
const dateWords = {
	date: /date|le\b|datum|[ée]mis|fait|dated|issued/i,
	validUntil: /valable|validit[ée]|jusqu|[ée]ch[ée]ance|payer avant|f[äa]llig|zahlbar|due|valid|expire/i,
	other: /livraison|d[ée]but|fin\b|naissance|lieferdatum|leistung|delivery|commande/i,
};
const nothing = /(?!)/;
const labels: Readonly<Record<HeaderPath, { own: RegExp; rival: RegExp }>> = {
	number: {
		own: /n[°ºo]|num[ée]ro|r[ée]f|devis|facture|avoir|nummer|number|invoice|quote/i,
		rival: /siret|siren|tva|client|commande|t[ée]l|iban|kunden|annul|remplac|ersetz|storn|replac|cancel/i,
	},
	date: { own: dateWords.date, rival: new RegExp(`${dateWords.validUntil.source}|${dateWords.other.source}`, 'i') },
	validUntil: {
		own: dateWords.validUntil,
		rival: new RegExp(`${dateWords.date.source}|${dateWords.other.source}`, 'i'),
	},
	currency: { own: nothing, rival: nothing },
	'seller.name': { own: partyWords.seller, rival: partyWords.buyer },
	'seller.vat': { own: partyWords.seller, rival: partyWords.buyer },
	'seller.siret': { own: partyWords.seller, rival: partyWords.buyer },
	'buyer.name': { own: partyWords.buyer, rival: partyWords.seller },
	'buyer.email': { own: partyWords.buyer, rival: partyWords.seller },
	'totals.net': { own: totalWords.net, rival: new RegExp(`${totalWords.gross.source}|${totalWords.tax.source}`, 'i') },
	'totals.tax': { own: totalWords.tax, rival: new RegExp(`${totalWords.gross.source}|${totalWords.net.source}`, 'i') },
	'totals.gross': {
		own: totalWords.gross,
		rival: new RegExp(`${totalWords.tax.source}|${totalWords.net.source}`, 'i'),
	},
};

/** 3: in the same cell before the value; 2: the nearest cell to its left; from 1 down: above it, the nearer the more. */
function labelScore(index: PageIndex, match: Span, pattern: RegExp): number {
	const { cells } = index.rows[match.row]!;
	const cell = cells[match.cell]!;
	// Of two dates in one cell each has its own label: what stands before the first is not the second's.
	const earlier = cell.dates.filter(({ to }) => to <= match.from).map(({ to }) => cell.starts[to] ?? 0);
	const dated = cell.dates.some(({ from }) => from === match.from);
	const start = cell.starts[match.from]!;
	const before = cell.plain.slice(dated ? Math.max(0, ...earlier) : 0, start).slice(-40);
	if (pattern.test(before)) return 3;
	if (match.cell > 0 && isLabel(cells[match.cell - 1]!.plain, pattern)) return 2;
	const at = column(index, match).findIndex(({ above }) => isLabel(above.plain, pattern));
	return at === -1 ? 0 : 1 / (at + 1);
}

/** The cells above a match that stand in one block with it, nearest first: what is a label to them is one to it. */
function column(index: PageIndex, match: Span): Array<{ above: IndexedCell; row: number }> {
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
function inProse(index: PageIndex, { row, cell, from, to }: Match, path: HeaderPath): boolean {
	const sentence = index.rows[row]!.cells[cell]!.cell.words.length - (to - from) > 8;
	return sentence && (path.startsWith('totals.') || (path.endsWith('.name') && from > 0));
}

/** Whether a row is a line: a text that names no total, and several figures beside it. */
function inLine({ rows }: PageIndex, { row }: Match): boolean {
	const [first, ...rest] = rows[row]!.cells;
	const named = Object.values(totalWords).some((words) => words.test(first!.plain));
	return /\p{L}{3}/u.test(first!.plain) && !named && rest.filter(({ numbers }) => numbers.length > 0).length >= 2;
}

/** Whether a row tells the tax of one rate, and another row that of another. */
function ofOneRate({ rows }: PageIndex, { row }: Match): boolean {
	const rateOf = ({ cells }: PageIndex['rows'][number]) => {
		const text = cells.map(({ plain }) => plain).join(' ');
		return totalWords.tax.test(text) && cells.length <= 3 ? /(\d+(?:[.,]\d+)?) ?%/.exec(text)?.[1] : undefined;
	};
	const own = rateOf(rows[row]!);
	return own !== undefined && rows.some((one) => ![undefined, own].includes(rateOf(one)));
}

/** Whether the nearest name above, in the same block of text, is the other party's. */
function underOther(index: PageIndex, match: Match, path: HeaderPath, { seller, buyer }: Parties): boolean {
	const [own, other] =
		path === 'seller.vat' || path === 'seller.siret' ? [seller, buyer] : path === 'buyer.email' ? [buyer, seller] : [];
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

function asProof({ value, place, sure }: Match): Proof {
	return { ok: true, value, place, sure };
}

function refused(reason: string): Proof {
	return { ok: false, reason };
}
