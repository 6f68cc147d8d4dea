import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { isFullDisk } from './diskSpace.mts';
import { type ProcessRecord, identify } from './leftovers.mts';
import { writeJson } from './state.mts';

/** How a program that ends by itself is started and stopped. */
export interface Command {
	readonly name: string;
	readonly command: readonly [string, ...string[]];
	/** The name the program sees itself called by, where it decides by that. */
	readonly argv0?: string;
	readonly env: NodeJS.ProcessEnv;
	readonly cwd: string;
	readonly port?: number;
	/** Asks it to end after finishing its work. */
	readonly stopSignal: NodeJS.Signals;
	/** Ends it at once, as gently as it can be. */
	readonly killSignal: NodeJS.Signals;
	/** Runs before every start, restarts included. */
	readonly prepare?: () => void;
}

/** How one long-running program is started, watched and stopped. */
export interface Program extends Command {
	readonly isReady: () => Promise<boolean>;
	readonly readyWithinMs: number;
}

export interface RunningProcess {
	readonly name: string;
	readonly pid: number;
	readonly port?: number;
}

const graceMs = 30_000;
const longestPauseMs = 30_000;
const writeAgainMs = 1000;

/**
 * The programs of one stack. Each runs in a process group of its own, so that Ctrl-C reaches only this supervisor,
 * which then ends them in order. One that dies is started again, after pauses that grow from 1 to 30 s, for as long as
 * it takes; a reason that stays the same is said once.
 */
export class Processes {
	readonly #children = new Map<string, { program: Command; child: ChildProcess }>();
	/** What is started again when it dies: the programs that were ready once. */
	readonly #ready = new WeakMap<ChildProcess, Program>();
	readonly #stopping = new Set<string>();
	readonly #pauses = new Map<string, number>();
	/** Why a program that is not back yet ended, as last said. */
	readonly #told = new Map<string, string>();
	readonly #ended = new AbortController();
	readonly #logs: string;
	readonly #file: string;
	readonly #say: (line: string) => void;
	readonly #changed: () => void;

	/** `file` remembers what runs, for the start after a crash; `changed` is told of every restart. */
	constructor(logs: string, file: string, say: (line: string) => void, changed: () => void = () => {}) {
		this.#logs = logs;
		this.#file = file;
		this.#say = say;
		this.#changed = changed;
	}

	/**
	 * Starts a program and resolves once it is ready. Throws `tool-failed` with its last words when it ends or hangs, and
	 * an AbortError after `end`.
	 */
	async start(program: Program): Promise<void> {
		this.#ended.signal.throwIfAborted();
		const log = this.#freshLog(program.name);
		const child = this.#spawn(program);
		const problem = await this.#readiness(program, child);
		if (problem === undefined) return;
		this.#ended.signal.throwIfAborted();
		await this.stop([program.name]);
		throw new LocalAiError('tool-failed', `${program.name} ${problem}. Its last words: ${lastWords(log)}`, {
			hint: `The whole story is in ${log}`,
		});
	}

