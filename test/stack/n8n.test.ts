import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type N8nSettings, mainProgram, n8nCommand, userFolder, workerProgram } from '../../stack/n8n.mts';

let folder: string;
let settings: N8nSettings;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'n8n-'));
	settings = {
		folder: join(folder, 'installed'),
		userFolders: join(folder, 'users'),
		database: { port: 20001, name: 'n8n', password: 'database-secret' },
		redis: { host: '127.0.0.1', port: 20002, password: 'redis-secret', database: 3, tls: false },
		queueName: 'aurastack-1',
		encryptionKey: 'key',
		owner: { email: 'owner@example.org', passwordHash: '$2a$10$hash' },
		files: join(folder, 'files'),
		editorUrl: 'http://127.0.0.1:20003',
		compileCache: join(folder, 'compiled'),
	};
});
afterEach(() => {
	jest.restoreAllMocks();
	rmSync(folder, { recursive: true });
});

const main = () => mainProgram(settings, 20003, 20004);
const worker = () => workerProgram(settings, 'n8n-worker-1', 7, 20005, 20006);

test('main and workers share queue, database and key, and each has a home and ports of its own', () => {
	const shared = [
		...['EXECUTIONS_MODE', 'QUEUE_BULL_PREFIX', 'QUEUE_BULL_REDIS_PORT', 'QUEUE_BULL_REDIS_DB'],
		...['DB_POSTGRESDB_DATABASE', 'DB_POSTGRESDB_PORT', 'N8N_ENCRYPTION_KEY', 'N8N_RESTRICT_FILE_ACCESS_TO'],
	];
	for (const name of shared) {
		expect(main().env[name]).toBeTruthy();
		expect(worker().env[name]).toBe(main().env[name]);
	}
	expect(main().env.EXECUTIONS_MODE).toBe('queue');
	for (const name of ['N8N_USER_FOLDER', 'N8N_RUNNERS_BROKER_PORT'])
		expect(worker().env[name]).not.toBe(main().env[name]);
	expect([main().port, worker().port]).toEqual([20003, 20005]);
	expect(worker().env.QUEUE_HEALTH_CHECK_PORT).toBe('20005');
	expect(worker().command).toContain('--concurrency=7');
});

test('no secret stands on a command line', () => {
	const lines = [main(), worker(), n8nCommand(settings, ['import:workflow'])].flatMap(({ command }) => command);
	expect(lines.filter((word) => /secret|^key$|hash/.test(word))).toEqual([]);
});

test('every listener is on 127.0.0.1', () => {
	const addresses = Object.entries(main().env).filter(([name]) => /(LISTEN|SERVER)_ADDRESS$/.test(name));
	expect(addresses.length).toBeGreaterThanOrEqual(3);
	expect(new Set(addresses.map(([, value]) => value))).toEqual(new Set(['127.0.0.1']));
});

test('without Redis it is regular mode', () => {
	const { redis, ...withoutRedis } = settings;
	expect(redis).toBeDefined();
	settings = withoutRedis;
	expect(main().env.EXECUTIONS_MODE).toBe('regular');
	expect(Object.keys(main().env).filter((name) => name.startsWith('QUEUE_BULL'))).toEqual([]);
});

test('the folder trigger is allowed, running commands is not', () => {
	expect(JSON.parse(main().env.NODES_EXCLUDE!)).toEqual(['n8n-nodes-base.executeCommand']);
});

test('what npm put into the environment of the start does not reach n8n, the rest does', () => {
	jest.replaceProperty(process, 'env', {
		...process.env,
		npm_config_prefix: '/elsewhere',
		NODE_OPTIONS: '--inspect',
		HTTPS_PROXY: 'http://proxy.example',
	});
	const { env } = main();
	expect(env.HTTPS_PROXY).toBe('http://proxy.example');
	expect(env).not.toHaveProperty('npm_config_prefix');
	expect(env).not.toHaveProperty('NODE_OPTIONS');
});

test('webhooks are called at the public address where there is one', () => {
	expect(main().env.N8N_WEBHOOK_URL).toBe('http://127.0.0.1:20003');
	settings = { ...settings, publicUrl: 'https://n8n.example.org' };
	expect(main().env).toMatchObject({
		N8N_WEBHOOK_URL: 'https://n8n.example.org',
		N8N_EDITOR_BASE_URL: 'http://127.0.0.1:20003',
	});
});

test('before each start its home is there, private, and holds no trace of a crash to wait for', () => {
	const home = userFolder(settings, 'n8n-main');
	const journal = join(home, '.n8n', 'crash.journal');
	main().prepare!();
	expect(statSync(home).mode & 0o777).toBe(0o700);
	mkdirSync(join(home, '.n8n'));
	writeFileSync(journal, '');
	main().prepare!();
	expect(existsSync(journal)).toBe(false);
});

test('it is ready once its readiness answers 200, not before', async () => {
	let status = 503;
	const server = createServer(({ url }, response) => {
		response.statusCode = url === '/healthz/readiness' ? status : 200;
		response.end();
	}).listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { isReady } = mainProgram(settings, (server.address() as AddressInfo).port, 20004);
	expect(await isReady()).toBe(false);
	status = 200;
	expect(await isReady()).toBe(true);
	server.closeAllConnections();
	server.close();
	await once(server, 'close');
	await expect(isReady()).rejects.toThrow();
});
