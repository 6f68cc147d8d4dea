import { Redis } from 'ioredis';
import { LocalAiError } from '../shared/errors';
import { known, unknown, type RedisFacts } from './facts';

export interface RedisAddress {
	readonly host: string;
	readonly port: number;
	readonly username?: string;
	readonly password?: string;
	/** Default 0. */
	readonly database?: number;
	readonly tls?: boolean;
}

/**
 * Runs `use` on one connection and closes it, however it ends. Rejects with LocalAiError; one that says that nothing
 * answers only when there is no Redis at that address.
 */
export async function withRedis<T>(
	address: RedisAddress,
	signal: AbortSignal,
	use: (client: Redis) => Promise<T>,
): Promise<T> {
	const { host, port, username, password, database = 0, tls = false } = address;
	signal.throwIfAborted();
	const client = new Redis({
		host,
		port,
		db: database,
		...(username && { username }),
		...(password && { password }),
		...(tls && { tls: {} }),
		lazyConnect: true,
		connectTimeout: 2000,
		commandTimeout: 2000,
		maxRetriesPerRequest: 0,
		retryStrategy: () => null,
	});
	let refused: unknown;
	client.on('error', (error) => (refused = error));
	const stop = () => client.disconnect();
	signal.addEventListener('abort', stop, { once: true });
	try {
		await client.connect();
		return await use(client);
	} catch (error) {
		throw explain(error instanceof LocalAiError ? error : (refused ?? error), `${host}:${port}`, signal);
	} finally {
		signal.removeEventListener('abort', stop);
		client.disconnect();
	}
}

/** Redis's own state, from INFO; what only CONFIG tells is unknown where that command is forbidden. */
export async function readRedis(client: Redis): Promise<RedisFacts> {
	const [info, save] = await Promise.all([
		client.info(),
		client.config('GET', 'save').then(
			(reply) => known(String((reply as unknown[])[1] ?? '')),
			() => unknown('This Redis does not let its configuration be read (CONFIG GET).'),
		),
	]);
	const fields = new Map(info.split('\r\n').map((line) => line.split(/:(.*)/s, 2) as [string, string | undefined]));
	const text = (name: string) => {
		const value = fields.get(name);
		if (value === undefined) {
			throw new LocalAiError('bad-reply', `Redis does not say ${name} in its INFO.`, {
				hint: 'Redis 6.2 or newer, or Valkey, is needed.',
			});
		}
		return value;
	};
	return {
		version: fields.get('valkey_version') ?? text('redis_version'),
		evictionPolicy: text('maxmemory_policy'),
		maxMemoryBytes: Number(text('maxmemory')),
		usedMemoryBytes: Number(text('used_memory')),
		evictedKeys: Number(text('evicted_keys')),
		appendOnly: text('aof_enabled') === '1',
		savePoints: save,
		lastSaveOk: text('rdb_last_bgsave_status') === 'ok',
		lastAppendWriteOk: text('aof_last_write_status') === 'ok',
		connectedClients: Number(text('connected_clients')),
		maxClients: Number(text('maxclients')),
		rejectedConnections: Number(text('rejected_connections')),
	};
}

function explain(error: unknown, place: string, signal: AbortSignal): LocalAiError {
	if (error instanceof LocalAiError) return error;
	if (signal.aborted) {
		return new LocalAiError('cancelled', 'The look at Redis was cancelled.', { hint: 'Run it again if it is wanted.' });
	}
	const message = error instanceof Error ? error.message : '';
	const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
	if (/^(WRONGPASS|NOAUTH|ERR invalid password|ERR AUTH)/.test(message)) {
		return new LocalAiError('unauthorized', `Redis at ${place} refused the password.`, {
			hint: 'Check the user and password in the Redis credential.',
		});
	}
	if (message.startsWith('NOPERM')) {
		const command = /'([\w|]+)' command/.exec(message)?.[1];
		const what = command === undefined ? 'keys of the queue' : `the command ${command}`;
		return new LocalAiError('unauthorized', `Redis at ${place} forbids this user ${what}.`, {
			hint: 'Allow it: INFO, CLIENT LIST, PUBSUB NUMSUB and reading the keys of the queue are needed.',
		});
	}
	if (error instanceof Error && error.name === 'ReplyError' && !message.startsWith('LOADING')) {
		return new LocalAiError('tool-failed', `Redis at ${place} refused a command (${message.split(' ', 1)[0]}).`, {
			hint: 'Look at the log of Redis.',
		});
	}
	if (/timed out|ETIMEDOUT/i.test(message)) {
		return new LocalAiError('timeout', `Redis at ${place} did not answer within 2000 ms.`, {
			hint: 'See whether it is busy: redis-cli --latency.',
			nothingAnswers: true,
		});
	}
	const refused = /^(ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN)$/.test(code ?? '');
	const broken = /^LOADING|Connection is closed/.test(message) || code === 'ECONNRESET';
	return new LocalAiError('unreachable', `Redis is not reachable at ${place} (${code ?? 'connection closed'})`, {
		hint: 'Start Redis, or correct its address.',
		nothingAnswers: refused || broken,
	});
}
