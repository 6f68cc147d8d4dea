import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { withClient } from '../../stack/database.mts';
import { postgresProgram, superuserUrl } from '../../stack/postgres.mts';
import { freePort } from '../support/stack';

const password = 'it is "secret"';
let parent: string;
let folder: string;
let port: number;
const running: ChildProcess[] = [];

jest.setTimeout(60_000);

beforeAll(async () => {
	parent = mkdtempSync(join(tmpdir(), 'postgres-'));
	folder = join(parent, 'postgres');
	port = await freePort();
});
afterAll(async () => {
	for (const child of running) {
		if (child.exitCode !== null || child.signalCode !== null) continue;
		child.kill('SIGQUIT');
		await once(child, 'exit');
	}
	rmSync(parent, { recursive: true });
});

/** Starts it as the stack does, and waits until it is ready. */
async function start() {
	const program = postgresProgram(folder, port, password);
	program.prepare!();
	const [file, ...args] = program.command;
	const child = spawn(file, args, { env: program.env, cwd: program.cwd, stdio: 'ignore' });
	running.push(child);
	const exit = once(child, 'exit').then(([code]) => `ended with ${code}`);
	for (;;) {
		const outcome = await Promise.race([exit, program.isReady().catch(() => false)]);
		if (outcome === true) return { program, child, exit };
		if (outcome !== false) throw new Error(`PostgreSQL ${outcome}`);
		await Promise.race([exit, wait(50)]);
	}
}
const ask = (sql: string, secret = password) =>
	withClient(superuserUrl(port, secret), async (client) => (await client.query(sql)).rows as object[]);

test('a first start makes a cluster that asks for its password, and its data outlives a stop', async () => {
	const { program, child, exit } = await start();
	expect(await ask('SELECT 1 AS one')).toEqual([{ one: 1 }]);
	await expect(ask('SELECT 1', 'wrong')).rejects.toThrow(/password authentication failed/);
	expect(await ask('SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
	await ask('CREATE TABLE kept AS SELECT 7 AS n');
	child.kill(program.stopSignal);
	expect(await exit).toBe('ended with 0');
	expect(statSync(join(folder, 'data')).mode & 0o077).toBe(0);
});

test('no password is left in a file or stands on the command line', () => {
	expect(existsSync(join(folder, 'password'))).toBe(false);
	expect(postgresProgram(folder, port, password).command.join(' ')).not.toContain('secret');
});

test('the data of a killed server is there at the next start, though its lock names a process that is another now', async () => {
	const first = await start();
	await ask('INSERT INTO kept VALUES (8)');
	first.child.kill('SIGKILL');
	await first.exit;
	const lock = join(folder, 'data', 'postmaster.pid');
	const [, ...rest] = readFileSync(lock, 'utf8').split('\n');
	writeFileSync(lock, [process.pid, ...rest].join('\n'));
	await start();
	expect(await ask('SELECT n FROM kept ORDER BY n')).toEqual([{ n: 7 }, { n: 8 }]);
});

test('the lock of a living server is left alone', () => {
	const lock = join(folder, 'data', 'postmaster.pid');
	postgresProgram(folder, port, password).prepare!();
	expect(existsSync(lock)).toBe(true);
});

test('a cluster whose making was cut short is made anew', () => {
	const cut = join(parent, 'cut');
	mkdirSync(join(cut, 'data.part', 'base'), { recursive: true });
	writeFileSync(join(cut, 'data.part', 'PG_VERSION'), '18\n');
	postgresProgram(cut, port, password);
	expect(existsSync(join(cut, 'data', 'global', 'pg_control'))).toBe(true);
	expect(existsSync(join(cut, 'data.part'))).toBe(false);
});
