import { existsSync, globSync, mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { type InstallWatch, isWhole, npm, turn } from './npm.mts';

/** The n8n this package is tested with. */
export const n8nVersion = '2.41.1';

const neededBytes = 4 * 1024 ** 3;
/** Folders directly below node_modules, scopes opened, when this version is whole. */
const topLevelPackages = 1417;

/**
 * The folder whose node_modules hold n8n, installed from npm when it is not there yet. An installation that was cut
 * short is taken up again, one that another process is at is waited for; the marker that saves the check is written only once every package is in place.
 */
export async function installN8n(cache: string, watch: InstallWatch): Promise<string> {
	const folder = n8nFolder(cache);
	const marker = join(folder, '.complete');
	if (existsSync(marker)) return folder;
	mkdirSync(folder, { recursive: true });
	const release = await turn(folder, 'n8n', watch);
	try {
		if (existsSync(marker)) return folder;
		if (!isComplete(folder)) await install(folder, watch);
		writeFileSync(marker, `${n8nVersion}\n`);
	} finally {
		await release();
	}
	return folder;
}

/** The folder below `cache` that holds this version of n8n once it is installed. */
export function n8nFolder(cache: string): string {
	return join(cache, `n8n-${n8nVersion}`);
}

async function install(folder: string, { say, signal }: InstallWatch): Promise<void> {
	const { bavail, bsize } = statfsSync(folder);
	if (bavail * bsize < neededBytes) {
		throw new LocalAiError(
			'configuration',
			`n8n needs about 4 GB in ${folder}, ${gigabytes(bavail * bsize)} are free.`,
			{
				hint: 'Free some space, or set XDG_CACHE_HOME to a folder on a larger disk, then start again.',
			},
		);
	}
	say(`Installing n8n ${n8nVersion} into ${folder}: 2.4 GB, three to five minutes, once`);
	writeFileSync(join(folder, 'package.json'), `{"private":true,"dependencies":{"n8n":"${n8nVersion}"}}\n`);
	const startedAt = performance.now();
	const progress = setInterval(() => {
		const seconds = Math.round((performance.now() - startedAt) / 1000);
		say(`  n8n: ${packagesIn(join(folder, 'node_modules'))} of about ${topLevelPackages} packages after ${seconds} s`);
	}, 20_000);
	try {
		await npm(`n8n ${n8nVersion}`, ['install', '--ignore-scripts', '--omit=optional', '--omit=peer'], folder, signal);
	} finally {
		clearInterval(progress);
	}
	if (isComplete(folder)) return;
	throw new LocalAiError('tool-failed', `npm ended well, yet packages of n8n are missing in ${folder}.`, {
		hint: 'Start again: the installation goes on from there.',
	});
}

/** Those already unpacked: npm makes all folders first. */
function packagesIn(modules: string): number {
	return globSync(['*/package.json', '@*/*/package.json'], { cwd: modules }).length;
}

function isComplete(folder: string): boolean {
	return isWhole(folder, (version) => version('n8n') === n8nVersion);
}

function gigabytes(bytes: number): string {
	return `${(bytes / 1024 ** 3).toFixed(1)} GB`;
}
