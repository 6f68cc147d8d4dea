import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';

import { McpExecute } from '../../../nodes/McpExecute/McpExecute.node';
import { mapFields, runNode, searchList, type NodeOutcome, type NodeRun } from '../../support/host';
import { startPostgres, type PostgresServer } from '../../support/postgres';

jest.setTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), 'aurastack-mcp-node-'));
const policyFile = join(folder, 'policy.yaml');
const record = join(folder, 'record');
const approvalKey = Buffer.alloc(32, 1).toString('base64');
const auditKey = Buffer.alloc(32, 2).toString('base64');

let postgres: PostgresServer;
let credentials: Record<string, Record<string, unknown>>;

beforeAll(async () => {
	writeFileSync(policyFile, policyText);
	postgres = await startPostgres();
	const url = new URL(await postgres.createDatabase());
	const client = new Client({ connectionString: url.href });
	await client.connect();
	await client.query(readFileSync(join(__dirname, '..', '..', '..', 'workflows', 'schema.sql'), 'utf8'));
	await client.end();
	credentials = {
		mcpPolicy: {
			policyFile,
			variables: JSON.stringify({ PEER: join(__dirname, '../../support/mcpPeer.cjs'), RECORD: record }),
			approvalKey,
			auditKey,
		},
		postgres: {
			...{ host: url.hostname, port: Number(url.port), database: url.pathname.slice(1) },
			...{ user: url.username, password: url.password, ssl: 'disable' },
		},
	};
}, 60_000);
afterAll(async () => {
	await postgres.stop();
	rmSync(folder, { recursive: true });
});

/** `risky` needs approval, `open` does not; both are the test's own server. */
const policyText = `
callers:
  here: { workflowId: test-workflow }
approvers:
  write: [owner]
servers:
  open:
    stdio: { command: node, args: ['\${PEER}', shapes, '\${RECORD}'] }
    callers: anyone
    tools:
      t: { approval: never, risk: read, arguments: any }
  risky:
    stdio: { command: node, args: ['\${PEER}', echo, '\${RECORD}'] }
    callers: [here]
    tools:
      t: { approval: required, risk: write, arguments: any }
`;

const run = (setup: NodeRun) =>
	runNode(new McpExecute(), { credentials, ...setup, parameters: { servers: 'own', ...setup.parameters } });
const json = ({ outputs }: NodeOutcome) => outputs.map((items) => items.map((item) => item.json));

async function only(setup: NodeRun) {
	const outcome = await run(setup);
	expect(outcome.error).toBeUndefined();
	const [items, ...others] = json(outcome);
	expect([items?.length, others]).toEqual([1, []]);
	return items![0]!;
}

describe('three items: one fails, one differs by expression', () => {
	const setup: NodeRun = {
		parameters: { taskMode: 'json', task: '={{ $json.task }}' },
		items: [
			{ json: { task: { server: 'open', tool: 't', arguments: { path: 'a' } } } },
			{ json: { task: { server: 'absent', tool: 't', arguments: {} } } },
			{ json: { task: JSON.stringify({ server: 'open', tool: 't', arguments: { path: 'c' } }) } },
		],
	};

	test('each has its own answer; a refusal is an answer, not an error', async () => {
		const [items] = json(await run(setup));
		expect(items).toMatchObject([
			{ decision: 'allow', code: 'ALLOWED', result: { text: '{"path":"a"}' }, auditId: expect.any(String) },
			{ decision: 'refuse', code: 'SERVER_NOT_ALLOWED', reason: expect.any(String) },
			{ decision: 'allow', result: { text: '{"path":"c"}' } },
		]);
	});

	test('what fails stops the workflow, or goes on with the error and the reason', async () => {
		const failing: NodeRun = {
			...setup,
			parameters: {
				taskMode: 'fields',
				server: { mode: 'name', value: '={{ $itemIndex === 1 ? "" : "open" }}' },
				tool: { mode: 'name', value: 't' },
				arguments: { mappingMode: 'defineBelow', value: { path: 'a' }, matchingColumns: [], schema: [] } as never,
			},
		};
		const stopped = await run(failing);
		expect(stopped.error).toMatchObject({ context: { itemIndex: 1 }, message: 'No server is chosen.' });
		const { outputs } = await run({ ...failing, onError: 'continueErrorOutput' });
		expect(outputs[0]?.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 0 }, { item: 2 }]);
		expect(outputs[1]?.[0]).toMatchObject({ json: { details: { code: 'invalid-input' } }, pairedItem: { item: 1 } });
	});
});

