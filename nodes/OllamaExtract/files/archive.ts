import { createHash, randomUUID } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { link, lstat, mkdir, open, readdir, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';

import { LocalAiError } from '../../shared/errors';

export interface ArchiveRequest {
	/** The file to move, its folder free of symbolic links. */
	readonly from: string;
	/** Where it goes; made when absent, its parent must be there. */
	readonly folder: string;
	/** Hex. The file is moved only if it still has this content; lets a repeat find it already moved. */
	readonly sha256?: string;
}

export interface ArchiveResult {
	/** Where the file stands now. */
	readonly path: string;
	readonly from: string;
	/** `already-archived` when this content already stood in the folder under this name. */
	readonly outcome: 'moved' | 'already-archived';
	readonly sha256: string;
	readonly bytes: number;
	/** There when something else stands at `from` by now, written or put there since it was read: it was left alone. */
	readonly newAtSource?: true;
}

/** The calls of node:fs/promises that give, take and change names. */
export interface Names {
	link(from: string, to: string): Promise<void>;
	unlink(path: string): Promise<void>;
	rename(from: string, to: string): Promise<void>;
}

/**
 * Moves a file without ever overwriting another one: a taken name becomes `name (2).pdf`. At every instant, after a
 * crash too, the content stands under at least one of its two names, and a repeat finishes what was begun. Of several
 * at once exactly one reports `moved`. The modification time is kept; what was written to `from` meanwhile stays there.
 * Rejects with LocalAiError.
 */
export async function archiveFile(
	{ from, folder, sha256 }: ArchiveRequest,
	signal?: AbortSignal,
	names: Names = { link, unlink, rename },
): Promise<ArchiveResult> {
	const expected = sha256?.toLowerCase();
	try {
		const source = await openRegular(from);
		if (source === undefined) return await findMoved(from, folder, expected, signal);
		try {
			return await moveOpened({ ...source, from, folder, names, signal }, expected);
		} finally {
			await source.file.close();
		}
	} catch (error) {
		throw asLocalAiError(error, from, folder, signal);
	}
}

interface Opened {
	readonly file: FileHandle;
	readonly stats: BigIntStats;
}

interface Move extends Opened {
	readonly from: string;
	readonly folder: string;
	readonly names: Names;
	readonly signal: AbortSignal | undefined;
}

async function moveOpened(move: Move, expected: string | undefined): Promise<ArchiveResult> {
	const { from, folder, names, signal } = move;
	const sha256 = await hashOf(move.file, signal);
	if (expected !== undefined && expected !== sha256) throw changed(from);
	await mkdir(folder).catch(ignore('EEXIST'));
	const result = { from, sha256, bytes: Number(move.stats.size) };
	if (await isSameFolder(dirname(from), folder)) return { ...result, path: from, outcome: 'already-archived' };

	let copy: string | undefined;
	try {
		for (const name of numbered(basename(from))) {
			const path = join(folder, name);
			for (;;) {
				signal?.throwIfAborted();
				const present = await contentAt(path, move.stats.size, sha256, signal);
				if (present === 'other') break;
				if (present === 'same') {
					return { ...result, path, outcome: 'already-archived', ...(await removeSource(move, path)) };
				}
				const placed = await place(move, copy, path);
				if (placed === 'source-gone') return await findMoved(from, folder, sha256, signal);
				if (placed === 'moved') {
					return { ...result, path, outcome: 'moved', ...(await removeSource(move, path)) };
				}
				// Otherwise another archiver was faster at this name: look again at what stands there.
				if (placed === 'needs-copy') copy = await copyInto(move, sha256);
			}
		}
	} finally {
		if (copy !== undefined) await names.unlink(copy).catch(ignore('ENOENT'));
	}
	throw new LocalAiError('invalid-input', `No free name is left for "${basename(from)}" in "${folder}".`, {
		hint: 'Clear that folder of files with the same name.',
	});
}

/** What an earlier run, or another one at the same time, has moved already. */
async function findMoved(
	from: string,
	folder: string,
	sha256: string | undefined,
	signal: AbortSignal | undefined,
): Promise<ArchiveResult> {
	if (sha256 !== undefined) {
		for (const name of numbered(basename(from))) {
			const path = join(folder, name);
			const found = await openRegular(path).catch(ignore('ENOTDIR'));
			if (found === undefined) break;
			const same = await hashOf(found.file, signal).finally(() => found.file.close());
			if (same === sha256) return { path, from, outcome: 'already-archived', sha256, bytes: Number(found.stats.size) };
		}
	}
	throw new LocalAiError('invalid-input', `There is no file at "${from}".`, {
		hint: 'It may have been moved already; give its SHA-256 so that a repeated run can recognise it.',
	});
}

type Placed = 'moved' | 'taken' | 'needs-copy' | 'source-gone';

async function place(move: Move, copy: string | undefined, path: string): Promise<Placed> {
	// A file with a second name elsewhere could still be changed through it: the archive gets bytes of its own.
	if (copy === undefined && move.stats.nlink > 1n) return 'needs-copy';
	try {
		await move.names.link(copy ?? move.from, path);
	} catch (error) {
		const code = codeOf(error);
		if (code === 'EEXIST') return 'taken';
		if (code === 'ENOENT' && copy === undefined) return 'source-gone';
		// Another file system, one without links, or a file of another user, which Linux lets nobody else link.
		if (!['EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error;
		if (copy === undefined) return 'needs-copy';
		return await placeWithoutLinks(move, copy, path);
	}
	if (copy === undefined) await mustBeUnchanged(move, path);
	else await sync(move.folder);
	return 'moved';
}

/** The empty file that is made first belongs to nobody else, so renaming over it overwrites nothing. */
async function placeWithoutLinks({ names, folder }: Move, copy: string, path: string): Promise<Placed> {
	try {
		await (await open(path, 'wx')).close();
	} catch (error) {
		if (codeOf(error) === 'EEXIST') return 'taken';
		throw error;
	}
	await names.rename(copy, path);
	await sync(folder);
	return 'moved';
}

/** The name could have been given to another file, or the content have grown, while it was being read. */
async function mustBeUnchanged({ from, file, stats, names }: Move, path: string) {
	const [placed, now] = await Promise.all([lstat(path, { bigint: true }), file.stat({ bigint: true })]);
	if (isSameFile(placed, stats) && isUnchanged(now, stats)) return;
	await names.unlink(path);
	throw changed(from);
}

async function copyInto({ file, stats, from, folder, signal }: Move, sha256: string): Promise<string> {
	await clearLeftCopies(folder);
	const path = join(folder, `.${randomUUID()}.part`);
	const copy = await open(path, 'wx', Number(stats.mode) & 0o777);
	try {
		const hash = createHash('sha256');
		for await (const chunk of bytesOf(file, signal)) {
			hash.update(chunk);
			await copy.writeFile(chunk);
		}
		if (hash.digest('hex') !== sha256) throw changed(from);
		await copy.utimes(stats.atime, stats.mtime);
		await copy.sync();
		return path;
	} catch (error) {
		await unlink(path);
		throw error;
	} finally {
		await copy.close();
	}
}

const copyName = /^\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.part$/;
const leftAfterMs = 3_600_000;

/** What an archiver that was killed has left: a copy that nobody has written to for an hour, its source still there. */
async function clearLeftCopies(folder: string) {
	for (const name of await readdir(folder)) {
		if (!copyName.test(name)) continue;
		const path = join(folder, name);
		const left = await lstat(path).catch(ignore('ENOENT'));
		// The modification time is set to that of the source; this one no program can set back.
		if (left?.isFile() && Date.now() - left.ctimeMs > leftAfterMs) await unlink(path).catch(ignore('ENOENT'));
	}
}

/** What was written to the file since it was read, or came under its name, is not what stands at `path`, and stays. */
async function removeSource({ from, stats, names }: Move, path: string): Promise<{ newAtSource?: true }> {
	const now = await lstat(from, { bigint: true }).catch(ignore('ENOENT'));
	if (now === undefined) return {};
	if (isSameFile(now, stats) && isUnchanged(now, stats)) {
		await names.unlink(from).catch(ignore('ENOENT'));
		return {};
	}
	if (isSameFile(now, await lstat(path, { bigint: true }))) {
		// Two names of one file: what was read is nowhere any more.
		await names.unlink(path);
		throw changed(from);
	}
	return { newAtSource: true };
}

async function contentAt(
	path: string,
	size: bigint,
	sha256: string,
	signal: AbortSignal | undefined,
): Promise<'nothing' | 'same' | 'other'> {
	const entry = await lstat(path, { bigint: true }).catch(ignore('ENOENT'));
	if (entry === undefined) return 'nothing';
	if (!entry.isFile() || entry.size !== size) return 'other';
	const opened = await openRegular(path);
	if (opened === undefined) return 'nothing';
	const found = await hashOf(opened.file, signal).finally(() => opened.file.close());
	return found === sha256 ? 'same' : 'other';
}

/** Undefined where nothing is. Neither follows a link nor waits for the other end of a pipe. */
async function openRegular(path: string): Promise<Opened | undefined> {
	const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
	const file = await open(path, flags).catch(ignore('ENOENT'));
	if (file === undefined) return undefined;
	const stats = await file.stat({ bigint: true });
	if (stats.isFile()) return { file, stats };
	await file.close();
	throw new LocalAiError('invalid-input', `"${path}" is not a regular file.`, { hint: 'Only files can be archived.' });
}

async function hashOf(file: FileHandle, signal: AbortSignal | undefined): Promise<string> {
	const hash = createHash('sha256');
	for await (const chunk of bytesOf(file, signal)) hash.update(chunk);
	return hash.digest('hex');
}

/** The whole content from its start; each piece is good until the next one is asked for. */
async function* bytesOf(file: FileHandle, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
	const piece = Buffer.allocUnsafe(256 * 1024);
	for (let position = 0; ; ) {
		signal?.throwIfAborted();
		const { bytesRead } = await file.read(piece, 0, piece.length, position);
		if (bytesRead === 0) return;
		yield piece.subarray(0, bytesRead);
		position += bytesRead;
	}
}

async function sync(folder: string) {
	const handle = await open(folder);
	await handle.sync().finally(() => handle.close());
}

async function isSameFolder(a: string, b: string): Promise<boolean> {
	return isSameFile(await stat(a, { bigint: true }), await stat(b, { bigint: true }));
}

function isSameFile(a: BigIntStats, b: BigIntStats): boolean {
	return a.ino === b.ino && a.dev === b.dev;
}

function isUnchanged(a: BigIntStats, b: BigIntStats): boolean {
	return a.size === b.size && a.mtimeNs === b.mtimeNs;
}

const maxNameBytes = 255;
const maxNumber = 9999;

/** `a.pdf`, `a (2).pdf`, `a (3).pdf` and on, shortened at the end of the stem where a name would be too long. */
function* numbered(name: string): Generator<string> {
	yield name;
	const extension = extname(name);
	const stem = [...basename(name, extension)];
	for (let number = 2; number <= maxNumber; number++) {
		const ending = ` (${number})${extension}`;
		let kept = stem;
		while (Buffer.byteLength(kept.join('') + ending) > maxNameBytes) kept = kept.slice(0, -1);
		yield kept.join('') + ending;
	}
}

function changed(from: string) {
	return new LocalAiError('refused', `"${from}" is no longer the file that was read; it was left where it is.`, {
		hint: 'Extract it again, then archive it.',
	});
}

function asLocalAiError(error: unknown, from: string, folder: string, signal: AbortSignal | undefined): LocalAiError {
	if (error instanceof LocalAiError) return error;
	if (signal?.aborted) {
		return new LocalAiError('cancelled', `Archiving "${from}" was cancelled; it was left where it is.`, {
			hint: 'Run it again if it is still wanted.',
		});
	}
	const code = codeOf(error);
	switch (code) {
		case 'ELOOP':
			return new LocalAiError('refused', `"${from}" is a symbolic link.`, {
				hint: 'Give the path of the file itself.',
			});
		case 'ENOENT':
		case 'ENOTDIR':
			return new LocalAiError('configuration', `"${dirname(folder)}" or the folder of "${from}" does not exist.`, {
				hint: 'Create the folder, or correct its path.',
			});
		case 'EACCES':
		case 'EPERM':
		case 'EROFS':
			return new LocalAiError('configuration', `"${from}" may not be moved to "${folder}" (${code}).`, {
				hint: 'Give the user that runs n8n the right to write in both folders.',
			});
		case 'ENOSPC':
		case 'EDQUOT':
			return new LocalAiError('configuration', `There is no space left for "${from}" in "${folder}" (${code}).`, {
				hint: 'Free space there; the file was left where it is.',
			});
		default:
			return new LocalAiError('defect', `"${from}" could not be moved to "${folder}" (${code}).`, {
				hint: 'Report this with the code in brackets.',
				cause: error,
			});
	}
}

function codeOf(error: unknown): string {
	return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : String(error);
}

/** A handler that turns the named failure into nothing and lets every other one through. */
function ignore(code: string) {
	return (error: unknown): undefined => {
		if (codeOf(error) !== code) throw error;
	};
}
