import { types } from 'node:util';
import { z } from 'zod';
import { LocalAiError } from '../shared/errors';
import type { Chat, ExtractOptions, Source } from './result';

/**
 * The source and options of a call by a program, checked: types bind no caller in JavaScript. A value that is not
 * allowed, or an option that there is not, is an `invalid-input` error that names what is allowed.
 */
export function parseCall(source: unknown, options: unknown): { source: Source; options: ExtractOptions } {
	return {
		source: parse(sources, source, 'source') as Source,
		options: parse(extractOptions, options, 'options') as ExtractOptions,
	};
}

const sources = z.union(
	[
		z.object({ text: z.string() }),
		z.object({
			bytes: z.custom<Uint8Array>(types.isUint8Array),
			fileName: z.string().optional(),
			password: z.string().optional(),
		}),
	],
	{ error: 'expected { text } with a string, or { bytes, fileName, password } with a Uint8Array and strings' },
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
		throw new LocalAiError('invalid-input', `extract was called wrongly: ${wrong.join('; ')}`, {
			hint: 'Correct the call: the type ExtractOptions lists what each option may be.',
		});
	}
	return Object.fromEntries(Object.entries(parsed.data).filter(([, one]) => one !== undefined));
}

function isJsonObject(value: unknown): boolean {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
