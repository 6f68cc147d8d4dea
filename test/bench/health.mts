// A full diagnosis of a machine with 20 containers, PostgreSQL, Redis with n8n's queue, and Ollama: how long it takes,
// each of its sources alone, all of them one after the other, and the `docker` command asked for the containers alone.
//
// PostgreSQL and Redis are real, and so is Docker where an engine can run; elsewhere its API is answered on a real
// socket, figures of use a second apart as the engine sends them. Ollama is a server that answers as Ollama does.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import type { Sources } from '../../nodes/VpsHealth/diagnose.ts';
import type { Docker } from '../../nodes/VpsHealth/docker.ts';

const require = createRequire(import.meta.url);
require('../support/typescript.cjs');
const { collectFacts, diagnose } =
	require('../../dist/nodes/VpsHealth/diagnose.js') as typeof import('../../nodes/VpsHealth/diagnose.ts');
const { sourcesOf } =
	require('../../dist/nodes/VpsHealth/sources.js') as typeof import('../../nodes/VpsHealth/sources.ts');
const { asHtml, asText } =
	require('../../dist/nodes/VpsHealth/report.js') as typeof import('../../nodes/VpsHealth/report.ts');
const { startDocker, whyNoDocker } = require('../support/docker.ts') as typeof import('../support/docker.ts');
const { startPostgres } = require('../support/postgres.ts') as typeof import('../support/postgres.ts');
const { startRedis } = require('../support/redis.ts') as typeof import('../support/redis.ts');

const containers = 20;
const repeats = 15;
const names = Array.from({ length: containers }, (_, index) => `service-${index + 1}`);

/** Title and one row a way of asking, as test/bench/bench.mts prints them. */
export async function measure(): Promise<{ title: string; rows: Array<Record<string, string | number>> }> {
	const stops: Array<() => Promise<unknown> | void> = [];
	try {
		const engine = await engineWithContainers(stops);
		const postgres = await startPostgres();
		stops.push(() => postgres.stop());
		const redis = await startRedis();
		if (redis) stops.push(() => redis.stop());
		const ollama = await serve(ollamaReply, { port: 0, host: '127.0.0.1' }, stops);
		const url = new URL(postgres.url);
		const reachable = {
			docker: engine.docker,
			postgres: {
				host: url.hostname,
				port: Number(url.port),
				database: url.pathname.slice(1),
				user: decodeURIComponent(url.username),
				password: decodeURIComponent(url.password),
				ssl: 'off' as const,
			},
			...(redis && { redis: redis.address, queue: {} }),
			ollama: { baseUrl: `http://127.0.0.1:${(ollama.address() as AddressInfo).port}` },
			wantedModels: ['qwen2.5:7b'],
		};
		const whole = await times(async () => {
			const facts = await collectFacts(sourcesOf(reachable));
			const diagnosis = diagnose(facts);
			if (!facts.containers.known || facts.containers.value.length !== containers)
				throw new Error('not every container was seen');
			// systemd runs on some machines only, and some kernels do not count the memory of containers.
			const unseen = diagnosis.findings.filter(({ code }) => code === 'not-known');
			if (unseen.some(({ subject }) => !/^(systemd|containers)/.test(subject ?? '')))
				throw new Error(asText(diagnosis, 'en'));
			asText(diagnosis, 'en');
			asHtml(diagnosis, facts, 'en');
		});
		const alone: Array<Record<string, string | number>> = [];
		for (const name of Object.keys(sourcesOf(reachable)) as Array<keyof Sources>) {
			alone.push(row(`  ${name} alone`, await times(() => collectFacts({ [name]: sourcesOf(reachable)[name] }), 5)));
		}
		const oneByOne = await times(async () => {
			const sources = sourcesOf(reachable);
			for (const name of Object.keys(sources) as Array<keyof Sources>) await collectFacts({ [name]: sources[name] });
		}, 3);
		const command = engine.command && (await times(engine.command, 3));
		return {
			title: `Health: a full diagnosis with ${containers} containers (${engine.what}), ${repeats} times; the goal is a p95 below 3000 ms`,
			rows: [
				row('full diagnosis, text and page', whole),
				...alone,
				row('the same sources one after the other', oneByOne),
				...(command ? [row('docker stats and docker inspect, the containers only', command)] : []),
			],
		};
	} finally {
		for (const stop of stops.reverse()) await stop();
	}
}

interface EngineAtHand {
	readonly what: string;
	readonly docker: Docker;
	readonly command?: () => Promise<void>;
}

