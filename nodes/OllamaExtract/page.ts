import type { Row, SourcePlace } from './layout';
import type { DocumentLine } from './result';

/** A value read from the page, normalised (ISO date, decimal string), with the place of what is printed. */
export interface Found {
	readonly value: string;
	readonly place: SourcePlace;
}

export type HeaderPath =
	| 'number'
	| 'date'
	| 'validUntil'
	| 'currency'
	| 'seller.name'
	| 'seller.vat'
	| 'seller.siret'
	| 'buyer.name'
	| 'buyer.email'
	| 'totals.net'
	| 'totals.tax'
	| 'totals.gross';

export type DocumentKind = 'devis' | 'invoice';

/** What stands with one line of the document and takes part in its arithmetic. */
export interface LineFigures {
	/** Discounts (negative) and charges (positive) on the line. */
	readonly adjustments: readonly string[];
	/** The quantity that the unit price stands for, when that is not 1. */
	readonly priceQuantity: string | null;
	/** Discount on the line in percent: `10` takes a tenth off. */
	readonly discountPercent?: string | null;
	/** False for a line that the sum of lines leaves out: an option, a detail of another line. */
	readonly counted?: boolean;
}

/** What the layout reader is sure of. What it is not sure of is absent, or listed as ambiguous with what was seen. */
export interface PageReading {
	readonly header: Partial<Record<HeaderPath, Found>>;
	readonly lines: ReadonlyArray<Partial<Record<keyof DocumentLine, Found>>>;
	/** By line, what takes part in its arithmetic and has no place in the schema. */
	readonly lineFigures: readonly LineFigures[];
	/** The tax table, where one is printed: rate, taxable base and amount by rate. */
	readonly taxes: ReadonlyArray<{ readonly rate?: Found; readonly base?: Found; readonly amount?: Found }>;
	/** Discounts and charges on the whole document, signed: negative lowers the net. */
	readonly adjustments: readonly Found[];
	readonly ambiguous: ReadonlyArray<{ readonly path: string; readonly message: string; readonly place: SourcePlace }>;
}

/** Reads the fields of a devis or an invoice from its rows. What it is not sure of stays absent. */
export function readFields(rows: readonly Row[], kind: DocumentKind): PageReading {
	const number = rows
		.flatMap(({ cells }) => cells)
		.map(({ text, words }) => ({ match: titles[kind].exec(text), word: words[0] }))
		.find(({ match }) => match !== null);
	const header: PageReading['header'] =
		number?.match?.[1] === undefined || number.word === undefined
			? {}
			: { number: { value: number.match[1], place: number.word.place } };
	return { header, lines: [], lineFigures: [], taxes: [], adjustments: [], ambiguous: [] };
}

const titles: Readonly<Record<DocumentKind, RegExp>> = {
	devis: /^devis\s*n[°o]\s*:?\s*(\S*\d\S*)/i,
	invoice: /^facture\s*n[°o]\s*:?\s*(\S*\d\S*)/i,
};
