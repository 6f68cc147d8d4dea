import { lstat, readdir, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';

/** Where a path leads once every symbolic link is followed; null when that cannot be said for sure. */
export type ResolvePath = (path: string) => Promise<string | null>;

/** Why a text is no plain absolute path, whatever is on the disk; null when it is one. */
export function pathFault(path: string): string | null {
	if (/[\p{Cc}\p{Cs}]/u.test(path)) return 'has a control character';
	if (!isAbsolute(path)) return 'is not absolute';
	if (path.split('/').includes('..')) return 'has ".." in it';
	// Servers are known to trim these, and would then open another file than the one that was looked at.
	if (/^[\s"']|[\s"']$/.test(path)) return 'begins or ends with a space or a quotation mark';
	// PATH_MAX and NAME_MAX of Linux.
	if (Buffer.byteLength(path) > 4095) return 'is longer than any path can be';
	if (path.split('/').some((name) => Buffer.byteLength(name) > 255)) return 'has a name longer than any can be';
	return null;
}

/** Whether a path is a folder or stands in it, both without links, "..", and trailing slashes. */
export function isWithin(folder: string, path: string): boolean {
	const [outer, inner] = [plain(folder), plain(path)];
	return inner === outer || inner.startsWith(outer === '/' ? '/' : `${outer}/`);
}

/**
 * Follows the links of a path on this machine's disk. Of a file that is not there yet, those of the folders that are.
 * Null for links that lead nowhere or in circles, folders that may not be looked into, and names that a server might
 * take for another one that differs in how its accents are written.
 */
export async function resolveOnDisk(path: string): Promise<string | null> {
	const target = plain(path);
	try {
		return await realpath(target);
	} catch (error) {
		if (codeOf(error) !== 'ENOENT' || target === '/' || (await isThere(target)) !== false) return null;
	}
	const folder = await resolveOnDisk(dirname(target));
	if (folder === null || (await hasEquivalent(folder, basename(target)))) return null;
	return join(folder, basename(target));
}

function plain(path: string): string {
	const normal = normalize(path);
	return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** Whether something stands there, be it a link that leads nowhere; undefined when that cannot be seen. */
async function isThere(path: string): Promise<boolean | undefined> {
	try {
		await lstat(path);
		return true;
	} catch (error) {
		return codeOf(error) === 'ENOENT' ? false : undefined;
	}
}

async function hasEquivalent(folder: string, name: string): Promise<boolean> {
	if (/^[\x20-\x7e]*$/.test(name)) return false;
	try {
		return (await readdir(folder)).some((other) => other.normalize('NFC') === name.normalize('NFC'));
	} catch (error) {
		return codeOf(error) !== 'ENOENT';
	}
}

function codeOf(error: unknown): unknown {
	return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
