import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
	closeSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { deflateSync } from 'node:zlib';

import { transformFileSync } from '@swc/core';
import { PDFDocument } from 'pdf-lib';

import { extract } from '../../../../nodes/OllamaExtract/extract';
import { closeIdleReaders, readPdfInProcess, whyTooOld } from '../../../../nodes/OllamaExtract/pdf/pdfPool';

const root = join(__dirname, '..', '..', '..', '..');
const nasty = join(root, '..', 'shared', 'corpus', 'pdf', 'nasty');

// Limits are tested where they are named; elsewhere a busy machine may take its time.
const patient = { timeoutMs: 60_000 };
jest.setTimeout(60_000);

afterAll(closeIdleReaders);

test('a PDF is read in a process of its own', async () => {
	const reading = await readPdfInProcess(await pageWith('Devis 2026-001'), patient);
	expect(reading).toMatchObject({ pageCount: 1, pagesRead: 1, warnings: [] });
	expect(reading.rows.map(({ cells }) => cells.map(({ text }) => text))).toEqual([['Devis 2026-001']]);
});

test('what the reader refuses arrives as the same typed error, and the process serves on', async () => {
	await expect(readPdfInProcess(Buffer.from('no PDF'), patient)).rejects.toMatchObject({
		name: 'LocalAiError',
		code: 'invalid-input',
		message: expect.stringMatching(/not a PDF/),
		hint: expect.any(String),
	});
	await expect(readPdfInProcess(await pageWith('après'), patient)).resolves.toMatchObject({ pageCount: 1 });
});

