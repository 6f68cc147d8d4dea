import fc from 'fast-check';

import { allowedFunctions, parseRead } from '../../../nodes/VpsHealth/sql';

const refused = { name: 'LocalAiError', code: 'refused', reason: 'SQL_POLICY' };

test.each([
	'select 1',
	'SELECT 1;',
	'select 1 -- with a comment; and a delete from t',
	'values (1, 2), (3, 4)',
	'table orders',
	`select status, count(*) filter (where "stoppedAt" is null) from execution_entity group by 1 order by 2 desc limit 5`,
	'select a.*, row_number() over (partition by a.x order by a.y nulls last) from orders a left join lines b using (id)',
	`with late as (select * from orders where placed < now() - interval '7 days') select count(*) from late`,
	'with recursive n(i) as (select 1 union all select i + 1 from n where i < 10) select sum(i) from n',
	`select extract(epoch from age(now(), 'yesterday'::timestamptz)), current_user, coalesce(null, 1), greatest(1, 2)`,
	`select case when x > 1 then 'a' else 'b' end, x::text, array[1, 2], (row(1, 2)), x between 1 and 2 from orders`,
	`select * from orders where id in (select order_id from lines) and exists (select 1) and name ilike '%x%'`,
	`select data->>'a', data #> '{b,c}', tags[1:2] from orders, lateral unnest(tags) with ordinality as t(tag, at)`,
	'select x, grouping(x) from orders group by grouping sets ((x), ())',
	'select 1 union all (select 2 except select 3)',
	'select $1::int, $2',
	'explain select * from orders',
	'explain (costs off, format json) select * from orders',
	`select pid, state, now() - xact_start from pg_stat_activity where state <> 'idle'`,
	`select pg_size_pretty(pg_total_relation_size('orders'::regclass)), datname from pg_database`,
	'select relname, n_dead_tup from pg_catalog.pg_stat_user_tables',
	'select table_name from information_schema.tables',
	`select percentile_cont(0.5) within group (order by x) from orders`,
	`select x at time zone 'UTC', name collate "C" from orders`,
	`select ${Array.from({ length: 30 }, (_, at) => `c${at}`).join(" || ', ' || ")} from orders`,
	`select id from orders where id = any (array[${Array.from({ length: 500 }, (_, at) => at).join()}])`,
	`select a || '/' || b, concat(c, ' ', d), json_build_object('e', e) from orders`,
	`with recursive n(i) as (select 1 union all select i + 1 from n where i < 10) select i || '.' from n`,
])('%s may be run', async (sql) => {
	await expect(parseRead(sql, [])).resolves.toMatchObject({ sql });
});

