import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CompactSign, FlattenedSign } from 'jose';
import { parse } from 'yaml';

import { callTool, taskHash, verifyAudit, type CallResult, type Task } from '../../../nodes/McpExecute/call';
import { approvalKey, readApproval } from '../../../nodes/McpExecute/approval/token';
import { asHtml } from '../../../nodes/McpExecute/approval/view';
import { loadPolicy } from '../../../nodes/McpExecute/policy';
import { createSessions } from '../../../nodes/McpExecute/sessions';
import { compileSchema } from '../../../nodes/McpExecute/schema';
import { definitionHash } from '../../../nodes/McpExecute/task/definitions';
import { queryPostgres } from '../../../nodes/VpsHealth/postgres';
import { attackTests, type Attack } from '../../support/attackCorpus';
import { access, caller, fileTools, openGate, policyText, said, secret, type TestGate } from '../../support/mcpGate';
import { peer } from '../../support/mcpServers';
import { startPostgres, type PostgresServer } from '../../support/postgres';

const root = join(__dirname, '..', '..', '..');
const shippedPolicy = readFileSync(join(root, 'services', 'mcp', 'mcp-policy.yaml'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'attacks-'));
const data = join(folder, 'data');

// Each works on a real PostgreSQL, on whatever disk and beside whatever else runs here.
jest.setTimeout(60_000);

let postgres: PostgresServer;
let gate: TestGate;
let url: string;
beforeAll(async () => {
	postgres = await startPostgres();
	url = await postgres.createDatabase();
});
beforeEach(async () => {
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(join(folder, 'data-evil'), { recursive: true });
	mkdirSync(join(data, 'sub'), { recursive: true });
	writeFileSync(join(folder, 'data-evil', 'secret.txt'), 'evil');
	writeFileSync(join(data, 'ok.txt'), 'fine');
	writeFileSync(join(data, '..hidden'), 'hidden');
	gate = await openGate(url, data);
	await gate.empty();
});
afterEach(() => gate.end());
afterAll(async () => {
	await postgres.stop();
	rmSync(folder, { recursive: true, force: true });
});

const call = (task: unknown, more: { approval?: unknown; approvalIsShared?: boolean } = {}, at: TestGate = gate) =>
	callTool({ task, caller, access, ...more }, at);
const write = (content = 'x', name = 'new.txt') => ({
	server: 'filesystem',
	tool: 'write_file',
	arguments: { path: join(data, name), content },
});

/** Refused with this code, the server untouched, and on record. */
async function refused(result: CallResult, code: string): Promise<void> {
	expect(result).toMatchObject({ decision: 'refuse', code });
	expect(gate.server.calls).toEqual([]);
	expect((await gate.audit()).at(-1)).toMatchObject({ event: 'refused', code });
	expect((await verifyAudit(gate.database, gate.auditKey)).ok).toBe(true);
}

async function allowed(result: CallResult): Promise<string> {
	expect(result).toMatchObject({ decision: 'allow', outcomeRecorded: true });
	expect((await gate.audit()).slice(-2).map(({ event }) => event)).toEqual(['intent', 'outcome']);
	return (result as Extract<CallResult, { decision: 'allow' }>).result.text;
}

const forged = async (
	header: object,
	key: Uint8Array | Parameters<CompactSign['sign']>[0] = Buffer.from(secret, 'base64'),
) => {
	const payload = Buffer.from((await gate.token(write())).split('.')[1]!, 'base64url');
	return await new CompactSign(payload)
		.setProtectedHeader({ alg: 'HS256', typ: 'mcp-approval+jwt', ...header })
		.sign(key);
};
/** A token with this header and a signature that may be anything. */
const written = async (header: object, signature?: string) => {
	const [, payload, own] = (await gate.token(write())).split('.');
	return [Buffer.from(JSON.stringify(header)).toString('base64url'), payload, signature ?? own].join('.');
};

/**
 * What the servers of the shipped policy could read of other programs: a probe stands where their program would, and is
 * started and called as they are.
 */
