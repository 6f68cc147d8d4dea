import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { LocalAiError } from '../nodes/shared/errors.ts';

/** How disk space is watched. */
export interface SpaceWatch {
	readonly say: (line: string) => void;
	readonly everyMs: number;
	/** Bytes that programs of this user may still write. */
	readonly freeBytes: () => number;
}

const neededBytes = 1024 ** 3;
const lowBytes = 256 * 1024 ** 2;
const fullBytes = 16 * 1024 ** 2;

/** Bytes that this user may still write at `path`, which need not be there yet. */
export function freeBytesAt(path: string): number {
	try {
		const { bavail, bsize } = statfsSync(path);
		return bavail * bsize;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
		return freeBytesAt(dirname(path));
	}
}

/** Throws `configuration` when less than a running stack needs is free for `home`, which need not be there yet. */
export function requireSpace(home: string, free = freeBytesAt(home)): void {
	if (free >= neededBytes) return;
	const megabytes = Math.floor(free / 1024 ** 2);
	throw new LocalAiError('configuration', `Only ${megabytes} MB are free for ${home}; a running stack needs 1 GB.`, {
		hint: 'Free some space, or set AURASTACK_HOME to a folder on a larger disk, then start again. Nothing was changed.',
	});
}

/** Whether a write failed for want of space. */
export function isFullDisk(error: unknown): boolean {
	return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * Says in one line each that space in `folder` runs out, that none is left, and that there is some again. Returns the
 * end of the watch.
 */
export function watchDiskSpace(folder: string, { say, everyMs, freeBytes }: SpaceWatch): () => void {
	let last: 'enough' | 'low' | 'full' = 'enough';
	const look = () => {
		const free = freeBytes();
		const megabytes = Math.floor(free / 1024 ** 2);
		// Told anew only when it gets worse, or when it is well again: numbers swing around a limit.
		const now = free < fullBytes ? 'full' : free < lowBytes ? (last === 'full' ? 'full' : 'low') : 'enough';
		if (now === last) return;
		last = now;
		switch (now) {
			case 'enough':
				return say(`There is space again in ${folder} (${megabytes} MB): the work goes on by itself`);
			case 'low':
				return say(`Only ${megabytes} MB are left in ${folder}: free some space, n8n and PostgreSQL stop without any`);
			case 'full':
				return say(
					`The disk of ${folder} is full: free at least ${lowBytes / 1024 ** 2} MB. Until then PDFs wait in devis/ and nothing is lost`,
				);
			default:
				now satisfies never;
		}
	};
	look();
	const timer = setInterval(look, everyMs);
	timer.unref();
	return () => clearInterval(timer);
}
