import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
	hostHeaderValidation,
	type NodeMcpRequestHandler,
	originValidation,
	toNodeHandler,
} from '@modelcontextprotocol/node';
import type { Sessions } from '../../nodes/McpExecute/sessions';
import { bearsToken } from '../../nodes/shared/bearer';
import { relay } from './relay';
import type { OfferedServer } from './servers';

export interface GatewayOptions {
	readonly servers: readonly OfferedServer[];
	readonly sessions: Sessions;
	/** What every request must bring as its bearer token. */
	readonly token: string;
	/** Names under which clients reach this gateway, beside those of the own machine. */
	readonly hosts: readonly string[];
	/** Takes one line per request, without arguments, tokens or query strings. */
	readonly say: (line: string) => void;
	readonly limits?: Partial<GatewayLimits>;
}

export interface GatewayLimits {
	readonly maxBodyBytes: number;
	readonly maxRequests: number;
	readonly maxConnections: number;
	/** For a request to arrive, its body included. */
	readonly receiveTimeoutMs: number;
}

const loopback = ['localhost', '127.0.0.1', '[::1]'];
const usual: GatewayLimits = {
	maxBodyBytes: 4 * 1024 ** 2,
	maxRequests: 128,
	maxConnections: 512,
	receiveTimeoutMs: 30_000,
};
/** Longer than clients keep a connection, so that none is closed under a request. */
const keepAliveMs = 65_000;

/**
 * The gateway's HTTP server, not listening yet: `POST /<server>/mcp` for each server, `GET /servers` for the credential's
 * test, and `GET /health` without a token. Refusals: 401 without the token, 403 for a foreign Host or Origin, 404, 405,
 * 408 for a request that does not arrive in time, 413, 429, and 400 for what is no single JSON-RPC message.
 */
export function createGateway(options: GatewayOptions): Server {
	const limits = { ...usual, ...options.limits };
	const state = new Map(options.servers.map(({ name }) => [name, 'untried']));
	const handlers = new Map(
		options.servers.map((offered): [string, NodeMcpRequestHandler] => {
			const failed = ({ reason, code }: { reason?: string; code: string }) => state.set(offered.name, reason ?? code);
			const handler = relay(
				offered,
				watched(options.sessions, () => state.set(offered.name, 'answers')),
				failed,
			);
			return [`/${offered.name}/mcp`, toNodeHandler(handler)];
		}),
	);
	const names = [...loopback, ...options.hosts];
	const isKnownHost = hostHeaderValidation(names);
	const isKnownOrigin = originValidation(names);
	let running = 0;

	const answer = async (
		request: IncomingMessage,
		response: ServerResponse,
		path: string,
		told: Told,
	): Promise<void> => {
		if (!isKnownHost(request, response) || !isKnownOrigin(request, response)) return;
		if (path === '/health') return send(response, 200, { status: 'ok', servers: Object.fromEntries(state) });
		if (!bearsToken(request, options.token)) {
			const given = request.headers.authorization === undefined ? '' : ', error="invalid_token"';
			response.setHeader('www-authenticate', `Bearer realm="MCP gateway"${given}`);
			return send(response, 401, { error: 'A bearer token is needed.' });
		}
		if (path === '/servers') return send(response, 200, { servers: [...state.keys()] });
		const handler = handlers.get(path);
		if (!handler) return send(response, 404, { error: 'There is no such server here.' });
		if (request.method !== 'POST') {
			response.setHeader('allow', 'POST');
			return send(response, 405, { error: 'Only POST is served: the gateway keeps no sessions.' });
		}
		if (running >= limits.maxRequests) {
			response.setHeader('retry-after', '1');
			return send(response, 429, { error: `${running} requests are being served already.` });
		}
		running += 1;
		// Counted until the answer is out: a reader who takes his time holds his place.
		response.once('close', () => (running -= 1));
		const body = await receive(request, limits.maxBodyBytes);
		if (body === 'too large') {
			response.setHeader('connection', 'close');
			// What is still on its way is not waited for.
			response.once('finish', () => request.destroy());
			return send(response, 413, { error: `The body is larger than ${limits.maxBodyBytes} bytes.` });
		}
		const message = single(body);
		if ('error' in message) return send(response, 400, { jsonrpc: '2.0', id: null, ...message });
		told.what = message.what;
		await handler(request, response, message.value);
	};

	const server = createServer(
		{
			requestTimeout: limits.receiveTimeoutMs,
			headersTimeout: limits.receiveTimeoutMs,
			connectionsCheckingInterval: Math.min(1000, limits.receiveTimeoutMs),
			keepAliveTimeout: keepAliveMs,
			maxHeaderSize: 16 * 1024,
		},
		(request, response) => {
			const startedAt = performance.now();
			const path = (request.url ?? '').split('?')[0]!;
			const told: Told = { what: '' };
			response.once('close', () => {
				const ms = Math.round(performance.now() - startedAt);
				options.say(`${request.method} ${excerpt(path)} ${response.statusCode} ${ms} ms${told.what}`);
			});
			answer(request, response, path, told).catch(() => {
				if (!response.headersSent) send(response, 500, { error: 'The gateway failed.' });
				response.destroy();
			});
		},
	);
	server.maxConnections = limits.maxConnections;
	return server;
}

