import type { Redis } from 'ioredis';
import { setTimeout as wait } from 'node:timers/promises';
import { LocalAiError } from '../shared/errors';
import { fetchWithin } from '../shared/http';
import type { QueueFacts, WorkerProbe } from './facts';

export interface QueueAddress {
	/** n8n's QUEUE_BULL_PREFIX. Default: that of the n8n which runs this, else `bull`. */
	readonly prefix?: string;
	/** Default `jobs`. */
	readonly name?: string;
	/** n8n's N8N_REDIS_KEY_PREFIX, for its commands to workers. Default: that of the n8n which runs this, else `n8n`. */
	readonly n8nPrefix?: string;
	/** Health addresses of the workers, as `http://127.0.0.1:5679/healthz`, by the name a person knows them by. */
	readonly workers?: ReadonlyArray<{ readonly name: string; readonly url: string }>;
	/** Between the two looks. Default 600. */
	readonly windowMs?: number;
	/** A connection that waits for nothing and said nothing for so long belongs to no idle worker. Default 15 000. */
	readonly silenceMs?: number;
}

/** An idle worker of Bull asks again every five seconds (drainDelay). */
const defaultSilenceMs = 15_000;

/**
 * n8n's queue as Bull keeps it in Redis, looked at twice, without touching it. Who consumes is told by the connections
 * that Bull names after the queue, and whether they stand in its blocking read. Rejects with what Redis rejects with.
 */
export async function readQueue(client: Redis, address: QueueAddress, signal: AbortSignal): Promise<QueueFacts> {
	const { QUEUE_BULL_PREFIX = 'bull', N8N_REDIS_KEY_PREFIX = 'n8n' } = process.env;
	const { prefix = QUEUE_BULL_PREFIX, name = 'jobs', n8nPrefix = N8N_REDIS_KEY_PREFIX } = address;
	const { workers = [], windowMs = 600, silenceMs = defaultSilenceMs } = address;
	const at = { prefix, name, n8nPrefix, silenceMs };
	const [first, probes] = await Promise.all([look(client, at), probe(workers, signal)]);
	await wait(windowMs, undefined, { signal });
	const last = await look(client, at);
	const stillActive = first.active.filter((id) => last.active.includes(id));
	return {
		name: `${prefix}:${name}`,
		waiting: last.waiting,
		active: last.active.length,
		delayed: last.delayed,
		failed: last.failed,
		paused: last.paused,
		oldestWaitingMs: last.oldestAt === null ? null : Math.max(0, Date.now() - last.oldestAt),
		// A job is in the active list a moment before it is locked.
		activeWithoutLock: last.unlocked.filter((id) => first.unlocked.includes(id)).length,
		consumers: Math.max(first.consumers, last.consumers),
		// Between two waits of five seconds a connection is free for a moment.
		blockedConsumers: Math.max(first.blockedConsumers, last.blockedConsumers),
		// Right after its last job a worker has not asked for the next one yet.
		stoppedConsumers: Math.min(first.stoppedConsumers, last.stoppedConsumers),
		longestSilenceMs: last.longestSilenceMs,
		listeners: Math.max(first.listeners, last.listeners),
		moved:
			stillActive.length !== first.active.length ||
			stillActive.length !== last.active.length ||
			(first.oldest !== null && first.oldest !== last.oldest),
		windowMs,
		probes,
	};
}

interface Look {
	readonly waiting: number;
	readonly active: readonly string[];
	readonly unlocked: readonly string[];
	readonly delayed: number;
	readonly failed: number;
	readonly paused: boolean;
	readonly oldest: string | null;
	readonly oldestAt: number | null;
	readonly consumers: number;
	readonly blockedConsumers: number;
	readonly stoppedConsumers: number;
	readonly longestSilenceMs: number;
	readonly listeners: number;
}

interface At {
	readonly prefix: string;
	readonly name: string;
	readonly n8nPrefix: string;
	readonly silenceMs: number;
}

const maxActive = 1000;

/** The layout of Bull 4: https://github.com/OptimalBits/bull/blob/develop/lib/queue.js */
async function look(client: Redis, at: At): Promise<Look> {
	const key = (part: string) => `${at.prefix}:${at.name}:${part}`;
	const commands = `${at.n8nPrefix}:n8n.commands`;
	const answers = `${at.n8nPrefix}:n8n.worker-response`;
	const [waiting, held, active, delayed, failed, paused, next, nextHeld, clients, subscribers] = await Promise.all([
		client.llen(key('wait')),
		client.llen(key('paused')),
		client.lrange(key('active'), 0, maxActive - 1),
		client.zcard(key('delayed')),
		client.zcard(key('failed')),
		client.exists(key('meta-paused')),
		client.lindex(key('wait'), -1),
		client.lindex(key('paused'), -1),
		client.client('LIST') as Promise<string>,
		client.pubsub('NUMSUB', commands, answers),
	]);
	const oldest = next ?? nextHeld;
	const locks = await Promise.all(active.map((id) => client.exists(key(`${id}:lock`))));
	const oldestAt = oldest === null ? null : await client.hget(key(oldest), 'timestamp');
	const named = clientsNamed(clients, `${at.prefix}:${Buffer.from(at.name).toString('base64')}`);
	const unlocked = active.filter((_, index) => locks[index] === 0);
	const silences = named.filter(({ blocked }) => !blocked).map(({ silenceMs }) => silenceMs);
	const silent = silences.filter((silenceMs) => silenceMs >= at.silenceMs).length;
	const [, listening, , mains] = subscribers as [string, number, string, number];
	return {
		waiting: waiting + held,
		active,
		unlocked,
		delayed,
		failed,
		paused: paused === 1,
		oldest,
		oldestAt: oldestAt === null ? null : Number(oldestAt),
		consumers: named.length,
		blockedConsumers: named.filter(({ blocked }) => blocked).length,
		// A worker with its hands full is silent here too, but it holds the lock of at least one job.
		stoppedConsumers: Math.max(0, silent - (active.length - unlocked.length)),
		longestSilenceMs: Math.max(0, ...silences),
		// The main processes listen to both, workers and webhook processes to the commands only.
		listeners: Math.max(0, Number(listening) - Number(mains)),
	};
}

/** The connections whose name begins so: https://redis.io/docs/latest/commands/client-list/ */
function clientsNamed(list: string, name: string): Array<{ blocked: boolean; silenceMs: number }> {
	return list
		.split('\n')
		.map((line) => new Map(line.split(' ').map((field) => field.split(/=(.*)/s, 2) as [string, string])))
		.filter((fields) => fields.get('name')?.startsWith(name))
		.map((fields) => ({
			blocked: fields.get('flags')?.includes('b') ?? false,
			silenceMs: Number(fields.get('idle') ?? 0) * 1000,
		}));
}

async function probe(workers: NonNullable<QueueAddress['workers']>, signal: AbortSignal): Promise<WorkerProbe[]> {
	return await Promise.all(
		workers.map(async ({ name, url }) => {
			const ask = fetchWithin({ service: name, startHint: '', timeoutMs: 1000, maxReplyBytes: 65_536, signal });
			try {
				const reply = await ask(url);
				await reply.body?.cancel();
				return { worker: name, answers: reply.ok };
			} catch (error) {
				if (error instanceof LocalAiError) return { worker: name, answers: false };
				throw error;
			}
		}),
	);
}
