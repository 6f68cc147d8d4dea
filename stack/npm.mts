import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { lock } from './lock.mts';

/** How an installation is watched and given up. */
export interface InstallWatch {
	readonly say: (line: string) => void;
	readonly signal: AbortSignal;
}

/** Resolves once no other process installs into `folder`, to the function that lets the next one. */
export async function turn(folder: string, what: string, { say, signal }: InstallWatch): Promise<() => Promise<void>> {
	for (let told = false; ; told = true) {
		try {
			return await lock(folder, `An installation of ${what}`);
		} catch (error) {
			if (!(error instanceof LocalAiError) || error.code !== 'refused') throw error;
			if (!told) say(`${error.message} Waiting for it`);
			await wait(500, undefined, { signal });
		}
	}
}

/**
 * Whether an installation in `folder` is whole: npm's own record of the tree, written as its last act, is there, and
 * every package in it.
 */
export function isWhole(folder: string, isRight: (version: (name: string) => string | undefined) => boolean): boolean {
	const record = join(folder, 'node_modules', '.package-lock.json');
	if (!existsSync(record)) return false;
	const { packages } = JSON.parse(readFileSync(record, 'utf8')) as {
		packages: Record<string, { version?: string; optional?: boolean; link?: boolean }>;
	};
	return (
		isRight((name) => packages[`node_modules/${name}`]?.version) &&
		Object.entries(packages).every(
			([path, { optional, link }]) => optional || link || existsSync(join(folder, path, 'package.json')),
		)
	);
}

/** Runs npm in `cwd`; throws LocalAiError that says what of `what` could not be installed, and why. */
export async function npm(what: string, args: string[], cwd: string, signal: AbortSignal): Promise<void> {
	const words: string[] = [];
	const code = await new Promise<number | null>((resolve, reject) => {
		// npm runs on the Node it was installed with, which may be another than the one in our cache.
		const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => entry !== dirname(process.execPath));
		const child = spawn('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], {
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
	throw npmTrouble(what, words.join(''), code, cwd);
}

function npmTrouble(what: string, text: string, code: number | null, cwd: string): LocalAiError {
	const failed = `${what} could not be installed from npm`;
	const again = `then start again: the installation in ${cwd} goes on from there.`;
	if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/.test(text)) {
		return new LocalAiError('unreachable', `${failed}: its registry cannot be reached.`, {
			hint: `Check this machine's network (npm ping), ${again}`,
		});
	}
	if (text.includes('ENOSPC')) {
		return new LocalAiError('configuration', `${failed}: the disk is full.`, { hint: `Free some space, ${again}` });
	}
	const reason = /npm (?:ERR!|error) (?!code|syscall|errno|path)(\S.*)/.exec(text)?.[1] ?? `exit code ${code}`;
	return new LocalAiError('tool-failed', `${failed}: ${reason}`, { hint: `Mend what the message names, ${again}` });
}
