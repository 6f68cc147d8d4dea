import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';

import { VpsHealth } from '../../../nodes/VpsHealth/VpsHealth.node';
import { commandNames } from '../../../nodes/VpsHealth/commands';
import { runNode, searchList, type NodeOutcome, type NodeRun } from '../../support/host';
import { startOllamaStandIn } from '../../support/ollamaStandIn';
import { startPostgres, type PostgresServer } from '../../support/postgres';

jest.setTimeout(60_000);

const run = (setup: NodeRun) => runNode(new VpsHealth(), setup);

/** The JSON of the one item that came out. */
function only({ outputs, error }: NodeOutcome) {
	if (error) throw error;
	expect(outputs.map((items) => items.length)).toEqual([1]);
	return outputs[0]![0]!.json;
}

const folder = mkdtempSync(join(tmpdir(), 'vps-health-'));
const socketPath = join(folder, 'docker.sock');
const restarts = new Map<string, number>();
const engine = createServer((request: IncomingMessage, reply: ServerResponse) => {
	const [path] = request.url!.split('?');
	const named = /^\/containers\/([\w.-]+)\/(json|logs|restart)$/.exec(path!);
	if (path === '/containers/json') {
		const containers = [
			{ Id: 'a'.repeat(64), Names: ['/worker'], Image: 'box', Created: 0 },
			{ Id: 'b'.repeat(64), Names: ['/postgres'], Image: 'postgres:16', Created: 0 },
			{ Id: 'c'.repeat(64), Names: ['/private'], Image: 'box', Created: 0 },
		];
		return void reply.end(JSON.stringify(containers));
	}
	if (named === null) return void reply.writeHead(404).end();
	const [, name, what] = named;
	switch (what) {
		case 'json':
			return void reply.end(
				JSON.stringify({
					RestartCount: 0,
					State: {
						Status: 'running',
						Running: true,
						ExitCode: 0,
						StartedAt: `2026-11-22T10:00:0${restarts.get(name!) ?? 0}Z`,
					},
					Config: { Image: 'box', Tty: true, Env: ['API_TOKEN=canary-s3cret'] },
					HostConfig: { Memory: 0 },
				}),
			);
		case 'logs':
			return void reply.end(`hello of ${name} canary-s3cret\n`);
		default:
			restarts.set(name!, (restarts.get(name!) ?? 0) + 1);
			return void reply.writeHead(204).end();
	}
});
beforeAll(() => new Promise<void>((resolve) => engine.listen(socketPath, resolve)));
afterAll(async () => {
	engine.closeAllConnections();
	await new Promise((resolve) => engine.close(resolve));
	rmSync(folder, { recursive: true, force: true });
});
const dockerHost = { connection: 'socket', socketPath, allowedContainers: 'worker, postgres', protectedContainers: '' };
const credentials = { dockerHost };
const byName = (value: string) => ({ __rl: true, mode: 'name', value });

describe('three items, one of them bad', () => {
	const setup = {
		parameters: { operation: 'logs', container: byName('={{ $json.name }}'), options: { tail: '={{ $json.tail }}' } },
		credentials,
		items: [{ name: 'worker', tail: 1 }, { name: 'private' }, { name: 'postgres', tail: 2 }].map((json) => ({ json })),
	};
	const failed = {
		error: expect.stringContaining('"private" is not among the allowed'),
		details: { code: 'refused', reason: 'POLICY_ARGS', hint: expect.any(String) },
	};

	test('stop: the error names the item', async () => {
		const { error, outputs } = await run(setup);
		expect(outputs).toEqual([]);
		expect(error).toMatchObject({ message: failed.error, context: { itemIndex: 1 } });
	});

	test('continue in the regular output', async () => {
		const { outputs } = await run({ ...setup, onError: 'continueRegularOutput' });
		expect(outputs[0]).toMatchObject([
			{ json: { container: 'worker', lines: [{ text: 'hello of worker [API_TOKEN]' }] }, pairedItem: { item: 0 } },
			{ json: failed, pairedItem: { item: 1 } },
			{ json: { container: 'postgres' }, pairedItem: { item: 2 } },
		]);
	});

	test('continue in the error output', async () => {
		const { outputs } = await run({ ...setup, onError: 'continueErrorOutput' });
		expect(outputs).toMatchObject([
			[{ pairedItem: { item: 0 } }, { pairedItem: { item: 2 } }],
			[{ json: failed, pairedItem: { item: 1 } }],
		]);
	});
});

