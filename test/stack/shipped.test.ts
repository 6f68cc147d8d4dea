import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';

import { type ImportRecord, decide, forgetImport } from '../../stack/shipped.mts';

test('what n8n does not have is imported, whatever is remembered', () => {
	expect(decide('new', undefined, undefined)).toBe('import');
	expect(decide('new', undefined, { shipped: 'new', stored: 'gone' })).toBe('import');
});

test('what was there before our first import belongs to a person', () => {
	expect(decide('new', 'theirs', undefined)).toBe('edited');
});

test('what is as our last import left it follows what is shipped', () => {
	expect(decide('new', 'ours', { shipped: 'old', stored: 'ours' })).toBe('import');
	expect(decide('old', 'ours', { shipped: 'old', stored: 'ours' })).toBe('current');
});

test('an import that was cut short is done again', () => {
	expect(decide('new', 'half', { shipped: 'new' })).toBe('import');
});

test('whatever is shipped, a changed thing is never imported over', () => {
	fc.assert(
		fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (shipped, stored, last, left) => {
			fc.pre(stored !== left);
			expect(decide(shipped, stored, { shipped: last, stored: left } satisfies ImportRecord)).toBe('edited');
		}),
	);
});

test('credentials that a killed import left in clear are removed, the records stay', () => {
	const home = mkdtempSync(join(tmpdir(), 'shipped-'));
	const recordFile = join(home, 'shipped.json');
	writeFileSync(recordFile, '{}');
	mkdirSync(join(home, 'import'));
	writeFileSync(join(home, 'import', 'AURApostgresMain.json'), '{"data":{"password":"in clear"}}');
	forgetImport(recordFile);
	forgetImport(recordFile);
	expect(readdirSync(home)).toEqual(['shipped.json']);
	rmSync(home, { recursive: true });
});
