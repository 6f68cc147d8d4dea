import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { type InstallWatch, isWhole, npm, turn } from './npm.mts';

/**
 * The folder below `cache` whose node_modules hold the MCP servers of services/mcp at exactly the versions of its lock,
 * installed from npm when they are not there yet. Another lock is another folder; nothing is fetched when they run.
 */
export async function installMcpServers(root: string, cache: string, watch: InstallWatch): Promise<string> {
	const source = join(root, 'services', 'mcp');
	const lock = createHash('sha256')
		.update(readFileSync(join(source, 'package-lock.json')))
		.digest('hex');
	const folder = join(cache, `mcp-servers-${lock.slice(0, 12)}`);
	const marker = join(folder, '.complete');
	if (existsSync(marker)) return folder;
	mkdirSync(folder, { recursive: true });
	const release = await turn(folder, 'the MCP servers', watch);
	try {
		if (existsSync(marker)) return folder;
		for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(source, name), join(folder, name));
		if (!isComplete(folder)) await install(folder, watch);
		writeFileSync(marker, `${lock}\n`);
	} finally {
		await release();
	}
	return folder;
}

async function install(folder: string, { say, signal }: InstallWatch): Promise<void> {
	const what = 'The MCP servers';
	say(`Installing the MCP servers into ${folder}: 180 MB, less than a minute, once`);
	const flags = ['--ignore-scripts', '--legacy-peer-deps'];
	try {
		await npm(what, ['ci', ...flags], folder, signal);
	} catch (error) {
		// A registry may lack the binaries of platforms that are not this one: `npm ci` refuses the lock then.
		if (!(error instanceof LocalAiError) || error.code !== 'tool-failed') throw error;
		rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
		await npm(what, ['install', '--no-save', ...flags], folder, signal);
	}
	if (isComplete(folder)) return;
	throw new LocalAiError('tool-failed', `npm ended well, yet the MCP servers are not whole in ${folder}.`, {
		hint: `Remove ${folder} and start again.`,
	});
}

/** Whole, and each server at the version that the manifest pins. */
function isComplete(folder: string): boolean {
	const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
		dependencies: Record<string, string>;
	};
	return isWhole(folder, (version) => Object.entries(dependencies).every(([name, pinned]) => version(name) === pinned));
}
