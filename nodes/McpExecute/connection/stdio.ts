// The official SDK's own transport leaves grandchildren behind, passes on variables that no policy names, and notices a
// flood without a line end only when the call times out.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { Socket } from 'node:net';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { LocalAiError } from '../../shared/errors';
import { guard, killGroup, signalGroup } from './watchdog';

/** A program that speaks MCP on its standard input and output. */
export interface StdioCommand {
	/** An absolute path, or a name that is looked up in this process's own PATH. */
	readonly command: string;
	readonly args: readonly string[];
	/** All that the program sees of an environment. */
	readonly env: Readonly<Record<string, string>>;
	readonly cwd?: string;
}

const newline = 0x0a;
/** Room for the banner that some servers print before they speak the protocol. */
const toleratedGarbageLines = 100;
/** What a server may send in each tenth of a second before it has to wait: it is read no faster. */
const windowMs = 100;
const unaskedPerWindow = 100;
const stderrBytesPerWindow = 128 * 1024;
const keptStderrBytes = 16 * 1024;
/** Stdin closed, then SIGTERM, then SIGKILL: all of it within 5 s. */
const graceMs = 1500;
const drainMs = 1000;
const pollMs = 20;

/**
 * The SDK's transport over the pipes of a process of its own group, without a shell. A message above `maxLineBytes`,
 * or more than a little that is not JSON-RPC, ends the process at once, and `fault` then says why.
 */
export class StdioTransport implements Transport {
	onclose?: () => void;
	onerror?: (error: Error) => void;
	onmessage?: (message: JSONRPCMessage) => void;
	/** With `pid`, what the SDK knows a local pipe by: a silent server on one is an older server, not an outage. */
	readonly stderr = null;
	fault?: LocalAiError;
	readonly #name: string;
	readonly #command: StdioCommand;
	readonly #maxLineBytes: number;
	#child?: ChildProcessWithoutNullStreams;
	#dropGuard?: () => void;
	#closing?: Promise<void>;
	#gone?: Promise<void>;
	#exit?: string;
	#parts: Buffer[] = [];
	#partBytes = 0;
	#garbageLines = 0;
	readonly #unasked = createAllowance(unaskedPerWindow);
	readonly #stderrAllowance = createAllowance(stderrBytesPerWindow);
	#stderr: Buffer[] = [];
	#stderrBytes = 0;

	/** `name` is the server's, for messages. */
	constructor(name: string, command: StdioCommand, maxLineBytes: number) {
		this.#name = name;
		this.#command = command;
		this.#maxLineBytes = maxLineBytes;
	}

	get pid(): number | undefined {
		return this.#child?.pid;
	}

	/** How the process ended, once it has: `exit code 1`, `SIGKILL`. */
	get exit(): string | undefined {
		return this.#exit;
	}

