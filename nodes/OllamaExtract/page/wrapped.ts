import { foundCell, isOfText, joinedCells, letterWidth, type Found } from './found';
import { isBareLabel, labelAt, type Label } from './labels';
import type { Cell, Row } from '../rows/layout';
import { isOptional } from './tableLine';

/** A line of a table, or the head (`line` null), with the rows that follow it and were read as nothing. */
export interface Below {
	/** Index of the line; null below a head that no line follows yet. */
	readonly line: number | null;
	/** The row of the line itself, and the cell that describes it. */
	readonly row: Row;
	readonly described: Cell | undefined;
	readonly rows: Array<{ readonly row: Row; readonly kind: RowBelow }>;
	/** The row of the next line; null where totals, a head or the end follow. */
	next: Row | null;
}

/** `unpriced` is a row of the table with words where others have figures; `text` any single cell; all else `other`. */
export type RowBelow = 'text' | 'unpriced' | 'other';

/** A row that may be a line or a part of one. */
export interface Loose {
	readonly line: number | null;
	readonly found: Found;
}

/** Rows that go on with the description above them, by line, and those of which that cannot be told. */
export interface Wrapped {
	readonly parts: ReadonlyMap<number, readonly Cell[]>;
	readonly loose: readonly Loose[];
}

/**
 * Tells rows that go on with a description from titles of sections: by their words (a sentence goes on in lower case,
 * or was left unfinished) and by their distance. `titled` says that titles head the lines of these tables.
 */
export function wrappedIn(blocks: readonly Below[], titled: boolean): Wrapped {
	const whites = blocks.flatMap(({ line, row, rows, next }) =>
		line === null || rows.length > 0 || next === null || next.page !== row.page ? [] : [next.top - row.bottom],
	);
	const usual = whites.length === 0 ? null : Math.min(...whites);
	const parts = new Map<number, Cell[]>();
	const loose: Loose[] = [];
	for (const block of blocks) {
		const own: Cell[] = [];
		let described = block.described;
		let above = block.row;
		for (const [nth, { row, kind }] of block.rows.entries()) {
			const below = block.rows[nth + 1]?.row ?? block.next;
			const verdict = placed({ ...block, described, above, below, usual, titled }, row, kind);
			const [cell] = row.cells;
			if (cell === undefined || verdict === 'apart') break;
			if (verdict === 'part' && described !== undefined) {
				own.push(cell);
				described = joinedCells(described, cell);
				above = row;
				continue;
			}
			loose.push({ line: block.line, found: foundCell(cell) });
			if (kind !== 'unpriced') break;
			[described, above] = [undefined, row];
		}
		if (block.line !== null && own.length > 0) parts.set(block.line, own);
	}
	return { parts, loose };
}

interface Surroundings {
	readonly row: Row;
	readonly line: number | null;
	readonly described: Cell | undefined;
	readonly above: Row;
	readonly below: Row | null;
	readonly next: Row | null;
	readonly usual: number | null;
	readonly titled: boolean;
}

function placed(around: Surroundings, row: Row, kind: RowBelow): 'part' | 'loose' | 'apart' {
	const { described, above, below, next, usual, titled } = around;
	const [cell] = row.cells;
	if (cell === undefined || kind === 'other') return 'apart';
	const height = heightOf(cell) ?? row.bottom - row.top;
	const white = row.page === above.page ? row.top - above.bottom : Infinity;
	const isNear = white <= Math.max(usual ?? 0, farthestPart * height);
	if (kind === 'unpriced') return isNear || (next !== null && next.page === row.page) ? 'loose' : 'apart';
	if (described === undefined) return 'apart';
	const goesOn = beginsWithin(cell.text) || isUnfinished(described.text);
	const label = labelAt(cell.text)?.label;
	if (isBareLabel(cell.text) || (label !== undefined && ends.has(label) && !isUnfinished(described.text)))
		return 'apart';
	const slack = letterWidth(cell);
	const limit = Math.min(...around.row.cells.filter(({ left }) => left >= described.right).map(({ left }) => left));
	const isUnder = cell.left >= described.left - slack && cell.left < limit;
	if (goesOn) {
		if (isUnder && isNear) return 'part';
		// Far below a line anything may begin in lower case; a text is parted by what its author typed.
		return isNear || isUnfinished(described.text) ? 'loose' : 'apart';
	}
	const fits = isUnder && cell.right <= limit + slack;
	if (!isNear || !fits || looksLikeTitle(cell.text, described.text)) return 'apart';
	const whiteBelow = below !== null && below.page === row.page ? below.top - row.bottom : null;
	const isTight =
		!isOfText(row) &&
		((usual !== null && white < tighter * usual) ||
			(next !== null && whiteBelow !== null && white < tighter * whiteBelow));
	if (isTight) return 'part';
	return titled && next !== null ? 'apart' : 'loose';
}

/** White above a row that goes on with the one before it, in heights of its letters: a pitch of about 2.2 em. */
const farthestPart = 1.25;
/** Of the white between lines: what is less than this joins a row to the one above. */
const tighter = 0.7;

/** What follows the lines or counts them, whatever stands behind it. */
const ends = new Set<Label>([
	'net',
	'tax',
	'gross',
	'total',
	'due',
	'subtotal',
	'adjustment',
	'other-amount',
	'valid-until',
]);

/** A beginning in the midst of a sentence: lower case, a measure, a mark of a list or of something added. */
function beginsWithin(text: string): boolean {
	return /^(?:\p{Ll}(?!\))|[-–—•*▪+(,;&/]|\d[\d.,x×/]*\s?(?:\p{Ll}|%))/u.test(text);
}

function isUnfinished(text: string): boolean {
	const open = text.lastIndexOf('(') > text.lastIndexOf(')');
	return open || /[,;+&/–-]$/.test(text) || joiningWord.test(text);
}

const joiningWord =
	/(?:^|[\s'’])(?:de|du|des|d['’]|le|la|les|l['’]|et|ou|en|à|au|aux|avec|pour|sur|sous|par|dans|sans|entre|un|une|compris|und|oder|mit|von|vom|für|in|im|auf|aus|zu|zur|zum|der|die|das|den|and|or|of|with|for|to|the|from)$/iu;

/** Numbered, in capitals over text that is not, or announcing what follows with a colon. */
function looksLikeTitle(text: string, described: string): boolean {
	const numbered = /^(?:\d{1,2}(?:\.\d{1,2})*[.)]?\s|[IVX]{1,4}(?:[.)]|\s*[-–—:])\s*|[A-Z][.)]\s*)[-–—:]?\s*\p{Lu}/u;
	const named =
		/^(?:lot|phase|tranche|poste|chapitre|zone|titel|los|abschnitt|section|part)s?\s+(?:n[°o.]?\s*)?[\dIVXA-Z](?!\p{Ll})/iu;
	const capitals = /\p{Lu}{2}/u.test(text) && !/\p{Ll}/u.test(text) && /\p{Ll}/u.test(described);
	return numbered.test(text) || named.test(text) || isOptional(text) || capitals || /:$/.test(text);
}

function heightOf({ words }: Cell): number | null {
	const place = words[0]?.place;
	return place !== undefined && 'box' in place ? place.box[3] - place.box[1] : null;
}
