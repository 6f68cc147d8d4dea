import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isWithin, pathFault, resolveOnDisk } from '../../../../nodes/McpExecute/task/paths';

const root = mkdtempSync(join(tmpdir(), 'paths-'));
const at = (...names: string[]) => join(root, ...names);
beforeAll(() => {
	mkdirSync(at('folder', 'deep'), { recursive: true });
	writeFileSync(at('file'), '');
	writeFileSync(at('folder', 'e\u0301t\u00e9'), '');
	symlinkSync('folder', at('link'));
	symlinkSync('nowhere', at('dangling'));
	symlinkSync('b', at('a'));
	symlinkSync('a', at('b'));
});
afterAll(() => rmSync(root, { recursive: true }));

test.each([
	['/data/a', null],
	['/data/..hidden', null],
	['/data/...', null],
	['/data//a/./b/', null],
	['/data/a b', null],
	['/', null],
	['', 'absolute'],
	['data', 'absolute'],
	['~/a', 'absolute'],
	['$HOME/a', 'absolute'],
	['file:///data', 'absolute'],
	['/data/../etc', '".."'],
	['/data/..', '".."'],
	['/data/a\0.png', 'control'],
	['/data/a\nb', 'control'],
	['/data/\ud800', 'control'],
	[' /data', 'absolute'],
	['/data ', 'space'],
	['/data/a"', 'quotation'],
	[`/${'x'.repeat(256)}`, 'name longer'],
	[`/${'é'.repeat(128)}`, 'name longer'],
	[`/${'a/'.repeat(2048)}`, 'longer than any path'],
])('%j: %s', (path, fault) => {
	if (fault === null) expect(pathFault(path)).toBeNull();
	else expect(pathFault(path)).toContain(fault);
});

test.each([
	['/data', '/data', true],
	['/data', '/data/', true],
	['/data/', '/data/a', true],
	['/data', '/data-evil', false],
	['/data', '/dat', false],
	['/', '/anything', true],
	['/data', '/', false],
])('%s holds %s: %s', (folder, path, held) => {
	expect(isWithin(folder, path)).toBe(held);
});

describe('on the disk', () => {
	test.each([
		['what is there', 'file', 'file'],
		['through a link', 'link/deep', 'folder/deep'],
		['a file that is not there yet', 'folder/new', 'folder/new'],
		['folders that are not there yet', 'link/new/newer', 'folder/new/newer'],
		['a link that leads nowhere', 'dangling', null],
		['below a link that leads nowhere', 'dangling/a', null],
		['a circle of links', 'a', null],
		['below a file', 'file/a', null],
		['a new name of letters with accents', 'folder/\u00e0', 'folder/\u00e0'],
		['a name that another one could be taken for', 'folder/\u00e9t\u00e9', null],
		['that other one, exactly', 'folder/e\u0301t\u00e9', 'folder/e\u0301t\u00e9'],
	])('%s', async (_, path, leadsTo) => {
		expect(await resolveOnDisk(at(path))).toBe(leadsTo === null ? null : at(leadsTo));
	});

	const asRoot = process.getuid?.() === 0;
	(asRoot ? test.skip : test)('a folder that may not be looked into (root may look into all)', async () => {
		mkdirSync(at('closed'), { mode: 0 });
		expect(await resolveOnDisk(at('closed', 'a'))).toBeNull();
		chmodSync(at('closed'), 0o700);
	});
});
