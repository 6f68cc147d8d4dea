import { extract, type ExtractOptions, type Source } from '../../../nodes/OllamaExtract/extract';
import { parseCall } from '../../../nodes/OllamaExtract/options';

const call = (source: unknown, options: unknown) => extract(source as Source, options as ExtractOptions);
const good = { schema: 'devis', engine: 'without-model' };

test.each([
	[{ ...good, engine: 'withoutModel' }, /options\.engine: .*"automatic"\|"model-only"\|"without-model"/],
	[{ ...good, schema: 'quote' }, /options\.schema: expected "devis", "invoice" or a JSON Schema object/],
	[{ ...good, schema: [] }, /options\.schema/],
	[{ ...good, schema: null }, /options\.schema/],
	[{ engine: 'automatic' }, /options\.schema/],
	[{ ...good, unproven: 'drop' }, /options\.unproven: .*"null"\|"keep"\|"fail"/],
	[{ ...good, chat: 'http://127.0.0.1:11434' }, /options\.chat: expected a function/],
	[{ ...good, maxPages: 0 }, /options\.maxPages/],
	[{ ...good, numCtx: '8192' }, /options\.numCtx/],
	[{ ...good, readTimeoutMs: Number.NaN }, /options\.readTimeoutMs/],
	[{ ...good, ignoreXML: true }, /options: .*"ignoreXML"/],
	[undefined, /options: /],
])('%p is refused with what is allowed', async (options, message) => {
	await expect(call({ text: 'Devis' }, options)).rejects.toMatchObject({
		code: 'invalid-input',
		message: expect.stringMatching(message),
	});
});

test.each([[undefined], [null], [{}], ['devis.pdf'], [{ bytes: 'JVBERi0' }], [{ text: 5 }]])(
	'a source %p is refused',
	async (source) => {
		await expect(call(source, good)).rejects.toMatchObject({
			code: 'invalid-input',
			message: expect.stringMatching(/source: expected \{ text \}/),
		});
	},
);

test.each([[{}], [null], ['stop'], [{ aborted: false }]])(
	'a signal %p is refused and ends no process',
	async (signal) => {
		const source = { bytes: Buffer.from('%PDF-1.4') };
		await expect(extract(source, good as ExtractOptions, signal as unknown as AbortSignal)).rejects.toMatchObject({
			code: 'invalid-input',
			message: expect.stringMatching(/signal: expected an AbortSignal/),
		});
	},
);

test('a source that is both bytes and text is refused: neither wins silently', async () => {
	await expect(call({ bytes: Buffer.from('%PDF-1.4'), text: 'Devis' }, good)).rejects.toMatchObject({
		code: 'invalid-input',
		message: expect.stringMatching(/source: .*not both/),
	});
});

describe('a chat that a program brings', () => {
	const asking = (chat: unknown, engine = 'automatic') => call({ text: 'Devis' }, { schema: 'devis', engine, chat });

	test.each([[undefined], [null], ['{}'], [{ text: 5 }], [{ text: '{}' }]])(
		'and that gives %p is named as what is wrong',
		async (reply) => {
			await expect(asking(() => reply)).rejects.toMatchObject({
				code: 'invalid-input',
				message: expect.stringMatching(/options\.chat\(\) gave/),
			});
		},
	);

	test.each([
		[
			'throws',
			() => {
				throw new Error('no line');
			},
		],
		['rejects', () => Promise.reject(new Error('no line'))],
	])('and that %s becomes a LocalAiError with the cause', async (_, chat) => {
		await expect(asking(chat, 'model-only')).rejects.toMatchObject({
			name: 'LocalAiError',
			code: 'tool-failed',
			cause: { message: 'no line' },
		});
		const { reasons } = await asking(chat);
		expect(reasons).toContainEqual(expect.objectContaining({ code: 'model-unavailable' }));
	});

	test('is spoken of as "the model" where no model was named, and never as an Ollama credential', async () => {
		const useless = () => Promise.resolve({ text: 'no', promptTokens: 1, replyTokens: 1, durationMs: 1 });
		await expect(asking(useless, 'model-only')).rejects.toMatchObject({
			message: expect.stringMatching(/^The model gave no usable answer/),
		});
		const image = { bytes: Buffer.from('89504e470d0a1a0a', 'hex') };
		await expect(call(image, { ...good, chat: useless })).rejects.toMatchObject({
			hint: expect.not.stringMatching(/credential/),
		});
	});
});

test('what is allowed comes back as it was given, and options that are undefined are not set', () => {
	const source = { bytes: Buffer.from('%PDF'), fileName: 'a.pdf' };
	const schema = { type: 'object', properties: {} };
	const parsed = parseCall(source, { schema, engine: 'automatic', chat: undefined, maxCalls: 2 });
	expect(parsed).toStrictEqual({
		source,
		options: { schema, engine: 'automatic', maxCalls: 2 },
		signal: undefined,
	});
	expect(parsed.options.schema).toBe(schema);
	expect('bytes' in parsed.source && parsed.source.bytes).toBe(source.bytes);
});
