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

describe('an import that was cut short', () => {
	const cutShort = { shipped: 'old', stored: 'ours', importing: 'content' };

	test('is done again where n8n still has what was there before, or has what the import gave', () => {
		expect(decide('new', 'ours', cutShort, 'before')).toBe('import');
		expect(decide('old', 'ours', cutShort, 'before')).toBe('import');
		expect(decide('new', 'arrived', cutShort, 'content')).toBe('import');
		expect(decide('new', 'arrived', { importing: 'content' }, 'content')).toBe('import');
	});

	test('is not done over what a person has made since, though n8n had nothing before', () => {
		expect(decide('new', 'theirs', cutShort, 'edited')).toBe('edited');
		expect(decide('new', 'theirs', { importing: 'content' }, 'edited')).toBe('edited');
		expect(decide('new', 'theirs', { importing: 'content' })).toBe('edited');
	});
});

test('whatever is shipped, a changed thing is never imported over', () => {
	fc.assert(
		fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (shipped, stored, last, left) => {
			fc.pre(stored !== left);
			for (const record of [{}, { importing: 'content' }] satisfies ImportRecord[]) {
				expect(decide(shipped, stored, { ...record, shipped: last, stored: left }, 'other')).toBe('edited');
			}
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
