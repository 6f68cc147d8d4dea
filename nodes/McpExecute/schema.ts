import { Ajv, type Options } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020';
import { RE2JS } from 're2js';
import { LocalAiError } from '../shared/errors';
import { canonical } from './task/canonical';

/** What is wrong with a value by a JSON Schema, in a sentence that names the place; null when it fits. */
export type SchemaCheck = (value: unknown) => string | null;

/** The complaint about a value that takes longer to check than any honest one. */
export const tooManySteps = 'takes too many steps to check';

/**
 * Compiles a JSON Schema that may come from a stranger: 2020-12, or draft 7 where `$schema` says so. Nothing is fetched,
 * patterns run in linear time, and a value that would hold up the program is answered with `tooManySteps`. Throws
 * LocalAiError `configuration`, its `reason` SCHEMA_UNSUPPORTED (a reference to elsewhere, a pattern that needs
 * backtracking, `$async`) or SCHEMA_TOO_COMPLEX (more than 10,000 subschemas, or patterns too large).
 */
export function compileSchema(schema: unknown): SchemaCheck {
	if (typeof schema !== 'object' || schema === null) {
		throw unusable('SCHEMA_UNSUPPORTED', 'The JSON Schema is no JSON object');
	}
	const { $schema: dialect, ...rules } = schema as Record<string, unknown>;
	const effort: Effort = { steps: 0, patterns: 0 };
	try {
		const cost = costOf(schema, schema, [], new Set());
		if (cost > maxCost) throw new TooComplex();
		const isDraft7 = typeof dialect === 'string' && dialect.includes('draft-07');
		const ajv = bounded(isDraft7 ? new Ajv(optionsOf(effort)) : new Ajv2020(optionsOf(effort)), effort);
		const validate = ajv.compile(rules);
		return (value) => {
			effort.steps = 0;
			try {
				if (cost * sizeOf(value, maxVisits / cost) > maxVisits) return tooManySteps;
				// Anything but true, a promise among it, is no consent.
				return validate(value) === true ? null : ajv.errorsText(validate.errors, { dataVar: 'value' });
			} catch (error) {
				if (error instanceof TooComplex) return tooManySteps;
				return `cannot be checked: ${error instanceof Error ? error.message : String(error)}`;
			}
		};
	} catch (cause) {
		if (cause instanceof LocalAiError) throw cause;
		if (cause instanceof TooComplex) throw unusable('SCHEMA_TOO_COMPLEX', 'The JSON Schema is too complex');
		const message = cause instanceof Error ? cause.message : String(cause);
		throw unusable('SCHEMA_UNSUPPORTED', `The JSON Schema cannot be used: ${message}`, cause);
	}
}

const maxCost = 10_000;
const maxDepth = 100;
/** Of subschemas at places of a value: 50 to 100 ns each where all of them complain. */
const maxVisits = 1_000_000;
/** States of patterns at characters of texts, and characters of compared values: 10 to 20 ns each. */
const maxSteps = 8_000_000;
/** States of all patterns of a schema. Compiling takes 15 µs for each. */
const maxPatterns = 5_000;

/** What checking one value has taken so far, and what the patterns of the schema are together. */
interface Effort {
	steps: number;
	patterns: number;
}

class TooComplex extends Error {}

function spend(effort: Effort, steps: number): void {
	effort.steps += steps;
	if (effort.steps > maxSteps) throw new TooComplex(tooManySteps);
}

function optionsOf(effort: Effort): Options {
	const linear = (pattern: string) => {
		const compiled = RE2JS.compile(pattern);
		const states = compiled.programSize();
		effort.patterns += states;
		if (effort.patterns > maxPatterns) throw new TooComplex();
		const test = (text: string) => {
			spend(effort, 50 + states * text.length);
			return compiled.test(text);
		};
		// ajv keeps one pattern for each text that they are written as.
		return { test, toString: () => pattern };
	};
	return {
		strict: false,
		validateFormats: false,
		logger: false,
		code: { regExp: Object.assign(linear, { code: 'linearTime' }) },
	};
}

