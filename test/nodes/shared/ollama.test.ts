import { listModels, ollamaChat } from '../../../nodes/shared/ollama';
import { failure } from '../../support/failure';
import { startOllamaStandIn, type Behaviour, type OllamaStandIn } from '../../support/ollamaStandIn';

let server: OllamaStandIn;
beforeEach(async () => {
	server = await startOllamaStandIn({ models: ['qwen2.5-coder:3b-instruct', 'mistral:7b'] });
});
afterEach(() => server.close());

const request = {
	model: 'mistral:7b',
	messages: [{ role: 'user' as const, content: 'Read this.' }],
	schema: { type: 'object', properties: { number: { type: 'string' } } },
	numCtx: 4096,
	maxReplyTokens: 512,
};
const chat = (options: Partial<Parameters<typeof ollamaChat>[0]> = {}) =>
	ollamaChat({ baseUrl: server.baseUrl, retryDelayMs: 1, ...options });

test('a chat asks for the schema at temperature 0 within its limits, and counts what the server counts', async () => {
	server.script({ kind: 'answer', content: { number: 'D-7' } });
	const reply = await chat()({
		...request,
		messages: [{ ...request.messages[0]!, images: [Uint8Array.of(1, 2, 255)] }],
	});
	expect(reply).toEqual({
		text: '{"number":"D-7"}',
		promptTokens: expect.any(Number),
		replyTokens: expect.any(Number),
		durationMs: expect.any(Number),
	});
	expect(reply.promptTokens).toBeGreaterThan(0);
	expect(server.chats()).toEqual([
		{
			model: 'mistral:7b',
			messages: [{ role: 'user', content: 'Read this.', images: ['AQL/'] }],
			stream: true,
			format: request.schema,
			think: false,
			truncate: false,
			options: { temperature: 0, num_ctx: 4096, num_predict: 512 },
		},
	]);
});

test('a reply at its cap comes back as it is, cut', async () => {
	server.script({ kind: 'answer', content: { number: 'D-2026-000001' } });
	const { text, replyTokens } = await chat()({ ...request, maxReplyTokens: 4 });
	expect({ text, replyTokens }).toEqual({ text: '{"number', replyTokens: 4 });
});

