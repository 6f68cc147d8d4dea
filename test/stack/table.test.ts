import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Facts } from '../../stack/facts.mts';
import { closingTable } from '../../stack/table.mts';

const facts: Facts = {
	mode: 'queue',
	editorUrl: 'http://127.0.0.1:5678',
	login: { email: 'owner@aurastack.local', passwordFile: '/h/secrets/owner-password' },
	apiKeyFile: '/h/secrets/api-key',
	databaseUrl: 'postgres://aurastack:hidden@127.0.0.1:20001/aurastack',
	folders: {
		devis: '/h/files/devis',
		processed: '/h/files/processed',
		review: '/h/files/review',
		rejected: '/h/files/rejected',
	},
	webhooks: {
		w1: [
			{
				method: 'POST',
				url: 'http://127.0.0.1:5678/webhook/ask',
				header: { name: 'X-AuraStack-Token', valueFile: '/h/secrets/webhook-token' },
			},
		],
	},
	services: {
		ollama: {
			url: 'http://127.0.0.1:11434',
			found: true,
			models: [],
			missing: ['qwen:3b'],
			commands: ['ollama pull qwen:3b'],
			optional: [{ name: 'vision:3b', purpose: 'for images', command: 'ollama pull vision:3b' }],
		},
		mcpGateway: { url: 'http://127.0.0.1:23456', tokenFile: '/h/secrets/mcp-gateway-token' },
	},
	processes: [],
};
const stack = { facts, stackFile: '/h/stack.json', workflowNames: { w1: 'Ask' } };

test('the table gives the editor, the tunnel, the folder, the webhook and what is missing', () => {
	const table = closingTable(stack);
	for (const part of [
		'http://127.0.0.1:5678',
		'ssh -L 5678:127.0.0.1:5678',
		'/h/files/devis',
		'require("/h/stack.json").databaseUrl',
		'curl -X POST -H "X-AuraStack-Token: $(cat \'/h/secrets/webhook-token\')" http://127.0.0.1:5678/webhook/ask',
		'missing, run         ollama pull qwen:3b\n',
		'optional for images  ollama pull vision:3b\n',
		'http://127.0.0.1:23456, token in /h/secrets/mcp-gateway-token\n',
	]) {
		expect(table).toContain(part);
	}
});

test('the password is printed by the start that made it, and no other', () => {
	expect(closingTable({ ...stack, newPassword: 'S3cret' })).toContain('password S3cret');
	expect(closingTable(stack)).toContain('password in /h/secrets/owner-password');
});

test('no other secret is printed', () => {
	expect(closingTable(stack)).not.toContain('hidden');
});

test('regular mode is said', () => {
	expect(closingTable({ ...stack, facts: { ...facts, mode: 'regular' } })).toContain('regular mode');
	expect(closingTable(stack)).not.toContain('regular mode');
});

test('the command to call a webhook works from a home with blanks in its name', () => {
	const home = mkdtempSync(join(tmpdir(), 'table a b '));
	const valueFile = join(home, 'webhook-token');
	writeFileSync(valueFile, 'T0ken\n');
	const webhook = { ...facts.webhooks.w1![0]!, header: { name: 'X-AuraStack-Token', valueFile } };
	const table = closingTable({ ...stack, facts: { ...facts, webhooks: { w1: [webhook] } } });
	const command = /curl .*/.exec(table)![0];
	expect(execFileSync('sh', ['-c', command.replace('curl', "printf '%s\\n'")], { encoding: 'utf8' })).toBe(
		'-X\nPOST\n-H\nX-AuraStack-Token: T0ken\nhttp://127.0.0.1:5678/webhook/ask\n',
	);
	rmSync(home, { recursive: true });
});
