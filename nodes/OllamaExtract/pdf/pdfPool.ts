// A parser that hangs or swells can only be stopped from outside: a time-out cannot interrupt synchronous code, and a
// worker thread shares the memory of n8n. Hence a process, started from the own file of this package with fixed arguments.
//
// Every process of n8n (main, each worker) has a pool of its own: at most two readers, each started when it is needed,
// which end half a minute after their last document, or with their host, and never keep that alive.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { LocalAiError, type LocalAiErrorCode } from '../../shared/errors';
import type { Row } from '../rows/layout';
import { unpackedRows, type PackedRows } from '../rows/packed';
import type { PdfContents } from './pdf';

export interface ReadRequest {
	readonly bytes: Uint8Array;
	readonly password?: string;
	readonly maxPages?: number;
	/** When, by the clock that all processes share, to leave further pages out: what was read must arrive in time. */
	readonly stopAt: number;
	readonly stopAboveBytes: number;
}

/** What the reading process answers: pages while there are many, then one `done` with the last of them, or `error`. */
export type ReadAnswer =
	| { readonly kind: 'pages'; readonly pages: readonly PackedRows[] }
	| ({ readonly kind: 'done'; readonly pages: readonly PackedRows[] } & Omit<PdfContents, 'pages'>)
	| { readonly kind: 'error'; readonly code: LocalAiErrorCode; readonly message: string; readonly hint: string };

export interface ReadLimits {
	/** Wall clock within which the caller is answered, from the moment it is the document's turn. Default 5000. */
	readonly timeoutMs?: number;
	/** This process's own 100 MiB or so and the reading process together. Default 400. */
	readonly memoryMiB?: number;
}

/** The rows of all pages in order; their runs stay behind in the reading process. */
export interface PdfReading extends Omit<PdfContents, 'pages'> {
	readonly rows: readonly Row[];
	readonly pagesRead: number;
}

const defaultTimeoutMs = 5000;
/** Parts of the time allowed: pages are left out after the one, and the process is ended after the other. */
const stopReading = 0.6;
const giveUp = 0.9;
const poolSize = 2;
const idleMs = 30_000;
const pollMs = 20;
/** What the parent needs beside the child: Node itself, the bytes, the answer. */
const parentMiB = 110;
/** A process that has grown beyond this would leave too little for its next document. */
const wornMiB = 230;
/**
 * V8 would collect its old space several times a second, from 35 MiB on. With more than 64 a process is soon worn.
 * The reading process clears up after each document by itself, which needs `gc` to be there.
 */
const heap = ['--max-old-space-size=224', '--initial-old-space-size=64', '--max-semi-space-size=16', '--expose-gc'];
const mebibyte = 1024 * 1024;
/** Signals that a process raises itself, at the end of its heap or stack. Any other one was sent by somebody else. */
const ownDeaths: ReadonlySet<NodeJS.Signals> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGSEGV', 'SIGBUS']);

interface Reader {
	readonly process: ChildProcess;
	idleTimer?: NodeJS.Timeout;
}

const idle: Reader[] = [];
const waiting: Array<() => void> = [];
let busy = 0;

/**
 * The rows of every page and what else `readPdf` gives, read in a process of its own that is killed when it takes too long, swells, or
 * `signal` aborts; killed by another program, it is started once more. Rejects with LocalAiError: what `readPdf` rejects
 * with, `timeout`, `cancelled`, `overloaded` when it was killed twice or could not be started, or `configuration` when Node is too old.
 */
export async function readPdfInProcess(
	bytes: Uint8Array,
	options: { readonly password?: string; readonly maxPages?: number } & ReadLimits = {},
	signal?: AbortSignal,
): Promise<PdfReading> {
	const old = whyTooOld(process.versions.node);
	if (old !== null) throw old;
	await turn(signal);
	const start = performance.now();
	try {
		const used = idle.pop();
		try {
			return await readWith(used ?? (await startReader()), bytes, options, signal);
		} catch (error) {
			// Earlier documents may have left too little room, or another program has killed it: a new process decides.
			const again = error instanceof KilledError || (error instanceof SwollenError && used !== undefined);
			if (!again) throw error;
			const timeoutMs = Math.max((options.timeoutMs ?? defaultTimeoutMs) - (performance.now() - start), 1);
			return await readWith(await startReader(), bytes, { ...options, timeoutMs }, signal);
		}
	} catch (error) {
		throw error instanceof SwollenError || error instanceof KilledError ? error.cause : error;
	} finally {
		passTurn();
	}
}