	/** The last words on standard error: they may hold secrets, and are for a person's eyes only after redaction. */
	get lastWords(): string {
		return Buffer.concat(this.#stderr).subarray(-keptStderrBytes).toString('utf8');
	}

	/** Throws `configuration` (SPAWN_FAILED) when the program cannot be started. */
	async start(): Promise<void> {
		const { command, args, env, cwd } = this.#command;
		const child = spawn(this.#locate(command), [...args], {
			env: { ...env },
			...(cwd !== undefined && { cwd }),
			stdio: 'pipe',
			detached: true,
			windowsHide: true,
		});
		this.#child = child;
		child.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
		child.stderr.on('data', (chunk: Buffer) => this.#keep(chunk));
		for (const stream of [child.stdin, child.stdout, child.stderr]) {
			stream.on('error', (error) => this.onerror?.(error));
		}
		this.#gone = new Promise<void>((resolve) => {
			child.once('exit', (code, signal) => {
				this.#exit = signal ?? `exit code ${code}`;
				void this.#bury(child).then(resolve);
			});
		});
		await new Promise<void>((resolve, reject) => {
			child.once('spawn', resolve);
			child.once('error', (error) => reject(this.#notStarted(`${command}: ${error.message}`, error)));
		});
		this.#dropGuard = guard(child.pid!);
		// A server that waits for work keeps no program from ending; what is asked of it has a deadline that does.
		for (const part of partsOf(child)) part.unref();
	}

	/** Resolves once the line is handed to the system; rejects when the process is gone. */
	send(message: JSONRPCMessage): Promise<void> {
		return new Promise((resolve, reject) => {
			const { stdin } = this.#child ?? {};
			if (stdin?.writable !== true) return reject(new Error('the server is gone'));
			stdin.write(`${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve()));
		});
	}

	/** Ends the process and all that it started, gently at first, within 5 s. */
	close(): Promise<void> {
		return (this.#closing ??= this.#end());
	}

	/** Ends the process and all that it started at once; resolves when they are gone. */
	async kill(): Promise<void> {
		if (this.#child?.pid !== undefined && this.#exit === undefined) killGroup(this.#child.pid);
		await this.#gone;
	}

	async #end(): Promise<void> {
		const child = this.#child;
		if (child?.pid === undefined || this.#gone === undefined) return;
		// Whoever closes wants to see it closed.
		for (const part of partsOf(child)) part.ref();
		child.stdin.end();
		// What is not read keeps a process from ending.
		child.stdout.resume();
		child.stderr.resume();
		const ended = this.#gone.then(() => true);
		if (await Promise.race([ended, wait(graceMs, false, { ref: false })])) return;
		signalGroup(child.pid, 'SIGTERM');
		if (await Promise.race([ended, wait(graceMs, false, { ref: false })])) return;
		await this.kill();
	}

	/** The leader is dead: ends the rest of its group, takes what is still in the pipe, and tells the SDK. */
	async #bury(child: ChildProcessWithoutNullStreams): Promise<void> {
		const group = child.pid!;
		killGroup(group);
		child.stdout.resume();
		child.stderr.resume();
		const drained = new Promise<void>((resolve) => child.once('close', () => resolve()));
		await Promise.race([drained, wait(drainMs, undefined, { ref: false })]);
		for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
		for (const until = performance.now() + drainMs; signalGroup(group, 0) && performance.now() < until; ) {
			await wait(pollMs);
		}
		this.#dropGuard?.();
		this.onclose?.();
	}

	#read(chunk: Buffer): void {
		let from = 0;
		for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
			if (this.fault) return;
			const rest = chunk.subarray(from, end);
			from = end + 1;
			if (this.#partBytes + rest.length > this.#maxLineBytes) return this.#tooLong();
			const line = this.#parts.length === 0 ? rest : Buffer.concat([...this.#parts, rest]);
			this.#parts = [];
			this.#partBytes = 0;
			this.#take(line.toString('utf8'));
		}
		if (this.fault || from === chunk.length) return;
		this.#partBytes += chunk.length - from;
		if (this.#partBytes > this.#maxLineBytes) return this.#tooLong();
		this.#parts.push(chunk.subarray(from));
	}

	#take(line: string): void {
		if (line.trim() === '') return;
		const message = jsonRpc(line);
		if (message === undefined) {
			if (++this.#garbageLines <= toleratedGarbageLines) return;
			return this.#fail('PROTOCOL', 'wrote more than a few lines that are not MCP messages', {
				hint: 'A server on stdio may write nothing but MCP messages to its standard output; its log belongs on stderr.',
			});
		}
		if ('method' in message && this.#isFlood()) return;
		this.onmessage?.(message);
	}

	/** Over the rate what nobody asked for is dropped, and the pipe rests: the server waits then, not this process. */
	#isFlood(): boolean {
		const restMs = this.#unasked(1);
		if (restMs > 0) this.#rest(this.#child!.stdout, restMs);
		return restMs > 0;
	}

	#rest(stream: Readable, ms: number): void {
		if (stream.isPaused() || this.#exit !== undefined || this.#closing !== undefined) return;
		stream.pause();
		setTimeout(() => stream.resume(), ms);
	}

	#tooLong(): void {
		this.#fail('LIMIT_OUTPUT', `sent a message of more than ${this.#maxLineBytes} bytes`, {
			hint: 'Ask the tool for less, or raise maxOutputBytes of this server in the policy.',
		});
	}

	#fail(reason: 'LIMIT_OUTPUT' | 'PROTOCOL', what: string, { hint }: { hint: string }): void {
		this.fault = new LocalAiError('bad-reply', `The MCP server ${this.#name} ${what}`, { hint, reason });
		this.#parts = [];
		void this.kill();
	}

	#keep(chunk: Buffer): void {
		this.#stderr.push(chunk);
		this.#stderrBytes += chunk.length;
		const restMs = this.#stderrAllowance(chunk.length);
		if (restMs > 0) this.#rest(this.#child!.stderr, restMs);
		while (this.#stderrBytes - this.#stderr[0]!.length >= keptStderrBytes) {
			this.#stderrBytes -= this.#stderr.shift()!.length;
		}
	}

	#locate(command: string): string {
		if (command === 'node') return process.execPath;
		const places = isAbsolute(command)
			? [command]
			: command.includes('/')
				? []
				: (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, command));
		const found = places.find((place) => isExecutable(place));
		if (found === undefined) throw this.#notStarted(`there is no program ${command}`);
		return found;
	}

	#notStarted(why: string, cause?: unknown): LocalAiError {
		return new LocalAiError('configuration', `The MCP server ${this.#name} could not be started: ${why}`, {
			hint: 'Install the server beforehand, and give its command in the policy as an absolute path.',
			reason: 'SPAWN_FAILED',
			cause,
		});
	}
}

/** Counts what came in the window that runs; the function gives how long to rest, 0 while there is allowance left. */
function createAllowance(perWindow: number): (amount: number) => number {
	let start = 0;
	let used = 0;
	return (amount) => {
		const now = performance.now();
		if (now - start >= windowMs) [start, used] = [now, 0];
		used += amount;
		return used <= perWindow ? 0 : windowMs - (now - start);
	};
}

/** What keeps a program running as long as a process of its own does. */
function partsOf(child: ChildProcessWithoutNullStreams): ReadonlyArray<{ ref(): unknown; unref(): unknown }> {
	return [child, child.stdin as Socket, child.stdout as Socket, child.stderr as Socket];
}

function isExecutable(file: string): boolean {
	try {
		accessSync(file, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}

function jsonRpc(line: string): JSONRPCMessage | undefined {
	try {
		const value: unknown = JSON.parse(line);
		const isMessage = typeof value === 'object' && value !== null && 'jsonrpc' in value && value.jsonrpc === '2.0';
		return isMessage ? (value as JSONRPCMessage) : undefined;
	} catch {
		return undefined;
	}
}