const whatServersSee = async () => {
	const modules = join(folder, 'modules');
	const variables = Object.fromEntries(
		['QWEN_AGENT', 'WORKFLOWS', 'VPS_INVENTORY', 'TMP_FOLDER', 'VAR_LOG', 'MCP_DATA'].map((name) => [
			name,
			join(folder, name),
		]),
	);
	Object.values(variables).forEach((path) => mkdirSync(join(path, 'memory'), { recursive: true }));
	const policy = loadPolicy(shippedPolicy, { ...variables, MCP_SERVERS: modules });
	process.env.X = 'CANARY-8f3a91';
	const sessions = createSessions();
	const tasks = [
		{ server: 'memory', tool: 'read_graph' },
		{ server: 'sequential-thinking', tool: 'sequentialthinking' },
		{ server: 'filesystem', tool: 'list_allowed_directories' },
	];
	try {
		const seen: string[] = [];
		for (const { server, tool } of tasks) {
			const program = join(modules, '@modelcontextprotocol', `server-${server}`, 'dist');
			mkdirSync(program, { recursive: true });
			writeFileSync(join(program, 'index.js'), probe.replace('TOOL', tool));
			const result = await call({ server, tool, arguments: {} }, {}, gate.with({ policy, sessions }));
			seen.push((result as Extract<CallResult, { decision: 'allow' }>).result.text);
		}
		return seen;
	} finally {
		delete process.env.X;
		await sessions.close();
	}
};
const probe = `
	const { readFileSync } = require('node:fs');
	const look = (file) => { try { return readFileSync(file, 'latin1'); } catch (error) { return error.code; } };
	const cat = (file) => {
		try { return require('node:child_process').execFileSync('cat', [file], { encoding: 'latin1' }); }
		catch (error) { return error.code; }
	};
	require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
		const { id, method } = JSON.parse(line);
		if (id === undefined) return;
		const result = {
			initialize: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'probe', version: '1' } },
			'tools/list': { tools: [{ name: 'TOOL', inputSchema: { type: 'object' } }] },
			'tools/call': { content: [{ type: 'text', text: JSON.stringify({
				files: ['/proc/1/environ', '/proc/' + process.ppid + '/environ', '/proc/self/environ'].map(look),
				cat: cat('/proc/' + process.ppid + '/environ'),
				variables: Object.values(process.env),
			}) }] },
		}[method];
		const error = { code: -32601, message: 'unknown' };
		console.log(JSON.stringify({ jsonrpc: '2.0', id, ...(result ? { result } : { error }) }));
	});`;

/** A case of the corpus with this test's folder in the place of its /data. */
const here = (attack: Attack) =>
	JSON.parse(JSON.stringify(attack).replaceAll('/data', data)) as Attack & {
		readonly input: { readonly task?: Task; readonly raw?: string; readonly serverOverride?: object };
	};

const inThePast = () => Math.floor(Date.now() / 1000) - 1;

