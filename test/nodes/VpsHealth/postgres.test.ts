import fc from 'fast-check';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Client } from 'pg';

import { queryPostgres, type ReadRequest } from '../../../nodes/VpsHealth/postgres';
import type { PostgresAddress } from '../../../nodes/shared/postgresAddress';
import { allowedFunctions, parseRead } from '../../../nodes/VpsHealth/sql';
import { startPostgres, type PostgresServer } from '../../support/postgres';

jest.setTimeout(30_000);

let server: PostgresServer;
let admin: Client;
let database: string;
let owner: Client;

beforeAll(async () => {
	server = await startPostgres();
	database = await server.createDatabase();
	admin = new Client({ connectionString: database });
	await admin.connect();
	await admin.query(`
		CREATE ROLE reader LOGIN PASSWORD 'pw'; GRANT pg_monitor TO reader;
		CREATE ROLE writer LOGIN PASSWORD 'pw';
		CREATE ROLE files LOGIN PASSWORD 'pw'; GRANT pg_read_server_files TO files;
		CREATE ROLE idle_admin LOGIN NOINHERIT PASSWORD 'pw'; GRANT postgres TO idle_admin;
		CREATE ROLE masked LOGIN SUPERUSER PASSWORD 'pw'; ALTER ROLE masked SET role = 'reader';
		CREATE ROLE maker LOGIN CREATEROLE PASSWORD 'pw';
		CREATE ROLE copier LOGIN REPLICATION PASSWORD 'pw';
		GRANT CREATE ON SCHEMA public TO writer;
	`);
	owner = new Client({ connectionString: urlOf('writer') });
	await owner.connect();
	await owner.query(`
		CREATE TABLE t (id int, note text); INSERT INTO t VALUES (1, 'one'), (2, 'two');
		CREATE TABLE credentials_entity (id int, data text); INSERT INTO credentials_entity VALUES (1, 'canary-s3cret');
		CREATE SEQUENCE s;
		CREATE FUNCTION g() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO t VALUES (99, 'g') RETURNING id $$;
		CREATE FUNCTION lower(int) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO t VALUES ($1, 'l') RETURNING note $$;
		CREATE FUNCTION leak(t) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT data FROM credentials_entity $$;
		CREATE FUNCTION eat(text, int) RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO t VALUES ($2, $1) RETURNING id $$;
		CREATE OPERATOR <#> (LEFTARG = text, RIGHTARG = int, FUNCTION = eat);
		CREATE VIEW plain AS SELECT id FROM t;
		CREATE VIEW through AS SELECT data FROM credentials_entity;
		CREATE VIEW twice AS SELECT data FROM through;
		CREATE VIEW calling AS SELECT g() AS x;
		GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
	`);
}, 120_000);
afterAll(async () => {
	await owner?.end();
	await admin?.end();
	await server?.stop();
});

function urlOf(user: string): string {
	return Object.assign(new URL(database), { username: user, password: 'pw' }).href;
}

function addressOf(user: string, password = 'pw'): PostgresAddress {
	const { hostname, port, pathname } = new URL(database);
	return { host: hostname, port: Number(port), database: pathname.slice(1), user, password, ssl: 'off' };
}

const run = (sql: string, request: Partial<ReadRequest> = {}, user = 'reader') =>
	queryPostgres(addressOf(user), { sql, ...request });

/** All that a statement could have changed in this database. */
async function state(): Promise<unknown> {
	const { rows } = await admin.query(`SELECT
		(SELECT json_agg(t ORDER BY id, note) FROM t) AS t, (SELECT (last_value, is_called)::text FROM s) AS s,
		(SELECT count(*) FROM credentials_entity) AS c,
		(SELECT count(*) FROM pg_class WHERE relpersistence <> 't') AS relations,
		(SELECT count(*) FROM pg_largeobject_metadata) AS objects`);
	return rows;
}

