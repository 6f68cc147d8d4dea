import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { Client } from 'pg';

export interface PostgresServer {
	/** The address of its superuser's database. */
	readonly url: string;
	/** A new empty database, and its address. */
	createDatabase(): Promise<string>;
	stop(): Promise<void>;
}

/** A PostgreSQL of the test's own, gone with its data after `stop` and when the test's process ends. */
export async function startPostgres(): Promise<PostgresServer> {
	const program = spawn(process.execPath, [join(__dirname, 'postgresServer.mts')], { stdio: ['pipe', 'pipe', 'pipe'] });
	const said: string[] = [];
	program.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
	const exit = once(program, 'exit');
	const url = await Promise.race([
		once(createInterface(program.stdout), 'line').then(([line]) => line as string),
		exit.then(() => Promise.reject(new Error(`PostgreSQL did not start: ${said.join('')}`))),
	]);
	let databases = 0;
	return {
		url,
		async createDatabase() {
			const name = `test_${++databases}`;
			await query(url, `CREATE DATABASE ${name}`);
			return Object.assign(new URL(url), { pathname: `/${name}` }).href;
		},
		async stop() {
			program.stdin.end();
			await exit;
		},
	};
}

async function query(url: string, sql: string) {
	const client = new Client({ connectionString: url });
	await client.connect();
	await client.query(sql);
	await client.end();
}