describe('Docker', () => {
	test('lists the allowed containers without a secret', async () => {
		const list = only(await run({ parameters: { operation: 'containers', usage: false }, credentials }));
		expect(list).toMatchObject({ others: 1, containers: [{ name: 'postgres' }, { name: 'worker', state: 'running' }] });
		expect(JSON.stringify(list)).not.toContain('canary');
	});

	test('restarts, and what is protected only where the node says so', async () => {
		const parameters = { operation: 'restart', container: byName('worker') };
		expect(only(await run({ parameters, credentials }))).toMatchObject({ container: 'worker', state: 'running' });
		const protectedOne = { ...parameters, container: byName('postgres') };
		expect((await run({ parameters: protectedOne, credentials })).error).toMatchObject({
			message: expect.stringContaining('PostgreSQL'),
		});
		expect(restarts.get('postgres')).toBeUndefined();
		const allowed = { ...protectedOne, options: { allowProtected: true } };
		expect(only(await run({ parameters: allowed, credentials }))).toMatchObject({ container: 'postgres' });
		const named = { dockerHost: { ...dockerHost, protectedContainers: 'worker' } };
		expect((await run({ parameters, credentials: named })).error?.message).toContain('protected');
	});

	test('without a credential, and with a broken one', async () => {
		const parameters = { operation: 'containers' };
		expect((await run({ parameters })).error?.message).toContain('needs a Docker Host credential');
		const broken = {
			dockerHost: { ...dockerHost, connection: 'tls', host: 'h', port: 1, ca: 'x', cert: 'y', key: 'z' },
		};
		expect((await run({ parameters, credentials: broken })).error?.message).toMatch(/"ca" .* not in PEM/);
		const unnamed = { operation: 'logs', container: byName('={{ $json.none }}') };
		expect((await run({ parameters: unnamed, credentials })).error?.message).toContain('No container');
	});

	test('the list in the editor offers what is allowed', async () => {
		const setup = { parameters: { operation: 'logs' }, credentials, filter: 'WORK' };
		expect(await searchList(new VpsHealth(), 'searchContainers', setup)).toEqual({
			results: [{ name: 'worker', value: 'worker', description: 'running' }],
		});
	});

	test('the credential is tested against the engine itself', async () => {
		const check = new VpsHealth().methods.credentialTest.dockerHostTest;
		const tried = (data: object) => check.call({} as never, { data } as never);
		expect(await tried(dockerHost)).toEqual({ status: 'OK', message: expect.stringContaining('3 containers') });
		expect(await tried({ ...dockerHost, socketPath: '/nowhere' })).toEqual({
			status: 'Error',
			message: expect.stringContaining('/nowhere'),
		});
		expect(await tried({ connection: 'pigeon' })).toMatchObject({ status: 'Error' });
	});
});

describe('commands', () => {
	test('each item has its own, from the table', async () => {
		const { outputs } = await run({
			parameters: { operation: 'command', command: '={{ $json.command }}', path: '={{ $json.path }}' },
			items: [{ command: 'disk-space', path: '/' }, { command: 'ls && id' }, { command: 'uptime' }].map((json) => ({
				json,
			})),
			onError: 'continueRegularOutput',
		});
		expect(outputs[0]).toMatchObject([
			{ json: { command: 'disk-space', exitCode: 0, argv: expect.arrayContaining(['--', '/']) } },
			{ json: { details: { code: 'refused', reason: 'POLICY_ARGS' } }, pairedItem: { item: 1 } },
			{ json: { command: 'uptime', stdout: expect.stringContaining('load') } },
		]);
	});

	test('every command of the table can be chosen, and has the fields that it takes', () => {
		const { properties } = new VpsHealth().description;
		const choice = properties.find(({ name }) => name === 'command')!;
		expect(choice.options!.map((option) => 'value' in option && option.value)).toEqual(commandNames);
		const unit = properties.find(({ name }) => name === 'unit')!;
		expect(unit.displayOptions?.show).toEqual({ command: ['unit-log', 'unit-status'], operation: ['command'] });
	});
});

