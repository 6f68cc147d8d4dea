import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
	closeSync,
	constants,
	existsSync,
	globSync,
	mkdirSync,
	openSync,
	readFileSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import Redis from 'ioredis';
import { Client, type QueryResultRow } from 'pg';

import { startStack, type TestStack } from '../support/stack';

const workers = ['n8n-worker-1', 'n8n-worker-2'];
/** Stands in all that is handed over and that nothing may keep: arguments, contents, names of files. */
const canary = `canary-${randomUUID()}`;
/** Approvals that were given. */
const tokens: string[] = [];

let stack: TestStack;
let folder: string;

jest.setTimeout(60_000);

beforeAll(async () => {
	stack = await startStack({ env: { N8N_LOG_LEVEL: 'info', N8N_LOG_FORMAT: 'json' } });
	folder = join(stack.home, 'work', 'qwen-agent', canary);
	mkdirSync(folder, { recursive: true });
	writeFileSync(file('notes.txt'), `The word is ${canary}.\n`);
}, 600_000);
afterAll(() => stack?.remove(), 60_000);

interface Task {
	server: string;
	tool: string;
	arguments?: Record<string, unknown>;
}

interface Reply {
	http: number;
	body: Record<string, unknown>;
}

function file(name: string) {
	return join(folder, name);
}

/** Calls one of the three webhooks with its own token, or with another; a body that is a text goes out as it is. */
async function call(
	path: 'mcp-task' | 'mcp-approval' | 'mcp-audit',
	body?: unknown,
	options: { headers?: Record<string, string>; query?: string } = {},
): Promise<Reply> {
	const { method, url, header } = Object.values(stack.facts().webhooks)
		.flat()
		.find(({ url }) => url.endsWith(`/webhook/${path}`))!;
	const response = await fetch(`${url}${options.query ?? ''}`, {
		method,
		headers: {
			'content-type': 'application/json',
			...(options.headers ?? { [header!.name]: secret(header!.valueFile) }),
		},
		...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
	});
	const text = await response.text();
	const isJson = /json/.test(response.headers.get('content-type') ?? '');
	return { http: response.status, body: isJson ? (JSON.parse(text) as Reply['body']) : { text } };
}

const ask = (task: Task, approval?: string) => call('mcp-task', { task, ...(approval !== undefined && { approval }) });

/** Asks for a task that needs approval, and approves it. */
async function approved(task: Task): Promise<string> {
	const { body } = await ask(task);
	const answer = await call('mcp-approval', { id: body.id, answer: 'approve' });
	expect(answer).toMatchObject({ http: 200, body: { status: 'approved', approval: expect.any(String) } });
	tokens.push(String(answer.body.approval));
	return String(answer.body.approval);
}

function secret(nameOrFile: string) {
	const path = nameOrFile.startsWith('/') ? nameOrFile : join(stack.home, 'secrets', nameOrFile);
	return readFileSync(path, 'utf8').trim();
}

async function rows<Row extends QueryResultRow>(
	query: string,
	values: unknown[] = [],
	url = stack.facts().databaseUrl,
) {
	const client = new Client({ connectionString: url });
	await client.connect();
	try {
		return (await client.query<Row>(query, values)).rows;
	} finally {
		await client.end();
	}
}

interface AuditRecord {
	event: string;
	code?: string;
	outcome?: string;
	tool: string;
}

/** What came of the work, what the audit says of it, and how many calls reached a server meanwhile. */
async function recorded<Result>(work: () => Promise<Result>) {
	const [{ seq } = { seq: '0' }] = await rows<{ seq: string }>('SELECT seq::text FROM mcp_audit_head');
	const before = callsAtGateway();
	const result = await work();
	// Which tool is seen for the first time depends on the tests before.
	const added = await rows<{ record: AuditRecord }>(
		`SELECT record FROM mcp_audit WHERE seq > $1 AND record ->> 'isFirst' IS NULL ORDER BY seq`,
		[seq],
	);
	return { result, records: added.map(({ record }) => record), calls: callsAtGateway() - before };
}

function callsAtGateway() {
	return readFileSync(join(stack.home, 'logs', 'mcp-gateway.log'), 'utf8').split(' tools/call ').length - 1;
}

/** Runs the work under the shipped policy with one line of it replaced. */
async function underPolicy(line: string, instead: string, work: () => Promise<void>) {
	const policyFile = join(stack.home, 'mcp', 'mcp-policy.yaml');
	const shipped = readFileSync(policyFile, 'utf8');
	expect(shipped.split(line)).toHaveLength(2);
	writeFileSync(policyFile, shipped.replace(line, instead));
	try {
		await work();
	} finally {
		writeFileSync(policyFile, shipped);
	}
}

