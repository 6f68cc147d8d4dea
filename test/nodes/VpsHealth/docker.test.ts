import { execFileSync, spawnSync } from 'node:child_process';
import { createServer as createSecureServer } from 'node:https';
import fc from 'fast-check';
import {
	createServer,
	request as requestHttp,
	type IncomingMessage,
	type Server,
	type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
	containerIdIn,
	containerLogs,
	countContainers,
	frames,
	isContainerName,
	listContainers,
	restartContainer,
	type Docker,
} from '../../../nodes/VpsHealth/docker';
import { startDocker, whyNoDocker, type DockerEngine } from '../../support/docker';

const noDocker = whyNoDocker();
if (noDocker !== null) console.log(`Skipped, the tests on a real Docker engine: ${noDocker}.`);
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl) console.log('Skipped, Docker over TLS: openssl, which makes the certificates, is not installed.');
const onDocker = noDocker === null ? describe : describe.skip;

jest.setTimeout(30_000);

const standIns: Array<() => Promise<void>> = [];
afterEach(async () => {
	for (const close of standIns.splice(0)) await close();
});

/** An engine on a socket that answers as it is told; `seen` are the calls that came, in order. */
async function standIn(answer: (request: IncomingMessage, reply: ServerResponse) => void) {
	const folder = mkdtempSync(join(tmpdir(), 'docker-stand-in-'));
	const path = join(folder, 'd.sock');
	const seen: string[] = [];
	const server: Server = createServer((request, reply) => {
		seen.push(`${request.method} ${request.url}`);
		answer(request, reply);
	});
	await new Promise<void>((resolve) => server.listen(path, resolve));
	standIns.push(async () => {
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
		rmSync(folder, { recursive: true, force: true });
	});
	return { seen, path, docker: (...allowed: string[]): Docker => ({ address: { kind: 'socket', path }, allowed }) };
}

const idOf = (letter: string) => letter.repeat(64);
const listed = (name: string, more: object = {}) => ({
	Id: idOf('a'),
	Names: [`/${name}`],
	Image: 'box:1',
	Command: 'sh',
	Created: 1_700_000_000,
	Labels: {},
	Ports: [],
	...more,
});
const inspected = (more: { State?: object; Config?: object } = {}) => ({
	RestartCount: 0,
	State: { Status: 'running', Running: true, ExitCode: 0, StartedAt: '2026-11-22T10:00:00Z', ...more.State },
	Config: { Image: 'box:1', Env: [], ...more.Config },
	HostConfig: { Memory: 0 },
});

describe('names', () => {
	test.each(['n8n', 'n8n-worker-1', 'a.b_c', 'db', 'cafe', '1', 'deadbeef'])('%s is one', (name) => {
		expect(isContainerName(name)).toBe(true);
	});

	test.each([
		...['', '/n8n', 'n8n/json', '../../containers/x/exec', '..', '.hidden', '-t=0', '--help', 'n8n --since 0; id'],
		...['n8n?all=1', 'n8n#x', 'n8n%2fjson', 'n8n\n', 'n8n\r\nHost: x', 'n8n\0', 'n8n ', ' n8n', 'é', 'a'.repeat(300)],
		...['0123456789ab', idOf('a'), '$(id)', '`id`', 'n8n\\..'],
	])('%j is none', (name) => {
		expect(isContainerName(name)).toBe(false);
	});

	test('no text of any kind reaches the engine in a path of its own making', async () => {
		const engine = await standIn((_, reply) => reply.end('[]'));
		await fc.assert(
			fc.asyncProperty(
				fc.oneof(fc.string({ unit: 'binary' }), fc.webPath(), fc.stringMatching(/^[0-9a-f./-]{1,70}$/)),
				fc.boolean(),
				async (name, allowIt) => {
					const asked = containerLogs(engine.docker(...(allowIt ? [name] : ['n8n'])), name);
					await expect(asked).rejects.toMatchObject({ name: 'LocalAiError' });
				},
			),
			{ numRuns: 500 },
		);
		expect(engine.seen.filter((call) => call !== 'GET /containers/json?all=true')).toEqual([]);
	});
});

