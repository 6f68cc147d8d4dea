import { Socket } from 'node:net';
import { Client, types, type DatabaseError, type FieldDef } from 'pg';
import Cursor from 'pg-cursor';

import { LocalAiError } from '../shared/errors';
import { excerpt } from '../shared/http';
import { connectionTo, type PostgresAddress } from '../shared/postgresAddress';
import { mayRead, namedIn, parseRead, type AllowedTables, type ReadStatement } from './sql';

export interface ReadRequest {
	readonly sql: string;
	/** For `$1`, `$2`… */
	readonly values?: readonly unknown[];
	readonly allowedTables?: AllowedTables;
	/** Default 1000. */
	readonly maxRows?: number;
	/** Of the answer on the wire, so of the memory it takes. Default 1 MiB. */
	readonly maxBytes?: number;
	/** What becomes of an answer that is larger than that. Default `fail`. */
	readonly whenMore?: 'fail' | 'cut';
	/** Wall clock, connecting included. The server stops the statement by itself, too. Default 5000. */
	readonly timeoutMs?: number;
}

export interface ReadResult {
	readonly columns: readonly string[];
	/** Numbers beyond 2^53 and decimals are text, times as PostgreSQL prints them. */
	readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>;
	/** There was more than `maxRows` or `maxBytes`. */
	readonly truncated: boolean;
	readonly durationMs: number;
}

/**
 * Runs one statement that only reads, as a role that can do little else, in a read-only transaction of its own
 * connection. Rejects with LocalAiError: `refused` with the reason `SQL_POLICY` or `ROLE` before anything is run, or
 * `LIMIT` for an answer that is too large; `timeout` (`LIMIT`), `invalid-input` (`SQL_SYNTAX`), `unauthorized`,
 * `unreachable`, `cancelled`.
 */
export async function queryPostgres(
	address: PostgresAddress,
	request: ReadRequest,
	signal?: AbortSignal,
): Promise<ReadResult> {
	const { allowedTables = [], timeoutMs = 5_000 } = request;
	const started = Date.now();
	const statement = await parseRead(request.sql, allowedTables);
	return await readOnly(
		address,
		timeoutMs,
		async (session) => {
			await mustBeHarmless(session.client);
			await mustMeanWhatItSays(session.client, statement, allowedTables);
			return { ...(await answer(session, request)), durationMs: Date.now() - started };
		},
		signal,
	);
}

export interface Session {
	readonly client: Client;
	/** Breaks the connection off, because of `why`, or because what came is enough. */
	readonly end: (why?: LocalAiError) => void;
}

/**
 * A connection of its own with a read-only transaction open, closed when `work` has ended. Rejects with LocalAiError,
 * at the latest after `timeoutMs`.
 */
export async function readOnly<Result>(
	address: PostgresAddress,
	timeoutMs: number,
	work: (session: Session) => Promise<Result>,
	signal?: AbortSignal,
): Promise<Result> {
	if (signal?.aborted) throw cancelled();
	const socket = new Socket();
	const client = new Client({
		...connectionTo(address),
		client_encoding: 'UTF8',
		stream: () => socket,
	});
	let why: LocalAiError | undefined;
	const broken = Promise.withResolvers<never>();
	broken.promise.catch(() => undefined);
	let enough = false;
	const end = (error?: LocalAiError) => {
		why ??= error;
		enough = error === undefined;
		socket.destroy();
		if (error !== undefined) broken.reject(error);
	};
	// Without a listener an idle connection that breaks would end the process.
	client.on('error', (error) => {
		if (!enough) broken.reject(error);
	});
	const deadline = setTimeout(() => end(tooSlow(timeoutMs)), timeoutMs);
	const abort = () => end(cancelled());
	signal?.addEventListener('abort', abort, { once: true });
	const working = (async () => {
		await client.connect();
		await client.query(opening(timeoutMs));
		const result = await work({ client, end });
		if (!enough) {
			await client.query('ROLLBACK');
			await client.end();
		}
		return result;
	})();
	working.catch(() => undefined);
	try {
		return await Promise.race([working, broken.promise]);
	} catch (error) {
		throw why ?? explain(error, address, timeoutMs);
	} finally {
		clearTimeout(deadline);
		signal?.removeEventListener('abort', abort);
		socket.destroy();
	}
}

