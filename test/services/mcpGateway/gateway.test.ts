import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createSessions, type Sessions } from '../../../nodes/McpExecute/sessions';
import { attackTests } from '../../support/attackCorpus';
import { gatewayToken, startGateway, startGatewayProgram } from '../../support/mcpGateway';
import { access, httpServer, peer, processesWith, until } from '../../support/mcpServers';

jest.setTimeout(120_000);

let gateway: Awaited<ReturnType<typeof startGateway>>;
let sessions: Sessions;
beforeAll(async () => {
	gateway = await startGateway();
	sessions = createSessions();
});
afterAll(async () => {
	await sessions.close();
	await gateway.stop();
});

const who = { key: 'test', bearerToken: gatewayToken };
const call = async (name: string, tool: string, given: Record<string, unknown>, pool = sessions) => {
	const reply = await pool.callTool(httpServer(gateway.url(name)), { tool, arguments: given }, who);
	if (reply.kind !== 'complete') throw new Error(reply.kind);
	const [block] = reply.result.content;
	return { isError: reply.result.isError === true, text: block?.type === 'text' ? block.text : '' };
};
const at = (...names: string[]) => join(gateway.folder, ...names);

interface Answer {
	readonly status: number;
	readonly headers: NodeJS.Dict<string | string[]>;
	readonly body: string;
}

/** One request as it is written here, over a connection of its own. */
const raw = (
	path: string,
	{
		method = 'POST',
		headers = {},
		body = '',
		port = gateway.port,
	}: {
		method?: string;
		headers?: Record<string, string>;
		body?: string | Buffer;
		port?: number;
	},
) =>
	new Promise<Answer>((resolve, reject) => {
		const outgoing = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (reply) => {
			const chunks: Buffer[] = [];
			reply.on('data', (chunk: Buffer) => chunks.push(chunk));
			reply.on('end', () =>
				resolve({ status: reply.statusCode!, headers: reply.headers, body: Buffer.concat(chunks).toString() }),
			);
		});
		// A body that is not wanted any more is cut off after the answer.
		outgoing.on('error', reject);
		outgoing.end(body);
	});
const authorized = {
	authorization: `Bearer ${gatewayToken}`,
	'content-type': 'application/json',
	accept: 'application/json, text/event-stream',
};
const post = (body: string, headers: Record<string, string> = authorized) => raw('/memory/mcp', { headers, body });
const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });

test('each server is offered in the protocol of today and in the one before', async () => {
	const names = ['memory', 'sequential-thinking', 'filesystem', 'n8n-mcp'];
	const tools = await Promise.all(names.map((name) => sessions.listTools(httpServer(gateway.url(name)), who)));
	expect(tools.map(({ length }) => length)).toEqual([9, 1, 14, 7]);
	const params = { ...initialize.params, protocolVersion: '2025-06-18' };
	const old = await post(JSON.stringify({ ...initialize, params }));
	expect(old.status).toBe(200);
	expect(old.body).toContain('"protocolVersion":"2025-06-18"');
	expect((await post(list)).body).toContain('create_entities');
});

test('the health endpoint needs no token and tells no more than names and states', async () => {
	const { status, body } = await raw('/health', { method: 'GET' });
	expect({ status, body: JSON.parse(body) }).toEqual({
		status: 200,
		body: {
			status: 'ok',
			servers: { memory: 'answers', 'sequential-thinking': 'answers', filesystem: 'answers', 'n8n-mcp': 'answers' },
		},
	});
});

test("the credential's test asks for the names of the servers", async () => {
	const { status, body } = await raw('/servers', { method: 'GET', headers: authorized });
	expect({ status, body: JSON.parse(body) }).toEqual({
		status: 200,
		body: { servers: ['memory', 'sequential-thinking', 'filesystem', 'n8n-mcp'] },
	});
	expect((await raw('/servers', { method: 'GET' })).status).toBe(401);
});

test.each([
	['GET', '/memory/mcp', 405],
	['DELETE', '/memory/mcp', 405],
	['POST', '/other/mcp', 404],
	['POST', '/memory/mcp/../../health', 404],
	['POST', '/constructor/mcp', 404],
])('%s %s is %i', async (method, path, status) => {
	expect((await raw(path, { method, headers: authorized, body: method === 'POST' ? list : '' })).status).toBe(status);
});

