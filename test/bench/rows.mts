// Text with boxes and rows, side by side with other readers: time, peak memory, and how many invoice lines come out
// whole, that is with the beginning of their name and their total on one row.
//
// Every reader runs in a process of its own (two versions of pdf.js cannot share one) and is asked for the same file in
// turn, so that a busy moment of the machine hits all alike. Times are taken inside those processes, warm, from bytes in
// memory to result; `pdftotext` is a program, so its time is that of running it. "Ours" is timed twice: as shipped (the
// reading process that can be killed, messages included) and in one process, as the peers are.
import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import type { Row } from '../../nodes/OllamaExtract/rows/layout.ts';
import { families, makeDocument } from '../support/documents.ts';
import { intactShare } from './grading.ts';

const here = dirname(fileURLToPath(import.meta.url));
const corpus = join(here, '..', '..', '..', 'shared', 'corpus', 'pdf');
const repeats = 5;
const warmUps = 2;

const readers = {
	'ours, as shipped': oursAsShipped,
	'ours, one process': oursInOneProcess,
	'pdf-parse': pdfParse,
	unpdf,
	'pdftotext -layout': pdftotext,
	liteparse,
} as const;
type Reader = keyof typeof readers;
/** From bytes in memory to the lines of the page as this reader gives them; the file is the same, for programs. */
type Read = (bytes: Uint8Array, file: string) => Promise<string[]>;

interface Sample {
	readonly file: string;
	/** Documents of one issuer in one language, or made by one function, have one layout. */
	readonly layout: string;
	readonly source: 'corpus' | 'made';
	readonly french: boolean;
	readonly lines: ReadonlyArray<{ readonly name: string; readonly total: string }>;
}

interface Measured {
	readonly reader: Reader;
	/** By sample, in order: the best estimate of its time in ms, NaN where it failed, and the share of whole lines. */
	readonly times: number[];
	readonly intact: number[];
	/** Documents that the reader failed on, with its message: none of their lines is whole, and they have no time. */
	readonly failures: ReadonlyMap<string, string>;
	/** Processor time of a document, its helpers' included: what stays comparable on a busy machine. */
	readonly cpuMs: number;
	readonly peakBytes: number;
}

/** Title and one row a reader, as test/bench/bench.mts prints them. */
export async function measure(): Promise<{ title: string; rows: Array<Record<string, string | number>> }> {
	const { samples, measured, missing } = await measureRows();
	const shipped = measured.find(({ reader }) => reader === 'ours, as shipped')!;
	const rows = measured.map(({ reader, times, intact, failures, cpuMs, peakBytes }) => ({
		reader,
		'p50 ms': round(median(times.filter(Number.isFinite)), 1),
		'p95 ms': round(percentile(times.filter(Number.isFinite), 0.95), 1),
		'ours / it': round(median(shipped.times.map((time, index) => time / times[index]!).filter(Number.isFinite)), 2),
		'cpu ms': round(cpuMs, 1),
		'ours / it, cpu': round(shipped.cpuMs / cpuMs, 2),
		'peak MB': Math.round(peakBytes / 1e6),
		failed: failures.size,
		'rows FR %': share(samples, intact, ({ source, french }) => source === 'corpus' && french),
		'rows all %': share(samples, intact, ({ source }) => source === 'corpus'),
		'rows made %': share(samples, intact, ({ source }) => source === 'made'),
	}));
	const count = (source: Sample['source']) => samples.filter((sample) => sample.source === source).length;
	const notThere = missing.length > 0 ? `; not installed: ${missing.join(', ')}` : '';
	const failed = measured.flatMap(({ reader, failures }) =>
		[...failures].map(([file, message]) => `\n${reader} failed on ${basename(file)}: ${message}`),
	);
	return {
		title:
			`Text with boxes and rows: ${count('corpus')} real and ${count('made')} made documents, ${repeats} interleaved ` +
			`repeats; rows whole of all that are printed, mean of layouts${notThere}${failed.join('')}`,
		rows,
	};
}

