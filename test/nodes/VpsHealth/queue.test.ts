import Bull from 'bull';
import { Redis } from 'ioredis';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { defaultThresholds, diagnose } from '../../../nodes/VpsHealth/diagnose';
import { known, type QueueFacts } from '../../../nodes/VpsHealth/facts';
import { readQueue, type QueueAddress } from '../../../nodes/VpsHealth/queue';
import { readRedis, withRedis } from '../../../nodes/VpsHealth/redis';
import { healthyMachine, takenAt, withFault } from '../../support/machineFacts';
import { startRedis, type RedisServer } from '../../support/redis';

let redis: RedisServer | undefined;
beforeAll(async () => {
	redis = await startRedis();
	if (redis === undefined) console.log('The queue and Redis are not tested: there is no redis-server here.');
}, 120_000);
afterAll(async () => await redis?.stop());

const signal = new AbortController().signal;
const opened: Array<() => Promise<unknown>> = [];
afterEach(async () => {
	for (const close of opened.splice(0).reverse()) await close();
	if (redis) await withRedis(redis.address, signal, (client) => client.flushall());
});

const withServer = (name: string, run: (server: RedisServer) => Promise<void>) =>
	test(
		name,
		async () => {
			if (redis !== undefined) await run(redis);
		},
		60_000,
	);

const bull = ({ address }: RedisServer) => {
	const queue = new Bull('jobs', { redis: { ...address }, settings: { maxStalledCount: 0 } });
	queue.on('error', () => {});
	opened.push(() => queue.close(true));
	return queue;
};

/** What n8n's worker does besides Bull: it listens to commands. */
async function listen({ address }: RedisServer, ...channels: string[]) {
	const client = new Redis({ ...address });
	opened.push(async () => client.disconnect());
	await client.subscribe(...channels.map((channel) => `n8n:n8n.${channel}`));
}

const look = ({ address }: RedisServer, more: QueueAddress = {}): Promise<QueueFacts> =>
	withRedis(address, signal, (client) => readQueue(client, { windowMs: 100, ...more }, signal));

/** What is found on a healthy machine without containers that says this of its queue or Redis. */
function judge(part: 'queue' | 'redis', facts: unknown) {
	const machine = { ...healthyMachine(), containers: known([]) };
	return diagnose(
		withFault(machine, part, () => known(facts)),
		defaultThresholds,
		new Date(takenAt),
	).findings;
}

const codes = (queue: QueueFacts) => judge('queue', queue).map(({ code }) => code);

async function until(condition: () => Promise<boolean>) {
	for (let tries = 0; tries < 200; tries++) {
		if (await condition()) return;
		await wait(25);
	}
	throw new Error('It did not come to that within five seconds.');
}

withServer('a worker that waits for jobs is seen doing so', async (server) => {
	await listen(server, 'commands');
	await listen(server, 'commands', 'worker-response');
	void bull(server).process('job', 2, async () => {});
	await until(async () => (await look(server)).blockedConsumers === 1);
	const facts = await look(server);
	expect(facts).toMatchObject({
		waiting: 0,
		active: 0,
		consumers: 1,
		blockedConsumers: 1,
		listeners: 1,
		moved: false,
		oldestWaitingMs: null,
	});
	expect(codes(facts)).toEqual([]);
});

withServer('a worker that is alive but takes no jobs is found (n8n#37581)', async (server) => {
	await listen(server, 'commands');
	const queue = bull(server);
	void queue.process('job', 2, async () => {});
	await until(async () => (await look(server)).blockedConsumers === 1);
	// From here on the process lives, listens to commands, and no longer waits for jobs.
	await queue.pause(true, true);
	await queue.add('job', {});
	await queue.add('job', {});
	const facts = await look(server);
	expect(facts).toMatchObject({ waiting: 2, active: 0, blockedConsumers: 0, listeners: 1 });
	expect(codes(facts)).toEqual(['queue-not-consumed']);
});

withServer('a queue without any worker is told from one whose worker sleeps', async (server) => {
	const queue = bull(server);
	await queue.add('job', {}, { timestamp: Date.now() - 400_000 } as Bull.JobOptions);
	const facts = await look(server);
	expect(facts).toMatchObject({ waiting: 1, consumers: 0, listeners: 0 });
	expect(facts.oldestWaitingMs).toBeGreaterThanOrEqual(400_000);
	expect(codes(facts)).toEqual(['queue-no-worker', 'queue-oldest-job']);
});