	/**
	 * Runs a program to its end. Throws `tool-failed` with its first words when it fails, `timeout` when it takes longer
	 * than `withinMs` (it is ended then), and an AbortError after `end`.
	 */
	async run(command: Command, withinMs: number): Promise<void> {
		this.#ended.signal.throwIfAborted();
		const log = this.#freshLog(command.name);
		const exit = exited(this.#spawn(command));
		const waiting = new AbortController();
		const late = wait(withinMs, 'late' as const, { signal: AbortSignal.any([waiting.signal, this.#ended.signal]) });
		const outcome = await Promise.race([exit, late]).finally(() => {
			waiting.abort();
			late.catch(() => {});
		});
		this.#ended.signal.throwIfAborted();
		const hint = `Mend what the message names, and start again. The whole story is in ${log}`;
		if (outcome === 'late') {
			await this.stop([command.name]);
			const seconds = Math.round(withinMs / 1000);
			throw new LocalAiError('timeout', `${command.name} did not end within ${seconds} s: ${firstWords(log)}`, {
				hint,
			});
		}
		if (outcome.code === 0) return;
		const how = outcome.error ?? `ended with ${outcome.signal ?? `exit code ${outcome.code}`}`;
		throw new LocalAiError('tool-failed', `${command.name} ${how}. Its words: ${firstWords(log)}`, { hint });
	}

	list(): RunningProcess[] {
		return [...this.#children.values()].flatMap(({ program: { name, port }, child: { pid } }) =>
			pid === undefined ? [] : [{ name, pid, ...(port === undefined ? {} : { port }) }],
		);
	}

	/** Asks the named programs to end, waits up to 30 s for their running work, then ends them. */
	async stop(names: readonly string[]): Promise<void> {
		await Promise.all(
			names.map(async (name) => {
				this.#stopping.add(name);
				const running = this.#children.get(name);
				if (!running) return;
				const { program, child } = running;
				const exit = exited(child);
				signal(child, program.stopSignal);
				const late = await Promise.race([exit.then(() => false), wait(graceMs, true, { ref: false })]);
				if (late) {
					this.#say(`${name} did not end within ${graceMs / 1000} s: ending it now`);
					signalGroup(child, 'SIGKILL');
				}
				await exit;
				signalGroup(child, 'SIGKILL');
			}),
		);
	}

	/** From now on nothing is started again and waiting for readiness ends. */
	end(): void {
		this.#ended.abort();
	}

	/** Ends everything at once. */
	kill(): void {
		this.end();
		for (const { program, child } of this.#children.values()) {
			if (program.killSignal === 'SIGKILL') signalGroup(child, 'SIGKILL');
			else signal(child, program.killSignal);
		}
	}

	#freshLog(name: string): string {
		const log = join(this.#logs, `${name}.log`);
		if (existsSync(log)) renameSync(log, join(this.#logs, `${name}.1.log`));
		return log;
	}

	#spawn(program: Command): ChildProcess {
		program.prepare?.();
		this.#stopping.delete(program.name);
		const log = openSync(join(this.#logs, `${program.name}.log`), 'a', 0o600);
		const [file, ...args] = program.command;
		const child = spawn(file, args, {
			cwd: program.cwd,
			env: program.env,
			argv0: program.argv0,
			stdio: ['ignore', log, log],
			detached: true,
		});
		closeSync(log);
		this.#children.set(program.name, { program, child });
		this.#remember();
		const startedAt = performance.now();
		child.once('error', () => {});
		void exited(child).then(({ code, signal: by }) => {
			if (this.#children.get(program.name)?.child !== child) return;
			this.#children.delete(program.name);
			signalGroup(child, 'SIGKILL');
			this.#remember();
			const ready = this.#ready.get(child);
			if (ready && !this.#stopping.has(program.name) && !this.#ended.signal.aborted) {
				void this.#restart(ready, `ended with ${by ?? `exit code ${code}`}`, performance.now() - startedAt);
			}
		});
		return child;
	}

	async #restart(program: Program, reason: string, livedMs: number): Promise<void> {
		const last = livedMs > 60_000 ? 0 : (this.#pauses.get(program.name) ?? 0);
		const pauseMs = Math.min(longestPauseMs, last === 0 ? 1000 : last * 2);
		this.#pauses.set(program.name, pauseMs);
		if (this.#told.get(program.name) !== reason) this.#say(`${program.name} ${reason}: starting it again`);
		this.#told.set(program.name, reason);
		const start = performance.now();
		await wait(pauseMs, undefined, { signal: this.#ended.signal, ref: false }).catch(() => {});
		if (this.#ended.signal.aborted || this.#stopping.has(program.name)) return;
		let child: ChildProcess | undefined;
		let problem: string | undefined;
		try {
			child = this.#spawn(program);
			problem = await this.#readiness(program, child);
		} catch (error) {
			problem = `could not be started (${(error as Error).message})`;
		}
		if (this.#ended.signal.aborted || this.#stopping.has(program.name)) return;
		if (problem === undefined) {
			this.#say(`${program.name} is back`);
			this.#told.delete(program.name);
			this.#write(this.#changed);
			return;
		}
		if (child && this.#children.get(program.name)?.child === child) {
			signalGroup(child, 'SIGKILL');
			await exited(child);
		}
		void this.#restart(program, problem, performance.now() - start);
	}

	/** Undefined once the program is ready, else what went wrong. */
	async #readiness(program: Program, child: ChildProcess): Promise<string | undefined> {
		const deadline = performance.now() + program.readyWithinMs;
		const exit = exited(child).then(
			({ code, signal: by, error }) => error ?? `ended with ${by ?? `exit code ${code}`}`,
		);
		for (;;) {
			const outcome = await Promise.race([exit, program.isReady().catch(() => false)]);
			if (typeof outcome === 'string') return outcome;
			if (outcome) {
				this.#ready.set(child, program);
				return undefined;
			}
			if (this.#ended.signal.aborted) return 'was told to stop';
			if (performance.now() > deadline) return `was not ready within ${program.readyWithinMs / 1000} s`;
			await Promise.race([exit, wait(100)]);
		}
	}

	#remember(): void {
		this.#write(() => {
			const records: ProcessRecord[] = this.list().flatMap(({ name, pid }) => {
				const identity = identify(pid);
				return identity ? [{ name, ...identity }] : [];
			});
			writeJson(this.#file, records);
		});
	}

	/** A full disk ends nothing that runs: what could not be written is written once there is space. */
	#write(write: () => void): void {
		try {
			write();
		} catch (error) {
			if (!isFullDisk(error)) throw error;
			setTimeout(() => this.#write(write), writeAgainMs).unref();
		}
	}
}

interface Exit {
	code: number | null;
	signal: NodeJS.Signals | null;
	error?: string;
}

const exits = new WeakMap<ChildProcess, Promise<Exit>>();

function exited(child: ChildProcess): Promise<Exit> {
	const known = exits.get(child);
	if (known) return known;
	const exit = new Promise<Exit>((resolve) => {
		child.once('exit', (code, by) => resolve({ code, signal: by }));
		child.once('error', (error) =>
			resolve({ code: null, signal: null, error: `could not be started (${error.message})` }),
		);
	});
	exits.set(child, exit);
	return exit;
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
	if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) child.kill(name);
}

function signalGroup(child: ChildProcess, name: NodeJS.Signals): void {
	if (child.pid === undefined) return;
	try {
		process.kill(-child.pid, name);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
	}
}

function lastWords(log: string): string {
	return linesOf(log).slice(-3).join(' | ').slice(-600) || 'none';
}

function firstWords(log: string): string {
	return linesOf(log).slice(0, 5).join(' | ').slice(0, 800) || 'none';
}

function linesOf(log: string): string[] {
	return readFileSync(log, 'utf8')
		.split('\n')
		.filter((line) => line.trim() !== '');
}
