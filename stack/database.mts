import { readFileSync } from 'node:fs';
import pg from 'pg';
import { LocalAiError } from '../nodes/shared/errors.ts';

/** A database whose owner carries the same name. */
export interface Database {
	readonly name: string;
	readonly password: string;
}

/** The address of a database on this machine, as its owner. */
export function databaseUrl(port: number, { name, password }: Database): string {
	return `postgres://${name}:${encodeURIComponent(password)}@127.0.0.1:${port}/${name}`;
}

/** Makes each database with an owner of the same name who can reach no other one; repeatable, passwords are renewed. */
export async function createDatabases(url: string, databases: readonly Database[]): Promise<void> {
	await withClient(url, async (client) => {
		for (const { name, password } of databases) {
			const id = client.escapeIdentifier(name);
			const { rowCount: roles } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
			await client.query(`${roles ? 'ALTER' : 'CREATE'} ROLE ${id} LOGIN PASSWORD ${client.escapeLiteral(password)}`);
			const { rowCount: found } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
			if (!found) await client.query(`CREATE DATABASE ${id} OWNER ${id}`);
			await client.query(`REVOKE CONNECT ON DATABASE ${id} FROM PUBLIC`);
		}
	});
}

/**
 * Lets a role of its own see how PostgreSQL and n8n's executions are doing, and nothing of what n8n keeps in them;
 * repeatable. Resolves to the address of `database`, n8n's, as that role.
 */
export async function createWatcher(superuserUrl: string, watcher: Database, database: string): Promise<string> {
	const inDatabase = (url: string) => Object.assign(new URL(url), { pathname: `/${database}` });
	const url = inDatabase(superuserUrl);
	await withClient(url.href, async (client) => {
		const role = client.escapeIdentifier(watcher.name);
		const { rowCount: found } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [watcher.name]);
		await client.query(
			`${found ? 'ALTER' : 'CREATE'} ROLE ${role} LOGIN PASSWORD ${client.escapeLiteral(watcher.password)};
			GRANT pg_read_all_stats TO ${role};
			GRANT CONNECT ON DATABASE ${client.escapeIdentifier(database)} TO ${role};
			GRANT SELECT (id, status, "workflowId", "stoppedAt") ON execution_entity TO ${role};
			GRANT SELECT (id, name) ON workflow_entity TO ${role}`,
		);
	});
	return inDatabase(databaseUrl(Number(url.port), watcher)).href;
}

/** Applies a schema file whole or not at all; throws `configuration` with PostgreSQL's own words. */
export async function applySchema(url: string, file: string): Promise<void> {
	const sql = readFileSync(file, 'utf8');
	await withClient(url, async (client) => {
		await client.query('BEGIN');
		try {
			await client.query(sql);
			await client.query('COMMIT');
		} catch (cause) {
			const { message, position } = cause as pg.DatabaseError;
			const line = position === undefined ? '' : `, line ${sql.slice(0, Number(position)).split('\n').length}`;
			throw new LocalAiError('configuration', `${file}${line} could not be applied: ${message}`, {
				hint: 'Nothing was changed in the database. Correct the schema, or the tables it collides with, and start again.',
				cause,
			});
		}
	});
}

/** Runs `use` on one connection and closes it. */
export async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
	const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
	client.on('error', () => {});
	await client.connect();
	try {
		return await use(client);
	} finally {
		await client.end();
	}
}
