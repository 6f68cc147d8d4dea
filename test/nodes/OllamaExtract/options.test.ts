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

test('what is allowed comes back as it was given, and options that are undefined are not set', () => {
	const source = { bytes: Buffer.from('%PDF'), fileName: 'a.pdf' };
	const schema = { type: 'object', properties: {} };
	const parsed = parseCall(source, { schema, engine: 'automatic', chat: undefined, maxCalls: 2 });
	expect(parsed).toStrictEqual({ source, options: { schema, engine: 'automatic', maxCalls: 2 } });
	expect(parsed.options.schema).toBe(schema);
	expect('bytes' in parsed.source && parsed.source.bytes).toBe(source.bytes);
});
