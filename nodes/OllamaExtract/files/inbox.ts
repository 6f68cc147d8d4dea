import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';

import { LocalAiError } from '../../shared/errors';

export interface FindRequest {
	/** The folder that is looked into, its subfolders left out. */
	readonly folder: string;
	/** How long a file must have gone unchanged. */
	readonly stillMs: number;
	/** Lower case, with their dot: `.pdf`. */
	readonly extensions: readonly string[];
	/** Look for this name alone. */
	readonly fileName?: string;
	readonly withSha256: boolean;
}

export interface FoundFile {
	readonly path: string;
	readonly fileName: string;
	readonly bytes: number;
	/** ISO 8601. */
	readonly modifiedAt: string;
	/** When it was last seen in this state, ISO 8601. */
	readonly seenAt: string;
	/** Hex; there when it was asked for. */
	readonly sha256?: string;
}

/** What tells whether a file was touched between two looks. */
export interface FileState {
	readonly isFile: boolean;
	readonly bytes: number;
	readonly modifiedMs: number;
	/** When content, name or rights last changed; unlike `modifiedMs` no program can set it back. */
	readonly changedMs: number;
}

/** What is asked of the disk and the clock. A path that is gone is `null`. */
export interface Disk {
	names(folder: string): Promise<string[]>;
	state(path: string): Promise<FileState | null>;
	sha256(path: string, signal?: AbortSignal): Promise<string | null>;
	now(): number;
	wait(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/**
 * The regular files of a folder that nobody is still writing, the longest waiting first; hidden files and other
 * extensions are left out. It waits `stillMs` only when nothing is ready and something may soon be. Rejects with
 * LocalAiError.
 */
export async function stillFiles(
	request: FindRequest,
	signal?: AbortSignal,
	disk: Disk = localDisk,
): Promise<FoundFile[]> {
	try {
		const present = await look(await candidates(request, disk), disk);
		const ready = present.filter(({ state }) => disk.now() - state.changedMs >= request.stillMs);
		const still = ready.length > 0 ? ready : await unchangedAfterWaiting(present, request.stillMs, disk, signal);
		still.sort((a, b) => a.state.changedMs - b.state.changedMs || (a.path < b.path ? -1 : 1));
		return await described(still, request.withSha256, disk, signal);
	} catch (error) {
		throw asLocalAiError(error, request.folder, signal);
	}
}

interface Seen {
	readonly path: string;
	readonly fileName: string;
	readonly seenMs: number;
	readonly state: FileState;
}

async function candidates({ folder, extensions, fileName }: FindRequest, disk: Disk) {
	const names = await disk.names(folder);
	return names
		.filter((name) => fileName === undefined || name === fileName)
		.filter((name) => !name.startsWith('.') && extensions.includes(extname(name).toLowerCase()))
		.map((name) => ({ fileName: name, path: join(folder, name) }));
}

async function look(files: ReadonlyArray<{ path: string; fileName: string }>, disk: Disk): Promise<Seen[]> {
	const seen: Seen[] = [];
	for (const { path, fileName } of files) {
		const seenMs = disk.now();
		const state = await disk.state(path);
		if (state?.isFile) seen.push({ path, fileName, seenMs, state });
	}
	return seen;
}

async function unchangedAfterWaiting(before: readonly Seen[], stillMs: number, disk: Disk, signal?: AbortSignal) {
	if (before.length === 0) return [];
	await disk.wait(stillMs, signal);
	const states = new Map(before.map(({ path, state }) => [path, state]));
	const after = await look(before, disk);
	return after.filter(({ path, state }) => {
		const then = states.get(path)!;
		return then.bytes === state.bytes && then.modifiedMs === state.modifiedMs && then.changedMs === state.changedMs;
	});
}

async function described(files: readonly Seen[], withSha256: boolean, disk: Disk, signal?: AbortSignal) {
	const found: FoundFile[] = [];
	for (const { path, fileName, seenMs, state } of files) {
		const facts = {
			path,
			fileName,
			bytes: state.bytes,
			modifiedAt: new Date(state.modifiedMs).toISOString(),
			seenAt: new Date(seenMs).toISOString(),
		};
		if (!withSha256) {
			found.push(facts);
			continue;
		}
		const sha256 = await disk.sha256(path, signal);
		if (sha256 !== null) found.push({ ...facts, sha256 });
	}
	return found;
}

const localDisk: Disk = {
	names: (folder) => readdir(folder),
	async state(path) {
		const stats = await unlessGone(lstat(path));
		return stats && { isFile: stats.isFile(), bytes: stats.size, modifiedMs: stats.mtimeMs, changedMs: stats.ctimeMs };
	},
	async sha256(path, signal) {
		// A link put in the file's place since it was looked at must not lead outside the folder.
		const file = await unlessGone(open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
		if (file === null) return null;
		const hash = createHash('sha256');
		await pipeline(file.createReadStream(), hash, { signal });
		return hash.digest('hex');
	},
	now: Date.now,
	wait: (durationMs, signal) => wait(durationMs, undefined, { signal }),
};

async function unlessGone<Value>(looked: Promise<Value>): Promise<Value | null> {
	try {
		return await looked;
	} catch (error) {
		if (codeOf(error) === 'ENOENT') return null;
		throw error;
	}
}

function asLocalAiError(error: unknown, folder: string, signal?: AbortSignal): LocalAiError {
	if (error instanceof LocalAiError) return error;
	if (signal?.aborted) {
		return new LocalAiError('cancelled', `Looking into "${folder}" was cancelled.`, {
			hint: 'Run it again; nothing was changed.',
			cause: error,
		});
	}
	switch (codeOf(error)) {
		case 'ENOENT':
		case 'ENOTDIR':
			return new LocalAiError('configuration', `There is no folder "${folder}".`, {
				hint: 'Make it, or correct the path as the machine that runs n8n sees it.',
				cause: error,
			});
		case 'EACCES':
		case 'EPERM':
			return new LocalAiError('configuration', `The user that runs n8n may not read "${folder}" or a file in it.`, {
				hint: 'Give that user the right to read it.',
				cause: error,
			});
		default:
			return new LocalAiError('defect', `Looking into "${folder}" failed: ${messageOf(error)}.`, {
				hint: 'Check the disk; if it is sound, report this with the message.',
				cause: error,
			});
	}
}

function codeOf(error: unknown): unknown {
	return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