/** Takes no more requests, lets those that run finish within `graceMs`, then ends the servers and what is left. */
export async function closeGateway(server: Server, sessions: Sessions, graceMs: number): Promise<void> {
	const closed = new Promise<void>((resolve) => {
		server.close(() => resolve());
		server.closeIdleConnections();
	});
	let timer: NodeJS.Timeout | undefined;
	await Promise.race([closed, new Promise((resolve) => (timer = setTimeout(resolve, graceMs)))]);
	clearTimeout(timer);
	await sessions.close();
	server.closeAllConnections();
	await closed;
}

/** What the log says of a request beyond its address. */
interface Told {
	what: string;
}

function watched(sessions: Sessions, answered: () => void): Sessions {
	const noting = <T>(work: Promise<T>) => work.then((value) => (answered(), value));
	return {
		listTools: (...args) => noting(sessions.listTools(...args)),
		callTool: (...args) => noting(sessions.callTool(...args)),
		close: () => sessions.close(),
	};
}

async function receive(request: IncomingMessage, maxBytes: number): Promise<Buffer | 'too large'> {
	if (Number(request.headers['content-length'] ?? 0) > maxBytes) return 'too large';
	const chunks: Buffer[] = [];
	let size = 0;
	return await new Promise((resolve, reject) => {
		request.on('data', (chunk: Buffer) => {
			size += chunk.length;
			if (size <= maxBytes) return void chunks.push(chunk);
			request.pause();
			resolve('too large');
		});
		request.once('end', () => resolve(Buffer.concat(chunks)));
		request.once('error', reject);
		request.once('close', () => reject(new Error('the client is gone')));
	});
}

/** One JSON-RPC request or notification, with an id that identifies it; batches belong to no protocol served here. */
function single(body: Buffer): { value: object; what: string } | { error: { code: number; message: string } } {
	let value: unknown;
	try {
		value = JSON.parse(body.toString('utf8'));
	} catch {
		return { error: { code: -32700, message: 'The body is not JSON.' } };
	}
	const invalid = (message: string) => ({ error: { code: -32600, message } });
	if (typeof value !== 'object' || value === null || Array.isArray(value))
		return invalid('One message, no list, please.');
	const { jsonrpc, method, id, params } = value as Record<string, unknown>;
	if (jsonrpc !== '2.0' || typeof method !== 'string') return invalid('This is no JSON-RPC 2.0 request.');
	const isId = typeof id === 'string' ? id.length <= 256 : Number.isSafeInteger(id);
	if ('id' in value && !isId) return invalid('An id is a short text or a whole number.');
	const name = typeof params === 'object' && params !== null && 'name' in params ? params.name : undefined;
	return { value, what: ` ${excerpt(method)}${typeof name === 'string' ? ` ${excerpt(name)}` : ''}` };
}

function send(response: ServerResponse, status: number, body: object): void {
	const text = JSON.stringify(body);
	response.writeHead(status, {
		'content-type': 'application/json',
		'content-length': Buffer.byteLength(text),
		'cache-control': 'no-store',
		'x-content-type-options': 'nosniff',
	});
	response.end(text);
}

/** Short and without anything that moves a terminal's cursor. */
function excerpt(text: string): string {
	return text.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
}