test('the webhooks answer as soon as the start says that it is ready', async () => {
	const urls = Object.values(stack.facts().webhooks).flat();
	expect(urls.length).toBeGreaterThanOrEqual(3);
	const found = await Promise.all(urls.map(async ({ method, url }) => (await fetch(url, { method })).status));
	expect(found).toEqual(urls.map(() => 403));
});

test.each(['mcp-task', 'mcp-approval', 'mcp-audit'] as const)(
	'%s answers nobody without its own token',
	async (path) => {
		const others = {
			'X-AuraStack-Token': secret(path === 'mcp-task' ? 'approver-token' : 'webhook-token'),
			'X-AuraStack-Approver': secret('webhook-token'),
		};
		const body = path === 'mcp-audit' ? undefined : {};
		const { records } = await recorded(async () => {
			for (const headers of [{}, { 'X-AuraStack-Token': 'wrong', 'X-AuraStack-Approver': 'wrong' }, others]) {
				expect(await call(path, body, { headers })).toMatchObject({ http: 403 });
			}
		});
		expect(records).toEqual([]);
	},
);

const listing = { server: 'filesystem', tool: 'list_allowed_directories' };

test.each<[string, unknown]>([
	['a list', []],
	['a text', '"task"'],
	['nothing', {}],
	['no object as task', { task: 'list_directory' }],
	['no server', { task: { tool: listing.tool } }],
	['no tool', { task: { server: listing.server, tool: 1 } }],
	['a list of arguments', { task: { ...listing, arguments: [] } }],
	['more than a task has', { task: { ...listing, command: 'id' } }],
	['more than a body has', { task: listing, policy: 'mine' }],
	['an approval that is no text', { task: listing, approval: { token: 'x' } }],
])('a body of %s is malformed: 400, with what to send', async (_, body) => {
	const { result, calls } = await recorded(() => call('mcp-task', body));
	expect(result).toEqual({
		http: 400,
		body: { status: 'malformed', error: expect.stringMatching(/.\.$/), hint: expect.stringContaining('"task"') },
	});
	expect(calls).toBe(0);
});

test('arguments nested deeper than any honest ones are malformed too; a body that is no JSON gets 422 of n8n', async () => {
	const deep = `${'['.repeat(100)}${']'.repeat(100)}`;
	expect(await call('mcp-task', `{"task":{"server":"memory","tool":"read_graph","arguments":{"a":${deep}}}}`)).toEqual({
		http: 400,
		body: { status: 'malformed', code: 'LIMIT', reason: expect.any(String), auditId: expect.any(String) },
	});
	expect(await call('mcp-task', '{"task":')).toMatchObject({ http: 422 });
});

test.each<[string, string, () => Task]>([
	['an unknown server', 'SERVER_NOT_ALLOWED', () => ({ server: 'shell', tool: 'run' })],
	['an unknown tool', 'TOOL_NOT_ALLOWED', () => ({ server: 'filesystem', tool: 'delete_everything' })],
	[
		'an argument of the wrong type',
		'SCHEMA',
		() => ({ server: 'filesystem', tool: 'list_directory', arguments: { path: 1 } }),
	],
	['an argument without a rule', 'POLICY_ARGS', () => ({ ...listing, arguments: { path: folder } })],
	['a path outside the folders', 'POLICY_PATH', () => read(join(stack.home, 'secrets', 'approver-token'))],
	['a path with ..', 'POLICY_PATH', () => read(`${folder}/../../../secrets/approver-token`)],
	['a link out of its folder', 'POLICY_PATH', () => read(file('link'))],
	['a file below a link out of its folder', 'POLICY_PATH', () => read(file('linked/approver-token'))],
	['a written file in a folder of logs', 'POLICY_PATH', () => write(join(stack.home, 'work', 'log', 'x'))],
])('%s is refused: 403 with %s and the reason, and no server is called', async (_, code, task) => {
	if (!existsSync(file('linked'))) {
		symlinkSync(join(stack.home, 'secrets', 'approver-token'), file('link'));
		symlinkSync(join(stack.home, 'secrets'), file('linked'));
	}
	const { result, records, calls } = await recorded(() => ask(task()));
	expect(result).toEqual({
		http: 403,
		body: { status: 'refused', code, reason: expect.stringMatching(/\.$/), auditId: expect.any(String) },
	});
	expect(records).toEqual([expect.objectContaining({ event: 'refused', code })]);
	expect(calls).toBe(0);
});

