import { createHash } from 'node:crypto';
import {
	existsSync,
	linkSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	readdirSync,
	rmSync,
	statSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import { link, rename, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';

import { archiveFile, type Names } from '../../../../nodes/OllamaExtract/files/archive';

const names: Names = { link, unlink, rename };
const folders: string[] = [];
const newFolder = (parent = tmpdir()) => {
	folders.push(mkdtempSync(join(parent, 'aurastack-archive-')));
	return folders.at(-1)!;
};
const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');
/** Stops where a killed process would: the call before it was made, the call itself was not. */
const crashAt = (call: keyof Names): Names => ({ ...names, [call]: () => Promise.reject(new Error('killed')) });
const fails = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));

let inbox: string;
let folder: string;
const drop = (name: string, content: string) => {
	const path = join(inbox, name);
	writeFileSync(path, content);
	return path;
};
/** Everything under both folders, by content, so that nothing lost and nothing doubled can hide. */
const contents = () =>
	[inbox, folder]
		.filter((place) => existsSync(place))
		.flatMap((place) => readdirSync(place).map((name) => [name, readFileSync(join(place, name), 'utf8')]));

beforeEach(() => {
	inbox = newFolder();
	folder = join(newFolder(), 'processed');
});
afterEach(() => folders.splice(0).forEach((path) => rmSync(path, { recursive: true })));

test('the file moves into a folder that is made for it, and keeps its time', async () => {
	const from = drop('Devis été n° 4.pdf', 'one');
	utimesSync(from, new Date('2026-01-02T03:04:05Z'), new Date('2026-01-02T03:04:05Z'));
	const result = await archiveFile({ from, folder });
	const path = join(folder, 'Devis été n° 4.pdf');
	expect(result).toEqual({ path, from, outcome: 'moved', sha256: sha256('one'), bytes: 3 });
	expect(statSync(path).mtime.toISOString()).toBe('2026-01-02T03:04:05.000Z');
	expect(contents()).toEqual([['Devis été n° 4.pdf', 'one']]);
});

test('a taken name is never overwritten', async () => {
	mkdirSync(folder);
	writeFileSync(join(folder, 'a.pdf'), 'other');
	mkdirSync(join(folder, 'a (2).pdf'));
	symlinkSync('/nowhere', join(folder, 'a (3).pdf'));
	const { path } = await archiveFile({ from: drop('a.pdf', 'mine'), folder });
	expect(basename(path)).toBe('a (4).pdf');
	expect(readFileSync(join(folder, 'a.pdf'), 'utf8')).toBe('other');
});

test('the same content under the same name is there once', async () => {
	await archiveFile({ from: drop('a.pdf', 'one'), folder });
	const { outcome } = await archiveFile({ from: drop('a.pdf', 'one'), folder });
	expect(outcome).toBe('already-archived');
	expect(contents()).toEqual([['a.pdf', 'one']]);
});

test('a repeat whose source is gone finds what was moved, by its SHA-256 alone', async () => {
	const from = drop('a.pdf', 'one');
	const { path } = await archiveFile({ from, folder });
	await expect(archiveFile({ from, folder, sha256: sha256('one').toUpperCase() })).resolves.toMatchObject({
		outcome: 'already-archived',
		path,
	});
	await expect(archiveFile({ from, folder })).rejects.toMatchObject({ code: 'invalid-input' });
	await expect(archiveFile({ from, folder, sha256: sha256('two') })).rejects.toMatchObject({ code: 'invalid-input' });
});

test('a file that is no longer the one that was read stays where it is', async () => {
	const from = drop('a.pdf', 'new content');
	await expect(archiveFile({ from, folder, sha256: sha256('old content') })).rejects.toMatchObject({ code: 'refused' });
	expect(contents()).toEqual([['a.pdf', 'new content']]);
});

test.each(['content', 'whole file'])(
	'a %s that changes while it is being moved is not taken for the one that was read',
	async (kind) => {
		const from = drop('a.pdf', 'read');
		const change = () => {
			if (kind === 'whole file') rmSync(from);
			writeFileSync(from, 'written since');
		};
		const late: Names = { ...names, link: async (a, b) => (change(), link(a, b)) };
		await expect(archiveFile({ from, folder }, undefined, late)).rejects.toMatchObject({ code: 'refused' });
		expect(contents()).toEqual([['a.pdf', 'written since']]);
	},
);

test('a new file under the same name, come while the old one was moved, is left alone', async () => {
	const from = drop('a.pdf', 'old');
	const late: Names = {
		...names,
		link: async (a, b) => {
			await link(a, b);
			rmSync(from);
			writeFileSync(from, 'new');
		},
	};
	await expect(archiveFile({ from, folder }, undefined, late)).resolves.toMatchObject({
		outcome: 'moved',
		newAtSource: true,
	});
	expect(contents()).toEqual([
		['a.pdf', 'new'],
		['a.pdf', 'old'],
	]);
});

