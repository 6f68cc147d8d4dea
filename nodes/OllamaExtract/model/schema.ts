import { z } from 'zod';
import { LocalAiError } from '../../shared/errors';
import { excerpt } from '../../shared/http';
import { complain, type Judged } from '../../shared/reply';
import type { CommercialDocument, DocumentLine, HeaderPath } from '../result';

/** How a value is compared with the page: as words, as a code whose spacing is free, by its number or by its date. */
export type ValueKind = 'text' | 'identifier' | 'number' | 'date' | 'currency';

/** A field outside the lines. `key` is what the model is asked for: short, since every key costs tokens. */
export interface HeaderField {
	readonly path: HeaderPath;
	readonly key: string;
	readonly kind: ValueKind;
	/** Its name in a message to a person. */
	readonly label: string;
	/** Where it is missing the verdict is never complete, and the model is asked for it. Others are only asked along. */
	readonly requiredIn: ReadonlyArray<'devis' | 'invoice'>;
}

const both = ['devis', 'invoice'] as const;

export const headerFields: readonly HeaderField[] = [
	{ path: 'number', key: 'number', kind: 'text', label: 'document number', requiredIn: both },
	{ path: 'date', key: 'date', kind: 'date', label: 'date', requiredIn: both },
	{ path: 'validUntil', key: 'validUntil', kind: 'date', label: 'end of validity or due date', requiredIn: [] },
	{ path: 'currency', key: 'currency', kind: 'currency', label: 'currency', requiredIn: [] },
	// Who sends devis knows who he is, and a letterhead is often a picture.
	{ path: 'seller.name', key: 'seller', kind: 'text', label: 'name of the seller', requiredIn: ['invoice'] },
	{ path: 'seller.vat', key: 'sellerVat', kind: 'identifier', label: 'VAT number of the seller', requiredIn: [] },
	{ path: 'seller.siret', key: 'sellerSiret', kind: 'identifier', label: 'SIRET of the seller', requiredIn: [] },
	{ path: 'buyer.name', key: 'buyer', kind: 'text', label: 'name of the buyer', requiredIn: both },
	{ path: 'buyer.email', key: 'buyerEmail', kind: 'text', label: 'e-mail of the buyer', requiredIn: [] },
	{ path: 'totals.net', key: 'net', kind: 'number', label: 'total before tax', requiredIn: [] },
	{ path: 'totals.tax', key: 'tax', kind: 'number', label: 'tax', requiredIn: [] },
	{ path: 'totals.gross', key: 'gross', kind: 'number', label: 'total with tax', requiredIn: both },
];

/** A field of a line; description and total are what makes one complete. */
export interface LineField {
	readonly name: keyof DocumentLine;
	readonly key: string;
	readonly kind: ValueKind;
	/** What a person calls it. */
	readonly label: string;
	readonly required: boolean;
}

export const lineFields: readonly LineField[] = [
	{ name: 'description', key: 'desc', kind: 'text', label: 'description', required: true },
	{ name: 'quantity', key: 'qty', kind: 'number', label: 'quantity', required: false },
	{ name: 'unit', key: 'unit', kind: 'text', label: 'unit', required: false },
	{ name: 'unitPrice', key: 'price', kind: 'number', label: 'unit price', required: false },
	{ name: 'vatRate', key: 'vat', kind: 'number', label: 'tax rate', required: false },
	{ name: 'total', key: 'total', kind: 'number', label: 'total', required: true },
];

/** What a person calls the field of a path: `total with tax`, `line 3, unit price`; the path itself where it is none. */
export function nameOf(path: string): string {
	const [, at, name] = /^lines\.(\d+)(?:\.(\w+))?$/.exec(path) ?? [];
	if (at === undefined) return headerFields.find((field) => field.path === path)?.label ?? path;
	const label = lineFields.find((field) => field.name === name)?.label;
	return `line ${Number(at) + 1}${label === undefined ? '' : `, ${label}`}`;
}

/** What the model answers, as it is printed: header values by path, and lines. */
export interface ModelAnswer {
	readonly header: ReadonlyMap<HeaderPath, string>;
	readonly lines: ReadonlyArray<Partial<Record<keyof DocumentLine, string>>>;
}

/** What is asked of the model: its JSON Schema, the keys in words, and the reading of its answer. */
export interface Question<Answer> {
	readonly jsonSchema: object;
	readonly keys: string;
	readonly check: (value: unknown) => Judged<Answer>;
}

