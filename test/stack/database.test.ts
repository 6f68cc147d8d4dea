import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { applySchema, createDatabases, withClient } from '../../stack/database.mts';
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

test('a schema is applied whole or not at all, and its fault named by line', async () => {
	const file = join(folder, 'schema.sql');
	writeFileSync(file, 'CREATE TABLE half ();\nCREATE TABLE broken (n no_such_type);\n');
	await expect(applySchema(urlOf(other), file)).rejects.toMatchObject({
		code: 'configuration',
		message: `${file}, line 2 could not be applied: type "no_such_type" does not exist`,
	});
	expect(await ask(urlOf(other), "SELECT to_regclass('half') AS half")).toEqual([{ half: null }]);
});