test('a task is asked for, approved, executed once, and the audit proves it', async () => {
	const parameters = { taskMode: 'json', task: { server: 'risky', tool: 't', arguments: { secret: 'hunter2' } } };
	const pending = await only({ parameters: { ...parameters, task: JSON.stringify(parameters.task) } });
	expect(pending).toMatchObject({
		decision: 'pending',
		code: 'APPROVAL_NEEDED',
		approvalRequestId: expect.any(String),
	});

	const answered = await only({
		parameters: {
			operation: 'answer',
			requestId: pending.approvalRequestId as string,
			answer: 'approve',
			person: 'owner',
		},
	});
	expect(answered).toMatchObject({ state: 'approved', token: expect.any(String) });

	const task = JSON.stringify(parameters.task);
	const checked = await only({
		parameters: { operation: 'check', taskMode: 'json', task, approval: answered.token as string },
	});
	expect(checked).toMatchObject({ decision: 'allow' });
	const done = await only({ parameters: { taskMode: 'json', task, approval: answered.token as string } });
	expect(done).toMatchObject({ decision: 'allow', result: { text: '{"secret":"hunter2"}' } });
	const again = await only({ parameters: { taskMode: 'json', task, approval: answered.token as string } });
	expect(again).toMatchObject({ decision: 'refuse', code: 'APPROVAL_REPLAY' });

	const audit = await only({ parameters: { operation: 'verify', anchor: done.auditId as string } });
	expect(audit).toMatchObject({ ok: true, unknownOutcomes: [], faults: [] });
});

test('who is not among the approvers approves nothing', async () => {
	const task = JSON.stringify({ server: 'risky', tool: 't', arguments: { n: 1 } });
	const asked = await only({ parameters: { operation: 'request', taskMode: 'json', task } });
	const answered = await only({
		parameters: {
			operation: 'answer',
			requestId: asked.approvalRequestId as string,
			answer: 'approve',
			person: 'mallory',
		},
	});
	expect(answered).toMatchObject({ state: 'refused', code: 'APPROVAL_RBAC' });
	expect(answered).not.toHaveProperty('token');
});

test('checking calls nothing and opens no request', async () => {
	const before = readFileSync(record, 'utf8').split('tools/call').length;
	const task = JSON.stringify({ server: 'risky', tool: 't', arguments: { n: 2 } });
	expect(await only({ parameters: { operation: 'check', taskMode: 'json', task } })).toMatchObject({
		decision: 'pending',
		code: 'APPROVAL_NEEDED',
	});
	const refused = await only({ parameters: { operation: 'check', taskMode: 'json', task: '{"server":"risky"}' } });
	expect(refused).toMatchObject({ decision: 'refuse' });
	expect(readFileSync(record, 'utf8').split('tools/call').length).toBe(before);
});

test('the arguments of a tool are fields, filled in and sent with their types', async () => {
	const parameters = {
		taskMode: 'fields',
		server: { mode: 'name', value: 'open' },
		tool: { mode: 'name', value: 't' },
	};
	const editor = { credentials, parameters: { servers: 'own', ...parameters } };
	const { fields } = await mapFields(new McpExecute(), 'toolArguments', editor);
	expect(fields.map(({ id, type, required, defaultValue }) => [id, type, required, defaultValue])).toEqual([
		['path', 'string', true, undefined],
		['count', 'number', false, 3],
		['deep', 'boolean', false, undefined],
		['names', 'array', false, undefined],
		['order', 'options', false, undefined],
	]);
	const value = { path: 'a', count: 2, deep: true, names: '["x"]', order: 'up' };
	const done = await only({
		parameters: {
			...parameters,
			arguments: { mappingMode: 'defineBelow', value, matchingColumns: [], schema: fields } as never,
		},
	});
	expect(JSON.parse((done.result as { text: string }).text)).toEqual({ ...value, names: ['x'] });
});

