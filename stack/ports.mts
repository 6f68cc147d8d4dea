import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { readJson, writeJson } from './state.mts';

/**
 * One port of 127.0.0.1 for each name, the same as at the last start wherever it is still free, so that addresses
 * people noted stay true. The choice is kept in `file`.
 */
export async function choosePorts(file: string, names: readonly string[]): Promise<(name: string) => number> {
	const kept = readJson<Record<string, number>>(file) ?? {};
	const chosen = new Map<string, number>();
	for (const name of names) {
		const last = kept[name];
		const taken = new Set(chosen.values());
		chosen.set(name, last !== undefined && !taken.has(last) && (await isFree(last)) ? last : await anyFreePort(taken));
	}
	writeJson(file, { ...kept, ...Object.fromEntries(chosen) });
	return (name) => chosen.get(name)!;
}

/** Throws `configuration` when something else already listens on `port` of 127.0.0.1; `variable` sets that port. */
export async function requireFree(port: number, variable: string): Promise<void> {
	if (await isFree(port)) return;
	throw new LocalAiError('configuration', `Port ${port} of 127.0.0.1 is taken by another program.`, {
		hint: `Stop that program (ss -ltnp "sport = :${port}" names it), or choose another port: ${variable}=${port + 1} npm start`,
	});
}

function isFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once('error', () => resolve(false));
		server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
	});
}

async function anyFreePort(taken: ReadonlySet<number>): Promise<number> {
	for (;;) {
		// Below the range that Linux gives to outgoing connections, so that it stays free until the next start.
		const port = randomInt(20_000, 32_768);
		if (!taken.has(port) && (await isFree(port))) return port;
	}
}