describe('on an engine that answers as it is told', () => {
	test('an id or the start of one is refused before anything is asked', async () => {
		const engine = await standIn((_, reply) => reply.end(JSON.stringify([listed('n8n')])));
		for (const name of [idOf('a'), 'aaaaaaaaaaaa', 'other', 'N8N']) {
			await expect(containerLogs(engine.docker('n8n'), name)).rejects.toMatchObject({
				code: 'refused',
				reason: 'POLICY_ARGS',
			});
			await expect(restartContainer(engine.docker('n8n'), name)).rejects.toMatchObject({ reason: 'POLICY_ARGS' });
		}
		expect(engine.seen).toEqual([]);
		// An allowed name that only an id would satisfy is no name of a container.
		await expect(containerLogs(engine.docker('aaa'), 'aaa')).rejects.toMatchObject({ code: 'invalid-input' });
		expect(engine.seen).toEqual(['GET /containers/json?all=true']);
	});

	test('a name that could be read as the start of an id is asked for by the id it has', async () => {
		const engine = await standIn((request, reply) => {
			reply.end(JSON.stringify(request.url!.startsWith('/containers/json') ? [listed('db')] : inspected()));
		});
		await listContainers(engine.docker('db'));
		expect(engine.seen).toEqual(['GET /containers/json?all=true', `GET /containers/${idOf('a')}/json`]);
	});

	test.each([
		['the list of the caller', listed('mine'), { protected: ['mine'] }, /list/],
		[
			'PostgreSQL by its image',
			listed('store', { Image: 'docker.io/library/postgres:16@sha256:ab' }),
			{},
			/PostgreSQL/,
		],
		[
			'PostgreSQL by its Compose service',
			listed('stack-x-1', { Labels: { 'com.docker.compose.service': 'postgres' } }),
			{},
			/PostgreSQL/,
		],
		['Redis', listed('cache', { Image: 'redis' }), {}, /Redis/],
		['Valkey', listed('cache', { Image: 'registry:5000/valkey:8' }), {}, /Redis/],
		['n8n by its name', listed('n8n'), {}, /n8n/],
		['n8n by its image', listed('main', { Image: 'docker.n8n.io/n8nio/n8n:2.41.1' }), {}, /n8n/],
		['the container that this runs in', listed('box'), { ownId: idOf('a') }, /this very/],
	])('a restart is refused: %s', async (_name, container, request, why) => {
		const engine = await standIn((_, reply) => reply.end(JSON.stringify([container])));
		const name = container.Names[0]!.slice(1);
		const asked = restartContainer(engine.docker(name), name, { ownId: null, ...request });
		await expect(asked).rejects.toMatchObject({
			code: 'refused',
			reason: 'PROTECTED',
			message: expect.stringMatching(why),
		});
		expect(engine.seen).toEqual(['GET /containers/json?all=true']);
	});

	test('a worker of n8n is not protected, and what is protected is restarted where that is said', async () => {
		let started = 0;
		const containers = [
			listed('worker', { Image: 'n8nio/n8n:2.41.1', Command: 'tini -- /docker-entrypoint.sh worker' }),
			listed('n8n', { Image: 'n8nio/n8n:2.41.1' }),
		];
		const engine = await standIn((request, reply) => {
			if (request.method === 'POST') {
				started++;
				return void reply.writeHead(204).end();
			}
			const StartedAt = `2026-11-22T10:00:0${started}Z`;
			reply.end(
				JSON.stringify(request.url!.startsWith('/containers/json') ? containers : inspected({ State: { StartedAt } })),
			);
		});
		const docker = engine.docker('worker', 'n8n');
		expect(await restartContainer(docker, 'worker', { ownId: null })).toMatchObject({ state: 'running' });
		expect(await restartContainer(docker, 'n8n', { ownId: null, allowProtected: true })).toMatchObject({
			container: 'n8n',
		});
		expect(engine.seen).toContain('POST /containers/worker/restart?t=10');
	});

	test('a restart that did not happen is no success', async () => {
		const engine = await standIn((request, reply) => {
			reply.end(JSON.stringify(request.url!.startsWith('/containers/json') ? [listed('box')] : inspected()));
		});
		await expect(restartContainer(engine.docker('box'), 'box')).rejects.toMatchObject({ code: 'tool-failed' });
	});

	test.each([
		['not JSON', 'hello', 'bad-reply'],
		['another shape', '{"a":1}', 'bad-reply'],
	])('%s is told as such', async (_name, body, code) => {
		const engine = await standIn((_, reply) => reply.end(body));
		await expect(listContainers(engine.docker('n8n'))).rejects.toMatchObject({ code });
	});

	test('a proxy that forbids the call is named', async () => {
		const engine = await standIn((_, reply) => reply.writeHead(403).end('Forbidden'));
		await expect(listContainers(engine.docker('n8n'))).rejects.toMatchObject({ code: 'unauthorized' });
	});

	test('a flood ends, and one that hangs ends in time', async () => {
		const flood = await standIn((_, reply) => {
			const pour = () => {
				while (reply.write(Buffer.alloc(1_048_576, ' ')));
			};
			reply.on('drain', pour).on('error', () => undefined);
			pour();
		});
		await expect(listContainers(flood.docker('n8n'))).rejects.toMatchObject({ code: 'bad-reply' });
		const silent = await standIn(() => undefined);
		const started = Date.now();
		await expect(listContainers(silent.docker('n8n'), { timeoutMs: 200 })).rejects.toMatchObject({ code: 'timeout' });
		expect(Date.now() - started).toBeLessThan(1_500);
		const stop = new AbortController();
		const asked = listContainers(silent.docker('n8n'), { signal: stop.signal });
		stop.abort();
		await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
	});

	test('a log without end is cut from its beginning, and ends', async () => {
		const engine = await standIn((request, reply) => {
			if (request.url!.startsWith('/containers/json')) return void reply.end(JSON.stringify([listed('box')]));
			if (request.url!.includes('/json')) return void reply.end(JSON.stringify(inspected()));
			const line = Buffer.from(`2026-11-22T10:00:00Z ${'x'.repeat(1000)}\n`);
			const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
			header.writeUInt32BE(line.length, 4);
			for (let at = 0; at < 2_000; at++) reply.write(Buffer.concat([header, line]));
			reply.end();
		});
		const { lines, truncated } = await containerLogs(engine.docker('box'), 'box', { maxBytes: 10_000 });
		expect(truncated).toBe(true);
		expect(lines.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(10_000);
	});

	test('the environment of this process does not choose the engine', async () => {
		const before = process.env.DOCKER_HOST;
		process.env.DOCKER_HOST = 'tcp://127.0.0.1:1';
		const engine = await standIn((_, reply) => reply.end('[]'));
		try {
			expect(await countContainers({ kind: 'socket', path: engine.path })).toBe(0);
		} finally {
			if (before === undefined) delete process.env.DOCKER_HOST;
			else process.env.DOCKER_HOST = before;
		}
	});

	test('nobody there, over a socket and over TCP', async () => {
		await expect(countContainers({ kind: 'socket', path: '/nowhere/docker.sock' })).rejects.toMatchObject({
			code: 'unreachable',
			nothingAnswers: true,
			message: expect.stringContaining('/nowhere/docker.sock'),
		});
		await expect(countContainers({ kind: 'tcp', host: '127.0.0.1', port: 1 })).rejects.toMatchObject({
			code: 'unreachable',
			nothingAnswers: true,
		});
	});

	(hasOpenssl ? test : test.skip)('over TLS both sides show their certificate', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'docker-tls-'));
		const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
		const files = ['-keyout', join(folder, 'key'), '-out', join(folder, 'cert')];
		execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...files, ...subject], {
			stdio: 'ignore',
		});
		const [key, cert] = ['key', 'cert'].map((name) => readFileSync(join(folder, name), 'utf8')) as [string, string];
		rmSync(folder, { recursive: true });
		const options = { key, cert, ca: cert, requestCert: true, rejectUnauthorized: true };
		const secure = createSecureServer(options, (_, reply) => void reply.end(JSON.stringify([listed('n8n')])));
		await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
		standIns.push(async () => {
			secure.closeAllConnections();
			await new Promise((resolve) => secure.close(resolve));
		});
		const { port } = secure.address() as AddressInfo;
		const place = { kind: 'tcp', host: '127.0.0.1', port } as const;
		expect(await countContainers({ ...place, tls: { ca: cert, cert, key } })).toBe(1);
		await expect(countContainers(place)).rejects.toMatchObject({ code: 'unreachable' });
	});

	test('without an allowed container nothing is listed', async () => {
		const engine = await standIn((_, reply) => reply.end('[]'));
		await expect(listContainers(engine.docker())).rejects.toMatchObject({ code: 'configuration' });
		expect(engine.seen).toEqual([]);
	});
});

