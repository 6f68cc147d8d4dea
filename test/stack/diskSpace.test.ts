import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freeBytesAt, isFullDisk, requireSpace, watchDiskSpace } from '../../stack/diskSpace.mts';

const megabyte = 1024 ** 2;
beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** What is said while free space takes these values, in MB, one a look. */
function saidOf(megabytes: number[]): string[] {
	const said: string[] = [];
	let at = 0;
	const end = watchDiskSpace('/home/stack', {
		say: (line) => said.push(line),
		everyMs: 5000,
		freeBytes: () => megabytes[Math.min(at++, megabytes.length - 1)]! * megabyte,
	});
	jest.advanceTimersByTime(5000 * megabytes.length);
	end();
	at = 0;
	jest.advanceTimersByTime(50_000);
	expect(at).toBe(0);
	return said;
}

test('space that runs out, is gone and comes back is told of in a line each', () => {
	expect(saidOf([5000, 300, 200, 150, 10, 0, 0, 4000, 4000])).toEqual([
		'Only 200 MB are left in /home/stack: free some space, n8n and PostgreSQL stop without any',
		'The disk of /home/stack is full: free at least 256 MB. Until then PDFs wait in devis/ and nothing is lost',
		'There is space again in /home/stack (4000 MB): the work goes on by itself',
	]);
});

test('space that swings around a limit is told of once', () => {
	expect(saidOf([15, 17, 15, 17, 100, 3])).toHaveLength(1);
	expect(saidOf([255, 200, 255])).toHaveLength(1);
});

test('a disk with room enough is not spoken of', () => {
	expect(saidOf([5000, 4000, 3000])).toEqual([]);
});

test('the space of a folder that is not there yet is that of its parent', () => {
	const folder = mkdtempSync(join(tmpdir(), 'space-'));
	expect(freeBytesAt(join(folder, 'not', 'there'))).toBeGreaterThan(0);
	rmSync(folder, { recursive: true });
});

test('a full disk and a used-up quota are told from other failures', () => {
	const coded = (code: string) => Object.assign(new Error(code), { code });
	expect(['ENOSPC', 'EDQUOT', 'EACCES'].map((code) => isFullDisk(coded(code)))).toEqual([true, true, false]);
	expect(isFullDisk(new Error('ENOSPC'))).toBe(false);
});

test('a start on a disk with less than it needs is refused with the space that there is', () => {
	expect(() => requireSpace('/home/stack', 300 * megabyte)).toThrow(
		expect.objectContaining({
			code: 'configuration',
			message: 'Only 300 MB are free for /home/stack; a running stack needs 1 GB.',
		}),
	);
	expect(() => requireSpace('/home/stack', 1024 * megabyte)).not.toThrow();
});