/** The question for the missing fields of a built-in schema, and for no others. */
export function questionFor(paths: readonly HeaderPath[], withLines: boolean): Question<ModelAnswer> {
	const asked = headerFields.filter(({ path }) => paths.includes(path));
	const printed = z.union([z.string(), z.number().transform(String)]).nullish();
	const line = z.object(Object.fromEntries(lineFields.map(({ key }) => [key, printed])));
	const header = z.object(Object.fromEntries(asked.map(({ key }) => [key, printed])));
	const reply = withLines ? header.extend({ lines: z.array(line) }) : header;
	return {
		jsonSchema: strictObject({
			...Object.fromEntries(asked.map(({ key }) => [key, nullableString])),
			...(withLines
				? {
						lines: {
							type: 'array',
							items: strictObject(Object.fromEntries(lineFields.map(({ key }) => [key, nullableString]))),
						},
					}
				: {}),
		}),
		keys: [
			...asked.map(({ key }) => key),
			...(withLines ? [`lines[${lineFields.map(({ key }) => key).join(' ')}]`] : []),
		].join(' '),
		check: (value) => {
			const parsed = reply.safeParse(value);
			if (!parsed.success) return complain(...issuesOf(parsed.error));
			const values = parsed.data as Record<string, unknown>;
			const lines = withLines ? (values['lines'] as Array<Record<string, unknown>>) : [];
			return {
				ok: true,
				value: {
					header: new Map(
						asked.flatMap(({ path, key }) => (filled(values[key]) ? [[path, String(values[key]).trim()]] : [])),
					),
					lines: lines
						.map((one) =>
							Object.fromEntries(
								lineFields.flatMap(({ name, key }) => (filled(one[key]) ? [[name, String(one[key]).trim()]] : [])),
							),
						)
						.filter((one) => Object.keys(one).length > 0),
				},
			};
		},
	};
}

/** The question for a person's own JSON Schema. A schema that cannot be read rejects with `configuration`. */
export function questionForSchema(jsonSchema: object): Question<unknown> {
	let schema: z.ZodType;
	try {
		schema = z.fromJSONSchema(jsonSchema as Parameters<typeof z.fromJSONSchema>[0]);
	} catch (error) {
		throw new LocalAiError('configuration', `This JSON Schema cannot be used: ${excerpt(messageOf(error))}`, {
			hint: 'Use type, properties, required, items, enum, anyOf and $defs within the schema itself; no outside references.',
		});
	}
	return {
		jsonSchema,
		keys: JSON.stringify(withoutNoise(jsonSchema)),
		check: (value) => {
			const parsed = schema.safeParse(value);
			return parsed.success ? { ok: true, value: parsed.data } : complain(...issuesOf(parsed.error));
		},
	};
}

/**
 * The question for one piece of a document that has several: what a piece does not hold may be absent or null, since
 * only all answers together fit the schema.
 */
export function questionForPiece(jsonSchema: object): Question<unknown> {
	const question = questionForSchema(optional(jsonSchema) as object);
	return {
		...question,
		check: (value) => {
			const judged = question.check(withoutNulls(value));
			return judged.ok ? { ok: true, value } : judged;
		},
	};
}

const schemaMaps = ['properties', 'patternProperties', '$defs', 'definitions'];
const schemas = ['items', 'additionalProperties', 'anyOf', 'oneOf', 'allOf', 'prefixItems'];

/** A JSON Schema in which nothing has to be there. */
function optional(schema: unknown): unknown {
	if (Array.isArray(schema)) return schema.map(optional);
	if (typeof schema !== 'object' || schema === null) return schema;
	return Object.fromEntries(
		Object.entries(schema)
			.filter(([key]) => !['required', 'minItems', 'minProperties'].includes(key))
			.map(([key, value]: [string, unknown]) => {
				if (schemas.includes(key)) return [key, optional(value)];
				if (!schemaMaps.includes(key) || typeof value !== 'object' || value === null) return [key, value];
				return [key, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, optional(one)]))];
			}),
	);
}

function withoutNulls(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(withoutNulls);
	if (typeof value !== 'object' || value === null) return value;
	return Object.fromEntries(
		Object.entries(value).flatMap(([key, one]) => (one === null ? [] : [[key, withoutNulls(one)]])),
	);
}

/** An empty document of the built-in schemas, ready to be filled. */
export function emptyDocument(): CommercialDocument {
	return {
		number: null,
		date: null,
		validUntil: null,
		currency: null,
		seller: { name: null, vat: null, siret: null },
		buyer: { name: null, email: null },
		lines: [],
		totals: { net: null, tax: null, gross: null },
	};
}

const nullableString = { type: ['string', 'null'] };

function strictObject(properties: Record<string, object>) {
	return { type: 'object', properties, required: Object.keys(properties) };
}

/** Small models write these instead of null. */
function filled(value: unknown): boolean {
	return typeof value === 'string' && !/^(?:|null|none|n\/?a|unknown|inconnu|-+)$/i.test(value.trim());
}

function issuesOf(error: z.ZodError): string[] {
	return error.issues.map(({ path, message }) => `${path.length === 0 ? 'The JSON' : path.join('.')}: ${message}.`);
}

/** What tells a model nothing that it needs. */
function withoutNoise(schema: object): unknown {
	return JSON.parse(
		JSON.stringify(schema, (key, value: unknown) =>
			['$schema', '$id', 'title', 'examples'].includes(key) && typeof value === 'string' ? undefined : value,
		),
	);
}

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