test('frames come whole however the bytes are cut', async () => {
	const frame = fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 }));
	await fc.assert(
		fc.asyncProperty(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(60), { maxLength: 20 }), async (sent, cuts) => {
			const bytes = Buffer.concat(
				sent.flatMap(([stream, payload]) => {
					const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
					header.writeUInt32BE(payload.length, 4);
					return [header, Buffer.from(payload)];
				}),
			);
			const chunks: Buffer[] = [];
			let rest = bytes;
			for (const cut of cuts) {
				chunks.push(rest.subarray(0, cut));
				rest = rest.subarray(cut);
			}
			const got: Array<[string, number]> = [];
			for await (const [stream, piece] of frames(from([...chunks, rest]))) {
				for (const byte of piece) got.push([stream, byte]);
			}
			const expected = sent.flatMap(([stream, payload]) =>
				[...payload].map((byte): [string, number] => [stream === 2 ? 'stderr' : 'stdout', byte]),
			);
			expect(got).toEqual(expected);
		}),
	);
	await expect(drain(frames(from([Buffer.from('GET / HTTP/1.1')])))).rejects.toMatchObject({ code: 'bad-reply' });
});

async function* from(chunks: Buffer[]) {
	yield* chunks;
}

async function drain(source: AsyncIterable<unknown>): Promise<void> {
	for await (const one of source) void one;
}

