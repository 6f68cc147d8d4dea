import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { lock } from './lock.mts';

/** The n8n this package is tested with. */
export const n8nVersion = '2.41.1';

/** How an installation is watched and given up. */
export interface InstallWatch {
	readonly say: (line: string) => void;
	readonly signal: AbortSignal;
}

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
	const release = await turn(folder, watch);
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

async function turn(folder: string, { say, signal }: InstallWatch): Promise<() => Promise<void>> {
	for (let told = false; ; told = true) {
		try {
			return await lock(folder, 'An installation of n8n');
		} catch (error) {
			if (!(error instanceof LocalAiError) || error.code !== 'refused') throw error;
			if (!told) say(`${error.message} Waiting for it`);
			await wait(500, undefined, { signal });
		}
	}
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
		await npm(
			['install', '--ignore-scripts', '--omit=optional', '--omit=peer', '--no-audit', '--no-fund', '--loglevel=error'],
			folder,
			signal,
		);
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

/** Complete: npm's own record of the tree, written as its last act, names n8n and every package in it is there. */
function isComplete(folder: string): boolean {
	const record = join(folder, 'node_modules', '.package-lock.json');
	if (!existsSync(record)) return false;
	const { packages } = JSON.parse(readFileSync(record, 'utf8')) as {
		packages: Record<string, { version?: string; optional?: boolean; link?: boolean }>;
	};
	return (
		packages['node_modules/n8n']?.version === n8nVersion &&
		Object.entries(packages).every(
			([path, { optional, link }]) => optional || link || existsSync(join(folder, path, 'package.json')),
		)
	);
}

async function npm(args: string[], cwd: string, signal: AbortSignal): Promise<void> {
	const words: string[] = [];
	const code = await new Promise<number | null>((resolve, reject) => {
		// npm runs on the Node it was installed with, which may be another than the one in our cache.
		const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => entry !== dirname(process.execPath));
		const child = spawn('npm', args, {
			cwd,
			signal,
			stdio: ['ignore', 'ignore', 'pipe'],
			env: { ...process.env, PATH: [...path, dirname(process.execPath)].join(delimiter) },
		});
		child.stderr.on('data', (data: Buffer) => words.push(data.toString()));
		child.once('error', reject);
		child.once('exit', resolve);
	});
	if (code === 0) return;
	throw npmTrouble(words.join(''), code, cwd);
}

function npmTrouble(text: string, code: number | null, cwd: string): LocalAiError {
	const what = `n8n ${n8nVersion} could not be installed from npm`;
	const again = `then start again: the installation in ${cwd} goes on from there.`;
	if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/.test(text)) {
		return new LocalAiError('unreachable', `${what}: its registry cannot be reached.`, {
			hint: `Check this machine's network (npm ping), ${again}`,
		});
	}
	if (text.includes('ENOSPC')) {
		return new LocalAiError('configuration', `${what}: the disk is full.`, { hint: `Free some space, ${again}` });
	}
	const reason = /npm (?:ERR!|error) (?!code|syscall|errno|path)(\S.*)/.exec(text)?.[1] ?? `exit code ${code}`;
	return new LocalAiError('tool-failed', `${what}: ${reason}`, { hint: `Mend what the message names, ${again}` });
}

function gigabytes(bytes: number): string {
	return `${(bytes / 1024 ** 3).toFixed(1)} GB`;
}