describe('PostgreSQL', () => {
	let server: PostgresServer;
	let postgres: Record<string, unknown>;
	let superuser: Record<string, unknown>;
	beforeAll(async () => {
		server = await startPostgres();
		const url = new URL(await server.createDatabase());
		const client = new Client({ connectionString: url.href });
		await client.connect();
		await client.query(`CREATE ROLE reader LOGIN PASSWORD 'pw'; CREATE TABLE t AS SELECT 1 AS id;
			CREATE TABLE credentials_entity AS SELECT 'canary-s3cret' AS data;
			GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader`);
		await client.end();
		const place = { host: url.hostname, port: Number(url.port), database: url.pathname.slice(1), ssl: 'disable' };
		postgres = { ...place, user: 'reader', password: 'pw' };
		superuser = { ...place, user: url.username, password: decodeURIComponent(url.password) };
	});
	afterAll(async () => await server?.stop());

	test('a query with values and limits of its item', async () => {
		const { outputs } = await run({
			parameters: {
				operation: 'query',
				sql: '={{ $json.sql }}',
				values: '={{ $json.values }}',
				options: { maxRows: 5, whenMore: 'cut' },
			},
			credentials: { postgres },
			items: [
				{ sql: 'select id + $1::int as n from t', values: [41] },
				{ sql: 'select * from credentials_entity', values: [] },
				{ sql: 'select generate_series(1, 100) as n', values: '[]' },
			].map((json) => ({ json })),
			onError: 'continueRegularOutput',
		});
		expect(outputs[0]).toMatchObject([
			{ json: { rows: [{ n: 42 }], truncated: false } },
			{ json: { details: { code: 'refused', reason: 'SQL_POLICY' } } },
			{ json: { truncated: true, rows: [1, 2, 3, 4, 5].map((n) => ({ n })) } },
		]);
		expect(JSON.stringify(outputs)).not.toContain('canary');
	});

	test('named tables open, and close all others', async () => {
		const parameters = { operation: 'query', sql: 'select * from credentials_entity' };
		const options = { allowedTables: 'credentials_entity, other' };
		expect(only(await run({ parameters: { ...parameters, options }, credentials: { postgres } }))).toMatchObject({
			columns: ['data'],
		});
		const { error } = await run({
			parameters: { operation: 'query', sql: 'select * from t', options },
			credentials: { postgres },
		});
		expect(error?.message).toContain('not among those allowed');
	});

	test('a superuser is refused, a missing credential and broken values are told', async () => {
		const parameters = { operation: 'query', sql: 'select 1' };
		const { error } = await run({ parameters, credentials: { postgres: superuser } });
		expect(error).toMatchObject({ message: expect.stringContaining('superuser'), description: expect.any(String) });
		expect((await run({ parameters })).error?.message).toContain('needs a PostgreSQL credential');
		const broken = { ...parameters, values: '{"a":1}' };
		expect((await run({ parameters: broken, credentials: { postgres } })).error?.message).toContain('not a JSON array');
	});

	test('a diagnosis looks at what it has credentials for', async () => {
		const outcome = await run({
			parameters: {
				operation: 'diagnose',
				language: 'fr',
				options: { executions: false, lastState: '', timeoutSeconds: 10 },
			},
			credentials: { postgres, dockerHost },
		});
		const result = only(outcome);
		expect(result).toMatchObject({
			status: expect.stringMatching(/^(ok|warning|critical|unknown)$/),
			changes: { worse: expect.any(Number), better: 0 },
			state: { faults: expect.any(Object) },
		});
		expect(Buffer.byteLength(result.text as string)).toBeLessThanOrEqual(4096);
		const page = outcome.outputs[0]![0]!.binary!.data!;
		expect(page).toMatchObject({ mimeType: 'text/html', fileName: expect.stringMatching(/^health-.*\.html$/) });
		expect(JSON.stringify(result)).not.toContain('canary');

		// The same again, told what was found before: nothing that stayed is new.
		const again = only(
			await run({
				parameters: {
					operation: 'diagnose',
					options: { executions: false, html: false, lastState: '={{ $json.state }}', timeoutSeconds: 10 },
				},
				credentials: { postgres, dockerHost },
				items: [{ json: { state: result.state } }],
			}),
		);
		expect(Object.keys((again.state as { faults: object }).faults)).toEqual(
			expect.arrayContaining(
				Object.keys((result.state as { faults: object }).faults).filter((id) => /docker|postgres/.test(id)),
			),
		);
	});
});