test('a crash between the two names is finished by a repeat', async () => {
	const from = drop('a.pdf', 'one');
	await expect(archiveFile({ from, folder }, undefined, crashAt('unlink'))).rejects.toThrow();
	expect(contents()).toEqual([
		['a.pdf', 'one'],
		['a.pdf', 'one'],
	]);
	await archiveFile({ from, folder });
	expect(contents()).toEqual([['a.pdf', 'one']]);
});

test('of many archivers of one file exactly one moves it, and all name the same place', async () => {
	const from = drop('a.pdf', 'x'.repeat(100_000));
	const expected = sha256('x'.repeat(100_000));
	const results = await Promise.all(Array.from({ length: 20 }, () => archiveFile({ from, folder, sha256: expected })));
	expect(results.filter(({ outcome }) => outcome === 'moved')).toHaveLength(1);
	expect(new Set(results.map(({ path }) => path))).toEqual(new Set([join(folder, 'a.pdf')]));
	expect(readdirSync(folder)).toEqual(['a.pdf']);
});

test('many different files of one name all arrive', async () => {
	const all = Array.from({ length: 12 }, (_, i) => `content ${i}`);
	const sources = all.map((content) => {
		const path = join(newFolder(), 'devis.pdf');
		writeFileSync(path, content);
		return path;
	});
	await Promise.all(sources.map((from) => archiveFile({ from, folder })));
	expect(
		contents()
			.map(([, content]) => content)
			.sort(),
	).toEqual(all.sort());
});

test('a file that is in its folder already stays, also when the folder has two paths', async () => {
	const from = drop('a.pdf', 'one');
	const detour = join(newFolder(), 'detour');
	symlinkSync(inbox, detour);
	for (const target of [inbox, detour]) {
		await expect(archiveFile({ from, folder: target })).resolves.toMatchObject({
			outcome: 'already-archived',
			path: from,
		});
	}
	expect(contents()).toEqual([['a.pdf', 'one']]);
});

test('a folder, a symbolic link and a pipe are refused at once', async () => {
	mkdirSync(join(inbox, 'folder.pdf'));
	symlinkSync(drop('real.pdf', 'one'), join(inbox, 'link.pdf'));
	execFileSync('mkfifo', [join(inbox, 'pipe.pdf')]);
	for (const [name, code] of [
		['folder.pdf', 'invalid-input'],
		['link.pdf', 'refused'],
		['pipe.pdf', 'invalid-input'],
	]) {
		await expect(archiveFile({ from: join(inbox, name!), folder })).rejects.toMatchObject({ code });
	}
	expect(existsSync(folder)).toBe(false);
});

test('an archived file cannot be changed through a second name of its source', async () => {
	const from = drop('a.pdf', 'one');
	linkSync(from, join(inbox, 'second'));
	const { path } = await archiveFile({ from, folder });
	writeFileSync(join(inbox, 'second'), 'changed');
	expect(readFileSync(path, 'utf8')).toBe('one');
});

test('a folder whose parent is not there says which', async () => {
	const missing = join(inbox, 'no', 'such');
	await expect(archiveFile({ from: drop('a.pdf', 'one'), folder: missing })).rejects.toMatchObject({
		code: 'configuration',
		message: expect.stringContaining(join(inbox, 'no')),
	});
});

