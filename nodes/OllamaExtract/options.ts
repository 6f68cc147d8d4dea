import { types } from 'node:util';
import { z } from 'zod';
import { LocalAiError } from '../shared/errors';
import type { Chat, ExtractOptions, Source } from './result';

/**
 * The arguments of a call by a program, checked: types bind no caller in JavaScript. A value that is not allowed, or an
 * option that there is not, is an `invalid-input` error that names what is allowed.
 */
export function parseCall(
	source: unknown,
	options: unknown,
	signal?: unknown,
): { source: Source; options: ExtractOptions; signal: AbortSignal | undefined } {
	const call = {
		source: parse(sources, source, 'source') as Source,
		options: parse(extractOptions, options, 'options') as ExtractOptions,
	};
	if (signal === undefined || isAbortSignal(signal)) return { ...call, signal };
	throw calledWrongly(['signal: expected an AbortSignal']);
}

const sources = z.union(
	[
		z.object({ text: z.string(), bytes: z.undefined().optional() }),
		z.object({
			text: z.undefined().optional(),
			bytes: z.custom<Uint8Array>(types.isUint8Array),
			fileName: z.string().optional(),
			password: z.string().optional(),
		}),
	],
	{
		error: 'expected { text } with a string, or { bytes, fileName, password } with a Uint8Array and strings, not both',
	},
);

const whole = z.int().min(1).optional();

const extractOptions = z.strictObject({
	schema: z.union([z.enum(['devis', 'invoice']), z.custom<object>(isJsonObject)], {
		error: 'expected "devis", "invoice" or a JSON Schema object',
	}),
	engine: z.enum(['automatic', 'model-only', 'without-model']),
	ignoreXml: z.boolean().optional(),
	chat: z.custom<Chat>((value) => typeof value === 'function', { error: 'expected a function' }).optional(),
	model: z.string().min(1).optional(),
	visionModel: z.string().min(1).optional(),
	unproven: z.enum(['null', 'keep', 'fail']).optional(),
	numCtx: whole,
	maxReplyTokens: whole,
	maxCalls: whole,
	readTimeoutMs: z.number().positive().optional(),
	readMemoryMiB: z.number().positive().optional(),
	maxPages: whole,
} satisfies Record<keyof ExtractOptions, z.ZodType>);

function parse(shape: z.ZodType<object>, value: unknown, name: string): object {
	const parsed = shape.safeParse(value);
	if (!parsed.success) {
		const wrong = parsed.error.issues.map(({ path, message }) => `${[name, ...path].join('.')}: ${message}`);
		throw calledWrongly(wrong);
	}
	return Object.fromEntries(Object.entries(parsed.data).filter(([, one]) => one !== undefined));
}

/** The error for a call whose arguments are `wrong`, each named with what is expected of it. */
export function calledWrongly(wrong: readonly string[]): LocalAiError {
	return new LocalAiError('invalid-input', `extract was called wrongly: ${wrong.join('; ')}`, {
		reason: 'called-wrongly',
		hint: 'Correct the call: the types Source, ExtractOptions and Chat list what each argument may be.',
	});
}

/** By what it can do: a signal of another realm is no instance of this one's class. */
function isAbortSignal(value: unknown): value is AbortSignal {
	if (!isJsonObject(value)) return false;
	const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
	return (
		typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
	);
}

function isJsonObject(value: unknown): boolean {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