const read = (path: string): Task => ({ server: 'filesystem', tool: 'read_text_file', arguments: { path } });
const write = (path: string): Task => ({
	server: 'filesystem',
	tool: 'write_file',
	arguments: { path, content: `Written: ${canary}` },
});

test('what needs no approval is done at once: 200 with the result', async () => {
	const { result, records } = await recorded(() => ask(read(file('notes.txt'))));
	expect(result).toMatchObject({
		http: 200,
		body: { status: 'done', result: { text: `The word is ${canary}.\n`, isError: false }, auditId: expect.any(String) },
	});
	expect(records.map(({ event, outcome }) => [event, outcome])).toEqual([
		['intent', undefined],
		['outcome', 'ok'],
	]);
});

test('what needs approval is pending, then done once with the token that approving gave', async () => {
	const task = write(file('approved.txt'));
	const asked = await recorded(() => ask(task));
	expect(asked.result).toMatchObject({
		http: 202,
		body: {
			status: 'pending',
			code: 'APPROVAL_NEEDED',
			id: expect.stringMatching(/^[0-9a-f-]{36}$/),
			task: expect.stringContaining('write_file'),
			approve: {
				method: 'POST',
				url: expect.stringMatching(/\/webhook\/mcp-approval$/),
				header: 'X-AuraStack-Approver',
			},
		},
	});
	expect(asked.calls).toBe(0);
	expect(existsSync(file('approved.txt'))).toBe(false);
	const { id, approve } = asked.result.body as { id: string; approve: { url: string; header: string; body: object } };
	expect((await ask(task)).body.id).toBe(id);

	// Done as the answer says, first with the token of the one who asked.
	const post = (token: string) =>
		fetch(approve.url, {
			method: 'POST',
			headers: { 'content-type': 'application/json', [approve.header]: token },
			body: JSON.stringify(approve.body),
		});
	expect((await post(secret('webhook-token'))).status).toBe(403);
	const answer = await post(secret('approver-token'));
	const { status, approval } = (await answer.json()) as { status: string; approval: string };
	expect([answer.status, status]).toEqual([200, 'approved']);
	tokens.push(approval);

	expect(await ask(task, approval)).toMatchObject({ http: 200, body: { status: 'done' } });
	expect(readFileSync(file('approved.txt'), 'utf8')).toBe(`Written: ${canary}`);
	writeFileSync(file('approved.txt'), 'changed since');

	const again = await recorded(() => ask(task, approval));
	expect(again.result).toMatchObject({ http: 403, body: { status: 'refused', code: 'APPROVAL_REPLAY' } });
	expect(again.calls).toBe(0);
	expect(readFileSync(file('approved.txt'), 'utf8')).toBe('changed since');
	expect(await call('mcp-approval', { id, answer: 'approve' })).toMatchObject({
		http: 404,
		body: { status: 'refused', code: 'REQUEST_UNKNOWN' },
	});
});

test('an approval serves for its own task only, and for as many copies of it as come at once one time', async () => {
	const approval = await approved(write(file('mine.txt')));
	const { result, calls } = await recorded(() => ask(write(file('other.txt')), approval));
	expect(result).toMatchObject({ http: 403, body: { status: 'refused', code: 'APPROVAL_MISMATCH' } });
	expect(calls).toBe(0);
	expect(await ask(write(file('mine.txt')), `${approval.slice(0, -4)}AAAA`)).toMatchObject({
		http: 403,
		body: { code: 'APPROVAL_SIG' },
	});
	const copies = await recorded(() =>
		Promise.all(Array.from({ length: 6 }, () => ask(write(file('mine.txt')), approval))),
	);
	expect(copies.result.map(({ http, body }) => `${http} ${String(body.code ?? body.status)}`).sort()).toEqual([
		'200 done',
		...Array.from({ length: 5 }, () => '403 APPROVAL_REPLAY'),
	]);
	expect(copies.calls).toBe(1);
	expect(existsSync(file('other.txt'))).toBe(false);
});

test('what was rejected stays undone, and its request is closed', async () => {
	const task = write(file('rejected.txt'));
	const { id } = (await ask(task)).body;
	expect(await call('mcp-approval', { id, answer: 'reject' })).toMatchObject({
		http: 200,
		body: { status: 'rejected', auditId: expect.any(String) },
	});
	expect(await call('mcp-approval', { id, answer: 'approve' })).toMatchObject({ http: 404 });
	expect((await ask(task)).body).toMatchObject({ status: 'pending' });
	expect(existsSync(file('rejected.txt'))).toBe(false);
});

