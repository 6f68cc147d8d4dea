import { spawn } from 'node:child_process';
import { access, constants, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

import { LocalAiError } from '../shared/errors';
import { excerpt } from '../shared/http';
import { isContainer } from './host';
import { redaction } from './redaction';

export interface RunRequest {
	/** A name of the table below. */
	readonly command: string;
	/** What that command takes; anything else is refused. */
	readonly arguments?: Readonly<Record<string, unknown>>;
	/** Default 10 000. The command and all that it started are killed then. */
	readonly timeoutMs?: number;
	/** Of each of its two outputs. Default 64 KiB. */
	readonly maxBytes?: number;
	readonly signal?: AbortSignal;
}

export interface RunResult {
	readonly command: string;
	/** The program and its arguments as they were run, without any shell. */
	readonly argv: readonly string[];
	/** `null` where the command was stopped for its output, or killed by somebody else. */
	readonly exitCode: number | null;
	readonly stdout: string;
	readonly stderr: string;
	/** There was more output; the command was stopped there. */
	readonly truncated: boolean;
	readonly durationMs: number;
	/** Where n8n runs in a container, most commands tell of that container and not of the machine below it. */
	readonly ranIn: 'machine' | 'container';
}

/**
 * Runs one command of a fixed table on this machine, or in this container where n8n runs in one. Rejects with
 * LocalAiError: `refused` with the reason `POLICY_ARGS` before anything is started, `configuration` where the program is
 * not installed, `timeout`, `cancelled`.
 */
export async function runCommand(request: RunRequest): Promise<RunResult> {
	const { signal, timeoutMs = 10_000, maxBytes = 65_536 } = request;
	const { command, program, args } = planCommand(request);
	if (signal?.aborted) throw cancelled(command);
	const file = await locate(program);
	const started = Date.now();
	const ended = await run(file, args, { command, timeoutMs, maxBytes, ...(signal && { signal }) });
	const durationMs = Date.now() - started;
	const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
	const shown = { stdout: redact(ended.stdout), stderr: redact(ended.stderr) };
	return {
		command,
		argv: [file, ...args],
		...ended,
		...shown,
		durationMs,
		ranIn: isContainer(mounts) ? 'container' : 'machine',
	};
}

/** What programs write into a log holds passwords now and then. */
const redact = redaction([]);

/** What would be run. Throws LocalAiError `refused` for a command or an argument that the table does not have. */
export function planCommand({ command, arguments: given = {} }: Pick<RunRequest, 'command' | 'arguments'>): {
	readonly command: CommandName;
	readonly program: string;
	readonly args: readonly string[];
} {
	if (!isCommand(command)) {
		throw refused(`There is no command "${excerpt(command, 80)}".`, `It can be one of: ${commandNames.join(', ')}.`);
	}
	const { takes, argv } = commands[command];
	const { data, error } = z.strictObject(takes).safeParse(given);
	if (error !== undefined) {
		const [{ path, message }] = error.issues as [z.core.$ZodIssue];
		const which = path.length > 0 ? `The argument "${excerpt(path.join('.'), 80)}" of "${command}"` : `"${command}"`;
		throw refused(`${which} cannot be used: ${excerpt(message)}.`, `"${command}" takes ${taken(takes)}.`);
	}
	const [program, ...args] = argv(data as never);
	return { command, program: program!, args };
}

/** Unit names as systemd.unit(5) allows them, of the kinds that an operator asks about, templates included. */
const unit = z
	.string()
	.max(255)
	.regex(
		/^[a-zA-Z0-9][a-zA-Z0-9:_.@-]*\.(service|timer|socket|mount|target|path|slice|scope)$/,
		'not the name of a unit',
	);
const lines = z.number().int().min(1).max(1_000).default(100);
const priority = z.enum(['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug']).default('info');
const sinceMinutes = z.number().int().min(1).max(43_200);
const path = z
	.string()
	.max(1_024)
	.regex(/^\/(?:[\w@+.-]+\/?)*$/, 'not an absolute path')
	.refine((text) => !text.split('/').includes('..'), 'not an absolute path');

type Shape = Readonly<Record<string, z.ZodType>>;

interface Command<Takes extends Shape> {
	readonly title: string;
	readonly takes: Takes;
	readonly argv: (given: z.output<z.ZodObject<Takes>>) => readonly [string, ...string[]];
}

const one = <const Takes extends Shape>(title: string, takes: Takes, argv: Command<Takes>['argv']): Command<Takes> => ({
	title,
	takes,
	argv,
});

/** All that can be run: each reads and changes nothing, takes no option from outside, and starts no other program. */
export const commands = {
	'block-devices': one('Disks and partitions', {}, () => [
		'lsblk',
		'--output',
		'NAME,TYPE,SIZE,FSTYPE,MOUNTPOINT,ROTA',
	]),
	'disk-space': one('Free space of file systems', { path: path.optional() }, ({ path: of }) => [
		'df',
		'-P',
		'-k',
		...(of === undefined ? [] : ['--', of]),
	]),
	'disk-inodes': one('Free inodes of file systems', { path: path.optional() }, ({ path: of }) => [
		'df',
		'-P',
		'-i',
		...(of === undefined ? [] : ['--', of]),
	]),
	'failed-units': one('Units of systemd that failed', {}, () => [
		...(['systemctl', '--no-pager', '--no-ask-password', '--plain', '--full', '--failed'] as const),
		'list-units',
	]),
	'journal-size': one('Space that the journal takes', {}, () => ['journalctl', '--no-pager', '--disk-usage']),
	'kernel-log': one(
		'The last lines of the kernel',
		{ lines, priority, sinceMinutes: sinceMinutes.optional() },
		({ lines: count, priority: least, sinceMinutes: minutes }) => [
			...(['journalctl', '--no-pager', '--quiet', '--output=short-iso', '--dmesg'] as const),
			`--lines=${count}`,
			`--priority=${least}`,
			...(minutes === undefined ? [] : [`--since=-${minutes}min`]),
		],
	),
	'listening-ports': one('Ports that somebody listens on', {}, () => ['ss', '-H', '-l', '-n', '-t', '-u']),
	logins: one('Who logged in last', { lines: lines.default(20) }, ({ lines: count }) => ['last', '-n', String(count)]),
	memory: one('Memory and swap', {}, () => ['free', '-b']),
	processes: one('Processes, by processor or memory', { by: z.enum(['cpu', 'memory']).default('cpu') }, ({ by }) => [
		// The command's name without its arguments, where passwords stand now and then.
		'ps',
		'-e',
		'-o',
		'pid=PID,user:20=USER,pcpu=CPU,pmem=MEM,rss=RSS_KB,etimes=SECONDS,stat=STATE,comm=COMMAND',
		`--sort=-${by === 'cpu' ? 'pcpu' : 'rss'}`,
	]),
	'socket-summary': one('How many sockets are open', {}, () => ['ss', '-s']),
	timers: one('Timers of systemd, and when they run', {}, () => [
		...(['systemctl', '--no-pager', '--no-ask-password', '--plain', '--full', '--all'] as const),
		'list-timers',
	]),
	'unit-log': one(
		'The last lines of a unit',
		{ unit, lines, priority, sinceMinutes: sinceMinutes.optional() },
		({ unit: of, lines: count, priority: least, sinceMinutes: minutes }) => [
			...(['journalctl', '--no-pager', '--quiet', '--output=short-iso'] as const),
			`--unit=${of}`,
			`--lines=${count}`,
			`--priority=${least}`,
			...(minutes === undefined ? [] : [`--since=-${minutes}min`]),
		],
	),
	'unit-status': one('The state of a unit', { unit }, ({ unit: of }) => [
		...(['systemctl', '--no-pager', '--no-ask-password', '--full', '--lines=0', 'show'] as const),
		'--property=Id,Description,LoadState,ActiveState,SubState,Result,MainPID,ExecMainStatus,NRestarts,ActiveEnterTimestamp,MemoryCurrent',
		'--',
		of,
	]),
	uptime: one('Since when the machine runs, and its load', {}, () => ['uptime']),
} as const;

export type CommandName = keyof typeof commands;

export const commandNames = Object.keys(commands) as readonly CommandName[];

function isCommand(name: string): name is CommandName {
	return Object.hasOwn(commands, name);
}

function taken(takes: Shape): string {
	const names = Object.keys(takes);
	return names.length === 0 ? 'no arguments' : names.join(', ');
}

/** Programs are taken from the system's own folders alone, whatever the search path of n8n says. */
const folders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

async function locate(program: string): Promise<string> {
	for (const folder of folders) {
		const file = join(folder, program);
		const found = await access(file, constants.X_OK).then(
			() => true,
			() => false,
		);
		if (found) return file;
	}
	throw new LocalAiError('configuration', `The program ${program} is not installed on this machine.`, {
		hint: 'Install it (Debian: apt install procps iproute2 util-linux systemd), or choose another command.',
	});
}

interface Bounds {
	readonly command: string;
	readonly timeoutMs: number;
	readonly maxBytes: number;
	readonly signal?: AbortSignal;
}

type Ended = Pick<RunResult, 'exitCode' | 'stdout' | 'stderr' | 'truncated'>;

function run(file: string, args: readonly string[], { command, timeoutMs, maxBytes, signal }: Bounds): Promise<Ended> {
	return new Promise((resolve, reject) => {
		const child = spawn(file, args, {
			cwd: '/',
			env: { PATH: folders.join(':'), LC_ALL: 'C.UTF-8', TERM: 'dumb' },
			stdio: ['ignore', 'pipe', 'pipe'],
			// A process group of its own, so that all of it can be killed.
			detached: true,
		});
		let truncated = false;
		const end = () => {
			try {
				if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
			} catch {
				// It ended by itself meanwhile.
			}
		};
		// What hangs in the kernel, as df does on a dead NFS, does not die: nothing may wait for it.
		const stop = (error: LocalAiError) => {
			end();
			child.stdout.destroy();
			child.stderr.destroy();
			child.unref();
			settle();
			reject(error);
		};
		const late = new LocalAiError('timeout', `The command "${command}" did not end within ${timeoutMs} ms`, {
			hint: 'Raise the time-out, or look why the machine is slow.',
			reason: 'LIMIT',
		});
		const timer = setTimeout(() => stop(late), timeoutMs);
		const abort = () => stop(cancelled(command));
		const settle = () => {
			clearTimeout(timer);
			signal?.removeEventListener('abort', abort);
		};
		signal?.addEventListener('abort', abort, { once: true });
		if (signal?.aborted) abort();
		const read = (stream: NodeJS.ReadableStream): Buffer[] => {
			const chunks: Buffer[] = [];
			let room = maxBytes;
			stream.on('data', (chunk: Buffer) => {
				if (chunk.length > room) {
					truncated = true;
					end();
				}
				if (room > 0) chunks.push(chunk.subarray(0, room));
				room = Math.max(0, room - chunk.length);
			});
			return chunks;
		};
		const [stdout, stderr] = [read(child.stdout), read(child.stderr)];
		child.once('error', (error) => {
			settle();
			reject(
				new LocalAiError('tool-failed', `${file} could not be started: ${excerpt(error.message)}`, {
					hint: 'Look whether the machine is out of processes or memory.',
				}),
			);
		});
		child.once('close', (code) => {
			settle();
			resolve({
				exitCode: code,
				stdout: Buffer.concat(stdout).toString(),
				stderr: Buffer.concat(stderr).toString(),
				truncated,
			});
		});
	});
}

function refused(message: string, hint: string): LocalAiError {
	return new LocalAiError('refused', message, { hint, reason: 'POLICY_ARGS' });
}

function cancelled(command: string): LocalAiError {
	return new LocalAiError('cancelled', `The command "${command}" was cancelled`, {
		hint: 'Run it again if it is still wanted.',
	});
}