test('a document that takes too long ends with a time-out, and the next one is read', async () => {
	await expect(readPdfInProcess(slowPdf(), { timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
	await expect(readPdfInProcess(await pageWith('suivant'), patient)).resolves.toMatchObject({ pageCount: 1 });
});

test('a document that needs too much memory ends with a typed error, and the next one is read', async () => {
	await expect(readPdfInProcess(slowPdf(), { ...patient, memoryMiB: 1 })).rejects.toMatchObject({
		code: 'invalid-input',
		message: expect.stringMatching(/memory/),
	});
	await expect(readPdfInProcess(await pageWith('suivant'), patient)).resolves.toMatchObject({ pageCount: 1 });
});

test('cancelling ends the reading, before and while it runs', async () => {
	await expect(readPdfInProcess(slowPdf(), {}, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
	const controller = new AbortController();
	const reading = readPdfInProcess(slowPdf(), { timeoutMs: 60_000 }, controller.signal);
	controller.abort();
	await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
});

test('more documents than processes wait for their turn, and one of them can leave the queue', async () => {
	const controller = new AbortController();
	const names = Array.from({ length: 9 }, (_, index) => `devis ${index}`);
	const readings = names.map(async (name) => readPdfInProcess(await pageWith(name), patient));
	const leaving = readPdfInProcess(await pageWith('parti'), patient, controller.signal);
	controller.abort();
	await expect(leaving).rejects.toMatchObject({ code: 'cancelled' });
	const read = await Promise.all(readings);
	expect(read.map(({ rows }) => rows[0]!.cells[0]!.text)).toEqual(names);
});

const withProc = process.platform === 'linux' ? test : test.skip;

withProc('a process that another program kills is started once more, and the file is not blamed', async () => {
	const known = withoutIdleReaders();
	const reading = readPdfInProcess(await pageWith('devis'), patient);
	process.kill(await newReader(known), 'SIGKILL');
	await expect(reading).resolves.toMatchObject({ pagesRead: 1 });
});

withProc('killed a second time the reading is put off: overloaded, not invalid', async () => {
	const known = withoutIdleReaders();
	const reading = readPdfInProcess(slowPdf(), patient);
	const outcome = expect(reading).rejects.toMatchObject({
		code: 'overloaded',
		message: expect.stringMatching(/SIGKILL/),
	});
	const first = await newReader(known);
	process.kill(first, 'SIGKILL');
	process.kill(await newReader([...known, first]), 'SIGKILL');
	await outcome;
});

withProc('the end of its own heap or stack is the fault of the file', async () => {
	const known = withoutIdleReaders();
	const reading = readPdfInProcess(slowPdf(), patient);
	const outcome = expect(reading).rejects.toMatchObject({ code: 'invalid-input' });
	process.kill(await newReader(known), 'SIGABRT');
	await outcome;
});

withProc(
	'with all its open files used up the reading is put off: overloaded, and good again once some are free',
	async () => {
		withoutIdleReaders();
		const bytes = await pageWith('devis');
		const taken = takeAllDescriptors();
		const failure = await readPdfInProcess(bytes, patient)
			.catch((error: unknown) => error)
			.finally(() => taken.forEach((descriptor) => closeSync(descriptor)));
		expect(failure).toMatchObject({
			name: 'LocalAiError',
			code: 'overloaded',
			message: expect.stringMatching(/EMFILE/),
		});
		await expect(readPdfInProcess(bytes, patient)).resolves.toMatchObject({ pagesRead: 1 });
	},
);

test('who waits longest is next, before anybody who comes later', async () => {
	const order: string[] = [];
	const bytes = await pageWith('devis');
	const read = async (name: string) => readPdfInProcess(bytes, patient).then(() => order.push(name));
	const first = read('first').then(() => read('newcomer'));
	await Promise.all([first, read('second'), read('third'), read('fourth')]);
	// Two read at a time: the one that is read beside it may end after it.
	expect(order.indexOf('newcomer')).toBeGreaterThanOrEqual(3);
});

test.each(['20.20.2', '22.12.0', '24.1.0', '22.13.0'])('Node %s is told whether it is too old', (version) => {
	const tooOld = whyTooOld(version);
	if (version.startsWith('24') || version === '22.13.0') expect(tooOld).toBeNull();
	else expect(tooOld).toMatchObject({ code: 'configuration', message: expect.stringContaining(version) });
});

describe('a page that was not read among good ones', () => {
	const devisPage = ['DEVIS n° D-7', 'Total HT 100,00', 'Porte 2 50,00 100,00'];
	const drawing = Array.from({ length: 20 }, (_, at) => `${at} 0 m 90 ${at} l S`).join(' ');
	const image = 'q 200 0 0 200 50 50 cm BI /W 2 /H 2 /BPC 8 /CS /G ID abcd EI Q';

	test.each([
		['an unknown filter', stream('BT ET', '/Filter /Nonsense')],
		['a stream that is no Flate', stream('no zlib at all', '/Filter /FlateDecode')],
		['a picture alone', stream(image)],
		['a drawing alone', stream(drawing)],
	])('%s: it is named', async (_, second) => {
		const { unreadPages, warnings, pagesRead } = await readPdfInProcess(twoPages(devisPage, second), patient);
		expect(pagesRead).toBe(2);
		expect(unreadPages).toEqual([2]);
		expect(warnings).toEqual([expect.stringMatching(/^Page 2 could not be read: ./)]);
	});

	test.each([
		['a blank page', stream('')],
		['a blank page as browsers print it', stream('q .24 0 0 -.24 0 400 cm 1 1 1 rg 0 0 400 400 re f Q')],
		['text beside a picture', stream(`${image} BT /F 12 Tf 50 300 Td (Annexe) Tj ET`)],
	])('%s counts as read', async (_, second) => {
		const { unreadPages, warnings } = await readPdfInProcess(twoPages(devisPage, second), patient);
		expect({ unreadPages, warnings }).toEqual({ unreadPages: [], warnings: [] });
	});

	test('the document is for review, with the page in the reason', async () => {
		const bytes = twoPages(devisPage, stream(image));
		const { verdict, reasons } = await extract(
			{ bytes },
			{ schema: 'devis', engine: 'without-model', readTimeoutMs: 60_000 },
		);
		expect(verdict).not.toBe('complete');
		expect(reasons).toContainEqual({ code: 'partly-read', message: expect.stringMatching(/^Page 2 was not read/) });
	});
});

describe('measured from outside', () => {
	const built = mkdtempSync(join(tmpdir(), 'aurastack-reader-'));

	beforeAll(() => {
		for (const name of [
			'OllamaExtract/pdf/pdf',
			'OllamaExtract/pdf/appearances',
			'OllamaExtract/rows/layout',
			'OllamaExtract/rows/packed',
			'OllamaExtract/pdf/pdfPool',
			'OllamaExtract/pdf/pdfProcess',
			'OllamaExtract/pdf/inflate',
			'shared/errors',
		]) {
			const { code } = transformFileSync(join(root, 'nodes', `${name}.ts`), {
				jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
				module: { type: 'commonjs', ignoreDynamic: true },
			});
			mkdirSync(dirname(join(built, name)), { recursive: true });
			writeFileSync(join(built, `${name}.js`), code);
		}
		symlinkSync(join(root, 'node_modules'), join(built, 'node_modules'));
		writeFileSync(join(built, 'host.js'), hostProgram);
	});
	afterAll(() => rmSync(built, { recursive: true }));

	const hostile: Array<[name: string, make: () => Uint8Array]> = [
		['objects nested 100,000 deep', () => rawPdf(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
		['a page tree that contains itself', () => rawPdf('null', '/Kids [2 0 R] /Count 1')],
		['a page count that lies', () => rawPdf('null', '/Kids [3 0 R] /Count 100000000')],
		['a gigabyte of text behind a megabyte', () => contentPdf(bomb(1024))],
		['a million pieces of text', () => contentPdf(deflateSync(`BT /F 10 Tf ${'1 0 Td (a) Tj '.repeat(1_000_000)} ET`))],
		['random bytes behind a header', () => Buffer.concat([Buffer.from('%PDF-1.7\n'), pseudoRandom(200_000)])],
		['zeros', () => new Uint8Array(1_000_000)],
	];
	const corpus = existsSync(nasty) ? readdirSync(nasty) : [];
	if (corpus.length === 0) console.warn(`Skipped: no corpus of damaged PDFs at ${nasty}.`);

	const onLinux = process.platform === 'linux' ? test : test.skip;
	onLinux.each([
		...hostile.map(([name, make]) => [name, make] as const),
		...corpus.map((name) => [name, () => readFileSync(join(nasty, name))] as const),
	])(
		'%s: read or refused within 5 s and 400 MB',
		async (_, make) => {
			const file = join(built, 'document.pdf');
			writeFileSync(file, make());
			const { outcome, wallMs, peakBytes, noise } = await measured(join(built, 'host.js'), file);
			expect(outcome).toMatch(/^(read|invalid-input|timeout): /);
			expect(noise).toBe('');
			expect(wallMs).toBeLessThan(5000);
			expect(peakBytes).toBeLessThan(400_000_000);
		},
		30_000,
	);

	onLinux(
		'no secret of the host reaches the reading process',
		async () => {
			const file = join(built, 'document.pdf');
			writeFileSync(file, slowPdf());
			const { environments } = await measured(join(built, 'host.js'), file, { AURASTACK_SECRET: 'hunter2' });
			expect(environments.length).toBeGreaterThan(0);
			expect(environments.join('')).not.toContain('hunter2');
		},
		30_000,
	);

	onLinux('a host never has more than two of these processes, however much there is to read', async () => {
		const counts: number[] = [];
		const count = () => void counts.push(readersNow().length);
		const bytes = await pageWith('devis');
		await Promise.all(Array.from({ length: 6 }, async () => readPdfInProcess(bytes, patient).finally(count)));
		expect(Math.max(...counts)).toBe(2);
	});

	onLinux(
		'a host that has nothing more to do may end, though a process waits for work',
		async () => {
			const file = join(built, 'document.pdf');
			writeFileSync(file, await pageWith('fin'));
			const host = spawn(process.execPath, [join(built, 'host.js'), file], { stdio: ['ignore', 'ignore', 'inherit'] });
			const [code] = await once(host, 'exit');
			expect(code).toBe(0);
		},
		15_000,
	);
});

/** Reads one file, says what came of it, and ends by itself once its input is closed. */
const hostProgram = `
const { readPdfInProcess } = require('./OllamaExtract/pdf/pdfPool.js');
const start = performance.now();
readPdfInProcess(require('node:fs').readFileSync(process.argv[2]))
	.then(({ rows }) => 'read: ' + rows.length, (error) => error.code + ': ' + error.message)
	.then((outcome) => {
		process.stdout.write(JSON.stringify({ outcome, wallMs: performance.now() - start }) + '\\n');
		process.stdin.resume();
	});
`;

async function measured(program: string, file: string, env: NodeJS.ProcessEnv = {}) {
	const host = spawn(process.execPath, [program, file], {
		env: { ...process.env, ...env },
		stdio: ['pipe', 'pipe', 'pipe'],
	});
	const peaks = new Map<number, number>();
	const environments: string[] = [];
	const look = () => {
		for (const pid of [host.pid!, ...childrenOf(host.pid!)]) {
			peaks.set(pid, Math.max(peaks.get(pid) ?? 0, peakOf(pid)));
			if (pid !== host.pid) environments.push(environmentOf(pid));
		}
	};
	const watch = setInterval(look, 5);
	let noise = '';
	host.stderr.on('data', (chunk) => (noise += chunk));
	try {
		const [line] = await Promise.race([
			once(createInterface(host.stdout), 'line'),
			once(host, 'exit').then(() => Promise.reject(new Error(`The host ended without an answer: ${noise}`))),
		]);
		look();
		const { outcome, wallMs } = JSON.parse(line) as { outcome: string; wallMs: number };
		return {
			outcome,
			wallMs,
			peakBytes: [...peaks.values()].reduce((sum, peak) => sum + peak, 0),
			noise,
			environments,
		};
	} finally {
		clearInterval(watch);
		host.stdin.end();
		if (host.exitCode === null) await once(host, 'exit');
	}
}

function peakOf(pid: number): number {
	return Number(/^VmHWM:\s+(\d+) kB/m.exec(procFile(`${pid}/status`))?.[1] ?? 0) * 1024;
}

function environmentOf(pid: number): string {
	// Between fork and exec a child still shows its parent's environment.
	return procFile(`${pid}/cmdline`).includes('pdfProcess') ? procFile(`${pid}/environ`) : '';
}

function childrenOf(pid: number): number[] {
	return procFile(`${pid}/task/${pid}/children`)
		.split(' ')
		.filter((id) => id.trim() !== '')
		.map(Number);
}

function readersNow(): number[] {
	return childrenOf(process.pid).filter((pid) => procFile(`${pid}/cmdline`).includes('pdfProcess'));
}

/** Until this process may open no more. */
function takeAllDescriptors(): number[] {
	const taken: number[] = [];
	for (;;) {
		try {
			taken.push(openSync('/dev/null', 'r'));
		} catch {
			return taken;
		}
	}
}

/** Ends the readers that wait for work; gives those that may still be on their way out. */
function withoutIdleReaders(): number[] {
	closeIdleReaders();
	return readersNow();
}

/** The reading process that this one has started beside those that were known. */
async function newReader(known: readonly number[]): Promise<number> {
	for (;;) {
		const found = readersNow().find((pid) => !known.includes(pid));
		if (found !== undefined) return found;
		await new Promise((resolve) => setImmediate(resolve));
	}
}

function procFile(name: string): string {
	try {
		return readFileSync(join('/proc', name), 'utf8');
	} catch {
		// The process has ended meanwhile.
		return '';
	}
}

async function pageWith(text: string): Promise<Uint8Array> {
	const document = await PDFDocument.create();
	document.addPage([400, 400]).drawText(text, { x: 50, y: 300, size: 12 });
	return document.save();
}

/** Takes seconds: half a million positioned glyphs. */
function slowPdf(): Uint8Array {
	return contentPdf(deflateSync(`BT /F 10 Tf ${'1 0 Td (a) Tj 0 1 Td (b) Tj '.repeat(500_000)} ET`));
}

function rawPdf(extra: string, pages = '/Kids [3 0 R] /Count 1'): Uint8Array {
	return withObjects([
		'<</Type /Catalog /Pages 2 0 R>>',
		`<</Type /Pages ${pages}>>`,
		'<</Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] /Extra 4 0 R /Annots 4 0 R>>',
		extra,
	]);
}

/** A page with these lines, and one whose content is this object. */
function twoPages(lines: readonly string[], second: string): Uint8Array {
	const text = lines.map((line, at) => `1 0 0 1 50 ${350 - at * 20} Tm (${line}) Tj`).join(' ');
	const page = (contents: number) =>
		`<</Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] /Contents ${contents} 0 R /Resources <</Font <</F 7 0 R>>>>>>`;
	return withObjects([
		'<</Type /Catalog /Pages 2 0 R>>',
		'<</Type /Pages /Kids [3 0 R 4 0 R] /Count 2>>',
		page(5),
		page(6),
		stream(`BT /F 12 Tf ${text} ET`),
		second,
		'<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>',
	]);
}

function stream(content: string, entries = ''): string {
	return `<</Length ${content.length} ${entries}>>stream\n${content}\nendstream`;
}

function contentPdf(deflated: Uint8Array): Uint8Array {
	return withObjects([
		'<</Type /Catalog /Pages 2 0 R>>',
		'<</Type /Pages /Kids [3 0 R] /Count 1>>',
		'<</Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] /Contents 4 0 R /Resources <</Font <</F 5 0 R>>>>>>',
		Buffer.concat([
			Buffer.from(`<</Length ${deflated.length} /Filter /FlateDecode>>stream\n`),
			deflated,
			Buffer.from('\nendstream'),
		]),
		'<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>',
	]);
}

function withObjects(objects: Array<string | Uint8Array>): Uint8Array {
	const parts: Buffer[] = [Buffer.from('%PDF-1.4\n')];
	const offsets: number[] = [];
	for (const [index, object] of objects.entries()) {
		offsets.push(parts.reduce((sum, part) => sum + part.length, 0));
		parts.push(Buffer.from(`${index + 1} 0 obj\n`), Buffer.from(object), Buffer.from('\nendobj\n'));
	}
	const xref = parts.reduce((sum, part) => sum + part.length, 0);
	const entries = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
	const size = objects.length + 1;
	parts.push(
		Buffer.from(
			`xref\n0 ${size}\n0000000000 65535 f \n${entries}trailer<</Size ${size} /Root 1 0 R>>\nstartxref\n${xref}\n%%EOF`,
		),
	);
	return Buffer.concat(parts);
}

/** Deflated text that unpacks to this many megabytes of spaces. */
function bomb(megabytes: number): Uint8Array {
	return deflateSync(Buffer.alloc(megabytes * 1024 * 1024, ' '));
}

function pseudoRandom(length: number): Uint8Array {
	let state = 1;
	return Uint8Array.from({ length }, () => (state = (state * 48271) % 2147483647) & 0xff);
}
