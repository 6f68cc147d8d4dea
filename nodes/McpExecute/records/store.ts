import { LocalAiError } from '../../shared/errors';

/** A pool of PostgreSQL connections, such as `pg.Pool`. */
export interface Database {
	connect(): Promise<Connection>;
}

export interface Connection {
	query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
	/** Gives the connection back, or ends it. */
	release(end?: boolean): void;
}

/** Sends one statement and gives its rows. */
export type Query = <Row>(sql: string, values?: readonly unknown[]) => Promise<Row[]>;

/**
 * Runs `work` in one transaction: all of it happens, or nothing. Rejects with LocalAiError `unreachable`, its `reason` AUDIT, when the
 * database cannot be reached, refuses, or takes longer than 10 s; what `work` itself throws passes through.
 */
export async function inTransaction<Result>(
	database: Database,
	work: (query: Query) => Promise<Result>,
	begin = 'BEGIN',
): Promise<Result> {
	const connection = await withinDeadline(database.connect(), (late) => late.release(true));
	let intact = false;
	try {
		const query = queryOn(connection);
		await query(begin);
		const result = await work(query);
		await query('COMMIT');
		intact = true;
		return result;
	} finally {
		// A connection on which something failed may be in the middle of anything; ending it rolls back.
		connection.release(!intact);
	}
}

/** Runs one statement on a connection of the pool and gives its rows. Rejects as `inTransaction` does. */
export async function ask<Row>(database: Database, sql: string, values: readonly unknown[] = []): Promise<Row[]> {
	const connection = await withinDeadline(database.connect(), (late) => late.release(true));
	let intact = false;
	try {
		const rows = await queryOn(connection)<Row>(sql, values);
		intact = true;
		return rows;
	} finally {
		connection.release(!intact);
	}
}

const deadlineMs = 10_000;

function queryOn(connection: Connection): Query {
	return async <Row>(sql: string, values: readonly unknown[] = []) => {
		const { rows } = await withinDeadline(connection.query(sql, [...values]));
		return rows as Row[];
	};
}

async function withinDeadline<Value>(promise: Promise<Value>, tooLate?: (value: Value) => void): Promise<Value> {
	let timer: NodeJS.Timeout | undefined;
	let over = false;
	const deadline = new Promise<never>((_, reject) => {
		timer = setTimeout(() => {
			over = true;
			reject(new Error(`no answer within ${deadlineMs} ms`));
		}, deadlineMs);
	});
	promise.then(
		(value) => over && tooLate?.(value),
		() => undefined,
	);
	try {
		return await Promise.race([promise, deadline]);
	} catch (cause) {
		throw new LocalAiError('unreachable', `The database of approvals and audit failed: ${reasonOf(cause)}`, {
			hint: 'Check that PostgreSQL runs and that workflows/schema.sql was applied. Until then no tool is called.',
			reason: 'AUDIT',
		});
	} finally {
		clearTimeout(timer);
	}
}

/** PostgreSQL's own message names tables and constraints; its detail would name values. */
function reasonOf(cause: unknown): string {
	return cause instanceof Error ? cause.message : String(cause);
}