withServer('a worker whose hands are full is no fault, one whose lock ran out is', async (server) => {
	const queue = bull(server);
	const started = once(queue, 'active');
	const ended = Promise.withResolvers<void>();
	opened.push(async () => ended.resolve());
	void queue.process('job', 1, () => ended.promise);
	const job = await queue.add('job', {});
	await queue.add('job', {});
	await started;
	const busy = await look(server);
	expect(busy).toMatchObject({ waiting: 1, active: 1, activeWithoutLock: 0, blockedConsumers: 0, moved: false });
	expect(codes(busy)).toEqual([]);
	await withRedis(server.address, signal, (client) => client.del(`bull:jobs:${job.id}:lock`));
	const stalled = await look(server);
	expect(stalled.activeWithoutLock).toBe(1);
	expect(codes(stalled)).toContain('queue-stalled-jobs');
});

withServer('a stopped worker whose connections stay open is found beside one that works', async (server) => {
	const settings = { redis: { ...server.address }, settings: { lockDuration: 1000, lockRenewTime: 200 } };
	const worker = spawn(
		process.execPath,
		[
			'-e',
			`const queue = new (require(process.argv[1]))('jobs', JSON.parse(process.argv[2]));
			queue.process('job', 1, () => new Promise(() => {}));`,
			require.resolve('bull'),
			JSON.stringify(settings),
		],
		{ stdio: 'ignore' },
	);
	opened.push(async () => {
		worker.kill('SIGKILL');
		if (worker.exitCode === null && worker.signalCode === null) await once(worker, 'exit');
	});
	const queue = new Bull('jobs', { ...settings, settings: { ...settings.settings, stalledInterval: 0 } });
	queue.on('error', () => {});
	opened.push(() => queue.close(true));
	await queue.add('job', {});
	const active = async () => (await look(server)).active === 1;
	await until(active);
	void queue.process('job', 1, async () => {});
	await until(async () => (await look(server)).blockedConsumers === 1);
	const silenceMs = 2000;
	await until(async () => (await look(server)).longestSilenceMs >= silenceMs);
	const busy = await look(server, { silenceMs });
	expect(busy).toMatchObject({ consumers: 2, stoppedConsumers: 0, activeWithoutLock: 0 });
	expect(codes(busy)).toEqual([]);
	worker.kill('SIGSTOP');
	await until(async () => (await look(server)).activeWithoutLock === 1);
	const stopped = await look(server, { silenceMs });
	expect(stopped).toMatchObject({ consumers: 2, blockedConsumers: 1, stoppedConsumers: 1, activeWithoutLock: 1 });
	expect(codes(stopped)).toEqual(['queue-worker-stopped', 'queue-stalled-jobs']);
	worker.kill('SIGKILL');
	await until(async () => (await look(server)).consumers === 1);
	expect(codes(await look(server, { silenceMs }))).toEqual(['queue-stalled-jobs']);
});

withServer('jobs that come and go between the two looks are movement', async (server) => {
	const queue = bull(server);
	for (let index = 0; index < 20; index++) await queue.add('job', {});
	void queue.process('job', 1, () => wait(60));
	await once(queue, 'active');
	expect((await look(server, { windowMs: 200 })).moved).toBe(true);
});

withServer('a paused queue keeps its jobs in sight, and the command shown lets it go on', async (server) => {
	const queue = bull(server);
	void queue.process('job', 1, async () => {});
	await queue.pause();
	await queue.add('job', {});
	const facts = await look(server);
	expect(facts).toMatchObject({ waiting: 1, paused: true });
	expect(codes(facts)).toEqual(['queue-paused']);
	const [finding] = judge('queue', facts);
	const done = once(queue, 'completed');
	execFileSync(
		'sh',
		['-c', finding!.command.replace('redis-cli', `redis-cli -p ${server.address.port} --no-auth-warning`)],
		{
			env: { ...process.env, REDISCLI_AUTH: server.address.password },
		},
	);
	await done;
	expect(await look(server)).toMatchObject({ waiting: 0, paused: false });
});

withServer('the prefixes are those of the n8n that runs this', async (server) => {
	process.env.QUEUE_BULL_PREFIX = 'other';
	try {
		const queue = new Bull('jobs', { redis: { ...server.address }, prefix: 'other' });
		opened.push(() => queue.close(true));
		await queue.add('job', {});
		expect(await look(server)).toMatchObject({ name: 'other:jobs', waiting: 1 });
		expect(await look(server, { prefix: 'bull' })).toMatchObject({ name: 'bull:jobs', waiting: 0 });
	} finally {
		delete process.env.QUEUE_BULL_PREFIX;
	}
});