test('an image that a tool gives is a binary field, named in the JSON', async () => {
	const task = JSON.stringify({ server: 'open', tool: 't', arguments: { path: 'a' } });
	const { outputs } = await run({ parameters: { taskMode: 'json', task } });
	const { json: data, binary } = outputs[0]![0]!;
	expect(binary?.data).toMatchObject({ mimeType: 'image/png' });
	expect(data).toMatchObject({ result: { binaries: [{ field: 'data', kind: 'image', mimeType: 'image/png' }] } });
	expect(JSON.stringify(data)).not.toContain(Buffer.from('pixels').toString('base64'));
});

test('the editor lists the servers of the policy, and the tools with what they need', async () => {
	const parameters = { servers: 'own', taskMode: 'fields', server: { mode: 'name', value: 'risky' } };
	const servers = await searchList(new McpExecute(), 'searchServers', { credentials, parameters, filter: 'RISK' });
	expect(servers.results).toEqual([{ name: 'risky', value: 'risky' }]);
	const tools = await searchList(new McpExecute(), 'searchTools', { credentials, parameters });
	expect(tools.results).toEqual([{ name: 't · needs approval', value: 't' }]);
});

test('a definition that changed is refused until somebody trusts it', async () => {
	const changed = policyText.replace(
		"open:\n    stdio: { command: node, args: ['${PEER}', shapes",
		"open:\n    stdio: { command: node, args: ['${PEER}', echo",
	);
	const otherFile = join(folder, 'other.yaml');
	writeFileSync(otherFile, changed);
	const other = {
		...credentials,
		mcpPolicy: {
			...credentials.mcpPolicy,
			policyFile: otherFile,
			variables: { PEER: join(__dirname, '../../support/mcpPeer.cjs'), RECORD: `${record}2` },
		},
	};
	const task = JSON.stringify({ server: 'open', tool: 't', arguments: {} });
	const parameters = { servers: 'own', taskMode: 'json', task };
	const node = (setup: NodeRun) => runNode(new McpExecute(), { credentials: other, ...setup });
	expect(json(await node({ parameters }))).toMatchObject([[{ decision: 'refuse', code: 'TOOL_CHANGED' }]]);
	const trust = { server: { mode: 'name', value: 'open' }, tool: { mode: 'name', value: 't' }, person: 'owner' };
	const trusted = await node({ parameters: { servers: 'own', operation: 'trust', ...trust } });
	expect(json(trusted)).toMatchObject([[{ changes: expect.arrayContaining([expect.any(String)]) }]]);
	expect(json(await node({ parameters }))).toMatchObject([[{ decision: 'allow' }]]);
});

describe('the policy credential', () => {
	const test_ = async (fields: Record<string, unknown>) =>
		await new McpExecute().methods.credentialTest.policyTest.call({} as never, { data: fields } as never);

	test('says how many servers the policy names', async () => {
		expect(await test_(credentials.mcpPolicy!)).toMatchObject({
			status: 'OK',
			message: expect.stringContaining('2 servers'),
		});
	});

	test.each([
		['no file there', { policyFile: '/nowhere/policy.yaml' }, /not there/],
		['a key that is too short', { auditKey: 'c2hvcnQ=' }, /auditKey.*fewer than 32/],
		['variables that are no JSON', { variables: '{' }, /variables.*JSON/],
		['a variable that is not set', { variables: '{}' }, /line \d+, column \d+.*PEER/],
	])('%s is said', async (_, fields, said) => {
		const result = await test_({ ...credentials.mcpPolicy, ...fields });
		expect(result).toMatchObject({ status: 'Error', message: expect.stringMatching(said) });
		expect(result.message).not.toContain(approvalKey);
	});
});
