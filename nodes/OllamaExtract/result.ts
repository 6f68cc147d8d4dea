/** Axis-aligned box in PDF points, origin at the top left of the page as it is displayed: [left, top, right, bottom]. */
export type Box = readonly [left: number, top: number, right: number, bottom: number];

/** Where a value stands in its source. `quote` is the source's own text, unchanged. */
export type Place =
	| { readonly page: number; readonly box: Box; readonly quote: string }
	| { readonly offset: number; readonly quote: string }
	| { readonly attachment: string; readonly element: string; readonly quote: string }
	| 'model-only';

/** Who read the value: the embedded XML, the layout reader, the model, or arithmetic over other values. */
export type Origin = 'xml' | 'page' | 'model' | 'derived';

/** One leaf of `data` with its proof. `path` is dotted, array indexes included: `lines.0.unitPrice`. */
export interface Field {
	readonly path: string;
	readonly value: unknown;
	readonly origin: Origin | null;
	/** Null exactly when the value is null, derived, or kept without proof (then `reason` says so). */
	readonly place: Place | null;
	/** Why the value is null, how it was derived, or why it could not be proven. */
	readonly reason?: string;
}

export type CheckRule = 'line-total' | 'lines-sum' | 'tax-rate' | 'tax-sum' | 'gross' | 'xml-against-page';

/** One verification, in decimals. `ok` is false when printed and expected differ by more than rounding allows. */
export interface Check {
	readonly rule: CheckRule;
	/** The field the check is about; `taxes.0.base` and `taxes.0.amount` are a row of the printed tax table, no field. */
	readonly path: string;
	readonly printed: string;
	readonly expected: string;
	readonly ok: boolean;
	/** The calculation in a form a person can redo. */
	readonly detail: string;
}

/**
 * `complete`: nothing to look at. Of the built-in schemas number, date, both parties, total with tax and lines with
 * description and total are there, every value is proven, none of the header is a model's choice alone, every check
 * holds. `review`: usable, with reasons. `failed`: neither number nor total nor lines (of a schema of one's own: no
 * value at all).
 */
export type Verdict = 'complete' | 'review' | 'failed';

export interface Reason {
	readonly code:
		| 'missing-field'
		| 'no-lines'
		| 'unproven-value'
		| 'model-chosen'
		| 'arithmetic'
		| 'xml-differs-from-page'
		| 'ambiguous'
		| 'model-unavailable'
		| 'model-reply-refused'
		| 'image-unproven'
		| 'partly-read'
		| 'not-in-total'
		| 'prices-with-tax'
		| 'other-document'
		| 'schema';
	/** What is wrong and what a person can do about it. */
	readonly message: string;
	/** A field, or a line as a whole; absent where the reason is about no single one. */
	readonly path?: string;
}

export interface DocumentLine {
	description: string | null;
	quantity: string | null;
	unit: string | null;
	unitPrice: string | null;
	vatRate: string | null;
	total: string | null;
}

/** The data of the two built-in schemas. Dates are ISO 8601 (`2026-11-22`), amounts and rates decimal strings (`1234.50`). */
export interface CommercialDocument {
	number: string | null;
	date: string | null;
	/** End of validity of a devis, due date of an invoice. */
	validUntil: string | null;
	/** ISO 4217. */
	currency: string | null;
	seller: { name: string | null; vat: string | null; siret: string | null };
	buyer: { name: string | null; email: string | null };
	lines: DocumentLine[];
	totals: { net: string | null; tax: string | null; gross: string | null };
}

/** A field of the two built-in schemas outside their lines. */
export type HeaderPath =
	| 'number'
	| 'date'
	| 'validUntil'
	| 'currency'
	| `seller.${keyof CommercialDocument['seller']}`
	| `buyer.${keyof CommercialDocument['buyer']}`
	| `totals.${keyof CommercialDocument['totals']}`;

export type ChatMessage = { role: 'system' | 'user' | 'assistant'; content: string; images?: Uint8Array[] };

/** One call to a model that answers in JSON. Rejects with LocalAiError; honours `signal`. */
export type Chat = (
	request: {
		model: string;
		messages: ChatMessage[];
		/** JSON Schema that the reply must fit; a server may ignore it, so the reply is validated again. */
		schema: object;
		numCtx: number;
		maxReplyTokens: number;
	},
	signal?: AbortSignal,
) => Promise<{ text: string; promptTokens: number; replyTokens: number; durationMs: number }>;

export type Source =
	| { readonly bytes: Uint8Array; readonly fileName?: string; readonly password?: string }
	| { readonly text: string };

export interface ExtractOptions {
	readonly schema: 'devis' | 'invoice' | object;
	readonly engine: 'automatic' | 'model-only' | 'without-model';
	/** Read the page even when the PDF embeds an e-invoice XML. */
	readonly ignoreXml?: boolean;
	readonly chat?: Chat;
	/** Default `qwen2.5-coder:3b-instruct`. */
	readonly model?: string;
	/** The model that is asked instead where the source is an image. Default `qwen2.5vl:3b`. */
	readonly visionModel?: string;
	/** What becomes of a model's value that is not on the page. Default `null`. */
	readonly unproven?: 'null' | 'keep' | 'fail';
	/** Context length asked of the model, in tokens. Default 8192. */
	readonly numCtx?: number;
	/** Default 2048. */
	readonly maxReplyTokens?: number;
	/** Model calls for one piece of the document, corrections included. What fits the context is one piece. Default 3. */
	readonly maxCalls?: number;
	/** Reading a PDF: wall clock and memory of the reading process. */
	readonly readTimeoutMs?: number;
	readonly readMemoryMiB?: number;
	readonly maxPages?: number;
}

export interface ExtractResult<Data = unknown> {
	readonly data: Data;
	readonly fields: Field[];
	readonly checks: Check[];
	readonly verdict: Verdict;
	readonly reasons: Reason[];
	readonly document: {
		readonly kind: 'pdf' | 'image' | 'text';
		readonly fileName?: string;
		readonly sha256: string;
		readonly bytes: number;
		readonly pages?: number;
		readonly eInvoice?: { readonly standard: string; readonly profile: string; readonly attachment: string };
		readonly warnings: string[];
	};
	readonly usage: {
		readonly model: string | null;
		readonly calls: number;
		readonly promptTokens: number;
		readonly replyTokens: number;
		readonly modelDurationMs: number;
	};
}