withServer(
	'the user of the stack who watches sees all of it, and can neither change nor configure anything',
	async (server) => {
		const queue = new Bull('jobs', { redis: { ...server.address }, prefix: 'aurastack-1' });
		opened.push(() => queue.close(true));
		void queue.process('job', 1, () => new Promise(() => {}));
		const started = once(queue, 'active');
		await queue.add('job', {});
		await started;
		await queue.add('job', {});
		const watcher = { ...server.address, ...server.watcher };
		const facts = await withRedis(watcher, signal, (client) =>
			readQueue(client, { prefix: 'aurastack-1', windowMs: 50 }, signal),
		);
		expect(facts).toMatchObject({ waiting: 1, active: 1, activeWithoutLock: 0, consumers: 1 });
		expect(judge('redis', await withRedis(watcher, signal, readRedis))).toEqual([]);
		const forbidden = [
			['CONFIG', 'GET', '*'],
			['DEL', 'aurastack-1:jobs:wait'],
			['GET', 'other'],
			['LLEN', 'bull:jobs:wait'],
			['FLUSHALL'],
			['ACL', 'LIST'],
			['EVAL', 'return 1', '0'],
			['MONITOR'],
		] as const;
		for (const [command, ...args] of forbidden) {
			await expect(withRedis(watcher, signal, (client) => client.call(command, ...args))).rejects.toThrow();
		}
		expect(await withRedis(server.address, signal, (client) => client.llen('aurastack-1:jobs:wait'))).toBe(1);
	},
);

withServer('delayed and failed jobs are counted', async (server) => {
	const queue = bull(server);
	void queue.process('job', 1, async () => {
		throw new Error('as expected');
	});
	await queue.add('job', {}, { delay: 600_000 });
	const failed = once(queue, 'failed');
	await queue.add('job', {});
	await failed;
	await until(async () => (await look(server)).failed === 1);
	expect(await look(server)).toMatchObject({ delayed: 1, failed: 1, active: 0 });
});

withServer('a worker’s health address is asked', async (server) => {
	const worker = createServer((_, response) => response.end('{"status":"ok"}')).listen(0, '127.0.0.1');
	await once(worker, 'listening');
	opened.push(async () => worker.close());
	const url = `http://127.0.0.1:${(worker.address() as AddressInfo).port}/healthz`;
	const facts = await look(server, {
		workers: [
			{ name: 'one', url },
			{ name: 'two', url: 'http://127.0.0.1:1/healthz' },
		],
	});
	expect(facts.probes).toEqual([
		{ worker: 'one', answers: true },
		{ worker: 'two', answers: false },
	]);
	expect(codes(facts)).toEqual(['queue-not-consumed', 'queue-worker-silent']);
});

withServer('the state of a Redis as the stack starts it is without fault', async (server) => {
	const facts = await withRedis(server.address, signal, readRedis);
	expect(facts).toMatchObject({
		evictionPolicy: 'noeviction',
		appendOnly: true,
		savePoints: known(''),
		lastSaveOk: true,
		lastAppendWriteOk: true,
		evictedKeys: 0,
		maxMemoryBytes: 0,
	});
	expect(facts.usedMemoryBytes).toBeGreaterThan(100_000);
	expect(judge('redis', facts)).toEqual([]);
});

withServer('an eviction policy and a memory limit are seen as they are set', async (server) => {
	const found = await withRedis(server.address, signal, async (client) => {
		await client.config('SET', 'maxmemory', '100mb');
		await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
		try {
			return await readRedis(client);
		} finally {
			await client.config('SET', 'maxmemory', '0');
			await client.config('SET', 'maxmemory-policy', 'noeviction');
		}
	});
	expect(found).toMatchObject({ evictionPolicy: 'allkeys-lru', maxMemoryBytes: 100 * 1024 ** 2 });
	expect(judge('redis', found)[0]).toMatchObject({ code: 'redis-evicts', severity: 'critical' });
});

withServer('a user with few rights leaves unknown what it may not see', async (server) => {
	await withRedis(server.address, signal, async (client) => {
		await client.call('ACL', 'SETUSER', 'guest', 'on', '>pw', '+info', '+ping', '+select');
	});
	const guest = { ...server.address, username: 'guest', password: 'pw' };
	const facts = await withRedis(guest, signal, readRedis);
	expect(facts.savePoints).toMatchObject({ known: false });
	await expect(withRedis(guest, signal, (client) => readQueue(client, { windowMs: 1 }, signal))).rejects.toMatchObject({
		code: 'unauthorized',
		message: expect.stringMatching(/forbids this user/),
	});
});

withServer('a wrong password, and no Redis at all, are told apart and give no secret away', async (server) => {
	const wrong = withRedis({ ...server.address, password: 'canary-secret' }, signal, readRedis);
	const error = await wrong.then(
		() => undefined,
		(caught: Error) => caught,
	);
	expect(error).toMatchObject({ code: 'unauthorized' });
	expect(JSON.stringify(error) + error!.message).not.toContain('canary');
	await expect(withRedis({ ...server.address, port: 1 }, signal, readRedis)).rejects.toMatchObject({
		code: 'unreachable',
		nothingAnswers: true,
	});
});
