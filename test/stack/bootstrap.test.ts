import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type RequestListener, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';

import { type ApiKeyWish, type Editor, ensureApiKeys, publish, runNow } from '../../stack/bootstrap.mts';

const owner = { email: 'owner@example.org', password: 'pass' };
let folder: string;
let server: Server;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'bootstrap-'));
});
afterEach(() => {
	server.closeAllConnections();
	server.close();
	rmSync(folder, { recursive: true });
});

async function editor(listener: RequestListener, changes: Partial<Editor> = {}): Promise<Editor> {
	server = createServer(listener).listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	return { url: `http://127.0.0.1:${port}`, signal: new AbortController().signal, answerWithinMs: 20_000, ...changes };
}

const wish = (changes: Partial<ApiKeyWish> = {}): ApiKeyWish => ({
	name: 'Mine',
	file: join(folder, 'api-key'),
	probe: '/api/v1/workflows?limit=1',
	...changes,
});

const n8n: RequestListener = ({ url, method, headers }, response) => {
	const answers: Record<string, object> = {
		'POST /rest/login': {},
		'GET /rest/api-keys/scopes': { data: ['workflow:read'] },
		'POST /rest/api-keys': { data: { rawApiKey: 'new-key' } },
	};
	const isKnown = headers['x-n8n-api-key'] === 'new-key';
	const answer = url!.startsWith('/api/v1') && isKnown ? {} : answers[`${method} ${url}`];
	response.setHeader('Set-Cookie', 'n8n-auth=cookie; Path=/').statusCode = answer ? 200 : 401;
	response.end(JSON.stringify(answer ?? { message: 'No' }));
};

test('a key is made once, and again only when n8n knows it no more', async () => {
	const asked: string[] = [];
	const open = await editor((request, response) => {
		asked.push(`${request.method} ${request.url}`);
		n8n(request, response);
	});
	expect(await ensureApiKeys(open, owner, [wish()])).toEqual(['new-key']);
	expect(readFileSync(wish().file, 'utf8')).toBe('new-key\n');
	asked.length = 0;
	expect(await ensureApiKeys(open, owner, [wish()])).toEqual(['new-key']);
	expect(asked).toEqual(['GET /api/v1/workflows?limit=1']);
	writeFileSync(wish().file, 'revoked\n');
	expect(await ensureApiKeys(open, owner, [wish()])).toEqual(['new-key']);
});

test('keys of several kinds come of one login, each with its own scopes, or with all', async () => {
	const asked: string[] = [];
	const wanted: Array<{ label: string; scopes: string[] }> = [];
	const open = await editor(async (request, response) => {
		asked.push(`${request.method} ${request.url}`);
		if (request.url === '/rest/api-keys') wanted.push((await json(request)) as (typeof wanted)[number]);
		n8n(request, response);
	});
	const listing = wish({ name: 'Lists', file: join(folder, 'listing'), scopes: ['execution:list'] });
	await ensureApiKeys(open, owner, [wish(), listing]);
	expect(asked.filter((one) => one === 'POST /rest/login')).toHaveLength(1);
	expect(wanted).toEqual([
		expect.objectContaining({ label: expect.stringMatching(/^Mine /), scopes: ['workflow:read'] }),
		expect.objectContaining({ label: expect.stringMatching(/^Lists /), scopes: ['execution:list'] }),
	]);
});

test("what keeps a workflow a draft comes in n8n's own words", async () => {
	const open = await editor(n8n);
	expect(await publish(open, 'new-key', 'w1')).toBeUndefined();
	expect(await publish(open, 'old-key', 'w1')).toBe('No');
});

test('a workflow is run now as its owner would from the editor, and a refusal is said', async () => {
	const bodies: unknown[] = [];
	const open = await editor((request, response) => {
		if (request.url !== '/rest/workflows/abc/run') return n8n(request, response);
		return void json(request).then((body) => {
			bodies.push([request.headers.cookie, body]);
			response.statusCode = bodies.length === 1 ? 200 : 404;
			response.end(JSON.stringify({ data: { executionId: '1' } }));
		});
	});
	await runNow(open, owner, 'abc', 'Each minute');
	expect(bodies).toEqual([['n8n-auth=cookie', { triggerToStartFrom: { name: 'Each minute' } }]]);
	await expect(runNow(open, owner, 'abc', 'Each minute')).rejects.toMatchObject({ code: 'bad-reply' });
});

test('an n8n that never answers ends the wait', async () => {
	const open = await editor(() => {}, { answerWithinMs: 50 });
	await expect(publish(open, 'key', 'w1')).rejects.toMatchObject({ code: 'timeout' });
	await expect(ensureApiKeys(open, owner, [wish()])).rejects.toMatchObject({ code: 'timeout' });
});

test('an n8n that answers without end ends the wait', async () => {
	const open = await editor((_, response) => void response.writeHead(500).write('{'), { answerWithinMs: 50 });
	await expect(publish(open, 'key', 'w1')).rejects.toMatchObject({ code: 'timeout' });
});

test('Ctrl-C ends the wait for an answer', async () => {
	const stop = new AbortController();
	const open = await editor(() => stop.abort(), { signal: stop.signal });
	await expect(publish(open, 'key', 'w1')).rejects.toMatchObject({ name: 'AbortError' });
});
