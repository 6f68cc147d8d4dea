/** What a check needs beside the data: figures that the two built-in schemas do not hold. Decimal strings, signed. */
export interface Figures {
	readonly taxes: ReadonlyArray<{ rate: string | null; base: string | null; amount: string | null }>;
	/** Discounts (negative) and charges (positive) on the whole document. */
	readonly adjustments: readonly string[];
	/** By line: discounts and charges on it, and the quantity that its price stands for when that is not 1. */
	readonly lines: ReadonlyArray<{ adjustments: readonly string[]; priceQuantity: string | null }>;
}