/**
 * The first statement after this takes a snapshot, and from then on PostgreSQL lets nobody make the transaction a
 * writing one, not even a SECURITY DEFINER function. The settings are those under which the parser here reads SQL.
 */
function opening(timeoutMs: number): string {
	const settings = {
		statement_timeout: timeoutMs,
		lock_timeout: Math.min(timeoutMs, 1_000),
		idle_in_transaction_session_timeout: timeoutMs,
		standard_conforming_strings: 'on',
		client_encoding: `'UTF8'`,
		datestyle: `'ISO, YMD'`,
		intervalstyle: `'iso_8601'`,
		bytea_output: `'hex'`,
	};
	return [
		'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
		...Object.entries(settings).map(([name, value]) => `SET LOCAL ${name} = ${value}`),
	].join('; ');
}

/** What a role must not be, itself or through a role that it is a member of. */
const mightyRoles = [
	'pg_read_server_files',
	'pg_write_server_files',
	'pg_execute_server_program',
	'pg_write_all_data',
	'pg_signal_backend',
	'pg_signal_autovacuum_worker',
	'pg_checkpoint',
	'pg_create_subscription',
	'pg_maintain',
];

async function mustBeHarmless(client: Client): Promise<void> {
	const { rows } = await client.query<{ mighty: string }>({
		// The last column is there for its effect: the server looks for the end of the connection while it computes.
		text: `SELECT CASE WHEN rolsuper THEN 'superuser' WHEN rolreplication THEN 'replication'
				WHEN rolcreaterole THEN 'createrole' ELSE rolname::text END AS mighty,
				(SELECT set_config(name, '500ms', true) FROM pg_catalog.pg_settings
					WHERE name = 'client_connection_check_interval')
			FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_roles
				ON (rolsuper OR rolreplication OR rolcreaterole OR rolname = ANY ($1))
				AND (pg_has_role(session_user, oid, 'MEMBER') OR pg_has_role(current_user, oid, 'MEMBER'))`,
		values: [mightyRoles],
	});
	const mighty = [...new Set(rows.map((row) => row.mighty).filter((one) => one !== null))];
	if (mighty.length === 0) return;
	throw new LocalAiError(
		'refused',
		`The role of the PostgreSQL credential may do more than read: ${mighty.join(', ')}.`,
		{
			hint: `Make one that may not: CREATE ROLE reader LOGIN PASSWORD '…'; GRANT pg_monitor TO reader; GRANT SELECT ON … TO reader.`,
			reason: 'ROLE',
		},
	);
}

interface Meaning {
	readonly root: string;
	readonly direct: boolean;
	readonly schema: string;
	readonly name: string;
	readonly kind: string;
	readonly viewCalls: string | null;
}

/**
 * The parser sees names, the server what they stand for: a table in another schema, a view of one that is closed, a
 * table of another server, or somebody's own function or operator under the name of a built-in one.
 */
