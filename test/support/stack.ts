import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Facts } from '../../stack/facts.mts';

/** A real stack, started by the same program as `npm start`, with a home of its own. */
export interface TestStack {
	readonly home: string;
	/** The content of stack.json as it is now; process numbers change when the stack restarts a process. */
	readonly facts: () => Facts;
	/** The process number of postgres, redis, n8n-main, n8n-worker-1 or n8n-worker-2. */
	readonly pid: (name: string) => number;
	/** Resolves when the stack runs `name` again under another number than `pid`. */
	readonly restarted: (name: string, pid: number) => Promise<void>;
	/** All lines the start has printed. */
	readonly output: () => string;
	/** Sends a signal to the supervisor and resolves with its exit code once it has ended. */
	readonly end: (signal?: NodeJS.Signals) => Promise<number | null>;
	/** Ends the stack and removes its home. */
	readonly remove: () => Promise<void>;
}

/** Starts a stack and resolves once it is ready; rejects with what it printed when it ends before. */
export async function startStack(options: { home?: string; env?: NodeJS.ProcessEnv } = {}): Promise<TestStack> {
	const home = options.home ?? mkdtempSync(join(tmpdir(), 'aurastack-test-'));
	mkdirSync(home, { recursive: true });
	const file = join(home, 'stack.json');
	const { child, output } = runStart(home, { AURASTACK_PORT: String(await freePort()), ...options.env });
	const exited = once(child, 'exit') as Promise<[number | null]>;
	const isReady = () => existsSync(file) && output().includes('Ready after');
	const facts = () => JSON.parse(readFileSync(file, 'utf8')) as Facts;
	const end = async (signal: NodeJS.Signals = 'SIGINT') => {
		child.kill(signal);
		return (await exited)[0];
	};
	const ready = until(home, isReady, child);
	if ((await Promise.race([ready, exited])) !== true)
		throw new Error(`The stack ended before it was ready:\n${output()}`);
	return {
		home,
		facts,
		pid: (name) => facts().processes.find((one) => one.name === name)!.pid,
		restarted: async (name, pid) => {
			await until(
				home,
				() => existsSync(file) && facts().processes.some((one) => one.name === name && one.pid !== pid),
				child,
			);
		},
		output,
		end,
		remove: async () => {
			if (child.exitCode === null && child.signalCode === null) await end();
			rmSync(home, { recursive: true, force: true });
		},
	};
}

/** Runs the program of `npm start` on `home` and collects what it prints. */
export function runStart(home: string, env: NodeJS.ProcessEnv): { child: ChildProcess; output: () => string } {
	const program = join(__dirname, '..', '..', 'stack', 'start.mts');
	const child = spawn(process.execPath, ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', program], {
		env: { ...process.env, NODE_OPTIONS: '', AURASTACK_HOME: home, ...env },
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	const parts: string[] = [];
	for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => parts.push(data.toString()));
	return { child, output: () => parts.join('') };
}

/** A port of 127.0.0.1 that nothing listens on. */
export async function freePort(): Promise<number> {
	const server = createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const address = server.address();
	server.close();
	if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
	return address.port;
}

function until(folder: string, condition: () => boolean, child: ChildProcess): Promise<true> {
	return new Promise((resolve) => {
		const look = () => {
			if (!condition()) return;
			watcher.close();
			child.stdout?.off('data', look);
			resolve(true);
		};
		const watcher = watch(folder, look);
		child.stdout?.on('data', look);
		child.once('exit', () => watcher.close());
		look();
	});
}
