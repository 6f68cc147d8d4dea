import { once } from 'node:events';
import {
	existsSync,
	mkdirSync,
	readFileSync,
	readdirSync,
	readlinkSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';

import { createSessions } from '../../nodes/McpExecute/sessions';
import { identify } from '../../stack/leftovers.mts';
import { httpServer } from '../support/mcpServers';
import { type TestStack, runStart, startStack } from '../support/stack';

const workflowId = 'MXmDVXcHxkHXveOU';
const names = ['mcp-gateway', 'n8n-main', 'n8n-worker-1', 'n8n-worker-2', 'postgres', 'redis'];

jest.setTimeout(300_000);

let stack: TestStack;
beforeAll(async () => void (stack = await startStack()));
afterAll(() => stack?.remove());

const n8n = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
	const { editorUrl, apiKeyFile } = stack.facts();
	const response = await fetch(`${editorUrl}/api/v1${path}`, {
		method,
		headers: { 'X-N8N-API-KEY': readFileSync(apiKeyFile, 'utf8').trim(), 'Content-Type': 'application/json' },
		body: body === undefined ? undefined : JSON.stringify(body),
	});
	if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
	return (await response.json()) as T;
};

const query = async (sql: string) => {
	const client = new Client({ connectionString: stack.facts().databaseUrl });
	await client.connect();
	const { rows } = await client.query<Record<string, unknown>>(sql);
	await client.end();
	return rows;
};

test('the MCP gateway serves the four servers to whoever has its token, from folders below the work folder', async () => {
	const { url, tokenFile } = stack.facts().services.mcpGateway;
	const token = readFileSync(tokenFile, 'utf8').trim();
	const pool = createSessions();
	const who = { key: 'test', bearerToken: token };
	const server = (name: string) =>
		httpServer(`${url}/${name}/mcp`, { connectTimeoutMs: 30_000, callTimeoutMs: 30_000 });
	const names = ['memory', 'sequential-thinking', 'filesystem', 'n8n-mcp'];
	const tools = await Promise.all(names.map((name) => pool.listTools(server(name), who)));
	// With the key of this n8n the last one offers to manage workflows, too.
	expect(tools.map(({ length }) => length)).toEqual([9, 1, 14, 28]);
	const allowed = await pool.callTool(server('filesystem'), { tool: 'list_allowed_directories', arguments: {} }, who);
	const work = join(stack.home, 'work');
	const folders = ['qwen-agent', 'workflows', 'vps-inventory', 'tmp', 'log'].map((name) => join(work, name));
	expect(allowed).toMatchObject({
		result: { content: [{ text: `Allowed directories:\n${folders.join('\n')}` }] },
	});
	const workflows = await pool.callTool(server('n8n-mcp'), { tool: 'n8n_list_workflows', arguments: {} }, who);
	expect(JSON.stringify(workflows)).toContain(workflowId);
	await pool.close();
	expect((await fetch(`${url}/servers`)).status).toBe(401);
});

const pids = () => stack.facts().processes.map(({ pid }) => pid);

/** The listening addresses of a process, as /proc/net/tcp writes them. */
const listening = (pid: number) => {
	const inodes = readdirSync(`/proc/${pid}/fd`).map((fd) => {
		try {
			return /^socket:\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
		} catch {
			return undefined;
		}
	});
	return ['tcp', 'tcp6'].flatMap((table) =>
		readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
			.split('\n')
			.slice(1)
			.map((line) => line.trim().split(/\s+/))
			.filter(([, , , state, , , , , , inode]) => state === '0A' && inodes.includes(inode))
			.map(([, address]) => address!.split(':')[0]!),
	);
};

test('a first start gives n8n in queue mode with two workers, its owner, and a published workflow', async () => {
	const facts = stack.facts();
	expect(facts.mode).toBe('queue');
	expect(facts.processes.map(({ name }) => name).sort()).toEqual(names);
	const login = await fetch(`${facts.editorUrl}/rest/login`, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({
			emailOrLdapLoginId: facts.login.email,
			password: readFileSync(facts.login.passwordFile, 'utf8').trim(),
		}),
	});
	expect(login.status).toBe(200);
	expect(await n8n('GET', `/workflows/${workflowId}`)).toMatchObject({ active: true });
	expect(await query('SELECT count(*)::int AS n FROM devis')).toEqual([{ n: 0 }]);
});

