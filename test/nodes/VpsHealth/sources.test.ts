import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { collectFacts, diagnose } from '../../../nodes/VpsHealth/diagnose';
import { sourcesOf } from '../../../nodes/VpsHealth/sources';
import { startDocker, whyNoDocker } from '../../support/docker';
import { healthyMachine } from '../../support/machineFacts';

const folder = mkdtempSync(join(tmpdir(), 'vps-sources-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('without anything named the machine itself is looked at, and the rest is told as not looked at', async () => {
	const facts = await collectFacts(sourcesOf({}));
	expect(facts.host.load.known).toBe(true);
	for (const part of ['containers', 'executions', 'redis', 'queue', 'models', 'backups'] as const) {
		expect(facts[part]).toMatchObject({ known: false, reason: 'not-set-up' });
	}
	expect(facts.postgres.server).toMatchObject({ known: false, reason: 'not-set-up' });
});

test('an infraScanner is asked once for all that it knows, and a folder of one’s own goes before its own', async () => {
	const { host, systemd } = healthyMachine();
	const asked: Array<string | undefined> = [];
	const scanner = createServer((request, response) => {
		asked.push(`${request.url} ${request.headers.authorization}`);
		response.end(JSON.stringify({ host, systemd, backups: { known: false, why: 'No folder was named.' } }));
	}).listen(0, '127.0.0.1');
	await once(scanner, 'listening');
	const at = { baseUrl: `http://127.0.0.1:${(scanner.address() as AddressInfo).port}`, token: 'c4n4ry' };
	try {
		const facts = await collectFacts(sourcesOf({ scanner: at }));
		expect(asked).toEqual(['/facts Bearer c4n4ry']);
		expect(facts.host).toEqual(host);
		expect(facts.systemd).toEqual(systemd);
		expect(facts.backups).toEqual({ known: false, why: 'No folder was named.' });
		writeFileSync(join(folder, 'a.dump'), 'abc');
		const own = await collectFacts(sourcesOf({ scanner: at, backupFolder: folder }));
		expect(own.backups).toMatchObject({ known: true, value: { count: 1 } });
	} finally {
		scanner.close();
	}
});

test('servers that are not there are told as silent, each by itself', async () => {
	const nowhere = { host: '127.0.0.1', port: 1 };
	const address = { ...nowhere, database: 'n8n', user: 'n8n', password: 'c4n4ry', ssl: 'off' as const };
	const facts = await collectFacts(
		sourcesOf({
			docker: { address: { kind: 'socket', path: join(folder, 'no.sock') }, allowed: ['n8n'] },
			postgres: address,
			executions: { address },
			redis: nowhere,
			queue: {},
			ollama: { baseUrl: 'http://127.0.0.1:1' },
		}),
	);
	for (const fact of [
		facts.containers,
		facts.postgres.server,
		facts.executions,
		facts.redis,
		facts.queue,
		facts.models,
	]) {
		expect(fact).toMatchObject({ known: false, reason: 'nothing-answers' });
	}
	expect(JSON.stringify(facts)).not.toContain('c4n4ry');
});

const noDocker = whyNoDocker();
if (noDocker !== null) console.log(`Skipped, faults of real containers: ${noDocker}.`);
(noDocker === null ? test : test.skip)(
	'on a real engine the containers that loop, ended, or are unhealthy are named, and no other',
	async () => {
		const engine = await startDocker();
		try {
			engine.run('well', 'while :; do sleep 1; done', '--restart', 'unless-stopped');
			engine.run('loops', 'exit 3', '--restart', 'always');
			engine.run('ended', 'exit 4');
			engine.run('once', 'exit 0');
			engine.run(
				'unhealthy',
				'while :; do sleep 1; done',
				...['--health-cmd', 'exit 1', '--health-interval', '1s', '--health-retries', '1'],
			);
			const allowed = ['well', 'loops', 'ended', 'once', 'unhealthy'];
			const docker = { address: { kind: 'socket' as const, path: engine.socketPath }, allowed };
			const look = async () => {
				const facts = await collectFacts({ containers: sourcesOf({ docker }).containers! });
				const named = diagnose(facts).findings.filter(({ code }) => code.startsWith('container-'));
				return named.map(({ id, severity }) => `${severity} ${id}`).sort();
			};
			const expected = [
				'critical container-restart-loop:loops',
				'critical container-unhealthy:unhealthy',
				'warning container-down:ended',
			];
			let named = await look();
			for (let tries = 0; tries < 20 && named.join() !== expected.join(); tries++) {
				await wait(500);
				named = await look();
			}
			expect(named).toEqual(expected);
		} finally {
			await engine.stop();
		}
	},
	180_000,
);