test.each([
	['two statements', 'select 1; select 2'],
	['a statement behind a comment', 'select 1 /*! */; --\n delete from t'],
	['insert', 'insert into t values (1)'],
	['update', 'update t set a = 1'],
	['delete', 'delete from t'],
	['merge', 'merge into t using s on true when matched then delete'],
	['truncate', 'truncate t'],
	['a write in WITH', 'with gone as (delete from t returning *) select * from gone'],
	['a write in a nested WITH', 'select * from (with x as (update t set a = 1 returning a) select * from x) y'],
	['create table as', 'create table x as select 1'],
	['select into', 'select 1 into newt'],
	['select into within a union', 'select 1 into x union select 2'],
	['for update', 'select * from t for update'],
	['for share within a subquery', 'select * from (select * from t for share) x'],
	['explain analyze', 'explain analyze select 1'],
	['explain (analyze off)', 'explain (analyze off) select 1'],
	['explain of a write', 'explain delete from t'],
	['explain with serialize', 'explain (serialize) select 1'],
	['copy to a program', `copy (select 1) to program 'id'`],
	['copy from a file', `copy t from '/etc/passwd'`],
	['set', 'set transaction read write'],
	['set role', 'set role postgres'],
	['reset', 'reset all'],
	['show', 'show primary_conninfo'],
	['begin', 'begin'],
	['commit', 'commit'],
	['prepare', 'prepare p as select 1'],
	['execute', 'execute p'],
	['do', `do $$ begin delete from t; end $$`],
	['call', 'call p()'],
	['listen', 'listen x'],
	['notify', 'notify x'],
	['lock', 'lock table t'],
	['vacuum', 'vacuum'],
	['grant', 'grant all on t to public'],
	['declare', 'declare c cursor for select 1'],
	['discard', 'discard all'],
	['load', `load 'x'`],
	['a function that is not listed', 'select pg_sleep(1)'],
	['a function in FROM', `select * from pg_ls_dir('/')`],
	['a function in ROWS FROM', `select * from rows from (pg_ls_dir('/'), generate_series(1, 2)) x`],
	['a function deep in an argument', `select abs(length(pg_read_file('/etc/passwd')))`],
	['a function in ORDER BY', 'select 1 order by pg_sleep(1)'],
	['a function in LIMIT', 'select 1 limit pg_sleep(1)'],
	['a function in a window', 'select sum(1) over (order by pg_sleep(1))'],
	['a function in a filter', 'select count(*) filter (where pg_sleep(1) is null)'],
	['a function in VALUES', 'values (pg_sleep(1))'],
	['a function in a join', 'select 1 from t join s on pg_sleep(1) is null'],
	['a function in an index', 'select x[pg_backend_pid():nextval(1)] from t'],
	['a function of a schema', 'select public.lower(1)'],
	['a function under a Unicode name', `select U&"pg\\005fsleep"(1)`],
	['a function in upper case', 'select PG_SLEEP(1)'],
	['nextval', `select nextval('s')`],
	['setval', `select setval('s', 1)`],
	['set_config', `select set_config('transaction_read_only', 'off', false)`],
	['current_setting', `select current_setting('primary_conninfo')`],
	['query_to_xml', `select query_to_xml('delete from t', true, true, '')`],
	['table_to_xml', `select table_to_xml('credentials_entity', true, true, '')`],
	['ts_stat', `select * from ts_stat('select 1')`],
	['dblink', `select * from dblink('', 'delete from t') as x(a int)`],
	['lo_import', `select lo_import('/etc/passwd')`],
	['pg_notify', `select pg_notify('a', 'b')`],
	['pg_terminate_backend', 'select pg_terminate_backend(pid) from pg_stat_activity'],
	['pg_advisory_lock', 'select pg_advisory_lock(1)'],
	['repeat', `select repeat('A', 1000000000)`],
	['format', `select format('%1000000000s', 'x')`],
	['lpad', `select lpad('x', 1000000000)`],
	['replace within replace', `select length(replace(replace(md5('a'), 'a', md5('b')), 'b', md5('c')))`],
	['replace at large', `select regexp_replace(md5('a'), '.', md5('b'), 'g')`],
	['replace by taking apart', `select array_to_string(string_to_array(note, 'a'), note) from t`],
	['an aggregate that keeps all', `select length(string_agg(md5(i::text), '')) from generate_series(1, 100000000) i`],
	['an array of all', 'select cardinality(array(select generate_series(1, 100000000)))'],
	[
		'doubling in recursion',
		`with recursive r(x) as (select 'a' union all select x || x from r) select max(length(x)) from r`,
	],
	['doubling in subqueries', `${'select x || x as x from ('.repeat(13)}select 'a' as x${') as q'.repeat(13)}`],
	['doubling by concat', `select ${'concat('.repeat(7)}x${', x)'.repeat(7)} from t`],
	['doubling by quotes', `select length(${'quote_literal('.repeat(20)}''''${')'.repeat(20)})`],
	['doubling by escapes', `select ${'to_json('.repeat(20)}'"'::text${')::text'.repeat(20)}`],
	['a list handed over as arguments', `select concat(variadic string_to_array(note, null)) from t`],
	['xml', `select xmlparse(document '<a/>')`],
	['xmltable', `select * from xmltable('/a' passing '<a/>' columns b text)`],
	['tablesample', 'select * from t tablesample system (1)'],
	['an own type', `select 'x'::public.evil`],
	['an unknown type', `select 'x'::evil`],
	['an own operator', 'select 1 operator(public.+) 2'],
	['order by using', 'select 1 order by 1 using <'],
	['another database', 'select * from other.public.t'],
	['a file table', 'select * from pg_hba_file_rules'],
	['the passwords', 'select * from pg_shadow'],
	['the passwords of roles', 'select rolpassword from pg_catalog.pg_authid'],
	['settings of the server', 'select * from pg_settings'],
	['the catalogue through another schema', 'select * from pg_toast.pg_class'],
	['user mappings', 'select * from information_schema.user_mapping_options'],
	['NUL', 'select 1\0; delete from t'],
	['broken Unicode', `select '\ud800'`],
	['too long', `select ${'1+'.repeat(10_000)}1`],
	['too many words', `select ${'1+'.repeat(2_000)}1`],
])('%s is refused', async (_name, sql) => {
	await expect(parseRead(sql, [])).rejects.toMatchObject(refused);
});

test.each(['', ' ', ';', '-- nothing', 'selekt 1', 'select (', "select 'a"])('%j is no statement', async (sql) => {
	await expect(parseRead(sql, [])).rejects.toMatchObject({ code: 'invalid-input', reason: 'SQL_SYNTAX' });
});

