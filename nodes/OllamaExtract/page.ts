import type { SourcePlace } from './layout';
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

/** What the layout reader is sure of. What it is not sure of is absent, or listed as ambiguous with what was seen. */
export interface PageReading {
	readonly header: Partial<Record<HeaderPath, Found>>;
	readonly lines: ReadonlyArray<Partial<Record<keyof DocumentLine, Found>>>;
	/** The tax table, where one is printed: rate, taxable base and amount by rate. */
	readonly taxes: ReadonlyArray<{ readonly rate?: Found; readonly base?: Found; readonly amount?: Found }>;
	/** Discounts and charges on the whole document, signed: negative lowers the net. */
	readonly adjustments: readonly Found[];
	readonly ambiguous: ReadonlyArray<{ readonly path: string; readonly message: string; readonly place: SourcePlace }>;
}
