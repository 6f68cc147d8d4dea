import { createHash } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, realpath, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { stillFiles, type Disk, type FileState, type FindRequest } from '../../../../nodes/OllamaExtract/files/inbox';

let folder: string;
const request = (changes: Partial<FindRequest> = {}): FindRequest => ({
	folder,
	stillMs: 0,
	extensions: ['.pdf'],
	withSha256: false,
	...changes,
});
const namesOf = (files: ReadonlyArray<{ fileName: string }>) => files.map(({ fileName }) => fileName);

beforeEach(async () => {
	folder = await realpath(await mkdtemp(join(tmpdir(), 'inbox-')));
});
afterEach(() => rm(folder, { recursive: true }));

describe('on a real folder', () => {
	test('PDF files are found whatever the case of their extension, accents and spaces included', async () => {
		for (const name of ['a.pdf', 'B.PDF', 'Devis été n° 3.Pdf']) await writeFile(join(folder, name), 'x');
		expect(namesOf(await stillFiles(request())).sort()).toEqual(['B.PDF', 'Devis été n° 3.Pdf', 'a.pdf'].sort());
	});

	test('hidden, unfinished and linked files, folders and other kinds are left out', async () => {
		await mkdir(join(folder, 'folder.pdf'));
		await writeFile(join(folder, 'folder.pdf', 'inside.pdf'), 'x');
		for (const name of ['.hidden.pdf', 'a.pdf.part', 'a.pdf.tmp', 'pdf', 'a.txt'])
			await writeFile(join(folder, name), 'x');
		await symlink('/etc/hostname', join(folder, 'link.pdf'));
		expect(await stillFiles(request())).toEqual([]);
	});

	test('the size, the time and on request the SHA-256 come with the path', async () => {
		await writeFile(join(folder, 'a.pdf'), 'content');
		await utimes(join(folder, 'a.pdf'), 0, 1_600_000_000);
		expect(await stillFiles(request({ withSha256: true }))).toEqual([
			{
				path: join(folder, 'a.pdf'),
				fileName: 'a.pdf',
				bytes: 7,
				modifiedAt: '2020-09-13T12:26:40.000Z',
				seenAt: expect.stringMatching(/^20.*Z$/),
				sha256: createHash('sha256').update('content').digest('hex'),
			},
		]);
	});

	test('one name can be asked for', async () => {
		for (const name of ['a.pdf', 'b.pdf']) await writeFile(join(folder, name), 'x');
		expect(namesOf(await stillFiles(request({ fileName: 'b.pdf' })))).toEqual(['b.pdf']);
		expect(await stillFiles(request({ fileName: 'gone.pdf' }))).toEqual([]);
	});

	test('a file that grows while it is watched is not taken', async () => {
		const path = join(folder, 'growing.pdf');
		await writeFile(path, 'half');
		const looking = stillFiles(request({ stillMs: 300 }));
		const growing = setInterval(() => void appendFile(path, 'more'), 20);
		expect(await looking).toEqual([]);
		clearInterval(growing);
	});

	test('a missing folder is a configuration error that names it', async () => {
		await expect(stillFiles(request({ folder: join(folder, 'none') }))).rejects.toMatchObject({
			code: 'configuration',
			message: expect.stringContaining('none'),
		});
	});
});

describe('how long a file must be still', () => {
	/** A disk whose clock moves only by waiting; `change` says what a file looks like at a time. */
	const simulated = (states: Record<string, (nowMs: number) => FileState | null>) => {
		let nowMs = 100_000;
		const disk: Disk & { waitedMs: number } = {
			waitedMs: 0,
			names: async () => Object.keys(states),
			state: async (path) => states[path.slice('/in/'.length)]!(nowMs),
			sha256: async () => 'hash',
			now: () => nowMs,
			wait: async (durationMs) => {
				nowMs += durationMs;
				disk.waitedMs += durationMs;
			},
		};
		return disk;
	};
	const changedAt =
		(changedMs: number, modifiedMs = changedMs) =>
		() => ({ isFile: true, bytes: 9, modifiedMs, changedMs });
	const find = (disk: Disk) =>
		stillFiles({ folder: '/in', stillMs: 2000, extensions: ['.pdf'], withSha256: false }, undefined, disk);

	test('what has been still long enough is taken without waiting, oldest first, and the rest is left', async () => {
		const disk = simulated({ 'new.pdf': changedAt(99_000), 'b.pdf': changedAt(98_000), 'a.pdf': changedAt(50_000) });
		expect(namesOf(await find(disk))).toEqual(['a.pdf', 'b.pdf']);
		expect(disk.waitedMs).toBe(0);
	});

	test('an old modification time kept by the copying program does not make a fresh copy ready', async () => {
		const disk = simulated({
			'copied.pdf': (nowMs) => ({ isFile: true, bytes: nowMs, modifiedMs: 1, changedMs: nowMs }),
		});
		expect(await find(disk)).toEqual([]);
		expect(disk.waitedMs).toBe(2000);
	});

	test('a file just finished is taken after one wait, also when the disk has a clock ahead of ours', async () => {
		const disk = simulated({ 'fresh.pdf': changedAt(99_500), 'ahead.pdf': changedAt(500_000) });
		const found = await find(disk);
		expect(namesOf(found)).toEqual(['fresh.pdf', 'ahead.pdf']);
		expect(disk.waitedMs).toBe(2000);
		expect(found.map(({ seenAt }) => Date.parse(seenAt))).toEqual([102_000, 102_000]);
	});

	test('a file that vanishes meanwhile is left out', async () => {
		const disk = simulated({ 'moved.pdf': (nowMs) => (nowMs > 100_000 ? null : changedAt(99_900)()) });
		expect(await find(disk)).toEqual([]);
	});

	test('waiting ends as cancelled when the execution is', async () => {
		await writeFile(join(folder, 'a.pdf'), 'x');
		const stop = new AbortController();
		const looking = stillFiles(request({ stillMs: 60_000 }), stop.signal);
		stop.abort();
		await expect(looking).rejects.toMatchObject({ code: 'cancelled' });
	});
});