test('rows come with the types that JSON has, and nothing is lost', async () => {
	const { columns, rows, truncated } = await run(
		`select 1 as n, 9007199254740993::int8 as big, 1.10::numeric as d, true as b, null as nothing, 'x' as t,
		'2026-11-22 01:02:03+00'::timestamptz as at, '{"a": [1]}'::jsonb as j, array['p', 'q'] as a, 'NaN'::float8 as nan,
		count(*) as count, count(*) as count, 'p' as "__proto__" from t`,
	);
	expect(columns.slice(-3)).toEqual(['count', 'count_2', '__proto__']);
	expect(rows).toHaveLength(1);
	expect(Object.entries(rows[0]!)).toEqual([
		['n', 1],
		['big', '9007199254740993'],
		['d', '1.10'],
		['b', true],
		['nothing', null],
		['t', 'x'],
		['at', expect.stringMatching(/^2026-11-2\d \d\d:\d\d:03[+-]\d\d$/)],
		['j', { a: [1] }],
		['a', ['p', 'q']],
		['nan', 'NaN'],
		['count', 2],
		['count_2', 2],
		['__proto__', 'p'],
	]);
	expect(truncated).toBe(false);
});

test('values fill the placeholders, and are never read as SQL', async () => {
	const { rows } = await run('select note from t where id = $1 and note <> $2', {
		values: [2, `'; delete from t; --`],
	});
	expect(rows).toEqual([{ note: 'two' }]);
});

test('no rows have columns all the same, EXPLAIN has rows', async () => {
	expect(await run('select id, note from t where false')).toMatchObject({ columns: ['id', 'note'], rows: [] });
	expect((await run('explain select * from t')).rows[0]).toEqual({ 'QUERY PLAN': expect.stringContaining('Scan') });
});

describe('roles that may do more than read', () => {
	test.each([
		['postgres', 'superuser'],
		['files', 'pg_read_server_files'],
		['idle_admin', 'superuser'],
		['masked', 'superuser'],
		['maker', 'createrole'],
		['copier', 'replication'],
	])('%s is refused', async (user, why) => {
		const password = user === 'postgres' ? decodeURIComponent(new URL(database).password) : 'pw';
		const asked = queryPostgres(addressOf(user, password), { sql: 'select 1' });
		await expect(asked).rejects.toMatchObject({
			code: 'refused',
			reason: 'ROLE',
			message: expect.stringContaining(why),
			hint: expect.stringContaining('pg_monitor'),
		});
	});
});

describe('what a name stands for', () => {
	const refused = { code: 'refused', reason: 'SQL_POLICY' };

	test.each([
		['a view of a closed table', 'select * from through'],
		['a view of such a view', 'select * from twice'],
		['a view that calls a function', 'select * from calling'],
		['a function under the name of a built-in one', 'select lower(7)'],
		['a function called as a column', 'select t.leak from t'],
		['a function called as a column of a row', 'select (t).leak from t'],
		['an operator with a function behind it', `select 'x'::text <#> 7`],
	])('%s is refused', async (_name, sql) => {
		const before = await state();
		await expect(run(sql, {}, 'writer')).rejects.toMatchObject(refused);
		expect(await state()).toEqual(before);
	});

	test('a plain view is read, and one of a closed table where the owner names it', async () => {
		expect((await run('select * from plain order by 1')).rows).toEqual([{ id: 1 }, { id: 2 }]);
		expect((await run('select * from through', { allowedTables: ['through'] })).rows).toHaveLength(1);
		await expect(run('select * from twice', { allowedTables: ['through'] })).rejects.toMatchObject(refused);
	});

	test('a table of another schema is not the one that was named', async () => {
		await admin.query(`CREATE SCHEMA hidden; CREATE TABLE hidden.only_here (x int); GRANT USAGE ON SCHEMA hidden TO reader;
			GRANT SELECT ON hidden.only_here TO reader; ALTER ROLE reader SET search_path = hidden, public`);
		try {
			await expect(run('select * from only_here', { allowedTables: ['only_here'] })).rejects.toMatchObject(refused);
			await run('select * from only_here', { allowedTables: ['hidden.only_here'] });
		} finally {
			await admin.query('ALTER ROLE reader RESET search_path');
		}
	});

	test('a table on another server is refused', async () => {
		await admin.query(`CREATE FOREIGN DATA WRAPPER fake; CREATE SERVER away FOREIGN DATA WRAPPER fake;
			CREATE FOREIGN TABLE far (x int) SERVER away; GRANT SELECT ON far TO reader`);
		await expect(run('select * from far')).rejects.toMatchObject(refused);
	});

	test('a role whose strings have backslashes is read as the parser reads', async () => {
		await admin.query('ALTER ROLE writer SET standard_conforming_strings = off');
		try {
			const sql = `select '\\' as a, ' or g() = 1 --' as b`;
			expect((await run(sql, {}, 'writer')).rows).toEqual([{ a: '\\', b: ' or g() = 1 --' }]);
		} finally {
			await admin.query('ALTER ROLE writer RESET standard_conforming_strings');
		}
	});
});

