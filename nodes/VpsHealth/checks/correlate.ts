import type { Finding, Severity } from './check';

const rank: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, unknown: 2, info: 3 };

/** One fault that shows itself as others. `when` says whether this cause can be behind that very symptom. */
interface Explanation {
	readonly cause: string;
	readonly symptoms: readonly string[];
	readonly when?: (cause: Finding, symptom: Finding) => boolean;
}

const sameSubject = (cause: Finding, symptom: Finding) => cause.subject === symptom.subject;
const ofService = (name: RegExp) => (cause: Finding) => cause.subject !== null && name.test(cause.subject);
const containerFaults = ['container-oom-killed', 'container-restart-loop', 'container-down', 'container-unhealthy'];

/** In the order in which causes are believed; a code is never a symptom of one that comes after it as a cause. */
const explanations: readonly Explanation[] = [
	{
		cause: 'disk-read-only',
		symptoms: ['redis-write-failed', 'postgres-down', 'backup-old', 'unit-failed', ...containerFaults.slice(1)],
	},
	{
		cause: 'disk-full',
		symptoms: [
			...['redis-write-failed', 'postgres-down', 'n8n-database-down', 'backup-old', 'backup-shrank', 'model-missing'],
			...['unit-failed', 'container-restart-loop', 'container-down', 'container-unhealthy', 'executions-failing'],
		],
	},
	{
		cause: 'inodes-full',
		symptoms: ['redis-write-failed', 'postgres-down', 'backup-old', 'unit-failed', ...containerFaults.slice(1)],
	},
	{
		cause: 'memory-low',
		symptoms: ['memory-pressure', 'swap-full', 'oom-kills', 'io-pressure', 'cpu-io-wait', 'load-high'],
	},
	{ cause: 'cpu-steal', symptoms: ['cpu-pressure', 'load-high'] },
	{ cause: 'memory-pressure', symptoms: ['io-pressure', 'cpu-io-wait', 'load-high'] },
	{ cause: 'io-pressure', symptoms: ['cpu-io-wait', 'load-high'] },
	{ cause: 'cpu-pressure', symptoms: ['load-high'] },
	{
		cause: 'unit-failed',
		symptoms: ['docker-down'],
		when: ofService(/^(docker|containerd)\./),
	},
	{ cause: 'unit-failed', symptoms: ['postgres-down', 'n8n-database-down'], when: ofService(/^postgresql/) },
	{ cause: 'unit-failed', symptoms: ['redis-down', 'queue-down'], when: ofService(/^redis/) },
	{ cause: 'unit-failed', symptoms: ['ollama-down'], when: ofService(/^ollama/) },
	{
		cause: 'container-oom-killed',
		symptoms: ['container-restart-loop', 'container-down', 'container-unhealthy', 'container-memory'],
		when: sameSubject,
	},
	{ cause: 'container-restart-loop', symptoms: ['container-down', 'container-unhealthy'], when: sameSubject },
	...containerFaults.flatMap((cause): Explanation[] => [
		{ cause, symptoms: ['postgres-down', 'n8n-database-down'], when: ofService(/postgres/) },
		{ cause, symptoms: ['redis-down', 'queue-down'], when: ofService(/redis|valkey/) },
		{ cause, symptoms: ['ollama-down'], when: ofService(/ollama/) },
		{
			cause,
			symptoms: [
				...['queue-no-worker', 'queue-not-consumed', 'queue-worker-missing', 'queue-worker-silent'],
				...['queue-worker-stopped', 'queue-stalled-jobs', 'executions-crashed', 'queue-oldest-job', 'queue-backlog'],
			],
			when: ofService(/worker/),
		},
	]),
	{ cause: 'postgres-long-transaction', symptoms: ['postgres-lock-waits', 'postgres-dead-rows'] },
	{ cause: 'postgres-lock-waits', symptoms: ['postgres-connections'] },
	{ cause: 'postgres-connections', symptoms: ['executions-failing'] },
	{ cause: 'postgres-down', symptoms: ['n8n-database-down'] },
	{ cause: 'redis-down', symptoms: ['queue-down'] },
	{
		cause: 'postgres-down',
		symptoms: ['container-unhealthy', 'container-restart-loop', 'queue-worker-silent'],
		when: (_, { subject }) => /n8n|worker/.test(subject ?? ''),
	},
	{
		cause: 'redis-down',
		symptoms: ['container-unhealthy', 'container-restart-loop', 'container-down', 'queue-worker-silent'],
		when: (_, { subject }) => /n8n|worker/.test(subject ?? ''),
	},
	{ cause: 'redis-memory', symptoms: ['redis-evicts'] },
	{ cause: 'queue-paused', symptoms: ['queue-backlog', 'queue-oldest-job'] },
	{ cause: 'queue-no-worker', symptoms: ['queue-backlog', 'queue-oldest-job', 'queue-worker-silent'] },
	{ cause: 'queue-not-consumed', symptoms: ['queue-backlog', 'queue-oldest-job'] },
	{ cause: 'queue-worker-silent', symptoms: ['queue-no-worker', 'queue-worker-missing', 'queue-worker-stopped'] },
	{
		cause: 'queue-worker-stopped',
		symptoms: ['queue-stalled-jobs', 'queue-backlog', 'queue-oldest-job', 'executions-crashed'],
	},
	{ cause: 'queue-backlog', symptoms: ['queue-oldest-job'] },
	{ cause: 'queue-stalled-jobs', symptoms: ['executions-crashed'] },
	{ cause: 'ollama-down', symptoms: ['executions-failing'] },
	{ cause: 'model-missing', symptoms: ['executions-failing'] },
];

/**
 * Names under each finding the one that it follows from, and sorts: the worst causes first, each with its symptoms
 * right after it. Only a finding at least as severe can be a cause.
 */
export function correlated(findings: readonly Finding[]): Finding[] {
	const causes = new Map<string, string>();
	for (const symptom of findings) {
		const cause = causeOf(symptom, findings, causes);
		if (cause !== undefined) causes.set(symptom.id, cause.id);
	}
	const named = findings.map((one) => ({ ...one, explainedBy: causes.get(one.id) ?? null }));
	const below = (id: string | null): Finding[] =>
		named
			.filter(({ explainedBy }) => explainedBy === id)
			.sort((a, b) => rank[a.severity] - rank[b.severity])
			.flatMap((one) => [one, ...below(one.id)]);
	return below(null);
}

function causeOf(symptom: Finding, findings: readonly Finding[], causes: ReadonlyMap<string, string>) {
	for (const { cause: code, symptoms, when } of explanations) {
		if (!symptoms.includes(symptom.code)) continue;
		const cause = findings.find(
			(one) =>
				one.code === code &&
				rank[one.severity] <= rank[symptom.severity] &&
				(when === undefined || when(one, symptom)) &&
				!follows(one.id, symptom.id, causes),
		);
		if (cause !== undefined) return cause;
	}
	return undefined;
}

/** Whether `id` is already explained, over any number of steps, by `from`: nothing is its own cause. */
function follows(id: string, from: string, causes: ReadonlyMap<string, string>): boolean {
	for (let at: string | undefined = id; at !== undefined; at = causes.get(at)) if (at === from) return true;
	return false;
}
