import { setTimeout as wait } from 'node:timers/promises';
import { LocalAiError } from '../shared/errors';
import type { Evidence, Finding, Severity, Situation, Words } from './checks/check';
import { containerChecks } from './checks/containers';
import { correlated } from './checks/correlate';
import { databaseChecks } from './checks/databases';
import { machineChecks } from './checks/machine';
import { queueChecks } from './checks/queue';
import { serviceChecks } from './checks/services';
import { defaultThresholds, type Limit, type Thresholds } from './checks/thresholds';
import { undecidedServers, unread } from './checks/unread';
import {
	known,
	unknown,
	type BackupFacts,
	type ContainerFacts,
	type ExecutionFacts,
	type Fact,
	type HostFacts,
	type MachineFacts,
	type ModelFacts,
	type PostgresFacts,
	type QueueFacts,
	type RedisFacts,
	type SystemdFacts,
	type Unknown,
} from './facts';

export { defaultThresholds };
export type { Evidence, Fact, Finding, Limit, MachineFacts, Severity, Thresholds, Words };

type Read<T> = (signal: AbortSignal) => Promise<T>;

/** Where facts come from. One that is left out is told as not looked at. */
export interface Sources {
	readonly host?: Read<HostFacts>;
	readonly systemd?: Read<SystemdFacts>;
	readonly containers?: Read<readonly ContainerFacts[]>;
	readonly postgres?: Read<PostgresFacts>;
	readonly executions?: Read<ExecutionFacts>;
	readonly redis?: Read<RedisFacts>;
	readonly queue?: Read<QueueFacts>;
	readonly models?: Read<ModelFacts>;
	readonly backups?: Read<BackupFacts>;
}

export interface CollectOptions {
	/** What each source may take; all run at the same time. Default 2700. */
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal;
}

export type Status = 'critical' | 'warning' | 'unknown' | 'ok';

export interface Diagnosis {
	/** The worst that was found; `unknown` where nothing bad is known but not everything could be read. */
	readonly status: Status;
	readonly takenAt: string;
	/** The worst causes first, each followed by the findings that it explains. */
	readonly findings: readonly Finding[];
	readonly counts: Readonly<Record<Severity, number>>;
	/** Codes that could not be judged: that they are not among the findings says nothing. */
	readonly notJudged: readonly string[];
}

/**
 * Asks every source at once. A source that fails or hangs makes its own facts unknown and delays nobody. Rejects only
 * with LocalAiError `cancelled`.
 */
export async function collectFacts(sources: Sources, options: CollectOptions = {}): Promise<MachineFacts> {
	const { timeoutMs = 2700, signal } = options;
	const takenAt = new Date().toISOString();
	const ask = <T>(name: string, read: Read<T> | undefined) => factOf(name, read, timeoutMs, signal);
	const [host, systemd, containers, postgres, executions, redis, queue, models, backups] = await Promise.all([
		ask('the machine', sources.host),
		ask('systemd', sources.systemd),
		ask('Docker', sources.containers),
		ask('PostgreSQL', sources.postgres),
		ask('n8n’s database', sources.executions),
		ask('Redis', sources.redis),
		ask('the queue', sources.queue),
		ask('Ollama', sources.models),
		ask('the backups', sources.backups),
	]);
	if (signal?.aborted) {
		throw new LocalAiError('cancelled', 'The diagnosis was cancelled.', {
			hint: 'Run it again if it is still wanted.',
		});
	}
	return {
		takenAt,
		host: host.known ? host.value : unknownHost(host),
		systemd,
		containers,
		postgres: postgres.known ? postgres.value : unknownPostgres(postgres),
		executions,
		redis,
		queue,
		models,
		backups,
	};
}

/**
 * What is wrong with the machine, why, and what to do: the same facts always give the same findings. `seenBefore` are
 * the optional servers that answered at an earlier look, as `HealthState.seen` keeps them.
 */
export function diagnose(
	facts: MachineFacts,
	limits: Thresholds = defaultThresholds,
	now = new Date(),
	seenBefore: readonly string[] = [],
): Diagnosis {
	const situation: Situation = { facts, limits, now };
	const judged = checks.flatMap(({ judge }) => judge(situation));
	const findings = correlated([...judged, ...unread(facts, seenBefore)]);
	const count = (severity: Severity) => findings.filter((one) => one.severity === severity).length;
	const counts = {
		critical: count('critical'),
		warning: count('warning'),
		unknown: count('unknown'),
		info: count('info'),
	};
	const notJudged = [
		...checks.filter(({ canJudge }) => !canJudge(facts)).map(({ code }) => code),
		...undecidedServers(facts),
	];
	return { status: statusOf(counts), takenAt: facts.takenAt, findings, counts, notJudged };
}

/** Facts of a machine whose source could not be read at all. */
export function unknownHost(why: Unknown): HostFacts {
	return {
		cpuCount: why,
		load: why,
		cpu: why,
		memory: why,
		pressure: why,
		fileSystems: why,
		oomKills: why,
		openFiles: why,
		bootedAt: why,
		rebootRequired: why,
	};
}

const checks = [...machineChecks, ...containerChecks, ...databaseChecks, ...queueChecks, ...serviceChecks];

async function factOf<T>(
	name: string,
	read: Read<T> | undefined,
	timeoutMs: number,
	cancelled: AbortSignal | undefined,
): Promise<Fact<T>> {
	if (read === undefined) return unknown(`This diagnosis was not told how to reach ${name}.`, 'not-set-up');
	const ended = new AbortController();
	const signal = AbortSignal.any([ended.signal, ...(cancelled ? [cancelled] : [])]);
	const late = wait(timeoutMs, undefined, { signal }).then(
		() => unknown(`Reading ${name} did not end within ${timeoutMs} ms.`),
		() => unknown(`Reading ${name} was cancelled.`),
	);
	const reading = (async () => known(await read(signal)))().catch((error: unknown) => whyNot(name, error));
	try {
		return await Promise.race([reading, late]);
	} finally {
		ended.abort();
	}
}

/** The reason as it may be shown: what another program threw could hold anything. */
function whyNot(name: string, error: unknown): Unknown {
	if (error instanceof LocalAiError)
		return unknown(error.message, error.nothingAnswers || error.code === 'overloaded' ? 'nothing-answers' : undefined);
	return unknown(`Reading ${name} failed (${error instanceof Error ? error.name : typeof error}).`);
}

function unknownPostgres(why: Unknown): PostgresFacts {
	return { server: why, databases: why, longTransactions: why, deadRows: why, replicas: why };
}

function statusOf(counts: Readonly<Record<Severity, number>>): Status {
	if (counts.critical > 0) return 'critical';
	if (counts.warning > 0) return 'warning';
	return counts.unknown > 0 ? 'unknown' : 'ok';
}
