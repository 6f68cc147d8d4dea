import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { loadPolicy } from '../../nodes/McpExecute/policy';
import { openState } from '../../stack/state.mts';
import { placePolicy, toolFolders } from '../../stack/toolPolicy.mts';

const folder = mkdtempSync(join(tmpdir(), 'aurastack-policy-'));
const shipped = join(folder, 'shipped.yaml');
afterAll(() => rmSync(folder, { recursive: true }));

test('the policy is copied, follows the shipped one, and is left alone once a person changed it', () => {
	const state = openState(join(folder, 'home'));
	writeFileSync(shipped, 'first');
	const placed = placePolicy(shipped, state);
	expect(readFileSync(placed, 'utf8')).toBe('first');
	writeFileSync(shipped, 'second');
	expect(readFileSync(placePolicy(shipped, state), 'utf8')).toBe('second');
	writeFileSync(placed, 'mine');
	writeFileSync(shipped, 'third');
	expect(readFileSync(placePolicy(shipped, state), 'utf8')).toBe('mine');
	expect(statSync(placed).mode & 0o777).toBe(0o600);
});

test('every variable of the shipped policy is given, and its folders exist below the work folder', () => {
	const state = openState(join(folder, 'other'));
	const variables = toolFolders(state, '/servers');
	const policy = loadPolicy(readFileSync(join(__dirname, '../../services/mcp/mcp-policy.yaml'), 'utf8'), variables);
	expect([...policy.servers.keys()]).toEqual(['memory', 'sequential-thinking', 'filesystem', 'n8n-mcp']);
	const rules = policy.servers.get('filesystem')!.tools.get('read_text_file')!.arguments;
	const path = rules === 'any' ? undefined : rules.get('path');
	expect(path?.kind).toBe('folders');
	const folders = path?.kind === 'folders' ? path.folders : [];
	expect(folders).toHaveLength(5);
	for (const one of folders) {
		expect(one.startsWith(join(state.home, 'work'))).toBe(true);
		expect(statSync(one).isDirectory()).toBe(true);
	}
});
