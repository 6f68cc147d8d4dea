import { Client } from 'pg';
import { defaultThresholds, diagnose } from '../../../nodes/VpsHealth/diagnose';
import { readExecutions, readPostgres } from '../../../nodes/VpsHealth/databases';
import { known, type PostgresFacts } from '../../../nodes/VpsHealth/facts';
import type { PostgresAddress } from '../../../nodes/shared/postgresAddress';
import { healthyMachine, takenAt, withFault } from '../../support/machineFacts';
import { startPostgres, type PostgresServer } from '../../support/postgres';

let server: PostgresServer;
let url: string;
const signal = new AbortController().signal;

beforeAll(async () => {
	server = await startPostgres();
	url = await server.createDatabase();
	await as(url, async (client) => {
		await client.query(`CREATE ROLE watcher LOGIN PASSWORD 'c4n4ry'; CREATE ROLE nobody LOGIN PASSWORD 'c4n4ry';
			GRANT pg_monitor TO watcher;
			CREATE TABLE "odd ""name" (id int) WITH (autovacuum_enabled = off);
			INSERT INTO "odd ""name" SELECT generate_series(1, 1000)`);
		await client.query(`DELETE FROM "odd ""name" WHERE id <= 900`);
		// The columns that are read of n8n 2.41.1's tables.
		await client.query(`CREATE TABLE workflow_entity (id varchar(36) PRIMARY KEY, name varchar(128) NOT NULL);
			CREATE TABLE execution_entity (id serial PRIMARY KEY, status varchar NOT NULL, "workflowId" varchar(36) NOT NULL,
				"startedAt" timestamptz(3), "stoppedAt" timestamptz(3));
			GRANT SELECT ON workflow_entity, execution_entity TO watcher;
			INSERT INTO workflow_entity VALUES ('w1', 'Extraction'), ('w2', 'Other');
			INSERT INTO execution_entity (status, "workflowId", "startedAt", "stoppedAt") VALUES
				('success', 'w1', now(), now()), ('error', 'w1', now(), now()), ('crashed', 'w1', now(), now() - interval '1 hour'),
				('crashed', 'gone', now(), now() - interval '2 hours'), ('crashed', 'w2', now(), now() - interval '3 days'),
				('running', 'w2', now(), NULL)`);
	});
}, 120_000);
afterAll(async () => await server?.stop());

async function as<T>(address: string, work: (client: Client) => Promise<T>): Promise<T> {
	const client = new Client({ connectionString: address });
	await client.connect();
	try {
		return await work(client);
	} finally {
		await client.end();
	}
}

function address(user: string, change: Partial<PostgresAddress> = {}): PostgresAddress {
	const { hostname, port, pathname } = new URL(url);
	return {
		host: hostname,
		port: Number(port),
		database: pathname.slice(1),
		user,
		password: 'c4n4ry',
		ssl: 'off',
		...change,
	};
}

const judge = (facts: PostgresFacts) =>
	diagnose(
		withFault(healthyMachine(), 'postgres', () => facts),
		defaultThresholds,
		new Date(takenAt),
	).findings;

test('the server is told whole to a role that may monitor', async () => {
	const facts = await readPostgres(address('watcher'), signal);
	expect(facts).toMatchObject({
		server: {
			known: true,
			value: { version: expect.stringMatching(/^\d+/), maxConnections: expect.any(Number), waitingForLocks: known(0) },
		},
		longTransactions: known([]),
		replicas: known([]),
		databases: { known: true },
	});
	const { connections, oldestTransactionIdAge } = facts.server.known ? facts.server.value : ({} as never);
	expect(connections).toBeGreaterThanOrEqual(1);
	expect(oldestTransactionIdAge).toBeGreaterThan(0);
	expect(facts.databases.known && facts.databases.value[0]!.sizeBytes).toBeGreaterThan(1e6);
	expect(judge(facts)).toEqual([]);
});

