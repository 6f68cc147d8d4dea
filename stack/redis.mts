import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import type { Command, Processes, Program } from './processes.mts';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { writePrivately } from './state.mts';

const installWithinMs = 300_000;

/** How n8n reaches its queue. */
export interface RedisAddress {
	readonly host: string;
	readonly port: number;
	readonly username?: string;
	readonly password?: string;
	readonly database: number;
	readonly tls: boolean;
}

/** A Redis server program found on this machine. */
export interface RedisServer {
	readonly file: string;
	/** One Debian binary is server and tools, and decides by the name it is called by. */
	readonly argv0: string;
}

/** The parts of a redis:// or rediss:// URL. */
export function parseRedisUrl(text: string): RedisAddress {
	const url = new URL(text);
	return {
		host: url.hostname.replace(/^\[|\]$/g, ''),
		port: Number(url.port || 6379),
		...(url.username && { username: decodeURIComponent(url.username) }),
		...(url.password && { password: decodeURIComponent(url.password) }),
		database: Number(url.pathname.slice(1) || 0),
		tls: url.protocol === 'rediss:',
	};
}

/** A Redis (or Valkey) server on PATH, if need be installed by apt when this is root on Debian; undefined without one. */
export async function findRedis(processes: Processes, say: (line: string) => void): Promise<RedisServer | undefined> {
	const found = redisOnPath();
	if (found) return found;
	if (process.getuid?.() !== 0 || !onPath('apt-get')) return undefined;
	say('Redis is not on this machine: installing it with apt-get (about half a minute)');
	// redis-tools holds the same binary as redis-server, without the service that would start at once and at every boot.
	try {
		await processes.run(aptGet('update', '-q'), installWithinMs);
		await processes.run(aptGet('install', '-q', '-y', '--no-install-recommends', 'redis-tools'), installWithinMs);
	} catch (error) {
		if (!(error instanceof LocalAiError)) throw error;
		say(error.message);
		return undefined;
	}
	return redisOnPath();
}

/** A user who may see how Redis and the keys that begin with `prefix` are doing, and change nothing. */
export interface RedisWatcher {
	readonly username: string;
	readonly password: string;
	readonly prefix: string;
}

/** A Redis of the stack's own in `folder`: every queued job is kept on disk, none is ever evicted. */
export function redisProgram(
	server: RedisServer,
	folder: string,
	port: number,
	password: string,
	watcher?: RedisWatcher,
): Program {
	const configuration = join(folder, 'redis.conf');
	const lines = [
		'bind 127.0.0.1',
		`port ${port}`,
		`requirepass ${password}`,
		`dir "${folder}"`,
		'appendonly yes',
		'appendfsync everysec',
		// A crash can cut the last entry short: what came before it is whole.
		'aof-load-truncated yes',
		'save ""',
		'maxmemory-policy noeviction',
		'daemonize no',
		...(watcher ? [userLine(watcher)] : []),
	];
	return {
		name: 'redis',
		command: [server.file, configuration],
		argv0: server.argv0,
		env: { PATH: process.env.PATH, LC_ALL: 'C' },
		cwd: folder,
		port,
		stopSignal: 'SIGTERM',
		killSignal: 'SIGTERM',
		isReady: () => answers({ host: '127.0.0.1', port, password, database: 0, tls: false }),
		readyWithinMs: 60_000,
		prepare: () => writePrivately(configuration, `${lines.join('\n')}\n`),
	};
}

/** CONFIG is not among the commands: it would give every password away. */
function userLine({ username, password, prefix }: RedisWatcher): string {
	const commands = [
		'ping',
		'info',
		'client|list',
		'pubsub|numsub',
		'llen',
		'lrange',
		'lindex',
		'zcard',
		'exists',
		'hget',
	];
	return `user ${username} on >${password} ~${prefix}:* -@all ${commands.map((command) => `+${command}`).join(' ')}`;
}

/** Whether a Redis answers at this address; over TLS only whether something listens. */
export function answers({ host, port, username, password, tls }: RedisAddress): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect({ host, port });
		const end = (answer: boolean) => {
			socket.destroy();
			resolve(answer);
		};
		let reply = '';
		socket.setTimeout(2000, () => end(false));
		socket.on('error', () => end(false));
		socket.on('close', () => end(false));
		socket.on('connect', () => {
			if (tls) return end(true);
			const credentials =
				password === undefined ? [] : ['AUTH', ...(username === undefined ? [] : [username]), password];
			socket.write((credentials.length > 0 ? command(credentials) : '') + command(['PING']));
		});
		socket.on('data', (data) => {
			reply += data.toString('latin1');
			if (reply.includes('+PONG\r\n')) end(true);
			else if (/^-/m.test(reply)) end(false);
		});
	});
}

/** A command as Redis reads it: https://redis.io/docs/latest/develop/reference/protocol-spec/ */
function command(words: string[]): string {
	return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

function aptGet(...args: string[]): Command {
	return {
		name: 'apt-get',
		// Another apt at work is waited for, but not without end.
		command: ['apt-get', '-o', 'DPkg::Lock::Timeout=60', ...args],
		env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
		cwd: '/',
		stopSignal: 'SIGTERM',
		killSignal: 'SIGTERM',
	};
}

function redisOnPath(): RedisServer | undefined {
	for (const [name, argv0] of [
		['redis-server', 'redis-server'],
		['valkey-server', 'valkey-server'],
		['redis-check-rdb', 'redis-server'],
	] as const) {
		const file = onPath(name);
		if (file && spawnSync(file, ['--version'], { argv0 }).status === 0) return { file, argv0 };
	}
	return undefined;
}

function onPath(name: string): string | undefined {
	return [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin', '/usr/local/bin']
		.map((folder) => join(folder, name))
		.find((file) => {
			try {
				accessSync(file, constants.X_OK);
				return true;
			} catch {
				return false;
			}
		});
}