async function mustMeanWhatItSays(client: Client, statement: ReadStatement, allowed: AllowedTables): Promise<void> {
	const { rows: meanings } = await client.query<Meaning>({
		text: `WITH RECURSIVE seen (root, oid, direct) AS (
				SELECT name, to_regclass(name)::oid, true FROM unnest($1::text[]) AS name
				WHERE to_regclass(name) IS NOT NULL
				UNION
				SELECT root, d.refobjid, false FROM seen
				JOIN pg_catalog.pg_rewrite r ON r.ev_class = seen.oid
				JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
					AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> seen.oid
			)
			SELECT DISTINCT root, direct, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
				(SELECT min(p.proname::text) FROM pg_catalog.pg_rewrite r
					JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
						AND d.refclassid = 'pg_catalog.pg_proc'::regclass
					JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid
					WHERE r.ev_class = c.oid AND (p.prosecdef OR p.provolatile = 'v')
						AND p.pronamespace <> 'pg_catalog'::regnamespace) AS "viewCalls"
			FROM seen JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`,
		values: [statement.relations.map(({ schema, name }) => quoted(client, schema, name))],
	});
	// A view that the owner named is opened with all that it shows.
	const opened = new Set(meanings.filter((one) => one.direct && namedIn(allowed, one)).map(({ root }) => root));
	for (const meaning of meanings) {
		const { root, direct, schema, name, kind, viewCalls } = meaning;
		const byName = opened.has(root);
		if (direct) mayRead(meaning, allowed);
		else if (!byName) mayRead(meaning, []);
		if (byName) continue;
		if (kind === 'f') throw refused(`The table "${schema}"."${name}" lies on another server or in a file.`);
		if (viewCalls !== null) throw refused(`The view "${schema}"."${name}" calls the function ${viewCalls}.`);
	}

	const { rows: impostors } = await client.query<{ name: string }>({
		text: `SELECT p.proname::text AS name FROM pg_catalog.pg_proc p
			JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
			WHERE p.proname = ANY ($1::name[]) AND (p.prosecdef OR p.provolatile = 'v')
				AND n.nspname <> 'pg_catalog' AND n.nspname = ANY (current_schemas(true))
				AND p.prorettype <> 'pg_catalog.trigger'::regtype
			UNION SELECT o.oprname::text FROM pg_catalog.pg_operator o
			JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
			WHERE o.oprname = ANY ($2::name[]) AND (p.prosecdef OR p.provolatile = 'v')
				AND n.nspname <> 'pg_catalog' AND n.nspname = ANY (current_schemas(true))
			LIMIT 1`,
		values: [statement.functions, statement.operators],
	});
	if (impostors.length > 0) {
		throw refused(
			`This database has a function or operator "${impostors[0]!.name}" of its own that can do more than read.`,
		);
	}
}

function quoted(client: Client, schema: string | null, name: string): string {
	return [...(schema === null ? [] : [schema]), name].map((part) => client.escapeIdentifier(part)).join('.');
}

/** Rows are asked for through a portal, one more than may come, and counted on the wire, so that nothing floods. */
async function answer({ client, end }: Session, request: ReadRequest): Promise<Omit<ReadResult, 'durationMs'>> {
	const { sql, values = [], maxRows = 1_000, maxBytes = 1_048_576, whenMore = 'fail' } = request;
	const cursor = new Cursor<unknown[]>(sql, [...values], { rowMode: 'array', types: { getTypeParser: parserFor } });
	const rows: unknown[][] = [];
	let fields: readonly FieldDef[] = [];
	let bytes = 0;
	let taken = 0;
	const flooded = Promise.withResolvers<'bytes'>();
	const flood = () => {
		flooded.resolve('bytes');
		end(whenMore === 'fail' ? tooLarge(`${maxBytes} bytes`) : undefined);
	};
	const submit = cursor.submit.bind(cursor);
	cursor.submit = (connection) => {
		connection.stream.on('data', (chunk: Buffer) => {
			bytes += chunk.length;
			if (bytes > maxBytes) flood();
		});
		submit(connection);
	};
	cursor.on('row', (row: unknown[], result: { fields: readonly FieldDef[] }) => {
		fields = result.fields;
		// Many rows may come in one piece of the stream, of which only those that fit are taken.
		taken += Buffer.byteLength(JSON.stringify(row));
		if (taken > maxBytes) flood();
		else rows.push(row);
	});
	const read = new Promise<'rows'>((resolve, reject) => {
		client.query(cursor).read(maxRows + 1, (error, _rows, result) => {
			if (error) return reject(error);
			fields = result.fields;
			resolve('rows');
		});
	});
	read.catch(() => undefined);
	const ended = await Promise.race([flooded.promise, read]);
	if (ended === 'rows') await cursor.close();
	const truncated = ended === 'bytes' || rows.length > maxRows;
	if (truncated && whenMore === 'fail') throw tooLarge(ended === 'bytes' ? `${maxBytes} bytes` : `${maxRows} rows`);
	const columns = distinct(fields.map(({ name }) => name));
	return {
		columns,
		rows: rows.slice(0, maxRows).map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]]))),
		truncated,
	};
}

/** `count`, `count_2`: two columns of one name would be one key. */
function distinct(names: readonly string[]): string[] {
	const taken = new Set<string>();
	return names.map((name) => {
		let free = name;
		for (let at = 2; taken.has(free); at++) free = `${name}_${at}`;
		taken.add(free);
		return free;
	});
}