describe('the machine and its services', () => {
	test('System Resources are facts, or say why they are not known', async () => {
		const facts = only(await run({ parameters: { operation: 'resources' } }));
		expect(facts).toMatchObject({ takenAt: expect.any(String), memory: { known: expect.any(Boolean) } });
		for (const fact of [facts.cpu, facts.memory, facts.fileSystems] as Array<{ known: boolean; why?: string }>) {
			expect(fact.known || fact.why !== '').toBe(true);
		}
	});

	test('they come from the scanner where one is named', async () => {
		const scanner = createServer((request, reply) => {
			expect(request.headers.authorization).toBe('Bearer s3cret-token');
			reply.writeHead(503).end();
		});
		await new Promise<void>((resolve) => scanner.listen(0, '127.0.0.1', resolve));
		const baseUrl = `http://127.0.0.1:${(scanner.address() as AddressInfo).port}`;
		try {
			const outcome = await run({
				parameters: { operation: 'resources' },
				credentials: { infraScanner: { baseUrl, token: 's3cret-token' } },
			});
			expect(only(outcome)).toMatchObject({ memory: { known: false, why: expect.stringContaining('503') } });
			expect(JSON.stringify(outcome)).not.toContain('s3cret-token');
		} finally {
			scanner.closeAllConnections();
			await new Promise((resolve) => scanner.close(resolve));
		}
	});

	test('Models name what is missing', async () => {
		const ollama = await startOllamaStandIn({ models: ['qwen2.5-coder:3b-instruct'] });
		try {
			const result = only(
				await run({
					parameters: { operation: 'models', options: { wantedModels: 'qwen2.5-coder:3b-instruct, llava:7b' } },
					credentials: { ollamaApi: { baseUrl: ollama.baseUrl } },
				}),
			);
			expect(result).toMatchObject({ installed: [{ name: 'qwen2.5-coder:3b-instruct' }], missing: ['llava:7b'] });
		} finally {
			await ollama.close();
		}
	});

	test.each([
		['models', {}, 'Ollama'],
		['queue', {}, 'Redis'],
	])('%s without its credential', async (operation, options, name) => {
		const { error } = await run({ parameters: { operation, options } });
		expect(error?.message).toContain(`needs a ${name} credential`);
	});

	test('a Redis that is not there is an error, a bad worker address, too', async () => {
		const redis = { host: '127.0.0.1', port: 1, password: 's3cret' };
		const outcome = await run({ parameters: { operation: 'queue' }, credentials: { redis } });
		expect(outcome.error?.message).toContain('127.0.0.1:1');
		expect(JSON.stringify(outcome)).not.toContain('s3cret');
		const parameters = { operation: 'queue', options: { workers: 'ftp://x' } };
		expect((await run({ parameters, credentials: { redis } })).error?.message).toContain('health address');
	});

	test('units come from the file that a timer writes', async () => {
		const parameters = { operation: 'units', options: { unitsFile: join(folder, 'none.json') } };
		expect((await run({ parameters })).error?.message).toContain('none.json');
	});

	test('a cancelled run ends', async () => {
		const stopped = await run({ parameters: { operation: 'resources' }, signal: AbortSignal.timeout(50) });
		expect(stopped).toMatchObject({ outputs: [], error: { message: expect.stringContaining('cancelled') } });
	});

	test('an operation that an expression made up is refused with the ones there are', async () => {
		const { error } = await run({ parameters: { operation: '={{ "explode" }}' } });
		expect(error).toMatchObject({
			message: expect.stringContaining('explode'),
			description: expect.stringContaining('diagnose'),
		});
	});
});