test('a log folder can be read, and no tool writes into it, not even through a link', async () => {
	expect(await call('filesystem', 'read_text_file', { path: at('log', 'syslog') })).toEqual({
		isError: false,
		text: 'a line\n',
	});
	symlinkSync(at('log'), at('data', 'to-log'));
	writeFileSync(at('data', 'own.txt'), 'own');
	for (const [tool, given] of [
		['write_file', { path: at('log', 'new'), content: 'x' }],
		['write_file', { path: at('log', 'syslog'), content: 'x' }],
		['write_file', { path: at('data', 'to-log', 'syslog'), content: 'x' }],
		['edit_file', { path: at('log', 'syslog'), edits: [{ oldText: 'a line', newText: 'x' }] }],
		['create_directory', { path: at('log', 'folder') }],
		['move_file', { source: at('log', 'syslog'), destination: at('data', 'syslog') }],
		['move_file', { source: at('data', 'own.txt'), destination: at('log', 'own.txt') }],
		['move_file', { source: at('data', 'own.txt'), destination: at('data', 'to-log', 'own.txt') }],
	] as const) {
		expect({ tool, given, ...(await call('filesystem', tool, given)) }).toMatchObject({ isError: true });
	}
	expect(readFileSync(at('log', 'syslog'), 'utf8')).toBe('a line\n');
	expect([existsSync(at('log', 'new')), existsSync(at('log', 'folder')), existsSync(at('data', 'own.txt'))]).toEqual([
		false,
		false,
		true,
	]);
});

test.each([
	['the folder above', ['secret']],
	["the gateway's own data", ['mcp', 'memory', 'memory.jsonl']],
	['a way around', ['data', '..', 'secret']],
])('%s is out of reach', async (_, names) => {
	const { isError, text } = await call('filesystem', 'read_text_file', {
		path: `${gateway.folder}/${names.join('/')}`,
	});
	expect(isError).toBe(true);
	expect(text).not.toContain('out of reach');
});

test('a link out of the folders leads nowhere', async () => {
	symlinkSync(at('secret'), at('data', 'to-secret'));
	const { isError, text } = await call('filesystem', 'read_text_file', { path: at('data', 'to-secret') });
	expect(isError).toBe(true);
	expect(text).not.toContain('out of reach');
});

test('what the pool behind the gateway says of a failure, the caller is told', async () => {
	const { server, remove } = peer('dies');
	const own = await startGateway({
		servers: [{ name: 'peer', access, lister: server, serverOf: () => server }],
	});
	const asked = sessions.listTools(httpServer(own.url('peer')), who);
	await expect(asked).rejects.toMatchObject({ code: 'unreachable', reason: 'SERVER_ENDED', name: 'LocalAiError' });
	const health = await raw('/health', { method: 'GET', port: own.port });
	expect(JSON.parse(health.body)).toMatchObject({ servers: { peer: 'SERVER_ENDED' } });
	await own.stop();
	remove();
});

test('a caller who gives up is heard by the server behind the gateway, and progress reaches a caller', async () => {
	const { server, received, remove } = peer('slow');
	const own = await startGateway({ servers: [{ name: 'peer', access, lister: server, serverOf: () => server }] });
	const caller = new AbortController();
	const asked = sessions.callTool(
		httpServer(own.url('peer')),
		{ tool: 't', arguments: { ms: 5000 } },
		who,
		caller.signal,
	);
	await until(() => received().includes('tools/call'));
	caller.abort();
	await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
	await until(() => received().includes('notifications/cancelled'));
	await own.stop();
	remove();
});

test('the log tells of requests without tokens, arguments or query strings', async () => {
	await raw('/memory/mcp?token=CANARY-1', { headers: authorized, body: list });
	await call('memory', 'search_nodes', { query: 'CANARY-2' });
	await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'x\n\u001b[2Jfake line', params: {} }));
	await until(() => gateway.log().some((line) => line.includes('fake line')));
	const log = gateway.log().join('\n');
	expect(log).toMatch(/^POST \/memory\/mcp 200 \d+ ms tools\/call search_nodes$/m);
	expect(log).not.toContain('CANARY');
	expect(log).not.toContain(gatewayToken);
	expect(log).not.toMatch(/^fake line/m);
});

const initialize = {
	jsonrpc: '2.0',
	id: 1,
	method: 'initialize',
	params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
};