/** The figures behind the table. `missing` names the readers that this machine does not have. */
export async function measureRows(): Promise<{ samples: Sample[]; measured: Measured[]; missing: Reader[] }> {
	installPeers();
	const folder = mkdtempSync(join(tmpdir(), 'aurastack-bench-'));
	const processes = new Map<Reader, ChildProcess>();
	const ends = new Map<Reader, Promise<never>>();
	try {
		const samples = [...corpusSamples(), ...(await madeSamples(folder))];
		const missing: Reader[] = [];
		for (const reader of Object.keys(readers) as Reader[]) {
			if (reader === 'pdftotext -layout' && !hasPdftotext()) {
				missing.push(reader);
				continue;
			}
			const process = fork(fileURLToPath(import.meta.url), [reader], { execArgv: ['--no-warnings'], silent: true });
			processes.set(reader, process);
			ends.set(reader, endOf(reader, process));
		}
		const times = new Map([...processes.keys()].map((reader) => [reader, samples.map((): number[] => [])]));
		const intact = new Map([...processes.keys()].map((reader) => [reader, samples.map(() => 0)]));
		const failures = new Map([...processes.keys()].map((reader) => [reader, new Map<string, string>()]));
		const order = [...processes.keys()];
		const cpuBefore = new Map<Reader, number>();
		for (let turn = 0; turn < warmUps + repeats; turn++) {
			if (turn === warmUps) for (const [reader, { pid }] of processes) cpuBefore.set(reader, cpuMsOf(pid!));
			for (const [index, sample] of samples.entries()) {
				order.push(order.shift()!);
				for (const reader of order) {
					const { ms, lines, error } = await ask(processes.get(reader)!, ends.get(reader)!, sample.file);
					if (error !== undefined) {
						failures.get(reader)!.set(sample.file, error);
						intact.get(reader)![index] = 0;
					} else if (turn < warmUps) intact.get(reader)![index] = intactShare(sample.lines, lines);
					else times.get(reader)![index]!.push(ms);
				}
			}
		}
		const measured = [...processes].map(([reader, process]) => ({
			reader,
			times: times
				.get(reader)!
				.map((all, index) => (failures.get(reader)!.has(samples[index]!.file) ? NaN : median(all))),
			intact: intact.get(reader)!,
			failures: failures.get(reader)!,
			cpuMs: (cpuMsOf(process.pid!) - cpuBefore.get(reader)!) / repeats / samples.length,
			peakBytes: peakOf(process.pid!),
		}));
		return { samples, measured, missing };
	} finally {
		for (const process of processes.values()) process.disconnect();
		rmSync(folder, { recursive: true });
	}
}

// ---- readers, each in its own process

async function oursAsShipped(): Promise<Read> {
	const { readPdfInProcess } = ours<typeof import('../../nodes/OllamaExtract/pdf/pdfPool.ts')>('pdf/pdfPool');
	return async (bytes) => (await readPdfInProcess(bytes)).rows.map(lineOf);
}

async function oursInOneProcess(): Promise<Read> {
	const { readPdf } = ours<typeof import('../../nodes/OllamaExtract/pdf/pdf.ts')>('pdf/pdf');
	const { rowsOf } = ours<typeof import('../../nodes/OllamaExtract/rows/layout.ts')>('rows/layout');
	ours<typeof import('../../nodes/OllamaExtract/pdf/inflate.ts')>('pdf/inflate').inflateInOneCall();
	return async (bytes) => (await readPdf(bytes)).pages.flatMap(rowsOf).map(lineOf);
}

async function pdfParse(): Promise<Read> {
	const { PDFParse } = peer<{ PDFParse: new (o: object) => { getText(): Promise<{ text: string }>; destroy(): Promise<void> } }>('pdf-parse');
	return async (bytes) => {
		const parser = new PDFParse({ data: new Uint8Array(bytes) });
		const { text } = await parser.getText();
		await parser.destroy();
		return text.split('\n');
	};
}

async function unpdf(): Promise<Read> {
	const entry = pathToFileURL(join(here, 'node_modules', 'unpdf', 'dist', 'index.mjs')).href;
	const { extractText } = (await import(entry)) as { extractText(data: Uint8Array): Promise<{ text: string[] }> };
	return async (bytes) => (await extractText(new Uint8Array(bytes))).text.flatMap((page) => page.split('\n'));
}

async function pdftotext(): Promise<Read> {
	return async (_, file) => execFileSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' }).split('\n');
}

async function liteparse(): Promise<Read> {
	const { LiteParse } = peer<{ LiteParse: new (o: object) => { parse(data: Buffer): Promise<{ text: string }> } }>('@llamaindex/liteparse');
	const parser = new LiteParse({ ocrEnabled: false, outputFormat: 'text', quiet: true });
	return async (bytes) => (await parser.parse(Buffer.from(bytes))).text.split('\n');
}

function ours<Module>(name: string): Module {
	return createRequire(import.meta.url)(`../../dist/nodes/OllamaExtract/${name}.js`) as Module;
}

function peer<Module>(name: string): Module {
	return createRequire(import.meta.url)(name) as Module;
}