test.each<[string, unknown]>([
	['no id', { answer: 'approve' }],
	['an id of another kind', { id: '1', answer: 'approve' }],
	['another answer', { id: randomUUID(), answer: 'yes' }],
	['a name of its own', { id: randomUUID(), answer: 'approve', approver: 'me' }],
])('an answer with %s is malformed: 400', async (_, body) => {
	const { result, records } = await recorded(() => call('mcp-approval', body));
	expect(result).toMatchObject({ http: 400, body: { status: 'malformed', hint: expect.stringContaining('"id"') } });
	expect(records).toEqual([]);
});

test('a policy changed since the approval makes it worthless; a faulty one allows nothing and says where', async () => {
	const task = write(file('changed.txt'));
	const approval = await approved(task);
	await underPolicy('requestLifetimeMs: 86400000', 'requestLifetimeMs: 3600000', async () => {
		expect(await ask(task, approval)).toMatchObject({ http: 403, body: { code: 'POLICY' } });
	});
	await underPolicy('requestLifetimeMs: 86400000', 'requestLifetimeMs: soon', async () => {
		expect(await ask(listing)).toMatchObject({
			http: 500,
			body: { status: 'failed', code: 'configuration', error: expect.stringMatching(/line \d+/) },
		});
	});
	expect(await ask(listing)).toMatchObject({ http: 200 });
});

test('a tool that fails: 502 with what it says', async () => {
	const { result, records } = await recorded(() => ask(read(file('missing.txt'))));
	expect(result).toEqual({
		http: 502,
		body: { status: 'failed', code: 'TOOL', error: expect.stringContaining('ENOENT'), hint: expect.any(String) },
	});
	expect(records.map(({ event, outcome }) => outcome ?? event)).toEqual(['intent', 'tool-failed']);
});

test('a gateway that is down: 502 with the next step, and all is well once it is back', async () => {
	const pid = stack.pid('mcp-gateway');
	const { port } = stack.facts().processes.find(({ name }) => name === 'mcp-gateway')!;
	process.kill(pid, 'SIGKILL');
	while (await listens(port!)) await wait(10);
	// It is started again after a second at the earliest.
	const { result, records } = await recorded(() => ask(read(file('notes.txt'))));
	expect(result).toEqual({
		http: 502,
		body: {
			status: 'failed',
			code: expect.any(String),
			error: expect.any(String),
			hint: expect.stringMatching(/\w+.*\./),
		},
	});
	expect(records).toEqual([expect.objectContaining({ event: 'failed', code: 'unreachable' })]);
	await stack.restarted('mcp-gateway', pid);
	expect(await ask(read(file('notes.txt')))).toMatchObject({ http: 200 });
});

function listens(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(port, '127.0.0.1');
		socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
		socket.once('close', () => socket.destroy());
		socket.once('connect', () => socket.destroy());
	});
}

test('a call past its limits: 504, and the server answers the next one', async () => {
	// Whoever reads it waits for a writer.
	execFileSync('mkfifo', [file('never')]);
	const limited = '    callers: anyone\n    tools:\n      list_allowed_directories';
	await underPolicy(limited, limited.replace('callers', 'limits: { callTimeoutMs: 2000 }\n    callers'), async () => {
		const { result, records } = await recorded(() => ask(read(file('never'))));
		expect(result).toEqual({
			http: 504,
			body: { status: 'timeout', code: 'TIMEOUT_CALL', error: expect.any(String), hint: expect.any(String) },
		});
		expect(records.map(({ event, outcome }) => outcome ?? event)).toEqual(['intent', 'failed']);
	});
	expect(await ask(read(file('notes.txt')))).toMatchObject({ http: 200 });
	closeSync(openSync(file('never'), constants.O_WRONLY | constants.O_NONBLOCK));
});

test('twenty tasks at once, from both workers, all stored by a server that two writers would make lose some', async () => {
	const names = Array.from({ length: 20 }, (_, index) => `${canary} ${index}`);
	const startedBy = (worker: string) =>
		readFileSync(join(stack.home, 'logs', `${worker}.log`), 'utf8').split('Worker started execution').length;
	const before = workers.map(startedBy);
	const replies = await Promise.all(
		names.map((name) =>
			ask({
				server: 'memory',
				tool: 'create_entities',
				arguments: { entities: [{ name, entityType: 'test', observations: [name] }] },
			}),
		),
	);
	expect(replies.map(({ http }) => http)).toEqual(names.map(() => 200));
	const { body } = await ask({ server: 'memory', tool: 'read_graph', arguments: {} });
	const { entities } = JSON.parse((body.result as { text: string }).text) as { entities: Array<{ name: string }> };
	expect(entities.map(({ name }) => name).sort()).toEqual([...names].sort());
	expect(workers.map(startedBy).filter((count, at) => count === before[at])).toEqual([]);
});

