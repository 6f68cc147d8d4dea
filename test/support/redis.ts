import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Processes } from '../../stack/processes.mts';
import { findRedis, redisProgram } from '../../stack/redis.mts';
import { freePort } from './stack';

export interface RedisServer {
	readonly address: { readonly host: string; readonly port: number; readonly password: string };
	/** The user whom the stack lets look at the queue with the prefix "aurastack-1", and no more. */
	readonly watcher: { readonly username: string; readonly password: string };
	stop(): Promise<void>;
}

/** A Redis of the test's own, as the stack starts it, gone with its data after `stop`; undefined where there is none. */
export async function startRedis(): Promise<RedisServer | undefined> {
	const folder = mkdtempSync(join(tmpdir(), 'redis-'));
	const processes = new Processes(folder, join(folder, 'processes.json'), () => {});
	const program = await findRedis(processes, () => {});
	if (program === undefined) return undefined;
	const address = { host: '127.0.0.1', port: await freePort(), password: 'c4n4ry-of-redis' };
	const watcher = { username: 'watcher', password: 'c4n4ry-of-watcher' };
	await processes.start(
		redisProgram(program, folder, address.port, address.password, { ...watcher, prefix: 'aurastack-1' }),
	);
	return {
		address,
		watcher,
		async stop() {
			await processes.stop(['redis']);
			rmSync(folder, { recursive: true, force: true });
		},
	};
}
