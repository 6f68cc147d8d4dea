import childProcess from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';

import { runCommand } from '../../../nodes/VpsHealth/commands';
import { containerLogs, restartContainer, type Docker } from '../../../nodes/VpsHealth/docker';
import { queryPostgres } from '../../../nodes/VpsHealth/postgres';
import { attackTests, type Attack } from '../../support/attackCorpus';
import { startPostgres, type PostgresServer } from '../../support/postgres';

let server: PostgresServer;
let admin: Client;
let database: string;
beforeAll(async () => {
	server = await startPostgres();
	database = await server.createDatabase();
	admin = new Client({ connectionString: database });
	await admin.connect();
	await admin.query(`CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2);
		CREATE TABLE credentials_entity AS SELECT 'canary-s3cret' AS data;
		CREATE FUNCTION g() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO t VALUES (99)';
		CREATE ROLE ro LOGIN PASSWORD 'pw'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ro`);
}, 60_000);
afterAll(async () => {
	await admin?.end();
	await server?.stop();
});

/** An engine with n8n and one more container; the calls that it got. */
const folder = mkdtempSync(join(tmpdir(), 'vps-attacks-'));
const calls: string[] = [];
const engine = createServer((request, reply) => {
	calls.push(`${request.method} ${request.url}`);
	const containers = ['n8n', 'x'].map((name, at) => ({
		Id: 'ab'[at]!.repeat(64),
		Names: [`/${name}`],
		Image: name === 'n8n' ? 'n8nio/n8n:2.41.1' : 'box',
		Created: 0,
	}));
	reply.end(JSON.stringify(containers));
});
const docker: Docker = { address: { kind: 'socket', path: join(folder, 'docker.sock') }, allowed: ['n8n', 'x'] };
beforeAll(() => new Promise<void>((resolve) => engine.listen(join(folder, 'docker.sock'), resolve)));
afterAll(async () => {
	engine.closeAllConnections();
	await new Promise((resolve) => engine.close(resolve));
	rmSync(folder, { recursive: true });
});

attackTests(['sql', 'vps-tools'], {}, [], {
	otherwise: async (attack) => await (attack.area === 'sql' ? sqlHolds(attack) : toolHolds(attack)),
});

/** Refused, or stopped at a limit, as a role that may only read and as the superuser; nothing was changed by it. */
async function sqlHolds({ input }: Attack): Promise<void> {
	const { sql } = (input.task as { arguments: { sql: string } }).arguments;
	const { hostname, port, pathname, username, password } = new URL(database);
	const place = { host: hostname, port: Number(port), database: pathname.slice(1), ssl: 'off' } as const;
	const before = await changes();
	for (const role of [
		{ user: 'ro', password: 'pw' },
		{ user: username, password: decodeURIComponent(password) },
	]) {
		const started = Date.now();
		await expect(queryPostgres({ ...place, ...role }, { sql, timeoutMs: 10_000 })).rejects.toMatchObject({
			name: 'LocalAiError',
			reason: expect.stringMatching(role.user === 'ro' ? /^(SQL_POLICY|LIMIT)$/ : /^(SQL_POLICY|ROLE)$/),
		});
		expect(Date.now() - started).toBeLessThan(11_000);
	}
	expect(await changes()).toEqual(before);
}

async function changes(): Promise<unknown> {
	const { rows } = await admin.query(`SELECT (SELECT json_agg(id ORDER BY id) FROM t) AS t,
		(SELECT count(*) FROM pg_class WHERE relpersistence = 'p') AS relations,
		(SELECT count(*) FROM pg_largeobject_metadata) AS objects, pg_conf_load_time() AS loaded,
		(SELECT json_agg(name ORDER BY name) FROM pg_ls_dir('.') AS name) AS files`);
	return rows;
}

/** Refused before any program is started and before the engine is asked to do anything. */
async function toolHolds({ input }: Attack): Promise<void> {
	const { tool, arguments: given } = input.task as { tool: string; arguments: Record<string, string> };
	calls.length = 0;
	const spawned = jest.spyOn(childProcess, 'spawn');
	try {
		await expect(use(tool, given)).rejects.toMatchObject({
			name: 'LocalAiError',
			code: 'refused',
			reason: expect.stringMatching(/^(POLICY_ARGS|PROTECTED)$/),
		});
		expect(spawned).not.toHaveBeenCalled();
		expect(calls.filter((call) => call !== 'GET /containers/json?all=true')).toEqual([]);
	} finally {
		spawned.mockRestore();
	}
}

/** The tools of the original by their names there. */
function use(tool: string, given: Record<string, string>): Promise<unknown> {
	switch (tool) {
		case 'execute_command':
			return runCommand({ command: given.command! });
		case 'check_docker_logs':
			return containerLogs(docker, given.container!);
		case 'restart_docker_container':
			return restartContainer(docker, given.container!, { ownId: null });
		case 'check_system_resources':
			// Only the free space of a file system takes anything from outside.
			return runCommand({ command: 'disk-space', arguments: given });
		default:
			throw new Error(`No such tool: ${tool}`);
	}
}

test('a spy on the start of programs sees those that are started', async () => {
	const spawned = jest.spyOn(childProcess, 'spawn');
	await runCommand({ command: 'uptime' });
	expect(spawned).toHaveBeenCalledTimes(1);
	spawned.mockRestore();
});