test('the audit proves itself, by an anchor too, and names the record that somebody changed', async () => {
	const whole = await call('mcp-audit');
	expect(whole).toMatchObject({ http: 200, body: { ok: true, faults: [], unknownOutcomes: [] } });
	const { records, head } = whole.body as { records: number; head: string };
	expect(records).toBeGreaterThan(50);
	await ask(listing);
	expect((await call('mcp-audit', undefined, { query: `?anchor=${head}` })).body).toMatchObject({
		ok: true,
		records: records + 2,
	});
	const foreign = `${records}:${'0'.repeat(64)}`;
	expect((await call('mcp-audit', undefined, { query: `?anchor=${foreign}` })).body).toMatchObject({ ok: false });

	const seq = 10;
	const [{ record } = { record: {} }] = await rows<{ record: object }>('SELECT record FROM mcp_audit WHERE seq = $1', [
		seq,
	]);
	await rows(`UPDATE mcp_audit SET record = record || '{"tool": "list_directory", "code": "x"}' WHERE seq = $1`, [seq]);
	expect(await call('mcp-audit')).toMatchObject({
		http: 200,
		body: { ok: false, faults: expect.arrayContaining([{ seq, fault: expect.stringContaining('changed') }]) },
	});
	await rows('UPDATE mcp_audit SET record = $2 WHERE seq = $1', [seq, record]);
	expect((await call('mcp-audit')).body).toMatchObject({ ok: true });
});

describe('after all of this', () => {
	/** What no record may hold: the content of arguments and results, approvals, and every secret of the stack. */
	const forbidden = () => [
		canary,
		...tokens,
		...['webhook-token', 'approver-token', 'mcp-gateway-token', 'mcp-approval-key', 'mcp-audit-key'].map(secret),
	];

	test('n8n clears away within seconds what it had to hold: arguments, contents, approvals, the tokens of webhooks', async () => {
		const { port } = new URL(stack.facts().databaseUrl);
		const url = `postgres://n8n:${encodeURIComponent(secret('n8n-database-password'))}@127.0.0.1:${port}/n8n`;
		const deadline = Date.now() + 45_000;
		let holders = await holding(url, forbidden());
		while (holders.length > 0 && Date.now() < deadline) {
			await wait(500);
			holders = await holding(url, forbidden());
		}
		expect(holders).toEqual([]);
		const kept = `SELECT id FROM execution_entity WHERE "workflowId" IN ('d9T0kjgdnTALQhU7', 'AURAmcpApprovals')`;
		expect(await rows(kept, [], url)).toEqual([]);
	});

	test('the audit holds none either; a request for approval shows its arguments, and nothing else does', async () => {
		expect(await holding(stack.facts().databaseUrl, forbidden())).toEqual(['mcp_approval_requests']);
		const [first, ...secrets] = forbidden();
		expect(first).toBe(canary);
		expect(await holding(stack.facts().databaseUrl, secrets)).toEqual([]);
	});

	test('no log holds one', () => {
		const logs = globSync(join(stack.home, 'logs', '*.log'));
		expect(logs.length).toBeGreaterThanOrEqual(5);
		for (const log of logs) {
			const text = readFileSync(log, 'utf8');
			expect([log, forbidden().filter((one) => text.includes(one))]).toEqual([log, []]);
		}
	});

	test('Redis holds none: what went through the queue is gone from it', async () => {
		const { port } = stack.facts().processes.find(({ name }) => name === 'redis')!;
		const redis = new Redis({ host: '127.0.0.1', port, password: secret('redis-password'), lazyConnect: true });
		await redis.connect();
		const found = [];
		for (const key of await redis.keys('*')) {
			const dumped = (await redis.dumpBuffer(key))?.toString('latin1') ?? '';
			if (forbidden().some((one) => dumped.includes(one))) found.push(key);
		}
		redis.disconnect();
		expect(found).toEqual([]);
	});
});

/** The tables that hold one of `texts` in any of their columns. */
async function holding(url: string, texts: string[]): Promise<string[]> {
	const tables = await rows<{ name: string }>(
		`SELECT quote_ident(table_name) AS name FROM information_schema.tables
			WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
		[],
		url,
	);
	expect(tables.length).toBeGreaterThan(5);
	const found = await Promise.all(
		tables.map(async ({ name }) => {
			const hits = await rows(
				`SELECT FROM ${name} AS t WHERE EXISTS (SELECT FROM unnest($1::text[]) one WHERE strpos(t::text, one) > 0) LIMIT 1`,
				[texts],
				url,
			);
			return hits.length > 0 ? [name] : [];
		}),
	);
	return found.flat().sort();
}