test('a function that writes cannot, even where the statement reached it', async () => {
	const before = await state();
	await admin.query(`CREATE FUNCTION public.escape_hatch() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN SET TRANSACTION READ WRITE; INSERT INTO t VALUES (5, 'escaped'); RETURN 1; END $$;
		CREATE VIEW hatch AS SELECT public.escape_hatch() AS x; GRANT SELECT ON hatch TO writer`);
	try {
		// The owner opened the view, so nothing but the transaction stands in its way.
		await expect(run('select * from hatch', { allowedTables: ['hatch'] }, 'writer')).rejects.toMatchObject({
			name: 'LocalAiError',
		});
		await expect(run('select * from calling', { allowedTables: ['calling'] }, 'writer')).rejects.toMatchObject({
			code: 'refused',
		});
	} finally {
		await admin.query('DROP VIEW hatch; DROP FUNCTION public.escape_hatch');
	}
	expect(await state()).toEqual(before);
});

describe('bounds', () => {
	const limit = { reason: 'LIMIT' };

	test('too many rows fail, or are cut where that is wanted', async () => {
		const sql = 'select * from generate_series(1, 10000000)';
		await expect(run(sql)).rejects.toMatchObject({ code: 'refused', ...limit });
		const cut = await run(sql, { whenMore: 'cut', maxRows: 10 });
		expect(cut.rows.at(-1)).toEqual({ generate_series: 10 });
		expect(cut).toMatchObject({ truncated: true });
		expect((await run('select generate_series(1, 10)', { maxRows: 10 })).truncated).toBe(false);
	});

	test('a huge value never comes into memory', async () => {
		await owner.query(`CREATE TABLE huge AS SELECT string_agg(md5(i::text), '') FROM generate_series(1, 3000000) i;
			GRANT SELECT ON huge TO reader`);
		const sql = 'select * from huge';
		global.gc?.();
		const before = process.memoryUsage();
		await expect(run(sql, { timeoutMs: 30_000 })).rejects.toMatchObject({ code: 'refused', ...limit });
		const after = process.memoryUsage();
		expect(after.arrayBuffers + after.external - before.arrayBuffers - before.external).toBeLessThan(16 * 1024 * 1024);
	}, 40_000);

	test('bytes are cut between rows', async () => {
		const sql = `select md5(i::text) from generate_series(1, 500) i`;
		const { rows, truncated } = await run(sql, { whenMore: 'cut', maxBytes: 8_192 });
		expect(truncated).toBe(true);
		expect(rows.length).toBeLessThan(500);
		await expect(run(sql, { maxBytes: 8_192 })).rejects.toMatchObject(limit);
	});

	test('a statement that takes too long ends, here and on the server', async () => {
		const sql = 'select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b';
		const started = Date.now();
		await expect(run(sql, { timeoutMs: 1_000 })).rejects.toMatchObject({ code: 'timeout', ...limit });
		expect(Date.now() - started).toBeLessThan(3_000);
		await gone();
	});

	test('a query is cancelled, and so is its statement on the server', async () => {
		const stop = new AbortController();
		const sql = 'select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b';
		const running = queryPostgres(addressOf('reader'), { sql, timeoutMs: 20_000 }, stop.signal);
		await until(async () => (await activeStatements()) > 0);
		stop.abort();
		await expect(running).rejects.toMatchObject({ code: 'cancelled' });
		await gone();
		await expect(queryPostgres(addressOf('reader'), { sql: 'select 1' }, stop.signal)).rejects.toMatchObject({
			code: 'cancelled',
		});
	}, 30_000);

	test('a lock that others hold is not waited for', async () => {
		await owner.query('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
		try {
			await expect(run('select * from t')).rejects.toMatchObject({ code: 'timeout', ...limit });
		} finally {
			await owner.query('ROLLBACK');
		}
	});

	test('a server that says nothing, and one that is not there', async () => {
		const sockets: Socket[] = [];
		const silent: Server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
		await new Promise((resolve) => silent.once('listening', resolve));
		const { port } = silent.address() as AddressInfo;
		const asked = queryPostgres({ ...addressOf('reader'), port }, { sql: 'select 1', timeoutMs: 300 });
		await expect(asked).rejects.toMatchObject({ code: 'timeout' });
		sockets.forEach((socket) => socket.destroy());
		await new Promise((resolve) => silent.close(resolve));
		const nobody = queryPostgres({ ...addressOf('reader'), port }, { sql: 'select 1' });
		await expect(nobody).rejects.toMatchObject({ code: 'unreachable', nothingAnswers: true });
	});

	test('a wrong password is told without it', async () => {
		const asked = queryPostgres(addressOf('reader', 'hunter2'), { sql: 'select 1' });
		await expect(asked).rejects.toMatchObject({ code: 'unauthorized' });
		const error = await asked.catch((one: Error) => one);
		expect(JSON.stringify({ ...(error as Error), message: (error as Error).message })).not.toContain('hunter2');
	});

	test.each([
		['select nothing from t', 'invalid-input'],
		['select * from nowhere', 'invalid-input'],
		['select 1/0', 'invalid-input'],
	])('%s is the fault of the statement', async (sql, code) => {
		await expect(run(sql)).rejects.toMatchObject({ code, reason: 'SQL_SYNTAX' });
	});
});

test('every allowed function is PostgreSQL’s own and changes nothing', async () => {
	const { rows } = await admin.query<{ name: string; volatile: boolean }>(
		`SELECT proname::text AS name, bool_or(provolatile = 'v') AS volatile FROM pg_proc
		WHERE proname = ANY ($1) AND pronamespace = 'pg_catalog'::regnamespace GROUP BY 1`,
		[[...allowedFunctions]],
	);
	const known = new Set(rows.map(({ name }) => name));
	expect([...allowedFunctions].filter((name) => !known.has(name))).toEqual([]);
	// Volatile means here only that two looks may differ: clocks, sizes on the disk, the state of the server.
	expect(
		rows
			.filter((row) => row.volatile)
			.map(({ name }) => name)
			.sort(),
	).toEqual([
		...['clock_timestamp', 'pg_blocking_pids', 'pg_current_wal_insert_lsn', 'pg_current_wal_lsn', 'pg_database_size'],
		...['pg_indexes_size', 'pg_is_in_recovery', 'pg_last_wal_receive_lsn', 'pg_last_wal_replay_lsn'],
		...['pg_last_xact_replay_timestamp', 'pg_relation_size', 'pg_safe_snapshot_blocking_pids', 'pg_table_size'],
		...['pg_tablespace_size', 'pg_total_relation_size', 'timeofday'],
	]);
});

describe('statements that were changed at random', () => {
	const bases = [
		'select * from t',
		'select id, note from t where id = 1',
		'select count(*) from t group by note',
		'with x as (select * from t) select * from x',
		'values (1, 2)',
		'select g()',
		'select lower(7)',
		`select nextval('s')`,
		`insert into t values (3, 'x')`,
		'delete from t',
		'update t set id = 0',
		'with x as (delete from t returning *) select * from x',
		'select * into other from t',
		'select * from t for update',
		'set transaction read write; insert into t values (4)',
		'commit; delete from t; begin',
		'explain analyze delete from t',
		'truncate t',
		`do $$ begin perform g(); end $$`,
		`select set_config('transaction_read_only', 'off', false)`,
		`copy t from program 'id'`,
		`select lo_create(0)`,
		'create table x (y int)',
		'select * from calling',
	];
	const pieces = [
		...[
			';',
			'--',
			'/*',
			'*/',
			'(',
			')',
			',',
			"'",
			'"',
			'$$',
			' union all ',
			' explain ',
			' analyze ',
			'\n',
			'g()',
			't.g',
		],
		...[
			'lower(1)',
			'returning *',
			' for update',
			' into x',
			'delete from t',
			'select 1',
			'U&"\\0067"()',
			"E'\\''",
			'::int',
		],
		...[
			' as g',
			' from t',
			' where g() = 1',
			' order by g()',
			' limit g()',
			`nextval('s')`,
			'with y as ',
			'; commit; ',
			'\0',
		],
	];
	const mutant = fc
		.tuple(
			fc.constantFrom(...bases),
			fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(...pieces), fc.nat(6)), {
				maxLength: 3,
			}),
			fc.constantFrom<(sql: string) => string>(
				(sql) => sql,
				(sql) => `explain ${sql}`,
				(sql) => `with w as (${sql}) select * from w`,
				(sql) => `select * from (${sql}) w`,
				(sql) => `select exists (${sql})`,
				(sql) => `select 1; ${sql}`,
				(sql) => `${sql}; ${sql}`,
				(sql) => `/* ${sql} */ ${sql}`,
				(sql) => sql.toUpperCase(),
				(sql) => `select 1 union all ${sql}`,
			),
		)
		.map(([base, edits, wrap]) =>
			wrap(
				edits.reduce((sql, [place, piece, cut]) => {
					const at = Math.floor(place * sql.length);
					return sql.slice(0, at) + piece + sql.slice(at + cut);
				}, base),
			),
		);

	test('those that the parser lets through write nothing, even where writing is allowed', async () => {
		const before = await state();
		let run = 0;
		await fc.assert(
			fc.asyncProperty(mutant, async (sql) => {
				const statement = await parseRead(sql, []).catch(() => null);
				// These two the server's names decide, below.
				if (statement === null || statement.relations.some(({ name }) => name === 'calling')) return;
				if (statement.functions.includes('lower') || statement.functions.includes('g')) return;
				run++;
				await owner.query('BEGIN');
				await owner.query({ text: sql, values: [] }).catch(() => undefined);
				const { rows } = await owner
					.query('SELECT pg_current_xact_id_if_assigned() AS id')
					.catch(() => ({ rows: [{ id: null }] }));
				await owner.query('ROLLBACK');
				expect(rows).toEqual([{ id: null }]);
			}),
			{ numRuns: 10_000 },
		);
		expect(run).toBeGreaterThan(200);
		expect(await state()).toEqual(before);
	}, 120_000);

	test('none changes anything, run by a role that may write', async () => {
		const before = await state();
		await fc.assert(
			fc.asyncProperty(mutant, async (sql) => {
				await run(sql, {}, 'writer').catch((error: unknown) => expect(error).toMatchObject({ name: 'LocalAiError' }));
			}),
			{ numRuns: 500 },
		);
		expect(await state()).toEqual(before);
	}, 120_000);
});

async function activeStatements(): Promise<number> {
	const { rows } = await admin.query(
		`SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'n8n-nodes-aurastack' AND state = 'active'`,
	);
	return rows[0].n;
}

async function gone(): Promise<void> {
	await until(async () => (await activeStatements()) === 0);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
	const deadline = Date.now() + 10_000;
	while (!(await holds())) if (Date.now() > deadline) throw new Error('It did not happen within 10 s.');
}