/** The error for a version of Node (`22.12.0`) that pdf.js does not run on; null for one that it does. */
export function whyTooOld(version: string): LocalAiError | null {
	const [major = 0, minor = 0] = version.split('.').map(Number);
	if (major > 22 || (major === 22 && minor >= 13)) return null;
	return new LocalAiError('configuration', `Node ${version} is too old to read a PDF: 22.13 or later is needed.`, {
		hint: 'Run n8n on Node 24.',
	});
}

/** One document in one process, which rests afterwards or, when anything but a plain answer came of it, is killed. */
async function readWith(
	reader: Reader,
	bytes: Uint8Array,
	options: { readonly password?: string; readonly maxPages?: number } & ReadLimits,
	signal: AbortSignal | undefined,
): Promise<PdfReading> {
	clearTimeout(reader.idleTimer);
	try {
		const reading = await converse(reader, bytes, options, signal);
		rest(reader);
		return reading;
	} catch (error) {
		if (error instanceof AnsweredError) {
			rest(reader);
			throw error.answer;
		}
		reader.process.kill('SIGKILL');
		throw error;
	}
}

/** Ends the reading processes that wait for work; documents being read are not touched. */
export function closeIdleReaders(): void {
	for (const reader of idle.splice(0)) end(reader);
}

/** The document was refused by a healthy process, which may serve again. */
class AnsweredError extends Error {
	constructor(readonly answer: LocalAiError) {
		super(answer.message);
	}
}

/** The process outgrew the memory allowed; the cause is what the caller is told. */
class SwollenError extends Error {
	constructor(override readonly cause: LocalAiError) {
		super(cause.message);
	}
}

/** The process was ended by another program, most likely for want of memory; the cause is what the caller is told. */
class KilledError extends Error {
	constructor(override readonly cause: LocalAiError) {
		super(cause.message);
	}
}

async function turn(signal: AbortSignal | undefined): Promise<void> {
	if (signal?.aborted) throw cancelled();
	if (busy < poolSize) {
		busy++;
		return;
	}
	await new Promise<void>((resolve, reject) => {
		const give = () => {
			signal?.removeEventListener('abort', leave);
			resolve();
		};
		const leave = () => {
			waiting.splice(waiting.indexOf(give), 1);
			reject(cancelled());
		};
		waiting.push(give);
		signal?.addEventListener('abort', leave, { once: true });
	});
}

/** Hands the place over to who waits longest: it never stands open for a newcomer while somebody waits. */
function passTurn(): void {
	const next = waiting.shift();
	if (next === undefined) busy--;
	else next();
}

async function startReader(): Promise<Reader> {
	const process = forked();
	// Some reasons are thrown, others only told a moment later by a process that never began.
	if (process.pid === undefined) throw notStarted((await once(process, 'error'))[0]);
	const reader: Reader = { process };
	process.once('exit', () => {
		clearTimeout(reader.idleTimer);
		const index = idle.indexOf(reader);
		if (index !== -1) idle.splice(index, 1);
	});
	// An error without a listener would end the host; `converse` learns of the end through `exit`.
	process.on('error', () => process.kill('SIGKILL'));
	return reader;
}

function forked(): ChildProcess {
	try {
		return fork(join(__dirname, 'pdfProcess'), [], {
			env: {},
			execArgv: [...loaderHooks(), ...heap],
			serialization: 'advanced',
			stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
		});
	} catch (error) {
		throw notStarted(error);
	}
}

function notStarted(cause: unknown): LocalAiError {
	const why = cause instanceof Error ? cause.message : String(cause);
	return new LocalAiError('overloaded', `No process could be started to read the PDF (${why}).`, {
		hint: 'The machine ran short of open files, processes or memory: try again, or allow n8n more of them.',
		cause,
	});
}

/** The host's own `--require` and `--import` flags: whatever lets it load these sources, the child needs too. */
function loaderHooks(): string[] {
	return process.execArgv.flatMap((flag, index, flags) =>
		/^(-r|--require|--import)$/.test(flag)
			? [flag, flags[index + 1]!]
			: /^--(require|import)=/.test(flag)
				? [flag]
				: [],
	);
}