/** Sends a body of unknown length as fast as it is taken, and gives what is answered meanwhile. */
const uploadInChunks = async (port: number, megabytes: number): Promise<string> => {
	const socket = connect(port, '127.0.0.1');
	const heard: string[] = [];
	socket.on('data', (data) => heard.push(data.toString()));
	socket.on('error', () => {});
	const headers = Object.entries({ ...authorized, host: 'localhost', 'transfer-encoding': 'chunked' });
	socket.write(`POST /memory/mcp HTTP/1.1\r\n${headers.map((one) => `${one.join(': ')}\r\n`).join('')}\r\n`);
	const block = `100000\r\n${'x'.repeat(2 ** 20)}\r\n`;
	for (let index = 0; index < megabytes && heard.length === 0 && !socket.destroyed; index += 1) {
		if (socket.write(block)) continue;
		await new Promise((resolve) => ['drain', 'close', 'data'].forEach((name) => socket.once(name, resolve)));
	}
	await until(() => heard.length > 0);
	socket.destroy();
	return heard.join('');
};

test('the program stops when it is told to, and leaves no server behind', async () => {
	const program = await startGatewayProgram();
	await sessions.listTools(httpServer(program.url('memory')), who);
	expect(processesWith(program.folder).length).toBeGreaterThan(0);
	expect(await program.stop()).toBe(0);
	expect(processesWith(program.folder)).toEqual([]);
	expect(program.log().join('\n')).not.toContain(gatewayToken);
	expect(program.log().at(-1)).toMatch(/ stopped$/);
});

const entities = (from: number, count: number) =>
	Array.from({ length: count }, (_, index) => ({
		entities: [{ name: `entity ${from + index}`, entityType: 'test', observations: ['seen'] }],
	}));
const stored = async () => {
	const { text } = await call('memory', 'read_graph', {});
	return (JSON.parse(text) as { entities: unknown[] }).entities.length;
};

test('50 parallel writes are 50 stored, from one client and from two', async () => {
	const before = await stored();
	await Promise.all(entities(1000, 50).map((one) => call('memory', 'create_entities', one)));
	expect((await stored()) - before).toBe(50);
	const other = createSessions();
	await Promise.all(
		entities(2000, 50).map((one, index) => call('memory', 'create_entities', one, index % 2 ? other : sessions)),
	);
	expect((await stored()) - before).toBe(100);
	await other.close();
});

