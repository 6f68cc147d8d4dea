import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { applySchema, createDatabases, createWatcher, withClient } from '../../stack/database.mts';
import { type PostgresServer, startPostgres } from '../support/postgres';

const one = { name: 'one', password: "first 'password'" };
const other = { name: 'other', password: 'second' };

let server: PostgresServer;
let folder: string;
beforeAll(async () => {
	server = await startPostgres();
	await createDatabases(server.url, [one, other]);
	folder = mkdtempSync(join(tmpdir(), 'database-'));
}, 60_000);
afterAll(async () => {
	await server?.stop();
	rmSync(folder, { recursive: true, force: true });
});

const urlOf = ({ name, password }: typeof one, database = name) =>
	Object.assign(new URL(server.url), { username: name, password, pathname: `/${database}` }).href;
const ask = (url: string, sql: string) => withClient(url, async (client) => (await client.query(sql)).rows as object[]);

test('each role owns its database, and passwords are renewed', async () => {
	await ask(urlOf(one), 'CREATE TABLE IF NOT EXISTS kept (n integer); INSERT INTO kept VALUES (1)');
	await createDatabases(server.url, [{ ...one, password: 'renewed' }]);
	await expect(ask(urlOf(one), 'SELECT')).rejects.toThrow(/password authentication failed/);
	expect(await ask(urlOf({ ...one, password: 'renewed' }), 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
	await createDatabases(server.url, [one]);
});

test('a role reaches no other database', async () => {
	await expect(ask(urlOf(one, 'other'), 'SELECT')).rejects.toThrow(/permission denied for database/);
});

test.each([
	`SELECT pg_read_file('/etc/hostname')`,
	`SELECT pg_ls_dir('/')`,
	`CREATE TEMPORARY TABLE t (line text); COPY t FROM '/etc/hostname'`,
	`COPY (SELECT 1) TO '/tmp/written-by-a-role'`,
	`COPY (SELECT 1) TO PROGRAM 'true'`,
	`SELECT lo_import('/etc/hostname')`,
])('a role cannot make PostgreSQL open a file or run a program: %s', async (sql) => {
	await expect(ask(urlOf(one), sql)).rejects.toThrow(/permission denied/);
});

test('who watches sees how executions end, and nothing of what they did', async () => {
	// The columns of n8n's tables that matter here.
	await ask(
		urlOf(one),
		`CREATE TABLE workflow_entity (id text, name text, nodes json);
		CREATE TABLE execution_entity (id int, status text, "workflowId" text, "stoppedAt" timestamptz, "tracingContext" json);
		CREATE TABLE execution_data ("executionId" int, data text);
		CREATE TABLE credentials_entity (id text, data text)`,
	);
	const watcher = { name: 'watcher', password: 'third' };
	await createWatcher(server.url, { ...watcher, password: 'old' }, 'one');
	const url = await createWatcher(server.url, watcher, 'one');
	expect(url).toBe(urlOf(watcher, 'one'));
	expect(await ask(url, 'SELECT id, status, "workflowId", "stoppedAt" FROM execution_entity')).toEqual([]);
	expect(await ask(url, 'SELECT id, name FROM workflow_entity')).toEqual([]);
	expect(await ask(url, `SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS sees`)).toEqual([{ sees: true }]);
	for (const sql of [
		'SELECT "tracingContext" FROM execution_entity',
		'SELECT nodes FROM workflow_entity',
		'SELECT data FROM execution_data',
		'SELECT data FROM credentials_entity',
		`UPDATE execution_entity SET status = 'success'`,
		`SELECT pg_read_file('/etc/hostname')`,
	]) {
		await expect(ask(url, sql)).rejects.toThrow(/permission denied/);
	}
	await expect(ask(urlOf(watcher, 'other'), 'SELECT')).rejects.toThrow(/permission denied for database/);
});

test('a schema is applied whole or not at all, and its fault named by line', async () => {
	const file = join(folder, 'schema.sql');
	writeFileSync(file, 'CREATE TABLE half ();\nCREATE TABLE broken (n no_such_type);\n');
	await expect(applySchema(urlOf(other), file)).rejects.toMatchObject({
		code: 'configuration',
		message: `${file}, line 2 could not be applied: type "no_such_type" does not exist`,
	});
	expect(await ask(urlOf(other), "SELECT to_regclass('half') AS half")).toEqual([{ half: null }]);
});
