import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Pool } from 'pg';

import { signApproval, type Approval } from '../../nodes/McpExecute/approval/token';
import {
	approvalKey,
	auditKey,
	loadPolicy,
	taskHash,
	type Access,
	type Caller,
	type Gate,
	type SessionCall,
	type Task,
	type ToolDefinition,
	type ToolReply,
} from '../../nodes/McpExecute/call';
import { definitionHash } from '../../nodes/McpExecute/task/definitions';

const schema = readFileSync(join(__dirname, '..', '..', 'workflows', 'schema.sql'), 'utf8');

export const caller: Caller = { workflowId: 'd9T0kjgdnTALQhU7', nodeName: 'Exécuter', user: 'ann' };
export const access: Access = { key: 'test' };
export const secret = Buffer.alloc(32, 7).toString('base64');

const path = { type: 'string' };
const definition = (name: string, properties: object, required: string[] = []): ToolDefinition => ({
	name,
	description: `The tool ${name}`,
	inputSchema: { type: 'object', properties, required, additionalProperties: false },
});
/** What the stand-in of a server offers unless a test says otherwise. */
export const fileTools: readonly ToolDefinition[] = [
	definition('read_text_file', { path, head: { type: 'number' }, tail: { type: 'number' } }, ['path']),
	definition('read_multiple_files', { paths: { type: 'array', items: path } }, ['paths']),
	definition('list_directory', { path }, ['path']),
	definition('write_file', { path, content: { type: 'string' } }, ['path', 'content']),
	definition('move_file', { source: path, destination: path }, ['source', 'destination']),
	definition('search_nodes', { query: { type: 'string' } }, ['query']),
	definition('query_postgres', { sql: { type: 'string' } }, ['sql']),
];

/** Policy text for the stand-in: reading is free, writing needs an approval, both inside `data`. */
export const policyText = (data: string, changes: { extra?: string; readable?: string } = {}) => `
folders: { data: ${JSON.stringify(data)}, sub: ${JSON.stringify(`${data}/sub`)} }
approvers: { write: [ann, bob], destructive: [bob] }
servers:
  filesystem:
    stdio: { command: node, args: [] }
    callers: anyone
    tools:
      read_text_file:
        approval: never
        risk: read
        arguments: { path: { in: [${changes.readable ?? 'data'}] }, head: any, tail: any }
      read_multiple_files: { approval: never, risk: read, arguments: { paths: { in: [data] } } }
      list_directory: { approval: never, risk: read, arguments: { path: { in: [data] } } }
      write_file: { approval: required, risk: write, arguments: { path: { in: [data] }, content: any } }
      move_file:
        approval: required
        risk: destructive
        arguments: { source: { in: [data] }, destination: { in: [data] } }
  other:
    stdio: { command: node, args: [] }
    callers: anyone
    tools:
      write_file: { approval: required, risk: write, arguments: { path: { in: [data] }, content: any } }
  n8n-mcp:
    stdio: { command: node, args: [] }
    callers: anyone
    tools: { search_nodes: { approval: never, risk: read, arguments: any } }
  vps:
    stdio: { command: node, args: [] }
    callers: anyone
    tools: { query_postgres: { approval: never, risk: read, arguments: any } }
${changes.extra ?? ''}`;

/** A server that notes what reaches it, and does the little that files need. */
export class RecordingServer {
	readonly calls: Array<SessionCall & { readonly server: string }> = [];
	listed = 0;
	tools: readonly ToolDefinition[] = fileTools;
	/** Answers instead of the server's own way. */
	answer?: (call: SessionCall, signal: AbortSignal) => Promise<ToolReply>;

	readonly sessions: Gate['sessions'] = {
		listTools: async () => {
			this.listed += 1;
			return this.tools;
		},
		callTool: async ({ name }, call, _access, signal) => {
			this.calls.push({ ...call, server: name });
			return await (this.answer?.(call, signal) ?? this.work(call));
		},
	};

	private async work({ tool, arguments: given }: SessionCall): Promise<ToolReply> {
		const at = String(given.path);
		switch (tool) {
			case 'read_text_file':
				return said(await readFile(at, 'utf8'));
			case 'list_directory':
				return said((await readdir(at)).join('\n'));
			case 'write_file':
				await writeFile(at, String(given.content));
				return said('written');
			default:
				return said('done');
		}
	}
}

export const said = (text: string, more: object = {}): ToolReply => ({
	kind: 'complete',
	result: { content: [{ type: 'text', text }], ...more },
});

export interface TestGate extends Gate {
	readonly server: RecordingServer;
	readonly database: Pool;
	/** The address of the database. */
	readonly url: string;
	/** Another gate on the same database, as another process or a later policy has it. */
	with(changes: Partial<Gate>): TestGate;
	/** A token for a task by the policy in force, whatever the claims say otherwise. */
	token(task: object, claims?: Partial<Approval>): Promise<string>;
	/** All records but those of definitions seen for the first time. */
	audit(): Promise<Array<Record<string, unknown>>>;
	/** Forgets everything, as an empty database does. */
	empty(): Promise<void>;
	end(): Promise<void>;
}

/** A gate on a database with the real tables, in front of a server that notes its calls. */
export async function openGate(url: string, data: string, text = policyText(data)): Promise<TestGate> {
	await mkdir(data, { recursive: true });
	const database = new Pool({ connectionString: url, max: 20 });
	// The server ends idle connections when a test ends it; without a listener that would end this process.
	database.on('error', () => undefined);
	await database.query(schema);
	const server = new RecordingServer();
	const gate: Gate = {
		policy: loadPolicy(text),
		database,
		approvalKey: approvalKey(secret),
		auditKey: auditKey(Buffer.from(secret, 'base64')),
		sessions: server.sessions,
		definitionAgeMs: 0,
	};
	const made = (own: Gate): TestGate => ({
		...own,
		server,
		database: own.database as Pool,
		url,
		with: (changes) => made({ ...own, ...changes }),
		token: async (task, claims = {}) => {
			const asked = { arguments: {}, ...task } as Task;
			const definition = server.tools.find(({ name }) => name === asked.tool);
			const issuedAt = Math.floor((own.now ?? Date.now)() / 1000);
			return await signApproval(
				{
					id: randomUUID(),
					approver: 'bob',
					task: taskHash(asked, caller, definitionHash(definition!), own.policy.version),
					policy: own.policy.version,
					issuedAt,
					expiresAt: issuedAt + 600,
					...claims,
				},
				own.approvalKey,
			);
		},
		audit: async () =>
			(await database.query<{ record: Record<string, unknown> }>('SELECT record FROM mcp_audit ORDER BY seq')).rows
				.map(({ record }) => record)
				.filter((record) => record?.isFirst !== true),
		empty: async () => {
			await database.query(`TRUNCATE mcp_approval_requests, mcp_approvals_used, mcp_audit, mcp_tool_pins;
				UPDATE mcp_audit_head SET seq = 0, hash = '', signature = ''`);
		},
		end: () => database.end(),
	});
	return made(gate);
}