/** What a case in prose means here. */
const cases: Record<string, { run: (attack: Attack) => Promise<void> }> = {
	'APPR-02': {
		run: async () => {
			expect(await call(write(), { approval: '' })).toMatchObject({ decision: 'pending', code: 'APPROVAL_NEEDED' });
			expect(gate.server.calls).toEqual([]);
		},
	},
	'APPR-03': { run: async () => refused(await call(write(), { approval: 'true' }), 'APPROVAL_FORMAT') },
	'APPR-04': { run: async () => refused(await call(write(), { approval: true }), 'APPROVAL_FORMAT') },
	'APPR-07': {
		run: async () => {
			for (const alg of ['none', 'NONE', 'nOnE']) {
				for (const signature of ['', undefined]) {
					const token = await written({ alg, typ: 'mcp-approval+jwt' }, signature);
					await refused(await call(write(), { approval: token }), 'APPROVAL_SIG');
				}
			}
		},
	},
	'APPR-08': {
		run: async () => {
			for (const kind of ['ed25519', 'rsa'] as const) {
				const { publicKey } =
					kind === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ed25519');
				const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
				const token = await forged({}, Buffer.from(pem));
				await refused(await call(write(), { approval: token }), 'APPROVAL_SIG');
				if (kind === 'rsa') continue;
				const verifier = gate.with({ approvalKey: approvalKey(pem) });
				await refused(await call(write(), { approval: token }, verifier), 'APPROVAL_SIG');
			}
		},
	},
	'APPR-10': {
		run: async () => {
			const { publicKey, privateKey } = generateKeyPairSync('ed25519');
			const jwk = publicKey.export({ format: 'jwk' });
			for (const header of [{ jwk }, { jku: 'https://evil.example/keys' }, { x5u: 'https://evil.example/cert' }]) {
				const own = await forged({ alg: 'EdDSA', ...header }, privateKey);
				await refused(await call(write(), { approval: own }), 'APPROVAL_SIG');
				await refused(await call(write(), { approval: await forged(header) }), 'APPROVAL_SIG');
			}
		},
	},
	'APPR-11': {
		run: async () => {
			const token = await written({ alg: 'HS256', typ: 'mcp-approval+jwt', crit: ['unknown'], unknown: 1 });
			await refused(await call(write(), { approval: token }), 'APPROVAL_SIG');
		},
	},
	'APPR-12': {
		run: async () => {
			const header = { alg: 'HS256', typ: 'mcp-approval+jwt', b64: false, crit: ['b64'] };
			const [, payload] = (await gate.token(write())).split('.');
			const detached = await new FlattenedSign(Buffer.from(payload!, 'base64url'))
				.setProtectedHeader(header)
				.sign(Buffer.from(secret, 'base64'));
			for (const middle of ['', payload]) {
				const approval = `${detached.protected}.${middle}.${detached.signature}`;
				await refused(await call(write(), { approval }), 'APPROVAL_SIG');
			}
		},
	},
	'APPR-15': {
		run: async () => {
			const token = await gate.token(write(), { expiresAt: inThePast(), issuedAt: inThePast() - 60 });
			await refused(await call(write(), { approval: token }), 'APPROVAL_EXPIRED');
		},
	},
	'APPR-17': {
		run: async () => {
			const token = await gate.token(write(), { expiresAt: inThePast() + 10 * 365 * 86_400 });
			await refused(await call(write(), { approval: token }), 'APPROVAL_LIFETIME');
		},
	},
	'APPR-18': {
		run: async () => {
			const soon = inThePast() + 120;
			const later = await gate.token(write(), { issuedAt: soon, expiresAt: soon + 60 });
			await refused(await call(write(), { approval: later }), 'APPROVAL_NOT_YET');
			const notBefore = await gate.token(write(), { notBefore: soon });
			await refused(await call(write(), { approval: notBefore }), 'APPROVAL_NOT_YET');
		},
	},
	'APPR-20': {
		run: async () => {
			const move = {
				server: 'filesystem',
				tool: 'move_file',
				arguments: { source: join(data, 'ok.txt'), destination: join(data, 'b') },
			};
			await refused(await call(move, { approval: await gate.token(move, { approver: 'ann' }) }), 'APPROVAL_RBAC');
			await refused(await call(write(), { approval: await gate.token(write(), { approver: 'eve' }) }), 'APPROVAL_RBAC');
			await allowed(await call(move, { approval: await gate.token(move, { approver: 'bob' }) }));
		},
	},
	'APPR-22': {
		run: async () => {
			const approval = await gate.token(write());
			await allowed(await call(write(), { approval }));
			expect(await call(write(), { approval })).toMatchObject({ decision: 'refuse', code: 'APPROVAL_REPLAY' });
			expect(gate.server.calls).toHaveLength(1);
		},
	},
	'APPR-23': {
		run: async () => {
			const approval = await gate.token(write());
			const results = await Promise.all(Array.from({ length: 100 }, () => call(write(), { approval })));
			expect(results.filter(({ decision }) => decision === 'allow')).toHaveLength(1);
			expect(results.filter(({ code }) => code === 'APPROVAL_REPLAY')).toHaveLength(99);
			expect(gate.server.calls).toHaveLength(1);
		},
	},
	'APPR-28': {
		run: async () => {
			const approval = await gate.token(write());
			const other = { ...write(), tool: 'move_file', arguments: { source: write().arguments.path } };
			gate.server.tools = gate.server.tools.map((tool) =>
				tool.name === 'move_file' ? { ...tool, inputSchema: {} } : tool,
			);
			await refused(await call(other, { approval }), 'APPROVAL_MISMATCH');
		},
	},
	'APPR-29': {
		run: async () => {
			const approval = await gate.token(write());
			await refused(await call({ ...write(), server: 'other' }, { approval }), 'APPROVAL_MISMATCH');
		},
	},
	'APPR-32': {
		run: async () => {
			gate.server.tools = fileTools.map((tool) => (tool.name === 'write_file' ? { ...tool, inputSchema: {} } : tool));
			const given = write().arguments;
			const lenient = gate.with({
				policy: loadPolicy(policyText(data).replaceAll('content: any }', 'content: any, n: any }')),
			});
			const approval = await lenient.token({ ...write(), arguments: { ...given, n: 1 } });
			const raw = `{ "tool":"write_file",\n"arguments":{"n":1.0, "content":"x", "path":${JSON.stringify(given.path)}},"server":"filesystem"}`;
			await allowed(await call(raw, { approval }, lenient));
		},
	},
	'APPR-34': {
		run: async () => {
			const approval = await gate.token(write());
			const forbids = loadPolicy(policyText(data).replaceAll('write_file: {', 'renamed: {'));
			await refused(await call(write(), { approval }, gate.with({ policy: forbids })), 'POLICY');
			expect(await call(write(), {}, gate.with({ policy: forbids }))).toMatchObject({ code: 'TOOL_NOT_ALLOWED' });
		},
	},
	'APPR-36': {
		run: async () => {
			const approval = 'a'.repeat(10_000_000);
			await readApproval(approval, gate.approvalKey);
			const start = performance.now();
			expect(await readApproval(approval, gate.approvalKey)).toMatchObject({ refusal: { code: 'LIMIT' } });
			expect(performance.now() - start).toBeLessThan(5);
			await refused(await call(write(), { approval }), 'LIMIT');
		},
	},
	'APPR-38': {
		run: async () => {
			const [first, second] = [write('a'), write('b')];
			const approval = await gate.token(first);
			await allowed(await call(first, { approval, approvalIsShared: true }));
			expect(await call(second, { approval, approvalIsShared: true })).toMatchObject({ decision: 'pending' });
			expect(gate.server.calls).toHaveLength(1);
		},
	},
	'APPR-42': {
		run: async () => {
			const content = `<b>*harmless*</b>\u202etxt.exe\u200b${'A'.repeat(5000)}; rm -rf /`;
			const result = await call(write(content));
			expect(result).toMatchObject({ decision: 'pending' });
			const { shown } = (result as Extract<CallResult, { approvalRequestId: string }>).request;
			const definition = fileTools.find(({ name }) => name === 'write_file')!;
			expect(shown).toContain(taskHash(write(content), caller, definitionHash(definition), gate.policy.version));
			expect(shown).toMatch(/\[TRUNCATED: \d+ of \d+ characters are not shown\]/);
			expect(shown).toContain('\\u{202e}txt.exe\\u{200b}');
			expect(shown).not.toMatch(/[\u202e\u200b]/);
			expect(shown.length).toBeLessThan(4096);
			expect(asHtml(shown)).toContain('&lt;b&gt;*harmless*&lt;/b&gt;');
		},
	},
	'AUDI-02': {
		run: async () => {
			for (let i = 0; i < 6; i += 1) await call({ ...write(), tool: 'list_directory', arguments: { path: data } });
			const { head } = await verifyAudit(gate.database, gate.auditKey);
			const snapshot = await gate.database.query('SELECT * FROM mcp_audit ORDER BY seq');
			const putBack = async () => {
				await gate.database.query('DELETE FROM mcp_audit');
				for (const { seq, record, hash } of snapshot.rows) {
					await gate.database.query('INSERT INTO mcp_audit VALUES ($1, $2, $3)', [seq, JSON.stringify(record), hash]);
				}
			};
			for (const { seq } of snapshot.rows) {
				await gate.database.query('DELETE FROM mcp_audit WHERE seq = $1', [seq]);
				expect((await verifyAudit(gate.database, gate.auditKey)).ok).toBe(false);
				await putBack();
			}
			// The tail together with the head of that time: only what is kept outside tells.
			const old = await gate.database.query('SELECT * FROM mcp_audit_head');
			await call({ ...write(), tool: 'list_directory', arguments: { path: data } });
			const anchor = (await verifyAudit(gate.database, gate.auditKey)).head!;
			await gate.database.query('DELETE FROM mcp_audit WHERE seq > $1', [old.rows[0].seq]);
			await gate.database.query('UPDATE mcp_audit_head SET seq = $1, hash = $2, signature = $3', [
				old.rows[0].seq,
				old.rows[0].hash,
				old.rows[0].signature,
			]);
			expect((await verifyAudit(gate.database, gate.auditKey, anchor)).ok).toBe(false);
			expect(await verifyAudit(gate.database, gate.auditKey, head!)).toMatchObject({ ok: true, faults: [] });
		},
	},
	'AUDI-05': {
		run: async () => {
			const task = write();
			let atTheCall: unknown[] = [];
			gate.server.answer = async () => {
				atTheCall = await gate.audit();
				// The process dies here as far as the audit can tell: nothing more can be written.
				await gate.database.query('ALTER TABLE mcp_audit RENAME TO gone');
				return said('done');
			};
			const result = await call(task, { approval: await gate.token(task) });
			expect(result).toMatchObject({ decision: 'allow', outcomeRecorded: false });
			expect(atTheCall).toMatchObject([{ event: 'intent', tool: 'write_file' }]);
			await gate.database.query('ALTER TABLE gone RENAME TO mcp_audit');
			const { ok, unknownOutcomes } = await verifyAudit(gate.database, gate.auditKey);
			expect({ ok, unknownOutcomes }).toEqual({ ok: true, unknownOutcomes: [(atTheCall[0] as { call: string }).call] });
		},
	},
	'AUDI-06': {
		run: async () => {
			const approval = await gate.token(write());
			await gate.database.query('ALTER TABLE mcp_audit RENAME TO gone');
			expect(await call(write(), { approval })).toMatchObject({ decision: 'refuse', code: 'AUDIT', auditId: null });
			expect(gate.server.calls).toEqual([]);
			await gate.database.query('ALTER TABLE gone RENAME TO mcp_audit');
			// It was not used up by the call that was not made.
			await allowed(await call(write(), { approval }));
		},
	},
	'CONT-02': {
		run: async (attack) => void expect(await allowed(await call(here(attack).input.task))).toContain('ok.txt'),
	},
	'CONT-04': { run: async (attack) => void expect(await allowed(await call(here(attack).input.task))).toBe('hidden') },
	'CONT-05': {
		run: async (attack) => {
			const { task } = here(attack).input;
			await allowed(await call(task, { approval: await gate.token(task!) }));
			expect(readFileSync(join(data, 'new.txt'), 'utf8')).toBe('; rm -rf / $(id)');
		},
	},
	'CONT-07': {
		run: async (attack) => {
			const { task } = here(attack).input;
			const { hostname: host, port, pathname } = new URL(url);
			await gate.database.query("CREATE ROLE attacked_reader LOGIN PASSWORD 'pw'");
			const database = pathname.slice(1);
			const address = { host, port: Number(port), database, ssl: 'off', user: 'attacked_reader', password: 'pw' } as const;
			gate.server.answer = async ({ arguments: { sql } }) => {
				const { rows } = await queryPostgres(address, { sql: String(sql) });
				return said(JSON.stringify(rows));
			};
			expect(await allowed(await call(task))).toBe('[{"x":"delete; drop"}]');
		},
	},
	'CONT-10': { run: async (attack) => void (await allowed(await call(here(attack).input.task))) },
	'NAME-18': {
		run: async () => {
			const nothing = gate.with({
				policy: loadPolicy('servers: { filesystem: { stdio: { command: node }, callers: anyone, tools: {} } }'),
			});
			for (const { name } of fileTools) {
				await refused(await call({ server: 'filesystem', tool: name, arguments: {} }, {}, nothing), 'TOOL_NOT_ALLOWED');
			}
			expect(gate.server.listed).toBe(0);
		},
	},
	'SCHE-06': { run: async (attack) => refused(await call(rawTask(here(attack).input.raw!)), 'SCHEMA') },
	'SCHE-08': { run: async (attack) => refused(await call(rawTask(here(attack).input.raw!)), 'SCHEMA') },
	'SCHE-09': {
		run: async (attack) => {
			const { raw } = here(attack).input;
			const start = performance.now();
			await refused(await call(raw), 'PARSE');
			const deep = `{"server":"filesystem","tool":"read_text_file","arguments":{"path":${'['.repeat(4e5)}${']'.repeat(4e5)}}}`;
			await refused(await call(deep), 'LIMIT');
			expect(performance.now() - start).toBeLessThan(2000);
			const alone = performance.now();
			await callTool({ task: raw, caller, access }, gate);
			expect(performance.now() - alone).toBeLessThan(50);
		},
	},
	'SCHE-13': {
		run: async () => {
			const fetched = jest.spyOn(globalThis, 'fetch');
			gate.server.tools = [{ ...fileTools[0]!, inputSchema: { $ref: 'http://169.254.169.254/latest/meta-data' } }];
			await refused(await call(read()), 'SCHEMA_UNSUPPORTED');
			expect(fetched).not.toHaveBeenCalled();
			fetched.mockRestore();
		},
	},
	'SCHE-14': {
		run: async () => {
			const doubling = { $defs: {} as Record<string, unknown>, $ref: '#/$defs/d20' };
			doubling.$defs.d0 = { type: 'object' };
			for (let i = 1; i <= 20; i += 1) {
				doubling.$defs[`d${i}`] = { anyOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] };
			}
			gate.server.tools = [{ ...fileTools[0]!, inputSchema: doubling }];
			const start = performance.now();
			expect(() => compileSchema(doubling)).toThrow('too complex');
			expect(performance.now() - start).toBeLessThan(200);
			await refused(await call(read()), 'SCHEMA_TOO_COMPLEX');
		},
	},
	'SCHE-15': {
		run: async () => {
			const pattern = JSON.stringify('(x+x+)+y');
			const { servers } = loadPolicy(
				`servers: { s: { stdio: { command: node }, callers: anyone, tools: { t: { approval: never, risk: r, arguments: { v: { pattern: ${pattern} } } } } } }`,
			);
			const rules = servers.get('s')!.tools.get('t')!.arguments;
			const rule = (rules as Exclude<typeof rules, 'any'>).get('v')!;
			const matches = rule.kind === 'pattern' ? rule.matches : () => true;
			matches('x');
			const start = performance.now();
			expect(matches('x'.repeat(40))).toBe(false);
			expect(performance.now() - start).toBeLessThan(10);
		},
	},
	'SCHE-16': {
		run: async () => {
			const outputSchema = { type: 'object', required: ['a'] };
			gate.server.tools = fileTools.map((tool) => ({ ...tool, outputSchema }));
			gate.server.answer = async () => said('done', { structuredContent: {} });
			await expect(call(read())).rejects.toMatchObject({ reason: 'OUTPUT_SCHEMA' });
			expect((await gate.audit()).at(-1)).toMatchObject({ outcome: 'failed', reason: 'OUTPUT_SCHEMA' });
		},
	},
	'SECR-02': {
		run: async () => {
			const seen = await whatServersSee();
			expect(seen).toHaveLength(3);
			for (const text of seen) {
				expect(JSON.parse(text)).toMatchObject({ files: expect.arrayContaining(['ERR_ACCESS_DENIED']) });
				expect(text).not.toContain('CANARY');
			}
		},
	},
	'SECR-03': {
		run: async () => {
			const seen = await whatServersSee();
			expect(seen).toHaveLength(3);
			for (const text of seen) {
				const { files, cat } = JSON.parse(text) as { files: string[]; cat: string };
				expect([...files, cat]).toEqual(Array(4).fill('ERR_ACCESS_DENIED'));
			}
			// The one that runs without is the one that the README names.
			const { servers } = parse(shippedPolicy) as { servers: Record<string, { stdio?: { args?: string[] } }> };
			const free = Object.entries(servers).filter(([, { stdio }]) => stdio && !stdio.args?.includes('--permission'));
			expect(free.map(([name]) => name)).toEqual(['n8n-mcp']);
			const readme = readFileSync(join(root, 'services', 'mcp', 'README.md'), 'utf8');
			expect(readme).toContain('n8n-mcp needs more and runs without: it could read what your account can.');
		},
	},
	'SECR-04': {
		run: async () => {
			const canary = 'CANARY-8f3a91';
			gate.server.answer = async () =>
				said(`401 for key ${canary} (${Buffer.from(canary).toString('base64')})`, { isError: true });
			const held = { key: 'k', bearerToken: canary };
			const thrown: unknown = await callTool({ task: read(), caller, access: held }, gate).catch(
				(error: unknown) => error,
			);
			expect(thrown).toMatchObject({ code: 'tool-failed', message: expect.stringContaining('[redacted]') });
			gate.server.answer = async () => said(canary, { structuredContent: { [canary]: [canary] } });
			const result = await callTool({ task: read(), caller, access: held }, gate);
			const pending = await callTool({ task: write(`key ${canary}`), caller, access: held }, gate);
			const everything = JSON.stringify([thrown, String((thrown as Error).stack), result, pending, await gate.audit()]);
			expect(everything).not.toMatch(/CANARY|Q0FOQVJZ/);
		},
	},
	'SYML-01': {
		run: async (attack) => {
			const { task } = here(attack).input;
			symlinkSync('/etc/passwd', join(data, 'l1'));
			await refused(await call(task), 'POLICY_PATH');
		},
	},
	'SYML-03': {
		run: async (attack) => {
			const { task } = here(attack).input;
			symlinkSync('/proc/self/root', join(data, 'p'));
			await refused(await call(task), 'POLICY_PATH');
		},
	},
	'SYML-07': {
		run: async (attack) => {
			await refused(await call(here(attack).input.task), 'POLICY_PATH');
			// A server that asks for roots all the same hears that there are none.
			const { server, received, remove } = peer('roots');
			const sessions = createSessions();
			await sessions.callTool(server, { tool: 't', arguments: {} }, access);
			await sessions.close();
			expect(received()).toContain('capabilities {}');
			expect(received()).toContain('answer {"code":-32601,"message":"Method not found"}');
			remove();
		},
	},
};

const rawTask = (raw: string) => `{"server":"filesystem","tool":"read_text_file","arguments":${raw}}`;
const read = () => ({ server: 'filesystem', tool: 'read_text_file', arguments: { path: join(data, 'ok.txt') } });

const denied = /^deny:([A-Z_]+)/;
attackTests(['path', 'names', 'schema', 'approval', 'symlink', 'audit', 'secrets', 'control', 'spawn'], cases, [], {
	otherwise: async (attack) => {
		const { area, expected, input } = here(attack);
		const code = denied.exec(expected)![1]!;
		if (input.serverOverride === undefined) await refused(await call(input.task), code);
		else {
			// Such a description reaches the gate as the task, in the place of a server's name, and beside a task.
			await refused(await call(input), code);
			await refused(await call({ ...read(), server: input.serverOverride }), code);
			await refused(await call({ ...read(), serverOverride: input.serverOverride }), 'SCHEMA');
		}
		if (area !== 'path') expect(gate.server.listed).toBe(0);
	},
});