test.each([
	['white space', { kind: 'endless', content: '{"number":"D-7"}', unit: ' \n' }, '{"number":"D-7"}'],
	['a loop', { kind: 'endless', content: '{"lines":[', unit: '{"desc":"x"},' }, expect.stringMatching(/^\{"lines":\[/)],
] satisfies Array<[string, Behaviour, unknown]>)(
	'endless %s ends early, and what came before is returned',
	async (_, behaviour, text) => {
		server.script(behaviour);
		const reply = await chat()(request);
		expect(reply.text).toEqual(text);
		expect(reply.promptTokens).toBeGreaterThan(0);
		await server.settled();
	},
);

test('a repetition that the server ended is returned as far as it came', async () => {
	server.script({ kind: 'unfinished', content: '{"number":"D-7"}   ' });
	expect(await chat()(request)).toMatchObject({ text: '{"number":"D-7"}', replyTokens: 1 });
	expect(server.chats()).toHaveLength(1);
});

test.each([
	[
		'model not pulled',
		{ kind: 'status', status: 404, error: "model 'mistral:7b' not found" },
		'configuration',
		/ollama pull mistral:7b/,
	],
	['wrong key', { kind: 'status', status: 401, error: 'unauthorized' }, 'unauthorized', /key/],
	[
		'out of memory',
		{ kind: 'status', status: 500, error: 'model requires more system memory (5.6 GiB) than is available (3.1 GiB)' },
		'configuration',
		/smaller model/,
	],
	[
		'out of memory while loading, in the words of the runner',
		{
			kind: 'status',
			status: 500,
			error: 'ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 3',
		},
		'configuration',
		/smaller model/,
	],
	[
		'a prompt that does not fit',
		{ kind: 'status', status: 400, error: 'the input length exceeds the context length' },
		'configuration',
		/context length/,
	],
	[
		"a prompt that does not fit, in the runner's own body",
		{
			kind: 'status',
			status: 400,
			error:
				'{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error"}}',
		},
		'configuration',
		/context length/,
	],
	[
		'a schema without a grammar',
		{ kind: 'status', status: 500, error: 'invalid JSON schema in format' },
		'configuration',
		/schema/,
	],
	[
		'an image for a model that sees none',
		{ kind: 'status', status: 500, error: 'this model is missing data required for image input' },
		'configuration',
		/vision model/,
	],
	[
		"a model of Ollama's cloud",
		{ kind: 'status', status: 401, body: '{"error":"unauthorized","signin_url":"https://example.org/connect"}' },
		'unauthorized',
		/your own machine/,
	],
	[
		'a reverse proxy that wants a key',
		{ kind: 'status', status: 401, body: '<html><h1>401 Authorization Required</h1></html>' },
		'unauthorized',
		/key/,
	],
	['not Ollama', { kind: 'status', status: 200, body: '<html>hello</html>' }, 'configuration', /base URL/],
	[
		'runner died',
		{ kind: 'error-in-stream', content: '{', error: 'llama runner process has terminated: signal: killed' },
		'configuration',
		/memory/,
	],
] satisfies Array<[string, Behaviour, string, RegExp]>)(
	'%s is one request and an error with the next step',
	async (_, behaviour, code, hint) => {
		server.script(behaviour);
		const error = await failure(chat()(request));
		expect({ code: error.code, hint: error.hint }).toEqual({ code, hint: expect.stringMatching(hint) });
		expect(server.chats()).toHaveLength(1);
	},
);

test.each([
	[
		'busy',
		{ kind: 'status', status: 503, error: 'server busy, please try again.  maximum pending requests exceeded' },
		'overloaded',
	],
	['dropped', { kind: 'drop' }, 'unreachable'],
	['cut off', { kind: 'cut', content: '{"number":' }, 'unreachable'],
	[
		'dying',
		{
			kind: 'status',
			status: 500,
			error:
				'model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, check ollama server logs for details',
		},
		'unreachable',
	],
	['failing', { kind: 'status', status: 500, error: 'something went wrong' }, 'unreachable'],
] satisfies Array<[string, Behaviour, string]>)(
	'a %s server is tried three times, then the error is plain',
	async (_, behaviour, code) => {
		server.script(behaviour);
		expect((await failure(chat()(request))).code).toBe(code);
		expect(server.chats()).toHaveLength(3);

		server.script(behaviour, { kind: 'answer', content: { number: 'D-7' } });
		expect((await chat()(request)).text).toBe('{"number":"D-7"}');
	},
);

test('what a busy server says about when to come back is kept, and no wait exceeds the deadline', async () => {
	server.script({ kind: 'status', status: 503, error: 'busy', headers: { 'retry-after': '120' } });
	const error = await failure(chat({ timeoutMs: 5_000 })(request));
	expect(error).toMatchObject({ code: 'overloaded', retryAfterMs: 120_000 });
	expect(server.chats()).toHaveLength(1);
});

test.each([
	['before the first byte', { kind: 'stall' }],
	['in the middle', { kind: 'stall', content: '{"number":' }],
] satisfies Array<[string, Behaviour]>)('a server silent %s runs into the deadline', async (_, behaviour) => {
	server.script(behaviour);
	const error = await failure(chat({ timeoutMs: 50 })(request));
	expect(error).toMatchObject({ code: 'timeout', message: expect.stringContaining('did not finish within') });
	await server.settled();
});

test.each([
	['before the first byte', { kind: 'stall' }],
	['in the middle', { kind: 'stall', content: '{"number":' }],
] satisfies Array<[string, Behaviour]>)(
	'cancelled %s, the request ends at once and the server is let go',
	async (_, behaviour) => {
		server.script(behaviour);
		const controller = new AbortController();
		const work = failure(chat()(request, controller.signal));
		while (server.open() === 0) await new Promise(setImmediate);
		controller.abort();
		expect((await work).code).toBe('cancelled');
		await server.settled();
	},
);

test('no server: the error names the address and how to start one, and comes without another try', async () => {
	const { baseUrl } = server;
	await server.close();
	const error = await failure(ollamaChat({ baseUrl, retryDelayMs: 600_000 })(request));
	expect(error).toMatchObject({
		code: 'unreachable',
		nothingAnswers: true,
		message: expect.stringContaining(new URL(baseUrl).host),
		hint: expect.stringContaining('ollama serve'),
	});
	server = await startOllamaStandIn();
});

test('a key is sent as a bearer token and stands in no error', async () => {
	await server.close();
	server = await startOllamaStandIn({ apiKey: 'right', models: ['mistral:7b'] });
	expect((await listModels({ baseUrl: server.baseUrl, apiKey: 'right' })).map(({ name }) => name)).toEqual([
		'mistral:7b',
	]);
	const error = await failure(listModels({ baseUrl: server.baseUrl, apiKey: 'hunter2-secret' }));
	expect(error.code).toBe('unauthorized');
	expect(JSON.stringify([error.message, error.hint, error.stack, error.cause])).not.toContain('hunter2');
	const url = new URL(server.baseUrl);
	await server.close();
	const gone = await failure(listModels({ baseUrl: `http://me:hunter2@${url.host}` }));
	expect(JSON.stringify([gone.message, gone.hint, gone.stack, gone.cause])).not.toContain('hunter2');
	server = await startOllamaStandIn();
});

test('models are listed by name with their size', async () => {
	expect(await listModels({ baseUrl: `${server.baseUrl}/` })).toEqual([
		{ name: 'mistral:7b', sizeBytes: expect.any(Number), parameterSize: '3.1B' },
		{ name: 'qwen2.5-coder:3b-instruct', sizeBytes: expect.any(Number), parameterSize: '3.1B' },
	]);
});

test.each(['', 'ollama', 'ftp://127.0.0.1'])('the base URL "%s" is a configuration error', async (baseUrl) => {
	expect(await failure(listModels({ baseUrl }))).toMatchObject({
		code: 'configuration',
		hint: expect.stringContaining('http://127.0.0.1:11434'),
	});
});
