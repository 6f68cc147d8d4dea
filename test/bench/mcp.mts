// What the gate costs: the whole way of a call (policy, tool definition, audit in a PostgreSQL that writes to its disk,
// pooled session) against the bare SDK on a session kept open, and against a process for each call, which is what the
// community node n8n-nodes-mcp does. All three call the same tool of the same server with the same arguments, in turn.
import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Pool } from 'pg';
import type * as Token from '../../nodes/McpExecute/approval/token.ts';
import type * as Call from '../../nodes/McpExecute/call.ts';
import type * as Definitions from '../../nodes/McpExecute/task/definitions.ts';
import { installMcpServers } from '../../stack/mcpInstall.mts';
import { readSettings } from '../../stack/settings.mts';

const title = 'One tool call: the whole gate against the bare SDK, and against a process for each call (medians, ms)';
const root = join(import.meta.dirname, '..', '..');
const rounds = 300;

/** One row a tool, the last of them with an approval that is verified and used up. */
export async function measure(): Promise<{ title: string; rows: Array<Record<string, string | number>> }> {
	const built = (name: string) => import(`../../dist/nodes/McpExecute/${name}.js`);
	const { approvalKey, auditKey, callTool, createSessions, loadPolicy, taskHash, verifyAudit } = (await built(
		'call',
	)) as typeof Call;
	const { signApproval } = (await built('approval/token')) as typeof Token;
	const { definitionHash } = (await built('task/definitions')) as typeof Definitions;

	const folder = mkdtempSync(join(tmpdir(), 'bench-mcp-'));
	const settings = readSettings(process.env);
	const servers = await installMcpServers(root, settings.cache, {
		say: (line) => console.log(line),
		signal: AbortSignal.timeout(600_000),
	});
	const names = ['QWEN_AGENT', 'WORKFLOWS', 'VPS_INVENTORY', 'TMP_FOLDER', 'VAR_LOG'];
	const variables = {
		...Object.fromEntries(names.map((name) => [name, join(folder, name)])),
		...{ MCP_SERVERS: join(servers, 'node_modules'), MCP_DATA: join(folder, 'data') },
	};
	for (const path of [...names, 'data/memory', 'data/home']) mkdirSync(join(folder, path), { recursive: true });
	const file = join(folder, 'WORKFLOWS', 'note.txt');
	writeFileSync(file, 'A short file.\n');

	const { url, stop } = await durablePostgres();
	const database = new Pool({ connectionString: url });
	database.on('error', () => undefined);
	const sessions = createSessions({ env: {} });
	try {
		await database.query(readFileSync(join(root, 'workflows', 'schema.sql'), 'utf8'));
		const secret = randomBytes(32);
		const gate = {
			...{ policy: loadPolicy(readFileSync(join(root, 'services', 'mcp', 'mcp-policy.yaml'), 'utf8'), variables) },
			...{ approvalKey: approvalKey(secret.toString('base64')), auditKey: auditKey(secret), database, sessions },
		};
		const caller = { workflowId: 'bench', nodeName: 'Bench' };
		const tasks = [
			{ server: 'memory', tool: 'search_nodes', arguments: { query: 'nothing' }, processes: 7 },
			{ server: 'sequential-thinking', tool: 'sequentialthinking', arguments: thought, processes: 7 },
			{ server: 'filesystem', tool: 'read_text_file', arguments: { path: file }, processes: 7 },
			{ server: 'n8n-mcp', tool: 'search_nodes', arguments: { query: 'webhook' }, processes: 3 },
			{ server: 'filesystem', tool: 'write_file', arguments: { path: file, content: 'x' }, processes: 7 },
		];
		const rows = [];
		for (const { processes, ...task } of tasks) {
			const { transport } = gate.policy.servers.get(task.server)!;
			if (transport.kind !== 'stdio') throw new Error(`${task.server} is not started by this program`);
			const connect = async () => {
				const client = new Client({ name: 'bench', version: '1' });
				const { args, setEnv: env, cwd = folder } = transport;
				await client.connect(
					new StdioClientTransport({ command: process.execPath, args: [...args], env, cwd, stderr: 'ignore' }),
				);
				return client;
			};
			const params = { name: task.tool, arguments: task.arguments };
			const bareClient = await connect();
			const bare = async () => void (await bareClient.callTool(params));

			const definition = (await sessions.listTools(gate.policy.servers.get(task.server)!, { key: 'bench' })).find(
				({ name }) => name === task.tool,
			)!;
			const needsApproval = gate.policy.servers.get(task.server)!.tools.get(task.tool)!.approval === 'required';
			const token = async () => {
				const issuedAt = Math.floor(Date.now() / 1000);
				const bound = taskHash(task, caller, definitionHash({ ...definition }), gate.policy.version);
				const claims = { id: randomUUID(), approver: 'owner', task: bound, policy: gate.policy.version };
				return await signApproval({ ...claims, issuedAt, expiresAt: issuedAt + 600 }, gate.approvalKey);
			};
			const whole = async (approval?: string) => {
				const result = await callTool({ task, caller, access: { key: 'bench' }, approval }, gate);
				if (result.decision !== 'allow') throw new Error(`${task.tool}: ${result.code}`);
			};
			const times = { bare: [] as number[], whole: [] as number[], process: [] as number[] };
			for (let i = -20; i < rounds; i += 1) {
				const approval = needsApproval ? await token() : undefined;
				const [a, b] = [await timed(bare), await timed(() => whole(approval))];
				// The first calls of each warm up the programs and their connections.
				if (i < 0) continue;
				times.bare.push(a);
				times.whole.push(b);
			}
			await bareClient.close();
			for (let i = 0; i < processes; i += 1) {
				times.process.push(
					await timed(async () => {
						const client = await connect();
						await client.listTools();
						await client.callTool(params);
						await client.close();
					}),
				);
			}
			const [bareMs, wholeMs, processMs] = [
				quantile(times.bare, 0.5),
				quantile(times.whole, 0.5),
				quantile(times.process, 0.5),
			];
			rows.push({
				tool: `${task.server} ${task.tool}${needsApproval ? ', approved' : ''}`,
				'bare SDK': round(bareMs),
				'whole gate': round(wholeMs),
				'gate p95': round(quantile(times.whole, 0.95)),
				'gate adds': round(wholeMs - bareMs),
				'process per call': round(processMs),
				'gate is faster': `${Math.round(processMs / wholeMs)} times`,
				'bare is faster': `${Math.round(processMs / bareMs)} times`,
			});
		}
		const start = performance.now();
		const { ok, records } = await verifyAudit(database, gate.auditKey);
		if (!ok) throw new Error('The audit of this bench does not hold');
		const ms = performance.now() - start;
		return { title: `${title}. The audit of it, ${records} records, was verified in ${Math.round(ms)} ms.`, rows };
	} finally {
		await sessions.close();
		await database.end();
		await stop();
		rmSync(folder, { recursive: true, force: true });
	}
}

const thought = { thought: 'One step', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 };

/** A PostgreSQL of the bench's own that keeps what it says it has stored, as one in use does. */
async function durablePostgres() {
	const program = join(root, 'test', 'support', 'postgresServer.mts');
	const server = spawn(process.execPath, [program, '--durable'], { stdio: ['pipe', 'pipe', 'ignore'] });
	const [url] = (await once(createInterface(server.stdout), 'line')) as [string];
	return {
		url,
		stop: async () => {
			const ended = once(server, 'exit');
			server.stdin.end();
			await ended;
		},
	};
}

async function timed(work: () => Promise<void>): Promise<number> {
	const start = performance.now();
	await work();
	return performance.now() - start;
}

function quantile(values: readonly number[], part: number): number {
	return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))]!;
}

function round(ms: number): number {
	return Number(ms.toFixed(ms < 10 ? 2 : 0));
}
