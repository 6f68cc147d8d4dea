import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openState, readJson, secret, writeJson } from '../../stack/state.mts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'state-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const mode = (path: string) => statSync(path).mode & 0o777;

test('a home is for its owner only, also one that was open before', () => {
	const home = join(folder, 'home');
	mkdirSync(home, { mode: 0o755 });
	const state = openState(home);
	expect([home, state.logs, state.folders.devis].map(mode)).toEqual([0o700, 0o700, 0o700]);
});

test('opening a home again changes nothing in it', () => {
	const { folders } = openState(folder);
	writeFileSync(join(folders.devis, 'a.pdf'), 'a');
	openState(folder);
	expect(readFileSync(join(folders.devis, 'a.pdf'), 'utf8')).toBe('a');
});

test('a secret is made once, and readable by its owner only', () => {
	const state = openState(folder);
	expect(secret(state, 'password', () => 'first')).toEqual({ value: 'first', isNew: true });
	expect(secret(state, 'password', () => 'second')).toEqual({ value: 'first', isNew: false });
	expect(mode(state.secretFile('password'))).toBe(0o600);
});

test('JSON is written whole, for the owner only, and leaves nothing beside it', () => {
	const file = join(folder, 'a.json');
	writeJson(file, { a: 1 });
	writeJson(file, { a: 2 });
	expect(readJson(file)).toEqual({ a: 2 });
	expect(mode(file)).toBe(0o600);
	expect(readdirSync(folder)).toEqual(['a.json']);
});

test('JSON that is absent or cut short counts as not there', () => {
	expect(readJson(join(folder, 'none.json'))).toBeUndefined();
	writeFileSync(join(folder, 'cut.json'), '{"a":');
	expect(readJson(join(folder, 'cut.json'))).toBeUndefined();
});
