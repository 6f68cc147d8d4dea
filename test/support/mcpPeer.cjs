// An MCP server on stdio for tests. The first argument is its mode, the second a file that gets one line for each start
// and for each message it receives.
const { appendFileSync } = require('node:fs');
const { createInterface } = require('node:readline');

const [, , mode, record] = process.argv;
const note = (line) => record && appendFileSync(record, `${line}\n`);
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const text = (words) => ({ content: [{ type: 'text', text: words }] });
const isModern = mode.startsWith('modern');
const serverInfo = { name: 'peer', version: '1' };

note(`start ${process.pid}`);
if (mode === 'dies') process.exit(3);
if (mode === 'stubborn') {
	process.on('SIGTERM', () => {});
	process.stdin.on('end', () => {});
	setInterval(() => {}, 1000);
}
let listed = 0;

/** What a call is answered with, by mode. */
const results = {
	echo: ({ arguments: given }) => text(JSON.stringify(given)),
	env: () => text(JSON.stringify({ ...process.env, pid: process.pid })),
	pid: () => text(String(process.pid)),
	stubborn: () => text('ok'),
	shapes: ({ arguments: given }) => ({
		content: [
			{ type: 'text', text: JSON.stringify(given) },
			{ type: 'image', mimeType: 'image/png', data: Buffer.from('pixels').toString('base64') },
		],
	}),
	'modern-unknown': () => ({ ...text('x'), resultType: 'telepathy' }),
	'legacy-unknown': () => ({ ...text('x'), resultType: 'telepathy' }),
	'modern-input': ({ requestState }) =>
		requestState === undefined
			? {
					resultType: 'input_required',
					requestState: 'opaque é ==',
					inputRequests: {
						who: {
							method: 'elicitation/create',
							params: { message: 'who?', requestedSchema: { type: 'object', properties: {} } },
						},
					},
				}
			: { ...text(`resumed with ${requestState}`), resultType: 'complete' },
};

createInterface({ input: process.stdin }).on('line', (line) => {
	const message = JSON.parse(line);
	const { id, method, params } = message;
	note(method ?? `answer ${JSON.stringify(message.error ?? message.result)}`);
	if (method === 'server/discover') {
		if (isModern) {
			return send({
				id,
				result: {
					supportedVersions: ['2026-07-28'],
					capabilities: { tools: {} },
					resultType: 'complete',
					ttlMs: 0,
					cacheScope: 'private',
					_meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
				},
			});
		}
		return send({ id, error: { code: -32601, message: 'Method not found' } });
	}
	if (method === 'initialize') {
		note(`capabilities ${JSON.stringify(params.capabilities)}`);
		return send({ id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo } });
	}
	if (method === 'tools/list') {
		const tools = [{ name: 't', inputSchema: { type: 'object' } }];
		if (mode === 'shapes') {
			tools[0].inputSchema = {
				type: 'object',
				required: ['path'],
				properties: {
					path: { type: 'string' },
					count: { type: 'integer', default: 3 },
					deep: { type: 'boolean' },
					names: { type: 'array', items: { type: 'string' } },
					order: { type: 'string', enum: ['up', 'down'] },
				},
			};
		}
		if (mode === 'fickle') tools[0].description = listed++ === 0 ? 'as before' : 'another';
		if (mode === 'twice') tools.push(tools[0]);
		if (mode === 'endless') tools[0].name = `t${Math.random()}`;
		return send({
			id,
			result: {
				tools,
				...(mode === 'endless' && { nextCursor: String(Math.random()) }),
				...(isModern && { resultType: 'complete', ttlMs: 0, cacheScope: 'private' }),
			},
		});
	}
	if (method !== 'tools/call') return;
	if (mode === 'slow')
		return void setTimeout(() => {
			note('done');
			send({ id, result: text('late') });
		}, Number(params.arguments.ms));
	if (mode === 'progress') {
		let progress = 0;
		const { progressToken } = params._meta;
		return void setInterval(() => {
			for (let burst = 0; burst < 1000; burst += 1)
				send({ method: 'notifications/progress', params: { progressToken, progress: (progress += 1) } });
		}, 1);
	}
	if (mode === 'roots') {
		send({ id: 'r1', method: 'roots/list' });
		return void setTimeout(() => send({ id, result: text('ok') }), 100);
	}
	if (mode === 'stderr') {
		const block = Buffer.alloc(2 ** 20, 'e');
		let left = Number(params.arguments.megabytes);
		const write = () => {
			while (left-- > 0) if (!process.stderr.write(block)) return process.stderr.once('drain', write);
			send({ id, result: text('ok') });
		};
		return write();
	}
	if (mode === 'secret') {
		return send({ id, error: { code: -32000, message: `The key ${process.env.API_KEY} is wrong` } });
	}
	if (mode === 'unasked') {
		for (let index = 0; index < 100_000; index += 1)
			send({ id: `x${index}`, method: 'sampling/createMessage', params: {} });
		return send({ id, result: text('ok') });
	}
	if (mode === 'deep') {
		return process.stdout.write(
			`{"jsonrpc":"2.0","id":${id},"result":{"content":[],"structuredContent":${'['.repeat(20000)}${']'.repeat(20000)}}}\n`,
		);
	}
	send({ id, result: results[mode](params) });
});