onDocker('on a real engine', () => {
	let engine: DockerEngine;
	const allowed = ['talker', 'sleeper', 'tty', 'sick', 'killed', 'gone', 'db'];
	const docker = (): Docker => ({ address: { kind: 'socket', path: engine.socketPath }, allowed });

	beforeAll(async () => {
		engine = await startDocker();
		engine.run(
			'talker',
			'for i in 1 2 3; do echo out $i; echo err $i $DB_PASSWORD >&2; done; exec sleep 1000',
			'-e',
			'DB_PASSWORD=canary-s3cret',
		);
		engine.run(
			'sleeper',
			'exec sleep 1000',
			'--memory',
			'64m',
			'--restart',
			'unless-stopped',
			'--label',
			'com.docker.compose.project=aura',
		);
		engine.run('tty', 'echo one; echo two; exec sleep 1000', '-t');
		engine.run(
			'sick',
			'exec sleep 1000',
			'--health-cmd',
			'/bin/sh -c "echo token=canary-s3cret; exit 1"',
			'--health-interval',
			'1s',
			'--health-retries',
			'1',
			'-e',
			'TOKEN=canary-s3cret',
		);
		engine.run('killed', 'x=x; while :; do x=$x$x; done', '--memory', '8m');
		engine.run('gone', 'exit 3');
		engine.run('db', 'exec sleep 1000');
		engine.run('private', 'echo private; exec sleep 1000');
	}, 400_000);
	afterAll(async () => await engine?.stop(), 60_000);

	test('the allowed containers are told, their secrets and the others are not', async () => {
		await until(async () => (await state('sick')).health === 'unhealthy' && (await state('killed')).state === 'exited');
		const list = await listContainers(docker(), { usage: true });
		expect(list.others).toBe(1);
		expect(list.containers.map(({ name }) => name)).toEqual([...allowed].sort());
		const by = Object.fromEntries(list.containers.map((one) => [one.name, one]));
		expect(by.sleeper).toMatchObject({
			state: 'running',
			health: 'none',
			restartPolicy: 'unless-stopped',
			composeProject: 'aura',
			memoryLimitBytes: { known: true, value: 64 * 1024 * 1024 },
			cpuUse: { known: true, value: expect.any(Number) },
			memoryBytes: { known: true, value: expect.any(Number) },
		});
		expect(by.sleeper!.cpuUse).toMatchObject({ value: expect.closeTo(0, 1) });
		expect(by.killed).toMatchObject({ state: 'exited', oomKilled: true, exitCode: 137, memoryBytes: { known: false } });
		expect(by.gone).toMatchObject({ state: 'exited', exitCode: 3, cpuUse: { known: false } });
		expect(by.sick).toMatchObject({ health: 'unhealthy', healthOutput: 'token=[TOKEN]' });
		expect(by.talker!.environment).toContain('DB_PASSWORD');
		expect(JSON.stringify(list)).not.toMatch(/canary|private/);
	}, 30_000);

	test('figures of all containers are taken at the same time', async () => {
		const started = Date.now();
		const { containers } = await listContainers(docker(), { usage: true });
		expect(containers.filter(({ cpuUse }) => cpuUse.known)).toHaveLength(5);
		expect(Date.now() - started).toBeLessThan(5_000);
	}, 15_000);

	test('logs come as lines of two streams, without secrets', async () => {
		const { lines, truncated, state: running } = await containerLogs(docker(), 'talker');
		expect({ truncated, running }).toEqual({ truncated: false, running: 'running' });
		expect(lines.filter(({ stream }) => stream === 'stdout').map(({ text }) => text)).toEqual([
			'out 1',
			'out 2',
			'out 3',
		]);
		expect(lines.filter(({ stream }) => stream === 'stderr').map(({ text }) => text)).toEqual(
			[1, 2, 3].map((at) => `err ${at} [DB_PASSWORD]`),
		);
		expect(lines.every(({ at }) => at !== null && !Number.isNaN(Date.parse(at)))).toBe(true);
		expect((await containerLogs(docker(), 'talker', { tail: 1 })).lines).toHaveLength(1);
		expect((await containerLogs(docker(), 'tty')).lines.map(({ text }) => text)).toEqual(['one', 'two']);
	});

	test('a container is restarted by its name', async () => {
		const before = await state('sleeper');
		const restarted = await restartContainer(docker(), 'sleeper', { graceSeconds: 0 });
		const after = await state('sleeper');
		expect(restarted).toMatchObject({ container: 'sleeper', state: 'running', startedAt: after.startedAt });
		expect(Date.parse(after.startedAt!)).toBeGreaterThan(Date.parse(before.startedAt!));
	}, 30_000);

	test('a program in a container knows its own id', () => {
		const mounts = engine.docker(
			'exec',
			'talker',
			'/bin/sh',
			'-c',
			'while read -r line; do echo "$line"; done < /proc/self/mountinfo',
		);
		expect(containerIdIn(`${mounts}\n`)).toBe(engine.docker('inspect', '-f', '{{.Id}}', 'talker'));
		expect(containerIdIn('22 1 8:1 / / rw - ext4 /dev/vda rw\n')).toBeNull();
	});

	test('neither ids nor containers that are not allowed are touched', async () => {
		const id = engine.docker('inspect', '-f', '{{.Id}}', 'private');
		const startedAt = () => engine.docker('inspect', '-f', '{{.State.StartedAt}}', 'private');
		const before = startedAt();
		for (const name of [id, id.slice(0, 12), id.slice(0, 4), 'private', '/private', '../private', 'private/restart']) {
			await expect(restartContainer(docker(), name)).rejects.toMatchObject({ code: 'refused' });
			await expect(containerLogs(docker(), name)).rejects.toMatchObject({ code: 'refused' });
		}
		// Even where the owner wrote an id into the list, it is no name.
		const careless: Docker = { ...docker(), allowed: [id, id.slice(0, 12), id.slice(0, 4)] };
		for (const name of careless.allowed) {
			await expect(restartContainer(careless, name)).rejects.toMatchObject({ name: 'LocalAiError' });
		}
		expect(startedAt()).toBe(before);
	});

	test('behind a proxy that allows five calls everything works, and no other call is made', async () => {
		const opened = [
			/^GET \/containers\/json$/,
			/^GET \/containers\/[\w.-]+\/(json|logs|stats)$/,
			/^POST \/containers\/(talker|sleeper)\/restart$/,
		];
		const refused: string[] = [];
		const proxy = createServer((incoming, reply) => {
			const call = `${incoming.method} ${incoming.url!.split('?')[0]}`;
			if (!opened.some((pattern) => pattern.test(call))) {
				refused.push(call);
				return void reply.writeHead(403).end('forbidden');
			}
			const outgoing = requestHttp(
				{ socketPath: engine.socketPath, method: incoming.method, path: incoming.url, headers: incoming.headers },
				(answer) => {
					reply.writeHead(answer.statusCode!, answer.headers);
					answer.on('error', () => reply.destroy());
					answer.pipe(reply);
				},
			);
			outgoing.on('error', () => reply.destroy());
			reply.on('close', () => outgoing.destroy());
			incoming.pipe(outgoing);
		});
		await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
		const { port } = proxy.address() as AddressInfo;
		const through: Docker = { address: { kind: 'tcp', host: '127.0.0.1', port }, allowed };
		try {
			expect(await countContainers(through.address)).toBe(8);
			expect((await listContainers(through, { usage: true })).containers).toHaveLength(allowed.length);
			expect((await containerLogs(through, 'talker')).lines).toHaveLength(6);
			expect(await restartContainer(through, 'sleeper', { graceSeconds: 0 })).toMatchObject({ state: 'running' });
			expect(refused).toEqual([]);
			await expect(restartContainer(through, 'tty', { graceSeconds: 0 })).rejects.toMatchObject({
				code: 'unauthorized',
			});
		} finally {
			proxy.closeAllConnections();
			await new Promise((resolve) => proxy.close(resolve));
		}
	}, 30_000);

	const state = async (name: string) =>
		(await listContainers(docker())).containers.find((container) => container.name === name)!;
});

async function until(holds: () => Promise<boolean>): Promise<void> {
	const deadline = Date.now() + 20_000;
	while (!(await holds())) if (Date.now() > deadline) throw new Error('It did not happen within 20 s.');
}