const { builtins } = types;
const asPg = new Set<number>([
	...[builtins.BOOL, builtins.INT2, builtins.INT4, builtins.OID, builtins.JSON, builtins.JSONB],
	// Arrays of text, varchar, int4 and bool: https://github.com/postgres/postgres/blob/REL_18_0/src/include/catalog/pg_type.dat
	...[1009, 1015, 1007, 1000],
]);
const asNumber = new Set<number>([builtins.INT8, builtins.FLOAT4, builtins.FLOAT8]);

/** Values as JSON can hold them without loss; what it cannot stays the text that PostgreSQL prints. */
function parserFor(type: number, format?: string): (text: never) => unknown {
	if (asPg.has(type)) return types.getTypeParser(type, format as 'text');
	if (!asNumber.has(type)) return (text: string) => text;
	return (text: string) => {
		const number = Number(text);
		return Number.isFinite(number) && (type !== builtins.INT8 || Number.isSafeInteger(number)) ? number : text;
	};
}

function explain(error: unknown, { host, port, database, user }: PostgresAddress, timeoutMs: number): LocalAiError {
	if (error instanceof LocalAiError) return error;
	const said = error instanceof Error ? excerpt(error.message) : String(error);
	const code = String((error as Partial<DatabaseError> | null)?.code ?? '');
	const of = (kind: LocalAiError['code'], message: string, hint: string, more: { reason?: string } = {}) =>
		new LocalAiError(kind, message, { hint, ...more });
	if (code === '57014' || code === '25P03') return tooSlow(timeoutMs);
	if (code === '55P03') {
		return of('timeout', `PostgreSQL waited for a lock for too long: ${said}`, 'Try again later.', { reason: 'LIMIT' });
	}
	if (code.startsWith('28')) {
		return of(
			'unauthorized',
			`PostgreSQL does not let "${user}" in: ${said}`,
			'Check user and password in the PostgreSQL credential.',
		);
	}
	if (code === '3D000') return of('configuration', `There is no database "${database}".`, 'Check the credential.');
	if (code === '42501' || code === '25006') {
		return of(
			'refused',
			`PostgreSQL refuses the statement: ${said}`,
			'Grant the role SELECT on it if it may read that.',
			{
				reason: 'SQL_POLICY',
			},
		);
	}
	if (/^(42|22|08P|26|34)/.test(code)) {
		return of('invalid-input', `PostgreSQL cannot run the statement: ${said}`, 'Correct the SQL.', {
			reason: 'SQL_SYNTAX',
		});
	}
	if (code.startsWith('53')) return of('overloaded', `PostgreSQL has no room: ${said}`, 'Try again later.');
	if (/^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E')) {
		return of('tool-failed', `PostgreSQL could not run the statement: ${said}`, 'Look at the log of PostgreSQL.');
	}
	const nothingAnswers = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'].includes(code);
	return new LocalAiError(
		'unreachable',
		nothingAnswers
			? `PostgreSQL is not reachable at ${host}:${port} (${code})`
			: `The connection to PostgreSQL at ${host}:${port} broke: ${said}`,
		{ hint: 'Start it, or correct host and port in the PostgreSQL credential.', nothingAnswers },
	);
}

function refused(message: string): LocalAiError {
	return new LocalAiError('refused', message, {
		hint: 'Name the table or view in the allowed tables if it may be read.',
		reason: 'SQL_POLICY',
	});
}

function tooLarge(limit: string): LocalAiError {
	return new LocalAiError('refused', `The answer has more than ${limit}.`, {
		hint: 'Add a LIMIT, choose fewer columns, or raise the limit of the node.',
		reason: 'LIMIT',
	});
}

function tooSlow(timeoutMs: number): LocalAiError {
	return new LocalAiError('timeout', `PostgreSQL did not answer within ${timeoutMs} ms`, {
		hint: 'Ask for less, or raise the time-out.',
		reason: 'LIMIT',
	});
}

function cancelled(): LocalAiError {
	return new LocalAiError('cancelled', 'The query was cancelled', { hint: 'Run it again if it is still wanted.' });
}
