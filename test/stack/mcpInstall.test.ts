import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';

import { installMcpServers } from '../../stack/mcpInstall.mts';

const root = join(__dirname, '..', '..');
const source = (name: string) => readFileSync(join(root, 'services', 'mcp', name), 'utf8');
const manifest = JSON.parse(source('package.json')) as { dependencies: Record<string, string> };
const watch = { say: () => {}, signal: new AbortController().signal };

test('the servers are pinned exactly, the lock agrees and names no registry', () => {
	expect(Object.values(manifest.dependencies).filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
	const lock = JSON.parse(source('package-lock.json')) as {
		packages: Record<string, { version: string; integrity?: string }>;
	};
	for (const [name, version] of Object.entries(manifest.dependencies)) {
		expect(lock.packages[`node_modules/${name}`]).toMatchObject({
			version,
			integrity: expect.stringMatching(/^sha512-/),
		});
	}
	expect(source('package-lock.json')).not.toContain('"resolved"');
});

test('an installation that is whole is taken as it is, in a folder of this lock alone', async () => {
	const cache = mkdtempSync(join(tmpdir(), 'mcp-install-'));
	const hash = createHash('sha256').update(source('package-lock.json')).digest('hex').slice(0, 12);
	const folder = join(cache, `mcp-servers-${hash}`);
	const packages = Object.fromEntries(
		Object.entries(manifest.dependencies).map(([name, version]) => [`node_modules/${name}`, { version }]),
	);
	for (const path of Object.keys(packages)) {
		mkdirSync(join(folder, path), { recursive: true });
		writeFileSync(join(folder, path, 'package.json'), '{}');
	}
	const record = join(folder, 'node_modules', '.package-lock.json');
	mkdirSync(dirname(record), { recursive: true });
	writeFileSync(record, JSON.stringify({ packages }));
	expect(await installMcpServers(root, cache, watch)).toBe(folder);
	expect(existsSync(join(folder, '.complete'))).toBe(true);
	rmSync(cache, { recursive: true });
});