test('a cancelled move leaves the file', async () => {
	const from = drop('a.pdf', 'one');
	await expect(archiveFile({ from, folder }, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
	expect(contents()).toEqual([['a.pdf', 'one']]);
});

test.each([
	['EACCES', 'configuration'],
	['ENOSPC', 'configuration'],
	['EIO', 'defect'],
])('%s names both ends and the cause, and leaves the file', async (failure, code) => {
	const from = drop('a.pdf', 'one');
	const broken: Names = {
		...names,
		link: fails('EXDEV'),
		...(failure === 'EACCES' ? { unlink: fails('EACCES') } : { link: fails(failure) }),
	};
	await expect(archiveFile({ from, folder }, undefined, broken)).rejects.toMatchObject({
		code,
		message: expect.stringMatching(new RegExp(`a\\.pdf.*processed.*${failure}`)),
	});
	expect(readFileSync(from, 'utf8')).toBe('one');
});

describe.each([
	['another file system', fails('EXDEV')],
	['a file of another user, which Linux lets nobody else link', fails('EPERM')],
])('%s', (_, refusal) => {
	const linkOnlyCopies = (): Names => ({ ...names, link: (a, b) => (a.endsWith('.part') ? link(a, b) : refusal()) });

	test('gets a copy with the same time, and nothing half written', async () => {
		const from = drop('a.pdf', 'one');
		utimesSync(from, 1_700_000_000, 1_700_000_000);
		const { path, outcome } = await archiveFile({ from, folder }, undefined, linkOnlyCopies());
		expect(outcome).toBe('moved');
		expect(statSync(path).mtimeMs).toBe(1_700_000_000_000);
		expect(contents()).toEqual([['a.pdf', 'one']]);
	});

	test.each(['NEW', 'longer than before'])(
		'what is written into the source after it was copied stays there: %s',
		async (written) => {
			const from = drop('a.pdf', 'old');
			utimesSync(from, 1_700_000_000, 1_700_000_000);
			const late: Names = {
				...names,
				link: async (a, b) => {
					await linkOnlyCopies().link(a, b);
					writeFileSync(from, written);
				},
			};
			await expect(archiveFile({ from, folder }, undefined, late)).resolves.toMatchObject({
				path: join(folder, 'a.pdf'),
				sha256: sha256('old'),
				newAtSource: true,
			});
			expect(contents()).toEqual([
				['a.pdf', written],
				['a.pdf', 'old'],
			]);
		},
	);

	test('copies that a killed archiver left an hour ago are cleared, and nothing else', async () => {
		mkdirSync(folder);
		const copy = '.0b6b7d4e-6b0c-4f0e-9d51-0d5f3a1c2e77.part';
		const others = ['.part', `x${copy}`, '.not-an-id.part', 'loading.part'];
		for (const name of [copy, ...others]) writeFileSync(join(folder, name), 'half');
		mkdirSync(join(folder, copy.replace('0b', '0c')));

		await archiveFile({ from: drop('a.pdf', 'one'), folder }, undefined, linkOnlyCopies());
		expect(readdirSync(folder)).toContain(copy);

		jest.useFakeTimers({ now: Date.now() + 3_700_000, doNotFake: ['nextTick', 'setImmediate', 'setTimeout'] });
		try {
			await archiveFile({ from: drop('b.pdf', 'two'), folder }, undefined, linkOnlyCopies());
		} finally {
			jest.useRealTimers();
		}
		expect(readdirSync(folder).sort()).toEqual([...others, copy.replace('0b', '0c'), 'a.pdf', 'b.pdf'].sort());
	});

	test('a crash before the source is removed is finished by a repeat', async () => {
		const from = drop('a.pdf', 'one');
		const killed: Names = {
			...linkOnlyCopies(),
			unlink: (path) => (path === from ? Promise.reject(new Error('killed')) : unlink(path)),
		};
		await expect(archiveFile({ from, folder }, undefined, killed)).rejects.toThrow();
		await archiveFile({ from, folder }, undefined, linkOnlyCopies());
		expect(contents()).toEqual([['a.pdf', 'one']]);
	});

	test('of many archivers exactly one moves it', async () => {
		const from = drop('a.pdf', 'one');
		const request = { from, folder, sha256: sha256('one') };
		const results = await Promise.all(
			Array.from({ length: 10 }, () => archiveFile(request, undefined, linkOnlyCopies())),
		);
		expect(results.filter(({ outcome }) => outcome === 'moved')).toHaveLength(1);
		expect(contents()).toEqual([['a.pdf', 'one']]);
	});
});

test('a file system without links takes the file by renaming over a name of its own', async () => {
	mkdirSync(folder);
	writeFileSync(join(folder, 'a.pdf'), 'other');
	const noLinks: Names = { ...names, link: fails('ENOTSUP') };
	const { path } = await archiveFile({ from: drop('a.pdf', 'mine'), folder }, undefined, noLinks);
	expect(basename(path)).toBe('a (2).pdf');
	expect(contents()).toEqual([
		['a (2).pdf', 'mine'],
		['a.pdf', 'other'],
	]);
});

const otherFileSystem = ['/dev/shm', '/run'].find((path) => {
	try {
		rmSync(mkdtempSync(join(path, 'aurastack-')), { recursive: true });
		return statSync(path).dev !== statSync(tmpdir()).dev;
	} catch {
		return false;
	}
});
(otherFileSystem ? test : test.skip)('across two real file systems', async () => {
	folder = newFolder(otherFileSystem);
	const from = drop('a.pdf', 'x'.repeat(300_000));
	await archiveFile({ from, folder });
	expect(contents()).toEqual([['a.pdf', 'x'.repeat(300_000)]]);
});

test('any name that a folder can hold arrives, numbered within the limit of 255 bytes', async () => {
	const part = fc.stringMatching(/^[a-zA-Zéà°'\u00df\u4e2d\u{1F600} ()-]{1,80}$/u);
	await fc.assert(
		fc.asyncProperty(
			fc.array(part, { minLength: 1, maxLength: 3 }),
			fc.constantFrom('.pdf', '.PDF', ''),
			async (parts, extension) => {
				let name = parts.join('');
				while (Buffer.byteLength(name + extension) > 255) name = [...name].slice(0, -1).join('');
				inbox = newFolder();
				folder = newFolder();
				for (const content of ['one', 'two', 'three'])
					await archiveFile({ from: drop(name + extension, content), folder });
				const arrived = readdirSync(folder);
				expect(arrived).toHaveLength(3);
				expect(arrived).toContain(name + extension);
				expect(arrived.every((one) => one.endsWith(extension))).toBe(true);
			},
		),
		{ numRuns: 60 },
	);
});
