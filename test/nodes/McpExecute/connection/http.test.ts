import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isPublic } from '../../../../nodes/McpExecute/connection/http';
import { createSessions, type Sessions } from '../../../../nodes/McpExecute/sessions';
import { access, httpServer } from '../../../support/mcpServers';

let sessions: Sessions;
let server: Server | undefined;
beforeEach(() => void (sessions = createSessions()));
afterEach(async () => {
	await sessions.close();
	server?.close();
	server?.closeAllConnections();
});

const serve = async (listener: RequestListener) => {
	server = createServer(listener).listen(0, '127.0.0.1');
	await once(server, 'listening');
	return (server.address() as AddressInfo).port;
};

test.each([
	['127.0.0.1', false],
	['127.255.255.254', false],
	['0.0.0.0', false],
	['10.1.2.3', false],
	['100.64.0.1', false],
	['169.254.169.254', false],
	['172.16.0.1', false],
	['172.32.0.1', true],
	['192.168.1.1', false],
	['224.0.0.1', false],
	['255.255.255.255', false],
	['8.8.8.8', true],
	['::1', false],
	['::', false],
	['::ffff:127.0.0.1', false],
	['::ffff:8.8.8.8', true],
	['fd00::1', false],
	['fe80::1', false],
	['fec0::1', false],
	['5f00::1', false],
	['64:ff9b::7f00:1', false],
	['::ffff:0:7f00:1', false],
	['2606:4700::1111', true],
])('%s is public: %s', (address, expected) => expect(isPublic(address)).toBe(expected));

test.each([['localhost'], ['127.0.0.1'], ['0x7f.1'], ['2130706433'], ['[::1]'], ['[::ffff:127.0.0.1]']])(
	'%s is reached only where the policy means this machine',
	async (host) => {
		let asked = 0;
		const port = await serve((_, response) => {
			asked += 1;
			response.writeHead(404).end();
		});
		const there = httpServer(`http://${host}:${port}/mcp`, { addresses: 'public', connectTimeoutMs: 3000 });
		await expect(sessions.listTools(there, access)).rejects.toMatchObject({ code: 'refused', reason: 'SSRF' });
		expect(asked).toBe(0);
	},
);

test('a reply larger than allowed is cut off before it is parsed', async () => {
	const port = await serve((_, response) => {
		response.writeHead(200, { 'content-type': 'application/json' });
		response.end(JSON.stringify({ jsonrpc: '2.0', id: 0, result: { padding: 'x'.repeat(2_000_000) } }));
	});
	const there = httpServer(`http://127.0.0.1:${port}/mcp`);
	await expect(sessions.listTools(there, access)).rejects.toMatchObject({ code: 'bad-reply', reason: 'LIMIT_OUTPUT' });
});

test('a stream larger than allowed ends the call at once, not when it times out', async () => {
	const port = await serve((_, response) => {
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		const timer = setInterval(() => response.write(`data: ${'x'.repeat(100_000)}\n\n`), 1);
		response.on('close', () => clearInterval(timer));
	});
	const there = httpServer(`http://127.0.0.1:${port}/mcp`, { connectTimeoutMs: 8000 });
	const start = performance.now();
	await expect(sessions.listTools(there, access)).rejects.toMatchObject({ reason: 'LIMIT_OUTPUT' });
	expect(performance.now() - start).toBeLessThan(5000);
});

test.each([
	[401, 'unauthorized', 'UNAUTHORIZED'],
	[403, 'unauthorized', 'UNAUTHORIZED'],
	[429, 'overloaded', 'BUSY'],
	[503, 'overloaded', 'BUSY'],
])('status %i is %s', async (status, code, reason) => {
	const port = await serve((_, response) => void response.writeHead(status).end());
	const there = httpServer(`http://127.0.0.1:${port}/mcp`);
	await expect(sessions.listTools(there, access)).rejects.toMatchObject({ code, reason });
});

test('a redirect to another place is not followed, and the token stays', async () => {
	const seen: Array<string | undefined> = [];
	const port = await serve((request, response) => {
		seen.push(request.headers.host);
		const { port: same } = server!.address() as AddressInfo;
		response.writeHead(307, { location: `http://localhost:${same}/mcp` }).end();
	});
	const there = httpServer(`http://127.0.0.1:${port}/mcp`);
	await expect(sessions.listTools(there, { key: 'a', bearerToken: 'token-4711' })).rejects.toMatchObject({
		name: 'LocalAiError',
	});
	expect(new Set(seen)).toEqual(new Set([`127.0.0.1:${port}`]));
});

test('nobody there', async () => {
	const port = await serve(() => {});
	server!.close();
	await expect(sessions.listTools(httpServer(`http://127.0.0.1:${port}/mcp`), access)).rejects.toMatchObject({
		code: 'unreachable',
	});
});

test('a silent server is given up after the time allowed for the greeting', async () => {
	const port = await serve(() => {});
	const there = httpServer(`http://127.0.0.1:${port}/mcp`, { connectTimeoutMs: 500 });
	await expect(sessions.listTools(there, access)).rejects.toMatchObject({ reason: 'TIMEOUT_CONNECT' });
});