test('the key that workflows hold lists executions and can do nothing else', async () => {
	const key = readFileSync(join(stack.home, 'secrets', 'executions-api-key'), 'utf8').trim();
	const asked = async (method: string, path: string) => {
		const url = `${stack.facts().editorUrl}/api/v1${path}`;
		return (await fetch(url, { method, headers: { 'X-N8N-API-KEY': key } })).status;
	};
	expect(await asked('GET', '/executions?limit=1')).toBe(200);
	expect(await asked('GET', '/workflows')).toBe(403);
	expect(await asked('GET', '/credentials')).toBe(403);
	expect(await asked('POST', `/workflows/${workflowId}/deactivate`)).toBe(403);
	expect(await n8n('GET', `/workflows/${workflowId}`)).toMatchObject({ active: true });
});

test('everything listens on 127.0.0.1 only', () => {
	const addresses = pids().flatMap(listening);
	expect(addresses.length).toBeGreaterThanOrEqual(names.length);
	expect(new Set(addresses)).toEqual(new Set(['0100007F']));
});

test('all state is private', () => {
	expect(statSync(stack.home).mode & 0o777).toBe(0o700);
	const secrets = join(stack.home, 'secrets');
	for (const name of readdirSync(secrets)) expect(statSync(join(secrets, name)).mode & 0o777).toBe(0o600);
});

test('the password is printed, and no other secret, there or in a log', () => {
	const secrets = join(stack.home, 'secrets');
	const logs = join(stack.home, 'logs');
	const told = [stack.output(), ...readdirSync(logs).map((name) => readFileSync(join(logs, name), 'utf8'))];
	expect(told[0]).toContain(readFileSync(join(secrets, 'owner-password'), 'utf8').trim());
	for (const name of readdirSync(secrets).filter((name) => name !== 'owner-password')) {
		const value = readFileSync(join(secrets, name), 'utf8').trim();
		expect(told.filter((text) => text.includes(value))).toEqual([]);
	}
});

test('a second start beside the first is refused in one line and changes nothing', async () => {
	const { child, output } = runStart(stack.home, { AURASTACK_PORT: '1' });
	expect((await once(child, 'exit'))[0]).toBe(1);
	expect(output()).toMatch(/A stack is already under way in .+ \(process \d+\)/);
	expect((await fetch(`${stack.facts().editorUrl}/healthz`)).status).toBe(200);
});

test("a supervisor killed with all it held: the next start clears up, keeps the data and a person's edits", async () => {
	const { name, nodes, connections, settings } = await n8n<Record<string, unknown>>('GET', `/workflows/${workflowId}`);
	const { executionOrder } = settings as { executionOrder?: string };
	await n8n('PUT', `/workflows/${workflowId}`, {
		name: `${String(name)} (mine)`,
		nodes,
		connections,
		settings: { executionOrder },
	});
	await query("INSERT INTO devis_rejected (sha256, file_name, code, message) VALUES ('kept', 'kept.pdf', 'x', 'x')");
	const old = pids().map((pid) => identify(pid)!);
	await stack.end('SIGKILL');
	expect(existsSync(join(stack.home, 'stack.json'))).toBe(true);
	// As a kill during an import leaves it; this start has nothing to import.
	const clear = join(stack.home, 'import', 'AURApostgresMain.json');
	mkdirSync(dirname(clear));
	writeFileSync(clear, '{}');

	stack = await startStack({ home: stack.home });
	expect(stack.output()).toMatch(
		/^The last run was killed: ending what it left behind \(.*n8n-main.*\), then going on with its data$/m,
	);
	expect(existsSync(clear)).toBe(false);
	expect(old.filter(({ pid, startTicks }) => identify(pid)?.startTicks === startTicks)).toEqual([]);
	expect(await n8n('GET', `/workflows/${workflowId}`)).toMatchObject({
		name: expect.stringContaining('(mine)'),
		active: true,
	});
	expect(stack.output()).toContain('was changed here: left as it is');
	expect(await query('SELECT file_name FROM devis_rejected')).toEqual([{ file_name: 'kept.pdf' }]);
	expect(stack.output()).not.toContain(readFileSync(stack.facts().login.passwordFile, 'utf8').trim());
});

test('Ctrl-C ends everything that was started, and keeps the data', async () => {
	const started = pids();
	expect(await stack.end()).toBe(0);
	expect(started.filter((pid) => identify(pid))).toEqual([]);
	expect(existsSync(join(stack.home, 'stack.json'))).toBe(false);
	expect(existsSync(join(stack.home, 'postgres', 'data', 'PG_VERSION'))).toBe(true);
	rmSync(stack.home, { recursive: true });
});
