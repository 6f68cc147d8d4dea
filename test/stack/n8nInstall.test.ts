import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { lock } from '../../stack/lock.mts';
import { installN8n, n8nFolder, n8nVersion } from '../../stack/n8nInstall.mts';

const root = join(__dirname, '..', '..');
let cache: string;
let folder: string;
beforeEach(() => {
	cache = mkdtempSync(join(tmpdir(), 'n8n-install-'));
	folder = n8nFolder(cache);
	mkdirSync(folder);
});
afterEach(() => rmSync(cache, { recursive: true }));

const watch = (say: (line: string) => void = () => {}, signal = new AbortController().signal) => ({ say, signal });

/** As npm leaves it: its record of the tree, and the packages. */
function unpacked(version: string) {
	const modules = join(folder, 'node_modules');
	mkdirSync(join(modules, 'n8n'), { recursive: true });
	writeFileSync(join(modules, 'n8n', 'package.json'), '{}');
	const packages = { 'node_modules/n8n': { version } };
	writeFileSync(join(modules, '.package-lock.json'), JSON.stringify({ packages }));
}

test('an installation that is whole is taken as it is, and remembered', async () => {
	unpacked(n8nVersion);
	expect(await installN8n(cache, watch())).toBe(folder);
	expect(existsSync(join(folder, '.complete'))).toBe(true);
	rmSync(join(folder, 'node_modules'), { recursive: true });
	expect(await installN8n(cache, watch())).toBe(folder);
});

test('an installation that another process is at is waited for', async () => {
	const release = await lock(folder, 'An installation of n8n');
	const said = Promise.withResolvers<string>();
	const installed = installN8n(cache, watch(said.resolve));
	expect(await said.promise).toContain('An installation of n8n is already under way');
	writeFileSync(join(folder, '.complete'), '');
	await release();
	expect(await installed).toBe(folder);
});

test('Ctrl-C ends that wait', async () => {
	const release = await lock(folder, 'An installation of n8n');
	const stop = new AbortController();
	await expect(
		installN8n(
			cache,
			watch(() => stop.abort(), stop.signal),
		),
	).rejects.toMatchObject({ name: 'AbortError' });
	await release();
});

test('the README and the development dependencies name the same version', () => {
	const readme = readFileSync(join(root, 'README.md'), 'utf8');
	expect(new Set(readme.match(/(?<=n8n )2\.\d+\.\d+/g))).toEqual(new Set([n8nVersion]));
	const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
		devDependencies: Record<string, string>;
	};
	expect(devDependencies['n8n-core']).toBe(n8nVersion);
});