/** Puts keywords that compare by canonical forms in the place of ajv's own, which compare each value with each. */
function bounded(ajv: Ajv, effort: Effort): Ajv {
	const formOf = (value: unknown) => {
		// A plain value is its own JSON text; the general way takes a hundred times longer.
		const isPlain = typeof value !== 'object' || value === null;
		const form = isPlain ? JSON.stringify(value) : canonical(value);
		spend(effort, isPlain ? 10 + form.length : 200 + 10 * form.length);
		return form;
	};
	const among = (allowed: readonly unknown[]) => {
		const forms = new Set(allowed.map(canonical));
		return (value: unknown) => forms.has(formOf(value));
	};
	const differ = (values: readonly unknown[]) => {
		const seen = new Set<string>();
		return values.every((value) => seen.size < seen.add(formOf(value)).size);
	};
	for (const keyword of ['enum', 'const', 'uniqueItems']) ajv.removeKeyword(keyword);
	return ajv
		.addKeyword({
			...{ keyword: 'enum', schemaType: 'array', compile: among },
			error: { message: 'must be equal to one of the allowed values' },
		})
		.addKeyword({
			...{ keyword: 'const', compile: (only: unknown) => among([only]) },
			error: { message: 'must be equal to constant' },
		})
		.addKeyword({
			...{ keyword: 'uniqueItems', type: 'array', schemaType: 'boolean' },
			compile: (wanted: boolean) => (wanted ? differ : () => true),
			error: { message: 'must NOT have duplicate items' },
		});
}

/** How many values a value holds, itself and the names in it included; more than `enough` need not be exact. */
function sizeOf(value: unknown, enough: number): number {
	let size = 0;
	const left = [value];
	while (left.length > 0 && size <= enough) {
		const one = left.pop();
		size += 1;
		if (typeof one === 'object' && one !== null) for (const inner of Object.values(one)) left.push(inner);
	}
	return size;
}

/** How many subschemas checking one value can visit; infinite where references multiply or circle more than once. */
function costOf(schema: unknown, root: unknown, within: readonly unknown[], circled: Set<unknown>): number {
	if (typeof schema !== 'object' || schema === null) return 1;
	if (within.includes(schema)) {
		// Back to itself once is a list or a tree; twice doubles with each level of the value.
		if (circled.has(schema)) return Infinity;
		circled.add(schema);
		return 1;
	}
	if (within.length > maxDepth) return Infinity;
	const inside = [...within, schema];
	let cost = 1;
	for (const [key, value] of Object.entries(schema)) {
		if (key === '$async') throw unusable('SCHEMA_UNSUPPORTED', 'The JSON Schema is to be checked later ($async)');
		if (schema === root && (key === '$defs' || key === 'definitions')) continue;
		// A name of its own for a part would lead references to where the counting does not go.
		if (schema !== root && key === '$id' && typeof value === 'string') {
			throw unusable('SCHEMA_UNSUPPORTED', 'A part of the JSON Schema has an address of its own ($id)');
		}
		const refers = (key === '$ref' || key === '$dynamicRef') && typeof value === 'string';
		cost += costOf(refers ? referred(value, root) : value, root, inside, circled);
		if (cost > maxCost) return cost;
	}
	return cost;
}

function referred(reference: string, root: unknown): unknown {
	if (!reference.startsWith('#')) {
		throw unusable('SCHEMA_UNSUPPORTED', 'The JSON Schema refers to another document, which is never fetched');
	}
	if (!/^#(\/|$)/.test(reference)) {
		throw unusable('SCHEMA_UNSUPPORTED', 'The JSON Schema refers to a part by another name than its path');
	}
	let at: unknown = root;
	for (const step of reference.slice(1).split('/').slice(1)) {
		const key = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
		at = typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : null;
	}
	return at;
}

function unusable(reason: string, message: string, cause?: unknown): LocalAiError {
	return new LocalAiError('configuration', message, {
		hint: 'The tool cannot be called until its schema is one that can be checked safely.',
		reason,
		...(cause !== undefined && { cause }),
	});
}
