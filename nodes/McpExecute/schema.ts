import { Ajv, type Options } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020';
import { RE2JS } from 're2js';
import { LocalAiError } from '../shared/errors';

/** What is wrong with a value by a JSON Schema, in a sentence that names the place; null when it fits. */
export type SchemaCheck = (value: unknown) => string | null;

/**
 * Compiles a JSON Schema that may come from a stranger: 2020-12, or draft 7 where `$schema` says so. Nothing is fetched,
 * and patterns run in linear time. Throws LocalAiError `configuration`, its `reason` SCHEMA_UNSUPPORTED (a `$ref` to
 * elsewhere, a pattern that needs backtracking) or SCHEMA_TOO_COMPLEX (more than 10,000 steps to check one value).
 */
export function compileSchema(schema: unknown): SchemaCheck {
	if (typeof schema !== 'object' || schema === null) {
		throw unusable('SCHEMA_UNSUPPORTED', 'The JSON Schema is no JSON object');
	}
	const cost = costOf(schema, schema, [], new Set());
	if (cost > maxCost) {
		throw unusable('SCHEMA_TOO_COMPLEX', `The JSON Schema is too complex: more than ${maxCost} steps for one value`);
	}
	const { $schema: dialect, ...rules } = schema as Record<string, unknown>;
	try {
		const ajv = typeof dialect === 'string' && dialect.includes('draft-07') ? new Ajv(options) : new Ajv2020(options);
		const validate = ajv.compile(rules);
		return (value) => (validate(value) ? null : ajv.errorsText(validate.errors, { dataVar: 'value' }));
	} catch (cause) {
		const message = cause instanceof Error ? cause.message : String(cause);
		throw unusable('SCHEMA_UNSUPPORTED', `The JSON Schema cannot be used: ${message}`, cause);
	}
}

const maxCost = 10_000;
const maxDepth = 100;

const options: Options = {
	strict: false,
	validateFormats: false,
	logger: false,
	code: {
		regExp: Object.assign(
			(pattern: string) => {
				const compiled = RE2JS.compile(pattern);
				// ajv keeps one pattern for each text that they are written as.
				return { test: (text: string) => compiled.test(text), toString: () => pattern };
			},
			{ code: 'linearTime' },
		),
	},
};

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
		if (schema === root && (key === '$defs' || key === 'definitions')) continue;
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