describe('tables', () => {
	test.each([
		...['credentials_entity', 'public.credentials_entity', 'n8n_credentials_entity', '"user"', 'n8n_user', 'users'],
		...['settings', 'user_api_keys', 'auth_identity', 'oauth_access_tokens', 'variables', 'execution_data'],
		...['deployment_key', 'secrets_provider_connection', 'invalid_auth_token', 'shared_credentials', 'binary_data'],
		...[
			'chat_hub_messages',
			'agents_messages',
			'git_connection',
			'mcp_approval_requests',
			'mcp_tool_pins',
			'mcp_audit',
		],
		...['data_table', 'data_table_user_x1y2', 'workflow_entity', 'workflow_history', 'n8n_workflow_history'],
		...['workflow_published_version', 'processed_data', 'webhook_entity', 'execution_annotations', 'poller_state'],
	])('%s can hold secrets: only by name', async (table) => {
		await expect(parseRead(`select * from ${table}`, [])).rejects.toMatchObject(refused);
		const name = table.replaceAll('"', '');
		await expect(parseRead(`select * from ${table}`, [name])).resolves.toBeDefined();
	});

	test.each(['execution_entity', 'workflow_statistics', 'devis', 'devis_items', 'insights_raw', 'health_messages'])(
		'%s may be read without being named',
		async (table) => {
			await expect(parseRead(`select * from ${table}`, [])).resolves.toBeDefined();
		},
	);

	test('where tables are named, no other one may be read', async () => {
		await expect(parseRead('select * from orders', ['orders'])).resolves.toBeDefined();
		await expect(parseRead('select * from shop.orders', ['shop.orders'])).resolves.toBeDefined();
		await expect(parseRead('select * from shop.orders', ['orders'])).rejects.toMatchObject(refused);
		await expect(parseRead('select * from orders, lines', ['orders'])).rejects.toMatchObject(refused);
		await expect(parseRead('select 1 from pg_stat_activity', ['orders'])).resolves.toBeDefined();
	});

	test('a common table expression lends its name to no table', async () => {
		const sql = 'with credentials_entity as (select * from credentials_entity) select * from credentials_entity';
		await expect(parseRead(sql, [])).rejects.toMatchObject(refused);
	});

	test('the closed ones are found wherever a table can stand', async () => {
		for (const sql of [
			'select (select data from credentials_entity limit 1)',
			'select 1 where exists (table credentials_entity)',
			'select 1 union select 2 from credentials_entity',
			'select * from orders o join lateral (select * from credentials_entity c where c.id = o.id) x on true',
			'select array(select data from credentials_entity)',
			'explain select * from credentials_entity',
			'select 1 from a, b, (values ((select 1 from credentials_entity))) v',
		]) {
			await expect(parseRead(sql, [])).rejects.toMatchObject(refused);
		}
	});
});

test('names that only the server can resolve are handed on', async () => {
	const { relations, functions, operators } = await parseRead(
		'select lower(a.x), (a).f, a.b + 1 from s.orders a, lines where y = any (select 1)',
		[],
	);
	expect(relations).toEqual([
		{ schema: 's', name: 'orders' },
		{ schema: null, name: 'lines' },
	]);
	expect(functions).toEqual(expect.arrayContaining(['lower', 'f', 'b']));
	expect(operators).toEqual(expect.arrayContaining(['+', '=']));
});

test('the parser survives what it cannot parse, again and again', async () => {
	const nested = `select ${'('.repeat(1_400)}1${')'.repeat(1_400)}`;
	for (let round = 0; round < 20; round++) {
		await parseRead(nested, []);
		await expect(parseRead(`select ${'case when true then '.repeat(700)}1`, [])).rejects.toMatchObject({
			name: 'LocalAiError',
		});
		await expect(parseRead('select 1; delete from t', [])).rejects.toMatchObject(refused);
	}
});

test('any text is answered by a statement or a LocalAiError', async () => {
	const words = [
		'select',
		'1',
		'from',
		't',
		';',
		'--',
		"'",
		'"',
		'$$',
		'/*',
		'*/',
		"E'\\'",
		'(',
		')',
		',',
		'with x as',
	];
	const text = fc.oneof(
		fc.string({ unit: 'binary', maxLength: 60 }),
		fc.array(fc.constantFrom(...words), { maxLength: 25 }).map((parts) => parts.join(' ')),
	);
	await fc.assert(
		fc.asyncProperty(text, async (sql) => {
			const outcome = await parseRead(sql, []).catch((error: unknown) => error);
			expect(outcome).toMatchObject(outcome instanceof Error ? { name: 'LocalAiError' } : { sql });
		}),
		{ numRuns: 2_000 },
	);
});

test('no function that makes much of little is listed', () => {
	const makers = [
		...['repeat', 'lpad', 'rpad', 'format', 'array_fill', 'replace', 'translate', 'regexp_replace', 'array_to_string'],
		...['string_agg', 'array_agg', 'json_agg', 'jsonb_agg', 'json_object_agg', 'jsonb_object_agg', 'jsonb_pretty'],
		...['array_replace', 'pg_sleep', 'random', 'setseed', 'nextval'],
	];
	expect(makers.filter((name) => allowedFunctions.has(name))).toEqual([]);
});