function converse(
	{ process: child }: Reader,
	bytes: Uint8Array,
	{
		password,
		maxPages,
		timeoutMs = defaultTimeoutMs,
		memoryMiB = 400,
	}: { password?: string; maxPages?: number } & ReadLimits,
	signal: AbortSignal | undefined,
): Promise<PdfReading> {
	return new Promise((resolve, reject) => {
		const rows: Row[] = [];
		let pagesRead = 0;
		const settle = (outcome: () => void) => {
			clearTimeout(deadline);
			clearInterval(watch);
			signal?.removeEventListener('abort', onAbort);
			child.off('message', onMessage).off('exit', onExit);
			outcome();
		};
		const fail = (error: Error) => settle(() => reject(error));
		const take = (pages: readonly PackedRows[]) => {
			pagesRead += pages.length;
			for (const page of pages) for (const row of unpackedRows(page)) rows.push(row);
		};
		const onMessage = (answer: ReadAnswer) => {
			switch (answer.kind) {
				case 'pages':
					return take(answer.pages);
				case 'done': {
					const { kind: _, pages, ...rest } = answer;
					take(pages);
					return settle(() => resolve({ rows, pagesRead, ...rest }));
				}
				case 'error':
					return fail(new AnsweredError(new LocalAiError(answer.code, answer.message, { hint: answer.hint })));
				default:
					answer satisfies never;
			}
		};
		const onExit = (code: number | null, killedBy: NodeJS.Signals | null) => {
			if (killedBy !== null && !ownDeaths.has(killedBy)) {
				const error = new LocalAiError('overloaded', `The process that read the PDF was killed (${killedBy}).`, {
					hint: 'The machine ran short of memory, most likely: try again, or give it more.',
				});
				return fail(new KilledError(error));
			}
			fail(
				new LocalAiError('invalid-input', `The process that read the PDF ended (${killedBy ?? `exit code ${code}`}).`, {
					hint: 'The file is damaged or needs more memory than allowed; ask its sender for it again, or raise the limit.',
				}),
			);
		};
		const onAbort = () => fail(cancelled());
		const deadline = setTimeout(
			() =>
				fail(
					new LocalAiError('timeout', `The PDF could not be read within ${timeoutMs} ms.`, {
						hint: 'Raise the time allowed for reading if the document is known to be good and very large.',
					}),
				),
			timeoutMs * giveUp,
		);
		const allowed = Math.max(memoryMiB - parentMiB, 1) * mebibyte;
		const watch = setInterval(() => {
			if (residentBytes(child.pid) > allowed) {
				const error = new LocalAiError('invalid-input', `Reading the PDF needs more than ${memoryMiB} MiB of memory.`, {
					hint: 'Raise the memory allowed for reading if the document is known to be good and very large.',
				});
				fail(new SwollenError(error));
			}
		}, pollMs);
		child.on('message', onMessage).on('exit', onExit);
		signal?.addEventListener('abort', onAbort, { once: true });
		if (signal?.aborted) return onAbort();
		if (child.exitCode !== null || child.signalCode !== null) return onExit(child.exitCode, child.signalCode);
		child.ref();
		child.channel?.ref();
		child.send({
			bytes,
			password,
			maxPages,
			stopAt: Date.now() + timeoutMs * stopReading,
			stopAboveBytes: allowed * 0.85,
		} satisfies ReadRequest);
	});
}

/** 0 where the system does not say: elsewhere than on Linux only the heap limit and the deadline protect. */
function residentBytes(pid: number | undefined): number {
	try {
		const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
		return Number(kibibytes ?? 0) * 1024;
	} catch {
		return 0;
	}
}

function rest(reader: Reader): void {
	if (reader.process.exitCode !== null || reader.process.signalCode !== null) return;
	if (residentBytes(reader.process.pid) > wornMiB * mebibyte) return void reader.process.kill('SIGKILL');
	// A waiting reader must not keep the host alive.
	reader.process.unref();
	reader.process.channel?.unref();
	reader.idleTimer = setTimeout(() => end(reader), idleMs).unref();
	idle.push(reader);
}

function end(reader: Reader): void {
	clearTimeout(reader.idleTimer);
	const index = idle.indexOf(reader);
	if (index !== -1) idle.splice(index, 1);
	reader.process.kill('SIGKILL');
}

function cancelled(): LocalAiError {
	return new LocalAiError('cancelled', 'Reading the PDF was cancelled.', { hint: 'Run the node again.' });
}
