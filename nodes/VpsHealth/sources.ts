import { LocalAiError } from '../shared/errors';
import type { OllamaServer } from '../shared/ollama';
import { readBackups } from './backups';
import { readExecutions, readPostgres, type ExecutionsAddress } from './databases';
import type { Sources } from './diagnose';
import { listContainers, type Docker } from './docker';
import type { Fact } from './facts';
import { readOwnHost } from './host';
import { readModels } from './models';
import type { PostgresAddress } from '../shared/postgresAddress';
import { readQueue, type QueueAddress } from './queue';
import { readRedis, withRedis, type RedisAddress } from './redis';
import { askScanner, type ScannedFacts, type Scanner } from './scanner';
import { askSystemd, readSystemdFile } from './systemd';

/** What of a machine can be reached, and how. What is left out is not looked at; the machine itself always is. */
export interface Reachable {
	/** Asked for the machine, systemd and the backups; without one this process looks by itself. */
	readonly scanner?: Scanner;
	/** What a timer writes of systemd, where systemd itself cannot be asked. */
	readonly unitsFile?: string;
	readonly backupFolder?: string;
	readonly docker?: Docker;
	readonly postgres?: PostgresAddress;
	readonly executions?: ExecutionsAddress & { readonly address: PostgresAddress };
	readonly redis?: RedisAddress;
	/** n8n's queue in that Redis. */
	readonly queue?: QueueAddress;
	readonly ollama?: OllamaServer;
	/** Models that have to be there. */
	readonly wantedModels?: readonly string[];
}

/** The sources for one diagnosis of a machine. */
export function sourcesOf(reachable: Reachable): Sources {
	const { scanner, unitsFile, backupFolder, docker, postgres, executions, redis, queue, ollama } = reachable;
	const scanned = scanner && once((signal: AbortSignal) => askScanner(scanner, signal));
	return {
		host: scanned ? async (signal) => (await scanned(signal)).host : readOwnHost,
		systemd:
			unitsFile !== undefined
				? () => readSystemdFile(unitsFile)
				: scanned
					? async (signal) => valueOf((await scanned(signal)).systemd)
					: askSystemd,
		...(backupFolder !== undefined
			? { backups: () => readBackups(backupFolder) }
			: scanned && { backups: async (signal) => valueOf((await scanned(signal)).backups) }),
		...(docker && {
			containers: async (signal) =>
				(await listContainers(docker, { usage: true, usageTimeoutMs: 2300, signal })).containers,
		}),
		...(postgres && { postgres: (signal) => readPostgres(postgres, signal) }),
		...(executions && { executions: (signal) => readExecutions(executions.address, executions, signal) }),
		...(redis && { redis: (signal) => withRedis(redis, signal, readRedis) }),
		...(redis &&
			queue && { queue: (signal) => withRedis(redis, signal, (client) => readQueue(client, queue, signal)) }),
		...(ollama && {
			models: (signal) => readModels({ ...ollama, timeoutMs: 2000 }, reachable.wantedModels ?? [], signal),
		}),
	};
}

/** Asks at the first call; whoever calls again gets the same answer. */
function once(ask: (signal: AbortSignal) => Promise<ScannedFacts>): (signal: AbortSignal) => Promise<ScannedFacts> {
	let asked: Promise<ScannedFacts> | undefined;
	return (signal) => (asked ??= ask(signal));
}

/** What another program knows; what it does not know is rejected with its own reason. */
function valueOf<T>(fact: Fact<T>): T {
	if (fact.known) return fact.value;
	throw new LocalAiError('configuration', fact.why, { hint: 'Set it up at infraScanner.' });
}
