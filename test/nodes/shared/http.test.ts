import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { excerpt, fetchWithin, statusError } from '../../../nodes/shared/http';
import { failure } from '../../support/failure';

let server: Server | undefined;
afterEach(() => {
	server?.closeAllConnections();
	server?.close();
});

async function serving(listener: RequestListener): Promise<string> {
	server = createServer(listener);
	await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const limits = { service: 'Whisper', startHint: 'Start it.', timeoutMs: 5_000, maxReplyBytes: 1_000 };

test('method, headers and body arrive, status, headers and body come back', async () => {
	const url = await serving((request, response) => {
		const chunks: Buffer[] = [];
		request.on('data', (chunk: Buffer) => chunks.push(chunk));
		request.on('end', () =>
			response
				.writeHead(201, { 'x-kind': 'echo' })
				.end(`${request.method} ${request.headers['x-a']} ${Buffer.concat(chunks).toString()}`),
		);
	});
	const response = await fetchWithin(limits)(url, { method: 'POST', headers: { 'X-A': 'b' }, body: 'é' });
	expect([response.status, response.headers.get('x-kind'), await response.text()]).toEqual([201, 'echo', 'POST b é']);
});

test('a reply that is too large is cut, whatever length it announced', async () => {
	const url = await serving((_, response) => {
		for (let at = 0; at < 100; at++) response.write('x'.repeat(100));
		response.end();
	});
	const error = await failure((await fetchWithin(limits)(url)).text());
	expect(error).toMatchObject({ code: 'bad-reply', message: expect.stringContaining('1000 bytes') });
});

test('a deadline covers the body too', async () => {
	const url = await serving((_, response) => void response.write('begun'));
	const response = await fetchWithin({ ...limits, timeoutMs: 50 })(url);
	expect((await failure(response.text())).code).toBe('timeout');
});

test('a signal that aborted before, or aborts while the body comes, cancels', async () => {
	const url = await serving((_, response) => void response.write('begun'));
	expect((await failure(fetchWithin({ ...limits, signal: AbortSignal.abort() })(url))).code).toBe('cancelled');
	const controller = new AbortController();
	const response = await fetchWithin({ ...limits, signal: controller.signal })(url);
	const body = failure(response.text());
	controller.abort();
	expect((await body).code).toBe('cancelled');
});

test('a redirect is a reply like any other and is not followed', async () => {
	let requests = 0;
	const url = await serving((_, response) => {
		requests++;
		response.writeHead(301, { location: 'http://127.0.0.1:1/' }).end();
	});
	expect([(await fetchWithin(limits)(url)).status, requests]).toEqual([301, 1]);
});

test('a reply without a body is none', async () => {
	const url = await serving((_, response) => void response.writeHead(204).end());
	expect(await (await fetchWithin(limits)(url)).text()).toBe('');
});

test('an unknown host names itself, not the path or the query', async () => {
	const error = await failure(fetchWithin(limits)('http://127.0.0.1:1/path?key=hunter2'));
	expect(error).toMatchObject({
		code: 'unreachable',
		message: expect.stringContaining('127.0.0.1:1'),
		hint: 'Start it.',
	});
	expect(error.message).not.toContain('hunter2');
});

test.each([
	[401, 'unauthorized'],
	[403, 'unauthorized'],
	[404, 'configuration'],
	[408, 'timeout'],
	[429, 'overloaded'],
	[500, 'unreachable'],
	[503, 'overloaded'],
	[504, 'timeout'],
])('status %i is %s', (status, code) => {
	const error = statusError('Whisper', new Response(null, { status, headers: { 'retry-after': '2' } }), 'said  so');
	expect(error).toMatchObject({ code, message: `Whisper answered ${status}: said so` });
	expect(error.retryAfterMs).toBe(code === 'overloaded' ? 2000 : undefined);
});

test('an excerpt is one short line', () => {
	expect(excerpt(' a\n b ')).toBe('a b');
	expect(excerpt('x'.repeat(500))).toHaveLength(200);
});
