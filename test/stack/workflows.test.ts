import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';

import { type Workflow, missingSteps, modelsOf, moveFiles, readWorkflows, webhooksOf } from '../../stack/workflows.mts';

const workflow = (...nodes: Partial<Workflow['nodes'][number]>[]): Workflow => ({
	id: 'w',
	name: 'W',
	active: true,
	connections: {},
	nodes: nodes.map((node, index) => ({ name: `node ${index}`, type: 'n8n-nodes-base.noOp', ...node })),
});

describe('moveFiles', () => {
	test.each([
		['/files', '/home/a/files'],
		['/files/devis', '/home/a/files/devis'],
		["={{ '/files/processed/' + $json.name }}", "={{ '/home/a/files/processed/' + $json.name }}"],
		['={{ ["/files/a", "/files/b"] }}', '={{ ["/home/a/files/a", "/home/a/files/b"] }}'],
	])('%s becomes %s', (from, to) => expect(moveFiles(from, '/home/a/files')).toBe(to));

	test.each(['https://example.org/files/x', '/data/files/x', '/filesystem', './files/x', 'my-/files/x'])(
		'%s stays',
		(text) => expect(moveFiles(text, '/home/a/files')).toBe(text),
	);

	test('a folder name with $ patterns is put in literally', () => {
		expect(moveFiles('/files/x', "/a$&b$'c")).toBe("/a$&b$'c/x");
	});

	test('whatever else a workflow holds comes through as it was', () => {
		fc.assert(
			fc.property(fc.jsonValue(), (value) => {
				fc.pre(!JSON.stringify(value).includes('files'));
				expect(moveFiles(value, '/elsewhere')).toEqual(value);
			}),
		);
	});
});

describe('readWorkflows', () => {
	let folder: string;
	beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'workflows-'))));
	afterEach(() => rmSync(folder, { recursive: true }));

	test('reads every workflow, with the folder of files in its place', () => {
		writeFileSync(join(folder, 'a.json'), JSON.stringify(workflow({ parameters: { path: '/files/devis' } })));
		writeFileSync(join(folder, 'schema.sql'), 'SELECT 1');
		expect(readWorkflows(folder, '/x').map(({ nodes }) => nodes[0]!.parameters)).toEqual([{ path: '/x/devis' }]);
	});

	test.each(['{', '{"name":"no nodes"}', 'null'])('names the file that holds %s', (text) => {
		writeFileSync(join(folder, 'broken.json'), text);
		expect(() => readWorkflows(folder, '/x')).toThrow(
			expect.objectContaining({ code: 'configuration', message: expect.stringContaining('broken.json') }),
		);
	});
});

describe('missingSteps', () => {
	const credentials = { postgres: { id: 'AURApostgresMain', name: 'AuraStack PostgreSQL' } };

	test('none when every credential exists', () => {
		expect(missingSteps(workflow({ credentials }), new Set(['AURApostgresMain']))).toEqual([]);
	});

	test('names a credential that does not exist, once', () => {
		expect(missingSteps(workflow({ credentials }, { credentials }), new Set())).toEqual([
			'choose or create its credential "AuraStack PostgreSQL" (postgres) in the editor',
		]);
	});

	test('a credential without an id would bind to any of its type, so it counts as missing', () => {
		expect(missingSteps(workflow({ credentials: { postgres: { name: 'x' } } }), new Set(['x']))).toHaveLength(1);
	});

	test('a disabled node needs nothing', () => {
		expect(missingSteps(workflow({ credentials, disabled: true }), new Set())).toEqual([]);
	});

	test('a Telegram trigger needs an https address of this n8n', () => {
		const telegram = workflow({ type: 'n8n-nodes-base.telegramTrigger' });
		expect(missingSteps(telegram, new Set())).toEqual([expect.stringContaining('AURASTACK_PUBLIC_URL')]);
		expect(missingSteps(telegram, new Set(), 'http://aura.example')).toHaveLength(1);
		expect(missingSteps(telegram, new Set(), 'https://aura.example')).toEqual([]);
	});
});

test('a webhook is named with its method, address and the header whose value stands in a file', () => {
	const withHeader = { httpHeaderAuth: { id: 'AURAwebhookToken', name: 'AuraStack Webhook' } };
	const approver = { httpHeaderAuth: { id: 'AURAapproverTok1', name: 'AuraStack Approver' } };
	const webhook = { type: 'n8n-nodes-base.webhook' };
	expect(
		webhooksOf(
			workflow(
				{ ...webhook, parameters: { httpMethod: 'POST', path: 'ask' }, credentials: withHeader },
				{ ...webhook, parameters: { httpMethod: 'POST', path: 'approve' }, credentials: approver },
				{ ...webhook, parameters: { path: 'open' } },
				{ ...webhook, parameters: { path: 'off' }, disabled: true },
			),
			'http://127.0.0.1:5678',
			(name) => `/secrets/${name}`,
		),
	).toEqual([
		{
			method: 'POST',
			url: 'http://127.0.0.1:5678/webhook/ask',
			header: { name: 'X-AuraStack-Token', valueFile: '/secrets/webhook-token' },
		},
		{
			method: 'POST',
			url: 'http://127.0.0.1:5678/webhook/approve',
			header: { name: 'X-AuraStack-Approver', valueFile: '/secrets/approver-token' },
		},
		{ method: 'GET', url: 'http://127.0.0.1:5678/webhook/open' },
	]);
});

test('the wanted models are those that enabled Ollama nodes name', () => {
	const credentials = { ollamaApi: { id: 'AURAollamaLocal1' } };
	expect(
		modelsOf(
			workflow(
				{ credentials, parameters: { model: { __rl: true, mode: 'list', value: 'qwen:3b' } } },
				{ credentials, parameters: { model: 'llama:1b' } },
				{ credentials, parameters: { model: '={{ $json.model }}' } },
				{ credentials, parameters: { model: 'off:1b' }, disabled: true },
				{ parameters: { model: 'gpt-4' } },
			),
		),
	).toEqual(['qwen:3b', 'llama:1b']);
});