async function engineWithContainers(stops: Array<() => Promise<unknown> | void>): Promise<EngineAtHand> {
	const why = whyNoDocker();
	const engine = why === null ? await startDocker().catch(() => null) : null;
	if (engine !== null) {
		stops.push(() => engine.stop());
		for (const name of names) engine.run(name, 'while :; do sleep 1; done', '--memory', '64m');
		return {
			what: 'a real engine',
			docker: { address: { kind: 'socket', path: engine.socketPath }, allowed: names },
			command: async () => {
				engine.docker('stats', '--no-stream', ...names);
				engine.docker('inspect', ...names);
			},
		};
	}
	const folder = mkdtempSync(join(tmpdir(), 'docker-stand-in-'));
	stops.push(() => rmSync(folder, { recursive: true, force: true }));
	const path = join(folder, 'docker.sock');
	await serve(engineReply, { path }, stops);
	return { what: 'a stand-in on a real socket', docker: { address: { kind: 'socket', path }, allowed: names } };
}

/** What Docker Engine's API 1.41 answers, to the fields that are read. */
const engineReply: RequestListener = (request, reply) => {
	const { pathname } = new URL(request.url ?? '/', 'http://docker');
	const [, id, what] = /^(?:\/v[\d.]+)?\/containers\/([^/]+)\/(json|stats)$/.exec(pathname) ?? [];
	const idOf = (index: number) => String(index).padStart(64, 'a');
	reply.setHeader('content-type', 'application/json');
	if (id === undefined) {
		const list = names.map((name, index) => ({
			...{ Id: idOf(index), Names: [`/${name}`], Image: 'box:1', ImageID: 'sha256:0', Command: 'sh' },
			...{ Created: 1_760_000_000, Ports: [], Labels: {}, State: 'running', Status: 'Up 3 days' },
		}));
		return void reply.end(JSON.stringify(list));
	}
	if (what === 'json') {
		const name = names.find((one, index) => one === id || idOf(index) === id) ?? names[0];
		const inspected = {
			...{ Id: id, Name: `/${name}`, RestartCount: 0, Image: 'sha256:0' },
			State: { Status: 'running', Running: true, ExitCode: 0, OOMKilled: false, StartedAt: '2026-11-20T10:00:00Z' },
			Config: { Image: 'box:1', Env: ['A=b'], Labels: {}, Tty: false },
			HostConfig: { Memory: 67_108_864, RestartPolicy: { Name: 'unless-stopped' } },
		};
		return void reply.end(JSON.stringify(inspected));
	}
	const sample = (second: number) => ({
		cpu_stats: {
			cpu_usage: { total_usage: 1e9 + second * 1e7 },
			system_cpu_usage: 1e12 + second * 2e9,
			online_cpus: 2,
		},
		precpu_stats: { cpu_usage: { total_usage: 1e9 + (second - 1) * 1e7 }, system_cpu_usage: 1e12 + (second - 1) * 2e9 },
		memory_stats: { usage: 20_000_000, limit: 67_108_864, stats: { inactive_file: 1000 } },
	});
	void (async () => {
		for (let second = 0; second < 5 && !reply.destroyed; second++) {
			reply.write(`${JSON.stringify(sample(second))}\n`);
			await wait(1000);
		}
		reply.end();
	})();
};

const ollamaReply: RequestListener = (request, reply) => {
	const model = { name: 'qwen2.5:7b', model: 'qwen2.5:7b', size: 4_683_087_332, digest: '845dbda0ea48', details: {} };
	const replies: Record<string, object> = {
		'/api/version': { version: '0.20.2' },
		'/api/tags': { models: [model] },
		'/api/ps': { models: [] },
	};
	reply.setHeader('content-type', 'application/json');
	reply.end(JSON.stringify(replies[request.url ?? '']));
};

async function serve(
	answer: RequestListener,
	at: { path: string } | { port: number; host: string },
	stops: Array<() => Promise<unknown> | void>,
): Promise<Server> {
	const server = createServer(answer).listen(at);
	await once(server, 'listening');
	stops.push(() => {
		server.closeAllConnections();
		server.close();
	});
	return server;
}

async function times(run: () => Promise<unknown>, count = repeats): Promise<number[]> {
	await run();
	const measured: number[] = [];
	for (let index = 0; index < count; index++) {
		const startedAt = performance.now();
		await run();
		measured.push(performance.now() - startedAt);
	}
	return measured.sort((a, b) => a - b);
}

function row(what: string, measured: readonly number[]): Record<string, string | number> {
	const at = (share: number) =>
		Math.round(measured[Math.min(measured.length - 1, Math.ceil(measured.length * share) - 1)]!);
	return { 'asked for': what, 'p50 ms': at(0.5), 'p95 ms': at(0.95), runs: measured.length };
}
