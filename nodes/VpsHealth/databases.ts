import type { Client } from 'pg';
import { LocalAiError } from '../shared/errors';
import {
	known,
	unknown,
	type ExecutionFacts,
	type Fact,
	type LongTransaction,
	type PostgresFacts,
	type PostgresServer,
	type ReplicaFacts,
	type TableRows,
} from './facts';
import { readOnly } from './postgres';
import type { PostgresAddress } from '../shared/postgresAddress';

const timeoutMs = 2000;

/**
 * The state of a PostgreSQL server, and of the tables in the database at hand. What the role may not see is unknown.
 * Rejects with LocalAiError.
 */
export async function readPostgres(address: PostgresAddress, signal: AbortSignal): Promise<PostgresFacts> {
	return await readOnly(
		address,
		timeoutMs,
		async ({ client }) => {
			const seesAll = await allowed(client);
			const forbidden = unknown(
				`The role ${address.user} may not see what others do in PostgreSQL: GRANT pg_monitor TO ${address.user}.`,
			);
			const server = await serverState(client);
			return {
				server: known({ ...server, waitingForLocks: seesAll ? known(await lockWaits(client)) : forbidden }),
				longTransactions: seesAll ? known(await longTransactions(client)) : forbidden,
				replicas: seesAll ? known(await replicas(client)) : forbidden,
				deadRows: await fact(client, 'the rows of tables', () => deadRows(client)),
				databases: await fact(client, 'the size of databases', () => databases(client)),
			};
		},
		signal,
	);
}

export interface ExecutionsAddress {
	/** Default `public`. */
	readonly schema?: string;
	/** n8n's DB_TABLE_PREFIX. */
	readonly tablePrefix?: string;
	/** How far back. Default 6. */
	readonly hours?: number;
}

/**
 * What became of n8n's executions in the last hours, from n8n's own database. The role needs no more than SELECT on
 * execution_entity and workflow_entity. Rejects with LocalAiError.
 */
export async function readExecutions(
	address: PostgresAddress,
	{ schema = 'public', tablePrefix = '', hours = 6 }: ExecutionsAddress,
	signal: AbortSignal,
): Promise<ExecutionFacts> {
	return await readOnly(
		address,
		timeoutMs,
		async ({ client }) => {
			const table = (name: string) =>
				`${client.escapeIdentifier(schema)}.${client.escapeIdentifier(tablePrefix + name)}`;
			const [executions, workflows] = [table('execution_entity'), table('workflow_entity')];
			const since = `e."stoppedAt" >= now() - make_interval(hours => $1)`;
			const found = await fact(client, "n8n's executions", async () => {
				const { rows } = await client.query<{ total: string; crashed: string; failed: string }>(
					`SELECT count(*) AS total, count(*) FILTER (WHERE status = 'crashed') AS crashed,
						count(*) FILTER (WHERE status = 'error') AS failed
					FROM ${executions} e WHERE ${since}`,
					[hours],
				);
				const newest = await client.query<ExecutionFacts['newestCrashed'][number]>(
					`SELECT e.id::text AS "executionId", e."workflowId" AS "workflowId",
						coalesce(w.name, e."workflowId") AS workflow, ${instant('e."stoppedAt"')} AS "stoppedAt"
					FROM ${executions} e LEFT JOIN ${workflows} w ON w.id = e."workflowId"
					WHERE e.status = 'crashed' AND ${since} ORDER BY e.id DESC LIMIT 10`,
					[hours],
				);
				const { total, crashed, failed } = rows[0]!;
				return {
					hours,
					total: Number(total),
					crashed: Number(crashed),
					failed: Number(failed),
					newestCrashed: newest.rows,
				};
			});
			if (found.known) return found.value;
			throw new LocalAiError('configuration', found.why, {
				hint: `Name n8n's own database, and let ${address.user} SELECT from execution_entity and workflow_entity.`,
			});
		},
		signal,
	);
}

/** Runs one group of statements; when PostgreSQL refuses it, the transaction goes on without it. */
async function fact<T>(client: Client, what: string, read: () => Promise<T>): Promise<Fact<T>> {
	await client.query('SAVEPOINT fact');
	try {
		return known(await read());
	} catch (error) {
		const code = error instanceof Error && 'code' in error ? String(error.code) : '';
		if (!/^[0-9A-Z]{5}$/.test(code)) throw error;
		await client.query('ROLLBACK TO fact');
		return unknown(`PostgreSQL did not tell ${what}: ${refusals[code] ?? `it answered with SQLSTATE ${code}`}.`);
	}
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const refusals: Readonly<Record<string, string>> = {
	'42501': 'the role may not read them',
	'42P01': 'there is no such table',
	'3F000': 'there is no such schema',
	'42703': 'the table is another than expected',
	'57014': `it took longer than ${timeoutMs} ms`,
};

async function allowed(client: Client): Promise<boolean> {
	const { rows } = await client.query<{ allowed: boolean }>(
		`SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS allowed`,
	);
	return rows[0]?.allowed === true;
}

async function serverState(client: Client): Promise<Omit<PostgresServer, 'waitingForLocks'>> {
	const { rows } = await client.query<Omit<PostgresServer, 'waitingForLocks'>>(
		`SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
			(SELECT sum(numbackends) FROM pg_stat_database)::int AS connections,
			current_setting('max_connections')::int AS "maxConnections",
			(SELECT max(age(datfrozenxid)) FROM pg_database)::int AS "oldestTransactionIdAge"`,
	);
	return rows[0]!;
}

async function lockWaits(client: Client): Promise<number> {
	const { rows } = await client.query<{ count: number }>(
		`SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock'`,
	);
	return rows[0]!.count;
}

async function longTransactions(client: Client): Promise<LongTransaction[]> {
	const { rows } = await client.query<LongTransaction>(
		`SELECT pid, usename::text AS user, application_name AS application, coalesce(state, '') AS state,
			(extract(epoch FROM clock_timestamp() - xact_start) * 1000)::float8 AS "ageMs"
		FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND xact_start < clock_timestamp() - interval '5 seconds'
		ORDER BY xact_start LIMIT 20`,
	);
	return rows;
}

async function replicas(client: Client): Promise<ReplicaFacts[]> {
	const { rows } = await client.query<ReplicaFacts>(
		`SELECT coalesce(nullif(application_name, ''), client_addr::text, pid::text) AS name, coalesce(state, '') AS state,
			CASE WHEN pg_is_in_recovery() THEN NULL
				ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 END AS "lagBytes"
		FROM pg_stat_replication LIMIT 20`,
	);
	return rows;
}

async function deadRows(client: Client): Promise<TableRows[]> {
	const { rows } = await client.query<TableRows>(
		`SELECT format('%I.%I', schemaname, relname) AS table, n_live_tup::float8 AS "liveRows",
			n_dead_tup::float8 AS "deadRows", ${instant('last_autovacuum')} AS "lastAutovacuumAt"
		FROM pg_stat_user_tables ORDER BY n_dead_tup DESC LIMIT 10`,
	);
	return rows;
}

async function databases(client: Client): Promise<Array<{ name: string; sizeBytes: number }>> {
	const { rows } = await client.query<{ name: string; sizeBytes: number }>(
		`SELECT datname::text AS name, pg_database_size(oid)::float8 AS "sizeBytes" FROM pg_database
		WHERE datallowconn AND (has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE'))
		ORDER BY 2 DESC LIMIT 20`,
	);
	return rows;
}

/** A column as an ISO 8601 text in UTC, or null. */
const instant = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
