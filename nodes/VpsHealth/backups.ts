import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalAiError } from '../shared/errors';
import type { BackupFacts } from './facts';

interface Backup {
	readonly name: string;
	readonly at: Date;
	readonly sizeBytes: number;
}

/**
 * The newest backup in a folder whose entries are one backup each, files or folders. Hidden and unfinished ones
 * (`.part`, `.tmp`) are none. Rejects with LocalAiError `configuration` when the folder cannot be read.
 */
export async function readBackups(folder: string): Promise<BackupFacts> {
	const backups = (await entries(folder)).sort((a, b) => b.at.getTime() - a.at.getTime());
	const [newest] = backups;
	const previous = backups.slice(1).find(({ name }) => newest !== undefined && kindOf(name) === kindOf(newest.name));
	return {
		folder,
		newest: newest ? { name: newest.name, at: newest.at.toISOString(), sizeBytes: newest.sizeBytes } : null,
		count: backups.length,
		previousSizeBytes: previous?.sizeBytes ?? null,
	};
}

async function entries(folder: string): Promise<Backup[]> {
	try {
		const names = (await readdir(folder)).filter((name) => !/^\.|\.(part|tmp)$/.test(name));
		return await Promise.all(
			names.map(async (name) => {
				const at = join(folder, name);
				const { mtime, size, isDirectory } = await status(at);
				return { name, at: mtime, sizeBytes: isDirectory ? await sizeBelow(at) : size };
			}),
		);
	} catch (error) {
		const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
		throw new LocalAiError('configuration', `The folder of backups ${folder} could not be read${code}.`, {
			hint: 'Check its path, and that it is mounted here and may be read.',
		});
	}
}

async function status(path: string) {
	const found = await stat(path);
	return { mtime: found.mtime, size: found.size, isDirectory: found.isDirectory() };
}

async function sizeBelow(folder: string): Promise<number> {
	const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
	const sizes = await Promise.all(files.map(({ parentPath, name }) => status(join(parentPath, name))));
	return sizes.reduce((sum, { size }) => sum + size, 0);
}

/** Backups of different things lie side by side and differ by their date only. */
const kindOf = (name: string) => name.replace(/\d+/g, '0');
