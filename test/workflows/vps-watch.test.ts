import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { Client, type QueryResultRow } from 'pg';

import type { HealthState } from '../../nodes/VpsHealth/compare';
import { startOllamaStandIn, type OllamaStandIn } from '../support/ollamaStandIn';
import { freePort, startStack, type TestStack } from '../support/stack';

const workflowId = 'VPSwatchAura0001';
const wanted = 'qwen2.5-coder:3b-instruct';

let stack: TestStack;
let ollama: OllamaStandIn;
let ollamaPort: number;

jest.setTimeout(120_000);

beforeAll(async () => {
	ollamaPort = await freePort();
	ollama = await startOllamaStandIn({ port: ollamaPort, models: [wanted] });
	stack = await startStack({ env: { OLLAMA_URL: ollama.baseUrl } });
	await lookEveryThreeSeconds();
}, 600_000);
afterAll(async () => {
	await stack?.remove();
	await ollama?.close();
}, 60_000);

interface Workflow {
	name: string;
	nodes: Array<{ name: string; parameters: { rule?: object } }>;
	connections: object;
	settings: Record<string, unknown>;
}

async function lookEveryThreeSeconds() {
	const { name, nodes, connections, settings } = await n8n<Workflow>('GET', `/workflows/${workflowId}`);
	for (const { name, parameters } of nodes) {
		if (name === 'Toutes les cinq minutes') parameters.rule = { interval: [{ field: 'seconds', secondsInterval: 3 }] };
	}
	const { executionOrder, timezone, saveDataSuccessExecution, saveDataErrorExecution } = settings;
	await n8n('PUT', `/workflows/${workflowId}`, {
		name,
		nodes,
		connections,
		settings: { executionOrder, timezone, saveDataSuccessExecution, saveDataErrorExecution },
	});
}

async function n8n<Reply>(method: string, path: string, body?: object): Promise<Reply> {
	const { editorUrl, apiKeyFile } = stack.facts();
	const response = await fetch(`${editorUrl}/api/v1${path}`, {
		method,
		headers: { 'X-N8N-API-KEY': readFileSync(apiKeyFile, 'utf8').trim(), 'content-type': 'application/json' },
		...(body && { body: JSON.stringify(body) }),
	});
	if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
	return (await response.json()) as Reply;
}

async function rows<Row extends QueryResultRow>(query: string): Promise<Row[]> {
	const client = new Client({ connectionString: stack.facts().databaseUrl });
	await client.connect();
	try {
		return (await client.query<Row>(query)).rows;
	} finally {
		await client.end();
	}
}

async function eventually<Value>(what: string, probe: () => Promise<Value | undefined>): Promise<Value> {
	const deadline = Date.now() + 60_000;
	while (Date.now() < deadline) {
		const value = await probe();
		if (value !== undefined) return value;
		await wait(250);
	}
	throw new Error(`Not within 60 s: ${what}. The log of n8n: ${stack.output().slice(-2000)}`);
}

const lastState = async () =>
	(await rows<{ state: HealthState; taken_at: Date }>('SELECT state, taken_at FROM health_states'))[0];
const messages = () =>
	rows<{ id: string; status: string; message: string }>('SELECT * FROM health_messages ORDER BY id');
/** Resolves once a look that began after now has been stored. */
const nextLook = async () => {
	const since = new Date();
	return await eventually('another look', async () => {
		const last = await lastState();
		return last !== undefined && last.taken_at > since ? last : undefined;
	});
};
/** The faults of what the stack itself brings up; the machine below may have its own. */
const ofTheStack = ({ faults }: HealthState) =>
	Object.keys(faults).filter((id) =>
		/^(postgres|redis|queue|executions|model|ollama|n8n-database|not-known:(postgres|redis|queue|executions|models))/.test(
			id,
		),
	);

test('the first look finds PostgreSQL, Redis, the queue, the executions and Ollama well', async () => {
	const { state } = await nextLook();
	expect(ofTheStack(state)).toEqual([]);
});

test('Ollama going away is told once, and coming back once', async () => {
	const before = (await messages()).length;
	await ollama.close();
	const gone = await eventually('a message that Ollama is gone', async () =>
		(await messages()).slice(before).find(({ message }) => message.includes('Aucune réponse de Ollama')),
	);
	expect(gone.status).toBe('critical');
	expect(gone.message).toContain('docker logs --tail 50 ollama');
	expect(Buffer.byteLength(gone.message)).toBeLessThanOrEqual(4096);
	await nextLook();
	await nextLook();
	expect(
		(await messages()).slice(before).filter(({ message }) => message.includes('Aucune réponse de Ollama')),
	).toHaveLength(1);

	ollama = await startOllamaStandIn({ port: ollamaPort, models: [wanted] });
	const back = await eventually('a message that Ollama is back', async () =>
		(await messages()).find(
			({ id, message }) => Number(id) > Number(gone.id) && /Mieux :[^]*Aucune réponse de Ollama/.test(message),
		),
	);
	expect(back.message).not.toMatch(/Aucune réponse de Ollama[^]*Mieux/);
	expect(ofTheStack((await nextLook()).state)).toEqual([]);
});

test('no secret of the stack stands in a message or a state', async () => {
	const kept = JSON.stringify([await messages(), await lastState()]);
	const { password } = new URL(stack.facts().databaseUrl);
	const secrets = ['watcher-password', 'redis-password', 'database-password'].map((name) =>
		readFileSync(join(stack.home, 'secrets', name), 'utf8').trim(),
	);
	expect([decodeURIComponent(password), ...secrets].filter((secret) => kept.includes(secret))).toEqual([]);
	expect(secrets.every((secret) => secret.length > 20)).toBe(true);
});