test('what a role without rights may not see is unknown, never 0', async () => {
	const facts = await readPostgres(address('nobody'), signal);
	expect(facts.longTransactions).toMatchObject({ known: false, why: expect.stringContaining('GRANT pg_monitor') });
	expect(facts.server).toMatchObject({ known: true, value: { waitingForLocks: { known: false } } });
	expect(judge(facts).map(({ severity, subject }) => [severity, subject])).toEqual([
		['unknown', 'postgres:longTransactions'],
	]);
});

test('dead rows and a table’s own name come as PostgreSQL writes them', async () => {
	let tables: PostgresFacts['deadRows'] = known([]);
	await as(url, async (client) => {
		for (
			let tries = 0;
			tries < 50 && !(tables.known && tables.value.some(({ deadRows }) => deadRows === 900));
			tries++
		) {
			await client.query('SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()');
			tables = (await readPostgres(address('watcher'), signal)).deadRows;
		}
	});
	expect(tables).toMatchObject({
		known: true,
		value: [{ table: 'public."odd ""name"', liveRows: 100, deadRows: 900, lastAutovacuumAt: null }, {}, {}],
	});
});

test('a transaction that somebody forgot is named, and so are those who wait for it', async () => {
	const blocker = new Client({ connectionString: url, application_name: 'forgotten' });
	const waiter = new Client({ connectionString: url });
	await Promise.all([blocker.connect(), waiter.connect()]);
	try {
		await blocker.query('BEGIN');
		await blocker.query('LOCK TABLE workflow_entity');
		const { rows } = await blocker.query('SELECT pg_backend_pid() AS pid, pg_sleep(5.2)');
		const waiting = waiter.query('SELECT * FROM workflow_entity').catch(() => undefined);
		let facts = await readPostgres(address('watcher'), signal);
		const waits = () =>
			facts.server.known && facts.server.value.waitingForLocks.known ? facts.server.value.waitingForLocks.value : 0;
		for (let tries = 0; tries < 50 && waits() === 0; tries++) facts = await readPostgres(address('watcher'), signal);
		expect(waits()).toBe(1);
		expect(facts.longTransactions).toMatchObject({
			known: true,
			value: [{ pid: rows[0].pid, application: 'forgotten', state: 'idle in transaction' }],
		});
		await blocker.query('ROLLBACK');
		await waiting;
	} finally {
		await Promise.all([blocker.end(), waiter.end()]);
	}
}, 30_000);

test('executions that crashed in the last hours are counted and named', async () => {
	const facts = await readExecutions(address('watcher'), { hours: 6 }, signal);
	expect(facts).toEqual({
		hours: 6,
		total: 4,
		crashed: 2,
		failed: 1,
		newestCrashed: [
			{ executionId: '4', workflowId: 'gone', workflow: 'gone', stoppedAt: expect.stringMatching(/^\d{4}-.+Z$/) },
			{ executionId: '3', workflowId: 'w1', workflow: 'Extraction', stoppedAt: expect.any(String) },
		],
	});
	expect(Date.now() - Date.parse(facts.newestCrashed[1]!.stoppedAt!)).toBeGreaterThan(3_500_000);
});

test('executions that cannot be read say why, without a secret', async () => {
	const reason = (change: Partial<PostgresAddress>, schema?: string) =>
		readExecutions(address('watcher', change), { ...(schema && { schema }) }, signal).then(
			() => 'read',
			(error: Error) => error.message,
		);
	expect(await reason({ user: 'nobody' })).toContain('may not read');
	expect(await reason({}, 'nowhere')).toContain('no such');
	expect(await reason({ database: 'nowhere' })).toContain('no database');
	expect(await reason({ password: 'wrong-canary' })).not.toContain('canary');
	await expect(readExecutions(address('watcher', { port: 1 }), {}, signal)).rejects.toMatchObject({
		nothingAnswers: true,
	});
});
