import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Access, McpServer } from '../../nodes/McpExecute/sessions';

type Limits = McpServer['limits'];

const limits: Limits = {
	connectTimeoutMs: 10_000,
	callTimeoutMs: 10_000,
	maxTimeoutMs: 20_000,
	maxOutputBytes: 1_000_000,
	idleTimeoutMs: 60_000,
	maxQueued: 100,
};

/** In nobody's name. */
export const access: Access = { key: 'test' };

/** A server on stdio with limits fit for tests. */
export function stdioServer(
	command: string,
	args: readonly string[],
	over: Partial<Limits> & {
		name?: string;
		serial?: boolean;
		env?: string[];
		setEnv?: Record<string, string>;
		cwd?: string;
	} = {},
): McpServer {
	const { name = 'peer', serial = false, env = [], setEnv = {}, cwd, ...rest } = over;
	return {
		name,
		transport: { kind: 'stdio', command, args, env, setEnv, ...(cwd !== undefined && { cwd }) },
		serial,
		limits: { ...limits, ...rest },
	};
}

/** A server over HTTP with limits fit for tests. */
export function httpServer(
	url: string,
	over: Partial<Limits> & { name?: string; addresses?: 'public' | 'any' } = {},
): McpServer {
	const { name = 'peer', addresses = 'any', ...rest } = over;
	return { name, transport: { kind: 'http', url, addresses }, serial: false, limits: { ...limits, ...rest } };
}

/** The test's own MCP server. */
export const peerProgram = join(__dirname, 'mcpPeer.cjs');

/** The test's own MCP server in one of its modes, and a look at what reached it. */
export function peer(mode: string, over: Parameters<typeof stdioServer>[2] = {}) {
	const folder = mkdtempSync(join(tmpdir(), 'aurastack-mcp-'));
	const record = join(folder, 'record');
	const lines = () => (existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : []);
	return {
		server: stdioServer('node', [peerProgram, mode, record], over),
		/** The methods and answers that reached the server, in order. */
		received: () => lines().filter((line) => !line.startsWith('start ')),
		/** The process numbers of all its starts. */
		starts: () => lines().flatMap((line) => (line.startsWith('start ') ? [Number(line.slice(6))] : [])),
		remove: () => rmSync(folder, { recursive: true }),
	};
}

/** Whether a process runs: neither gone nor a zombie that waits to be reaped. */
export function isAlive(pid: number): boolean {
	try {
		return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
	} catch {
		return false;
	}
}

/** The processes whose command line holds `text`. */
export function processesWith(text: string): number[] {
	return readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name))
		.filter((pid) => {
			try {
				return isAlive(Number(pid)) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
			} catch {
				return false;
			}
		})
		.map(Number);
}

/** Resolves once `condition` is true; rejects after `withinMs`. */
export async function until(condition: () => boolean, withinMs = 5000): Promise<void> {
	const deadline = performance.now() + withinMs;
	while (!condition()) {
		if (performance.now() > deadline) throw new Error(`Not within ${withinMs} ms: ${condition}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}