attackTests(
	['concurrency', 'control', 'protocol'],
	{
		'CONC-02': {
			run: async () => {
				const before = await stored();
				const workers = Array.from({ length: 4 }, () => createSessions());
				await Promise.all(
					workers.flatMap((pool, worker) =>
						entities(3000 + worker * 12, 12).map((one) => call('memory', 'create_entities', one, pool)),
					),
				);
				await Promise.all(workers.map((pool) => pool.close()));
				expect((await stored()) - before).toBe(48);
			},
		},
		'CONT-02': {
			run: async () => {
				mkdirSync(at('data', 'listed'), { recursive: true });
				const { isError, text } = await call('filesystem', 'list_directory', { path: at('data') });
				expect(isError).toBe(false);
				expect(text).toContain('[DIR] listed');
			},
		},
		'CONT-04': {
			run: async () => {
				writeFileSync(at('data', '..hidden'), 'two dots');
				const path = at('data', '..hidden');
				expect(await call('filesystem', 'read_text_file', { path })).toEqual({ isError: false, text: 'two dots' });
			},
		},
		'CONT-05': {
			run: async () => {
				const content = '; rm -rf / $(id)';
				const { isError } = await call('filesystem', 'write_file', { path: at('data', 'new.txt'), content });
				expect(isError).toBe(false);
				expect(readFileSync(at('data', 'new.txt'), 'utf8')).toBe(content);
			},
		},
		'CONT-10': {
			run: async () => {
				const { isError, text } = await call('n8n-mcp', 'search_nodes', { query: 'delete from webhook' });
				expect(isError).toBe(false);
				expect(text.toLowerCase()).toContain('webhook');
			},
		},
		'PROT-21': {
			run: async () => {
				for (const host of [`evil.example:${gateway.port}`, 'evil.example', '169.254.169.254']) {
					expect((await post(list, { ...authorized, host })).status).toBe(403);
				}
				expect((await post(list, { ...authorized, origin: 'http://evil.example.com' })).status).toBe(403);
				expect((await post(list, { ...authorized, origin: 'null' })).status).toBe(403);
				expect((await raw('/health', { method: 'GET', headers: { host: 'evil.example' } })).status).toBe(403);
				expect((await post(list, { ...authorized, host: `localhost:${gateway.port}` })).status).toBe(200);
			},
		},
		'PROT-22': {
			run: async () => {
				const { authorization: _, ...bare } = authorized;
				for (const given of [
					undefined,
					'Bearer',
					'Bearer ',
					'Bearer x',
					`Basic ${gatewayToken}`,
					`Bearer ${gatewayToken}x`,
				]) {
					const { status, headers } = await post(list, given === undefined ? bare : { ...bare, authorization: given });
					expect({ given, status }).toEqual({ given, status: 401 });
					expect(headers['www-authenticate']).toMatch(/^Bearer realm=/);
				}
				const inQuery = await raw(`/memory/mcp?access_token=${gatewayToken}&token=${gatewayToken}`, {
					headers: bare,
					body: list,
				});
				expect(inQuery.status).toBe(401);
			},
		},
		'PROT-23': {
			run: async () => {
				const { server, received, remove } = peer('env');
				const own = await startGateway({ servers: [{ name: 'peer', access, lister: server, serverOf: () => server }] });
				const foreign = ['e30', Buffer.from('{"aud":"https://other.example"}').toString('base64url'), 'c2ln'].join('.');
				const refused = await raw('/peer/mcp', {
					headers: { ...authorized, authorization: `Bearer ${foreign}` },
					body: list,
					port: own.port,
				});
				expect(refused.status).toBe(401);
				expect(received()).toEqual([]);
				const seen = await sessions.callTool(httpServer(own.url('peer')), { tool: 't', arguments: {} }, who);
				expect(JSON.stringify(seen)).not.toContain(gatewayToken);
				await own.stop();
				remove();
			},
		},
		'PROT-26': {
			run: async () => {
				const { server, remove } = peer('slow');
				const own = await startGateway({
					limits: { receiveTimeoutMs: 1500, maxRequests: 20 },
					servers: [{ name: 'slow', access, lister: server, serverOf: () => server }],
				});
				const slow = connect(own.port, '127.0.0.1');
				const said: string[] = [];
				slow.on('data', (data) => said.push(data.toString()));
				slow.write('POST /slow/mcp HTTP/1.1\r\nhost: localhost\r\n');
				await once(slow, 'close');
				expect(said.join('')).toMatch(/^HTTP\/1\.1 408 /);
				const held = await Promise.allSettled(
					Array.from({ length: 30 }, () =>
						sessions.callTool(httpServer(own.url('slow')), { tool: 't', arguments: { ms: 1000 } }, who),
					),
				);
				const refused = held.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
				expect(refused.length).toBeGreaterThanOrEqual(10);
				for (const one of refused) expect(one).toMatchObject({ code: 'overloaded', reason: 'BUSY' });
				await own.stop();
				remove();

				const program = await startGatewayProgram();
				const { port } = program;
				const before = program.rss();
				const big = await raw('/memory/mcp', { headers: { ...authorized, 'content-length': '104857600' }, port });
				expect(big.status).toBe(413);
				expect(await uploadInChunks(port, 100)).toMatch(/^HTTP\/1\.1 413 /);
				const statuses = new Set<number>();
				for (let round = 0; round < 100; round += 1) {
					const body = JSON.stringify(initialize);
					const replies = await Promise.all(
						Array.from({ length: 100 }, () => raw('/memory/mcp', { headers: authorized, body, port })),
					);
					for (const { status } of replies) statuses.add(status);
				}
				expect([...statuses]).toEqual([200]);
				expect(program.rss() - before).toBeLessThan(100);
				expect(await program.stop()).toBe(0);
			},
			timeoutMs: 120_000,
		},
		'PROT-27': {
			run: async () => {
				const one = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
				for (const [body, code] of [
					[`[${one},${one}]`, -32600],
					['[]', -32600],
					[one.replace('1,"m', 'null,"m'), -32600],
					[one.replace('1,"m', '1e999,"m'), -32600],
					[one.replace('1,"m', '1.5,"m'), -32600],
					[one.replace('1,"m', '{},"m'), -32600],
					[one.replace('"2.0"', '"1.0"'), -32600],
					['"tools/list"', -32600],
					['{', -32700],
					['', -32700],
				] as const) {
					const { status, body: said } = await post(body);
					expect({ body, status, code: JSON.parse(said).error.code }).toEqual({ body, status: 400, code });
				}
			},
		},
	},
	[
		'CONC-05',
		'CONC-06',
		'CONT-07',
		'PROT-01',
		'PROT-02',
		'PROT-07',
		'PROT-11',
		'PROT-12',
		'PROT-13',
		'PROT-15',
		'PROT-18',
	],
);