function lineOf({ cells }: Row): string {
	return cells.map(({ text }) => text).join('  ');
}

async function serve(reader: Reader): Promise<void> {
	const read = await readers[reader]();
	process.on('disconnect', () => process.exit());
	process.on('message', async (file: string) => {
		const bytes = new Uint8Array(readFileSync(file));
		const start = performance.now();
		const answer = await read(bytes, file).then(
			(lines) => ({ lines }),
			(error: unknown) => ({ lines: [], error: String(error) }),
		);
		process.send!({ ms: performance.now() - start, ...answer });
	});
}

interface Answer {
	readonly ms: number;
	readonly lines: string[];
	/** Set where the reader failed. */
	readonly error?: string;
}

async function ask(reader: ChildProcess, end: Promise<never>, file: string): Promise<Answer> {
	const answer = once(reader, 'message');
	reader.send(file);
	const [message] = await Promise.race([answer, end]);
	return message as Answer;
}

/** Rejects when the process of a reader ends: one promise for all of its documents. */
function endOf(reader: Reader, process: ChildProcess): Promise<never> {
	const end = once(process, 'exit').then(([code]) => Promise.reject(new Error(`${reader} ended with ${code}.`)));
	// At the end of the measuring nobody waits for it any more.
	end.catch(() => {});
	return end;
}

// ---- what is read, and what is true of it

function corpusSamples(): Sample[] {
	const manifest = join(corpus, 'manifest.json');
	if (!existsSync(manifest)) return [];
	const { entries } = JSON.parse(readFileSync(manifest, 'utf8')) as { entries: { facturx: Entry[] } };
	return entries.facturx.map(({ file, lang, ground_truth: truth }) => ({
		file: join(corpus, file),
		layout: `${lang} ${truth.seller.name}`,
		source: 'corpus',
		french: lang === 'fr',
		lines: truth.lines.flatMap(({ name, line_total: total }) => (name && total ? [{ name, total }] : [])),
	}));
}

interface Entry {
	file: string;
	lang: string;
	ground_truth: { seller: { name: string }; lines: Array<{ name: string | null; line_total: string | null }> };
}

async function madeSamples(folder: string): Promise<Sample[]> {
	const made = await Promise.all(families.map((family) => makeDocument(family)));
	return made.map(({ family, language, truth, bytes }, index) => {
		const file = join(folder, `${index}.pdf`);
		writeFileSync(file, bytes);
		const lines = truth.lines.flatMap(({ description, total }) => (description && total ? [{ name: description, total }] : []));
		return { file, layout: family, source: 'made', french: language === 'fr', lines };
	});
}

function share(samples: readonly Sample[], intact: readonly number[], wanted: (sample: Sample) => boolean): number | string {
	const layouts = new Map<string, number[]>();
	for (const [index, sample] of samples.entries()) {
		if (wanted(sample)) layouts.set(sample.layout, [...(layouts.get(sample.layout) ?? []), intact[index]!]);
	}
	if (layouts.size === 0) return 'no corpus';
	return round(mean([...layouts.values()].map(mean)) * 100, 1);
}

// ---- the machine

function installPeers(): void {
	if (existsSync(join(here, 'node_modules', 'unpdf'))) return;
	execFileSync('npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', here], { stdio: 'inherit' });
}

function hasPdftotext(): boolean {
	try {
		execFileSync('pdftotext', ['-v'], { stdio: 'ignore' });
		return true;
	} catch {
		return false;
	}
}

/** The highest resident size of a process and of those that it started, in bytes; 0 where the system does not say. */
function peakOf(pid: number): number {
	try {
		const own = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
		return childrenOf(pid).reduce((sum, child) => sum + peakOf(child), own);
	} catch {
		return 0;
	}
}

/** Processor time of a process, its ended children and its living ones (proc(5): utime to cstime, in hundredths of a second). */
function cpuMsOf(pid: number): number {
	try {
		const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
		const own = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * 10;
		return childrenOf(pid).reduce((sum, child) => sum + cpuMsOf(child), own);
	} catch {
		return 0;
	}
}

function childrenOf(pid: number): number[] {
	return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter((id) => id.trim() !== '').map(Number);
}

function median(values: readonly number[]): number {
	return percentile(values, 0.5);
}

function percentile(values: readonly number[], part: number): number {
	return [...values].sort((a, b) => a - b)[Math.min(Math.floor(values.length * part), values.length - 1)] ?? NaN;
}

function mean(values: readonly number[]): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function round(value: number, digits: number): number {
	return Number(value.toFixed(digits));
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send) await serve(process.argv[2] as Reader);
