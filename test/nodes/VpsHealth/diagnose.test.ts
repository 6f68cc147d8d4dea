import fc from 'fast-check';
import { containerChecks } from '../../../nodes/VpsHealth/checks/containers';
import { databaseChecks } from '../../../nodes/VpsHealth/checks/databases';
import { machineChecks } from '../../../nodes/VpsHealth/checks/machine';
import { queueChecks } from '../../../nodes/VpsHealth/checks/queue';
import { serviceChecks } from '../../../nodes/VpsHealth/checks/services';
import { collectFacts, defaultThresholds, diagnose, type Diagnosis } from '../../../nodes/VpsHealth/diagnose';
import {
	known,
	unknown,
	type BackupFacts,
	type ContainerFacts,
	type ExecutionFacts,
	type FileSystem,
	type FileSystemUse,
	type HostFacts,
	type LongTransaction,
	type MachineFacts,
	type MemoryUse,
	type ModelFacts,
	type PostgresServer,
	type PressureFacts,
	type QueueFacts,
	type RedisFacts,
	type SystemdFacts,
	type TableRows,
	type UnitFacts,
} from '../../../nodes/VpsHealth/facts';
import { LocalAiError } from '../../../nodes/shared/errors';
import { container, healthyMachine, minutesBefore, takenAt, withFault } from '../../support/machineFacts';

const now = new Date(takenAt);
const look = (facts: MachineFacts) => diagnose(facts, defaultThresholds, now);
const codes = ({ findings }: Diagnosis) => findings.map(({ code }) => code);

// ---- faults: what is broken, and what has to be named first

type Break = (facts: MachineFacts) => MachineFacts;
const over =
	<T extends object>(path: string, change: Partial<T>): Break =>
	(facts) =>
		withFault<T>(facts, path, (value) => ({ ...value, ...change }));
const replace =
	<T>(path: string, value: T): Break =>
	(facts) =>
		withFault<T>(facts, path, () => value);
const all =
	(...breaks: Break[]): Break =>
	(facts) =>
		breaks.reduce((broken, one) => one(broken), facts);

const disk = (change: Partial<FileSystemUse>, mountPoint = '/'): Break =>
	withDisks(([one, ...others]) =>
		one?.use.known ? [{ ...one, mountPoint, use: known({ ...one.use.value, ...change }) }, ...others] : others,
	);
const withDisks =
	(change: (disks: readonly FileSystem[]) => readonly FileSystem[]): Break =>
	(facts) =>
		withFault(facts, 'host.fileSystems.value', change);
const pressure = (kind: keyof PressureFacts, some60: number, full60: number | null): Break =>
	over<PressureFacts>('host.pressure.value', { [kind]: { some10: some60, some60, full10: full60, full60 } });
const box =
	(change: Partial<ContainerFacts>): Break =>
	(facts) =>
		withFault<readonly ContainerFacts[]>(facts, 'containers.value', (boxes) => {
			const name = change.name ?? 'n8n-worker-1';
			return boxes.map((one) => (one.name === name ? { ...one, ...change } : one));
		});
const unit =
	(change: Partial<UnitFacts>): Break =>
	(facts) =>
		withFault<readonly UnitFacts[]>(facts, 'systemd.value.units', (units) => [
			...units.filter(({ name }) => name !== (change.name ?? 'myapp.service')),
			{ name: 'myapp.service', load: 'loaded', active: 'active', sub: 'running', description: 'My app', ...change },
		]);
const queue = (change: Partial<QueueFacts>) => over<QueueFacts>('queue.value', change);
const redis = (change: Partial<RedisFacts>) => over<RedisFacts>('redis.value', change);
const server = (change: Partial<PostgresServer>) => over<PostgresServer>('postgres.server.value', change);
const silent = (path: string) => replace(path, unknown('It is not reachable (ECONNREFUSED).', 'nothing-answers'));
const failedUnit = (name: string) => unit({ name, active: 'failed', sub: 'failed' });
const noConsumers = { waiting: 12, oldestWaitingMs: 200_000, active: 0, blockedConsumers: 0, moved: false };
const oneStopped = queue({
	...{ consumers: 2, blockedConsumers: 1, listeners: 2, stoppedConsumers: 1, longestSilenceMs: 95_000 },
	...{ active: 2, activeWithoutLock: 2 },
});

interface Scenario {
	readonly what: string;
	readonly fault: Break;
	/** The id of the finding that stands first. */
	readonly first: string;
	readonly severity: 'critical' | 'warning' | 'info' | 'unknown';
	/** Codes that the first one has to explain. */
	readonly explains?: readonly string[];
}

const scenarios: readonly Scenario[] = [
	{ what: 'a disk is nearly full', fault: disk({ availableBytes: 20e9 }), first: 'disk-full:/', severity: 'warning' },
	{
		what: 'a disk is full',
		fault: disk({ availableBytes: 4e9 }, '/var/lib/docker'),
		first: 'disk-full:/var/lib/docker',
		severity: 'critical',
	},
	{
		what: 'a small partition is nearly full',
		fault: disk({ totalBytes: 500e6, availableBytes: 200e6, totalInodes: 0 }, '/boot'),
		first: '',
		severity: 'info',
	},
	{ what: 'inodes are used up', fault: disk({ freeInodes: 100_000 }), first: 'inodes-full:/', severity: 'critical' },
	{ what: 'inodes run short', fault: disk({ freeInodes: 1_000_000 }), first: 'inodes-full:/', severity: 'warning' },
	{
		what: 'the root is read-only',
		fault: withDisks((disks) => disks.map((one) => ({ ...one, readOnly: true }))),
		first: 'disk-read-only:/',
		severity: 'critical',
	},
	{
		what: 'an image mounted read-only is no fault',
		fault: withDisks((disks) => [...disks, { ...disks[0]!, type: 'squashfs', mountPoint: '/snap/x', readOnly: true }]),
		first: '',
		severity: 'info',
	},
	{
		what: 'processes were killed for memory today',
		fault: all(
			replace('host.oomKills.value', {
				sinceBoot: 2,
				byGroup: known([{ group: 'system.slice/ollama.service', kills: 2 }]),
			}),
			replace('host.bootedAt.value', minutesBefore(600)),
		),
		first: 'oom-kills',
		severity: 'warning',
	},
	{
		what: 'processes were killed for memory long ago',
		fault: replace('host.oomKills.value', { sinceBoot: 1, byGroup: known([]) }),
		first: 'oom-kills',
		severity: 'info',
	},
	{
		what: 'memory is short',
		fault: over<MemoryUse>('host.memory.value', { availableBytes: 1.2e9 }),
		first: 'memory-low',
		severity: 'warning',
	},
	{
		what: 'memory is gone',
		fault: all(
			over<MemoryUse>('host.memory.value', { availableBytes: 2e8, swapFreeBytes: 1e7 }),
			pressure('memory', 0.8, 0.5),
			pressure('io', 0.9, 0.8),
		),
		first: 'memory-low',
		severity: 'critical',
		explains: ['swap-full', 'memory-pressure', 'io-pressure'],
	},
	{
		what: 'swap is used up',
		fault: over<MemoryUse>('host.memory.value', { swapFreeBytes: 1e8 }),
		first: 'swap-full',
		severity: 'warning',
	},
	{
		what: 'a machine without swap is no fault',
		fault: over<MemoryUse>('host.memory.value', { swapTotalBytes: 0, swapFreeBytes: 0 }),
		first: '',
		severity: 'info',
	},
	{
		what: 'tasks wait for memory',
		fault: pressure('memory', 0.5, 0.3),
		first: 'memory-pressure',
		severity: 'critical',
	},
	{
		what: 'tasks wait for disks',
		fault: all(
			pressure('io', 0.9, 0.8),
			over('host.cpu.value', { ioWait: 0.6 }),
			over('host.load.value', { five: 30 }),
		),
		first: 'io-pressure',
		severity: 'critical',
		explains: ['cpu-io-wait', 'load-high'],
	},
	{
		what: 'tasks wait for a processor',
		fault: all(pressure('cpu', 0.95, null), over('host.load.value', { five: 30 })),
		first: 'cpu-pressure',
		severity: 'critical',
		explains: ['load-high'],
	},
	{
		what: 'the provider steals',
		fault: all(
			over('host.cpu.value', { steal: 0.4 }),
			pressure('cpu', 0.95, null),
			over('host.load.value', { five: 30 }),
		),
		first: 'cpu-steal',
		severity: 'critical',
		explains: ['cpu-pressure', 'load-high'],
	},
	{ what: 'disks are slow', fault: over('host.cpu.value', { ioWait: 0.3 }), first: 'cpu-io-wait', severity: 'warning' },
	{ what: 'the load is high', fault: over('host.load.value', { five: 9 }), first: 'load-high', severity: 'warning' },
	{
		what: 'files run out',
		fault: over('host.openFiles.value', { allocated: 790_000 }),
		first: 'open-files',
		severity: 'critical',
	},
	{
		what: 'the machine restarted',
		fault: replace('host.bootedAt.value', minutesBefore(3)),
		first: 'rebooted',
		severity: 'info',
	},
	{
		what: 'an update waits for a restart',
		fault: replace('host.rebootRequired.value', true),
		first: 'reboot-required',
		severity: 'info',
	},
	{
		what: 'a service has failed',
		fault: failedUnit('myapp.service'),
		first: 'unit-failed:myapp.service',
		severity: 'warning',
	},
	{ what: 'ssh has failed', fault: failedUnit('ssh.service'), first: 'unit-failed:ssh.service', severity: 'critical' },
	{
		what: 'a service restarts without end',
		fault: unit({ active: 'activating', sub: 'auto-restart' }),
		first: 'unit-failed:myapp.service',
		severity: 'warning',
	},
	{
		what: 'a unit cannot be loaded',
		fault: unit({ load: 'bad-setting', active: 'inactive', sub: 'dead' }),
		first: 'unit-failed:myapp.service',
		severity: 'warning',
	},
	{
		what: 'the clock is free',
		fault: replace('systemd.value.clockSynchronised', known(false)),
		first: 'clock-not-synchronised',
		severity: 'warning',
	},
	{
		what: 'the list of services is old, so its failures are not believed',
		fault: all(failedUnit('ssh.service'), over<SystemdFacts>('systemd.value', { readAt: minutesBefore(120) })),
		first: 'systemd-stale',
		severity: 'unknown',
	},
	{
		what: 'a container restarts without end',
		fault: box({ state: 'restarting', restartCount: 9, exitCode: 1 }),
		first: 'container-restart-loop:n8n-worker-1',
		severity: 'critical',
	},
	{
		what: 'a container came up a moment ago for the fifth time',
		fault: box({ restartCount: 5, startedAt: minutesBefore(2) }),
		first: 'container-restart-loop:n8n-worker-1',
		severity: 'critical',
	},
	{
		what: 'a container was killed for memory and loops',
		fault: box({ oomKilled: true, state: 'restarting', exitCode: 137, finishedAt: minutesBefore(1), restartCount: 4 }),
		first: 'container-oom-killed:n8n-worker-1',
		severity: 'critical',
		explains: ['container-restart-loop'],
	},
	{
		what: 'PostgreSQL was killed for memory',
		fault: all(
			box({ name: 'postgres', oomKilled: true, state: 'exited', exitCode: 137, finishedAt: minutesBefore(1) }),
			silent('postgres.server'),
			silent('executions'),
		),
		first: 'container-oom-killed:postgres',
		severity: 'critical',
		explains: ['container-down', 'postgres-down', 'n8n-database-down'],
	},
	{
		what: 'a container ended',
		fault: box({ name: 'n8n', state: 'exited', exitCode: 1 }),
		first: 'container-down:n8n',
		severity: 'critical',
	},
	{
		what: 'somebody stopped a container',
		fault: box({ name: 'n8n', state: 'exited', exitCode: 0 }),
		first: 'container-down:n8n',
		severity: 'critical',
	},
	{
		what: 'a job that runs once failed',
		fault: box({ name: 'models-pull', exitCode: 1 }),
		first: 'container-down:models-pull',
		severity: 'warning',
	},
	{
		what: 'a container is unhealthy',
		fault: box({ health: 'unhealthy' }),
		first: 'container-unhealthy:n8n-worker-1',
		severity: 'critical',
	},
	{
		what: 'a container does not become ready',
		fault: box({ health: 'starting', startedAt: minutesBefore(20) }),
		first: 'container-slow-start:n8n-worker-1',
		severity: 'warning',
	},
	{
		what: 'a container starts',
		fault: box({ health: 'starting', startedAt: minutesBefore(1) }),
		first: '',
		severity: 'info',
	},
	{
		what: 'a container is paused',
		fault: box({ state: 'paused' }),
		first: 'container-paused:n8n-worker-1',
		severity: 'warning',
	},
	{
		what: 'a container is near its limit',
		fault: box({ memoryBytes: known(1.9e9) }),
		first: 'container-memory:n8n-worker-1',
		severity: 'warning',
	},
	{
		what: 'a container came up after many tries',
		fault: box({ restartCount: 40 }),
		first: 'container-restarted-often:n8n-worker-1',
		severity: 'info',
	},
	{
		what: 'an image has no version',
		fault: box({ image: 'docker.n8n.io/n8nio/n8n' }),
		first: 'image-floating:n8n-worker-1',
		severity: 'info',
	},
	{
		what: 'a worker is older than n8n',
		fault: box({ image: 'docker.n8n.io/n8nio/n8n:2.40.0' }),
		first: 'n8n-runner-version',
		severity: 'warning',
	},
	{ what: 'Docker does not answer', fault: silent('containers'), first: 'docker-down', severity: 'critical' },
	{
		what: 'the service of Docker has failed',
		fault: all(failedUnit('docker.service'), silent('containers')),
		first: 'unit-failed:docker.service',
		severity: 'critical',
		explains: ['docker-down'],
	},
	{
		what: 'connections run short',
		fault: server({ connections: 97 }),
		first: 'postgres-connections',
		severity: 'critical',
	},
	{
		what: 'a transaction stays open and blocks others',
		fault: all(
			replace<readonly LongTransaction[]>('postgres.longTransactions.value', [
				{ pid: 815, user: 'n8n', application: 'n8n', state: 'idle in transaction', ageMs: 7_200_000 },
			]),
			server({ waitingForLocks: known(40), connections: 97 }),
		),
		first: 'postgres-long-transaction:815',
		severity: 'critical',
		explains: ['postgres-lock-waits', 'postgres-connections'],
	},
	{
		what: 'sessions wait for each other',
		fault: server({ waitingForLocks: known(6) }),
		first: 'postgres-lock-waits',
		severity: 'warning',
	},
	{
		what: 'a table is bloated',
		fault: replace<readonly TableRows[]>('postgres.deadRows.value', [
			{ table: 'public.execution_data', liveRows: 1e5, deadRows: 9e5, lastAutovacuumAt: null },
		]),
		first: 'postgres-dead-rows:public.execution_data',
		severity: 'warning',
	},
	{
		what: 'transaction ids run out',
		fault: server({ oldestTransactionIdAge: 1.8e9 }),
		first: 'postgres-transaction-ids',
		severity: 'critical',
	},
	{
		what: 'a replica is late',
		fault: replace('postgres.replicas.value', [{ name: 'standby', state: 'streaming', lagBytes: 2e9 }]),
		first: 'postgres-replica:standby',
		severity: 'critical',
	},
	{
		what: 'a replica catches up',
		fault: replace('postgres.replicas.value', [{ name: 'standby', state: 'catchup', lagBytes: null }]),
		first: 'postgres-replica:standby',
		severity: 'warning',
	},
	{
		what: 'PostgreSQL does not answer',
		fault: all(silent('postgres.server'), silent('executions')),
		first: 'postgres-down',
		severity: 'critical',
		explains: ['n8n-database-down'],
	},
	{
		what: 'Redis may evict',
		fault: redis({ evictionPolicy: 'allkeys-lru', maxMemoryBytes: 1e8 }),
		first: 'redis-evicts',
		severity: 'critical',
	},
	{
		what: 'Redis could evict one day',
		fault: redis({ evictionPolicy: 'volatile-lru' }),
		first: 'redis-evicts',
		severity: 'warning',
	},
	{
		what: 'Redis cannot write since the disk is full',
		fault: all(disk({ availableBytes: 1e6 }), redis({ lastAppendWriteOk: false })),
		first: 'disk-full:/',
		severity: 'critical',
		explains: ['redis-write-failed'],
	},
	{
		what: 'Redis cannot write',
		fault: redis({ lastSaveOk: false }),
		first: 'redis-write-failed',
		severity: 'critical',
	},
	{ what: 'Redis keeps nothing', fault: redis({ appendOnly: false }), first: 'redis-not-kept', severity: 'warning' },
	{
		what: 'Redis is full',
		fault: redis({ maxMemoryBytes: 1e8, usedMemoryBytes: 9.8e7 }),
		first: 'redis-memory',
		severity: 'critical',
	},
	{
		what: 'Redis has too many clients',
		fault: redis({ connectedClients: 9900 }),
		first: 'redis-clients',
		severity: 'critical',
	},
	{
		what: 'Redis is gone',
		fault: all(box({ name: 'redis', state: 'exited', exitCode: 1 }), silent('redis'), silent('queue')),
		first: 'container-down:redis',
		severity: 'critical',
		explains: ['redis-down', 'queue-down'],
	},
	{
		what: 'workers live but take no job (n8n#37581)',
		fault: queue({ ...noConsumers, consumers: 0, waiting: 252, oldestWaitingMs: 4_140_000 }),
		first: 'queue-not-consumed',
		severity: 'critical',
		explains: ['queue-backlog', 'queue-oldest-job'],
	},
	{
		what: 'a worker known by its health address takes no job',
		fault: all(
			replace('containers', unknown('no Docker', 'not-set-up')),
			queue({ ...noConsumers, consumers: 0, listeners: 0, probes: [{ worker: 'worker-1', answers: true }] }),
		),
		first: 'queue-not-consumed',
		severity: 'critical',
	},
	{
		what: 'an idle queue whose only worker has lost it',
		fault: queue({ consumers: 0, blockedConsumers: 0 }),
		first: 'queue-not-consumed',
		severity: 'critical',
	},
	{
		what: 'no worker is there',
		fault: all(
			replace('containers', unknown('no Docker', 'not-set-up')),
			queue({ ...noConsumers, consumers: 0, listeners: 0 }),
		),
		first: 'queue-no-worker',
		severity: 'critical',
	},
	{
		what: 'a worker container ended',
		fault: all(
			box({ state: 'exited', exitCode: 137, oomKilled: true, finishedAt: minutesBefore(4) }),
			queue({ ...noConsumers, consumers: 0, listeners: 0 }),
		),
		first: 'container-oom-killed:n8n-worker-1',
		severity: 'critical',
		explains: ['container-down', 'queue-no-worker'],
	},
	{
		what: 'one of two workers lost its place',
		fault: queue({
			probes: [
				{ worker: 'a', answers: true },
				{ worker: 'b', answers: true },
			],
		}),
		first: 'queue-worker-missing',
		severity: 'warning',
	},
	{
		what: 'one of two workers is silent',
		fault: queue({
			probes: [
				{ worker: 'a', answers: true },
				{ worker: 'b', answers: false },
			],
		}),
		first: 'queue-worker-silent:b',
		severity: 'warning',
	},
	{
		what: 'the queue is paused',
		fault: queue({ paused: true, waiting: 200, oldestWaitingMs: 4_000_000 }),
		first: 'queue-paused',
		severity: 'critical',
		explains: ['queue-backlog', 'queue-oldest-job'],
	},
	{
		what: 'jobs are held by nobody',
		fault: queue({ active: 3, activeWithoutLock: 2 }),
		first: 'queue-stalled-jobs',
		severity: 'warning',
	},
	{
		what: 'one of two workers is stopped',
		fault: oneStopped,
		first: 'queue-worker-stopped',
		severity: 'warning',
		explains: ['queue-stalled-jobs'],
	},
	{
		what: 'the only worker is stopped with a job in its hands',
		fault: queue({
			...{ consumers: 1, blockedConsumers: 0, stoppedConsumers: 1, longestSilenceMs: 95_000 },
			...{ active: 1, activeWithoutLock: 1, waiting: 1, oldestWaitingMs: 2_000_000 },
		}),
		first: 'queue-worker-stopped',
		severity: 'critical',
		explains: ['queue-stalled-jobs', 'queue-oldest-job'],
	},
	{
		what: 'the queue grows',
		fault: queue({ waiting: 300, oldestWaitingMs: 400_000, active: 5, blockedConsumers: 0 }),
		first: 'queue-backlog',
		severity: 'warning',
		explains: ['queue-oldest-job'],
	},
	{
		what: 'one job waits long',
		fault: queue({ waiting: 1, oldestWaitingMs: 2_000_000, active: 5, blockedConsumers: 0 }),
		first: 'queue-oldest-job',
		severity: 'critical',
	},
	{
		what: 'a busy queue is no fault',
		fault: queue({ waiting: 20, oldestWaitingMs: 3000, active: 5, blockedConsumers: 0, moved: true }),
		first: '',
		severity: 'info',
	},
	{ what: 'failed jobs pile up', fault: queue({ failed: 500 }), first: 'queue-failed-jobs', severity: 'info' },
	{
		what: 'executions crashed',
		fault: over<ExecutionFacts>('executions.value', {
			crashed: 3,
			newestCrashed: [{ executionId: '81', workflowId: 'x', workflow: 'Extraction', stoppedAt: minutesBefore(4) }],
		}),
		first: 'executions-crashed',
		severity: 'warning',
	},
	{
		what: 'many executions crashed',
		fault: over<ExecutionFacts>('executions.value', { crashed: 30 }),
		first: 'executions-crashed',
		severity: 'critical',
	},
	{
		what: 'most executions fail',
		fault: over<ExecutionFacts>('executions.value', { failed: 300 }),
		first: 'executions-failing',
		severity: 'warning',
	},
	{
		what: 'a model is missing',
		fault: all(
			over<ModelFacts>('models.value', { missing: ['qwen2.5vl:7b'] }),
			over<ExecutionFacts>('executions.value', { failed: 300 }),
		),
		first: 'model-missing:qwen2.5vl:7b',
		severity: 'critical',
		explains: ['executions-failing'],
	},
	{
		what: 'Ollama is gone',
		fault: all(failedUnit('ollama.service'), silent('models')),
		first: 'unit-failed:ollama.service',
		severity: 'critical',
		explains: ['ollama-down'],
	},
	{ what: 'Ollama does not answer', fault: silent('models'), first: 'ollama-down', severity: 'warning' },
	{
		what: 'there is no backup',
		fault: over<BackupFacts>('backups.value', { newest: null, count: 0 }),
		first: 'backup-missing',
		severity: 'critical',
	},
	{
		what: 'the backup is old',
		fault: over<BackupFacts>('backups.value', {
			newest: { name: 'a.dump', at: minutesBefore(60 * 30), sizeBytes: 2e8 },
		}),
		first: 'backup-old',
		severity: 'warning',
	},
	{
		what: 'the backup stopped because the disk is full',
		fault: all(
			disk({ availableBytes: 0 }),
			over<BackupFacts>('backups.value', { newest: { name: 'a.dump', at: minutesBefore(60 * 72), sizeBytes: 2e8 } }),
		),
		first: 'disk-full:/',
		severity: 'critical',
		explains: ['backup-old'],
	},
	{
		what: 'the backup shrank',
		fault: over<BackupFacts>('backups.value', { newest: { name: 'a.dump', at: minutesBefore(60), sizeBytes: 1e7 } }),
		first: 'backup-shrank',
		severity: 'critical',
	},
	{
		what: 'the backup is empty',
		fault: over<BackupFacts>('backups.value', {
			newest: { name: 'a.dump', at: minutesBefore(60), sizeBytes: 0 },
			previousSizeBytes: null,
		}),
		first: 'backup-shrank',
		severity: 'critical',
	},
];

test.each(scenarios)('$what', ({ fault, first, severity, explains = [] }) => {
	const { findings } = look(fault(healthyMachine()));
	expect(findings.filter(({ code }) => code !== 'not-looked-at')[0]?.id ?? '').toBe(first);
	if (first === '') return;
	expect(findings[0]).toMatchObject({ id: first, severity, explainedBy: null });
	const explained = findings
		.filter(({ explainedBy }) => rootOf(findings, explainedBy) === first)
		.map(({ code }) => code);
	expect(explained.sort()).toEqual([...explains].sort());
	for (const { cause, nextStep } of findings) {
		for (const words of [cause.en, cause.fr, nextStep.en, nextStep.fr]) expect(words.length).toBeGreaterThan(8);
		expect(cause.en).not.toBe(cause.fr);
	}
});

function rootOf(findings: Diagnosis['findings'], id: string | null): string | null {
	const above = findings.find((one) => one.id === id)?.explainedBy ?? null;
	return above === null ? id : rootOf(findings, above);
}

test('every check has a fault above that it finds', () => {
	const found = new Set(scenarios.flatMap(({ fault }) => codes(look(fault(healthyMachine())))));
	const rooms = [...machineChecks, ...containerChecks, ...databaseChecks, ...queueChecks, ...serviceChecks];
	expect(rooms.map(({ code }) => code).filter((code) => !found.has(code))).toEqual([]);
	expect(new Set(rooms.map(({ code }) => code)).size).toBe(rooms.length);
});

test('an empty backup is not measured by one before', () => {
	const newest = { name: 'a.dump', at: minutesBefore(60), sizeBytes: 0 };
	const empty = over<BackupFacts>('backups.value', { newest, previousSizeBytes: null });
	const [finding] = look(empty(healthyMachine())).findings;
	expect(finding!.cause).toEqual({ en: 'The newest backup is empty.', fr: 'La dernière sauvegarde est vide.' });
});

test('kills for memory of hours ago are not why a worker stands still', () => {
	const killed = all(
		replace('host.oomKills.value', { sinceBoot: 2, byGroup: known([]) }),
		replace('host.bootedAt.value', minutesBefore(600)),
	);
	const { findings } = look(all(killed, oneStopped)(healthyMachine()));
	expect(findings.map(({ id, explainedBy }) => [id, explainedBy])).toEqual([
		['oom-kills', null],
		['queue-worker-stopped', null],
		['queue-stalled-jobs', 'queue-worker-stopped'],
	]);
	const lone = look(all(killed, queue({ active: 3, activeWithoutLock: 2 }))(healthyMachine())).findings;
	expect(lone.map(({ explainedBy }) => explainedBy)).toEqual([null, null]);
});

test('a healthy machine has nothing to say', () => {
	expect(look(healthyMachine())).toEqual({
		status: 'ok',
		takenAt,
		findings: [],
		counts: { critical: 0, warning: 0, unknown: 0, info: 0 },
		notJudged: [],
	});
});

test('200 healthy machines of any size give no critical finding and no warning', () => {
	const within = (min: number, max: number) => fc.double({ min, max, noNaN: true });
	const healthy = fc
		.record({
			cpus: fc.integer({ min: 1, max: 96 }),
			loadPerCpu: within(0, 1.9),
			share: within(0, 0.09),
			memory: within(1e9, 1e12),
			free: within(0.15, 1),
			disk: within(20e9, 1e13),
			waiting: fc.integer({ min: 0, max: 99 }),
			active: fc.integer({ min: 0, max: 20 }),
			connections: fc.integer({ min: 1, max: 79 }),
			restarts: fc.integer({ min: 0, max: 2 }),
			backupMinutes: fc.integer({ min: 1, max: 1500 }),
			failed: fc.integer({ min: 0, max: 190 }),
			upMinutes: fc.integer({ min: 1, max: 10_000 }),
		})
		.map((some): MachineFacts => {
			const waiting = some.active === 0 ? 0 : some.waiting;
			const state: Break[] = [
				replace('host.cpuCount.value', some.cpus),
				replace('host.load.value', { one: 0, five: some.cpus * some.loadPerCpu, fifteen: 0 }),
				over('host.cpu.value', { steal: some.share, ioWait: some.share }),
				pressure('memory', some.share, some.share / 2),
				over<MemoryUse>('host.memory.value', { totalBytes: some.memory, availableBytes: some.memory * some.free }),
				disk({ totalBytes: some.disk, availableBytes: some.disk * some.free }),
				queue({
					waiting,
					oldestWaitingMs: waiting === 0 ? null : 3000,
					active: some.active,
					blockedConsumers: some.active === 0 ? 1 : 0,
				}),
				server({ connections: some.connections }),
				box({ restartCount: some.restarts, startedAt: minutesBefore(some.upMinutes) }),
				over<BackupFacts>('backups.value', {
					newest: { name: 'a', at: minutesBefore(some.backupMinutes), sizeBytes: 2e8 },
				}),
				over<ExecutionFacts>('executions.value', { failed: some.failed }),
				replace('host.bootedAt.value', minutesBefore(some.upMinutes)),
			];
			return all(...state)(healthyMachine());
		});
	fc.assert(
		fc.property(healthy, (facts) => {
			const { counts, findings } = look(facts);
			expect({ counts, findings: findings.filter(({ severity }) => severity !== 'info') }).toMatchObject({
				counts: { critical: 0, warning: 0, unknown: 0 },
				findings: [],
			});
		}),
		{ numRuns: 200 },
	);
});

test('any mix of faults is sorted, complete and explained without a circle', () => {
	const mixes = fc.subarray([...scenarios], { minLength: 2, maxLength: 12 });
	fc.assert(
		fc.property(mixes, (mix) => {
			const facts = mix.reduce((machine, { fault }) => {
				try {
					return fault(machine);
				} catch {
					// A fault inside a source that another fault has silenced.
					return machine;
				}
			}, healthyMachine());
			const { findings, counts, status } = look(facts);
			const ids = findings.map(({ id }) => id);
			expect(new Set(ids).size).toBe(ids.length);
			for (const { id, explainedBy } of findings) {
				if (explainedBy !== null) expect(ids.indexOf(explainedBy)).toBeLessThan(ids.indexOf(id));
				expect(ids).toContain(explainedBy ?? id);
			}
			const order = ['critical', 'warning', 'unknown', 'info'];
			const roots = findings
				.filter(({ explainedBy }) => explainedBy === null)
				.map(({ severity }) => order.indexOf(severity));
			expect(roots).toEqual([...roots].sort((a, b) => a - b));
			expect(Object.values(counts).reduce((sum, one) => sum + one, 0)).toBe(findings.length);
			expect(status === 'critical').toBe(counts.critical > 0);
		}),
		{ numRuns: 300 },
	);
});

// ---- collecting

test('a source that nobody set up, hangs, fails or throws makes its facts unknown, never fine', async () => {
	const startedAt = performance.now();
	const facts = await collectFacts(
		{
			host: () => new Promise(() => {}),
			containers: () => {
				throw new Error('canary-secret in a raw error');
			},
			redis: async () => {
				throw new LocalAiError('unreachable', 'Redis is not reachable at 127.0.0.1:1 (ECONNREFUSED)', {
					hint: 'Start it.',
					nothingAnswers: true,
				});
			},
			postgres: async () => {
				throw new LocalAiError('unauthorized', 'PostgreSQL refused the password of "n8n".', { hint: 'Check it.' });
			},
			models: async () => ({ version: '1', installed: [], loaded: [], wanted: [], missing: [] }),
		},
		{ timeoutMs: 200 },
	);
	expect(performance.now() - startedAt).toBeLessThan(3000);
	expect(facts.host.memory).toEqual(unknown('Reading the machine did not end within 200 ms.'));
	expect(facts.containers).toEqual(unknown('Reading Docker failed (Error).'));
	expect(facts.backups).toEqual(unknown('This diagnosis was not told how to reach the backups.', 'not-set-up'));
	expect(facts.models.known).toBe(true);

	const diagnosis = diagnose(facts);
	expect(diagnosis.status).toBe('critical');
	expect(codes(diagnosis)[0]).toBe('redis-down');
	const unknownAreas = diagnosis.findings
		.filter(({ severity }) => severity === 'unknown')
		.map(({ subject }) => subject);
	expect(unknownAreas).toEqual(['host', 'containers', 'postgres', null]);
	expect(diagnosis.findings.at(-1)!.cause.en).toBe(
		'Not looked at: the system services, the database of n8n, the queue, the backups.',
	);
	expect(JSON.stringify(diagnosis)).not.toContain('canary');
});

test('nothing known at all is unknown, and nothing is called fine', () => {
	const why = unknown('the machine is on fire');
	const host = Object.fromEntries(Object.keys(healthyMachine().host).map((key) => [key, why])) as unknown as HostFacts;
	const postgres = Object.fromEntries(Object.keys(healthyMachine().postgres).map((key) => [key, why])) as never;
	const nothing = { takenAt, host, systemd: why, containers: why, postgres, executions: why, redis: why, queue: why };
	const { status, counts } = look({ ...nothing, models: why, backups: why });
	expect({ status, counts }).toEqual({ status: 'unknown', counts: { critical: 0, warning: 0, unknown: 9, info: 0 } });
});

test('facts that are unknown in part are told in one finding per reason', () => {
	const broken = all(
		replace('host.pressure', unknown('This kernel counts no pressure.')),
		replace('host.oomKills', unknown('It is forbidden.')),
		replace('host.openFiles', unknown('It is forbidden.')),
	)(healthyMachine());
	const told = look(broken).findings.map(({ id, evidence }) => [id, evidence.map(({ value }) => value)]);
	expect(told).toEqual([
		['not-known:host:pressure', ['pressure', 'This kernel counts no pressure.']],
		['not-known:host:oomKills', ['oomKills, openFiles', 'It is forbidden.']],
	]);
});

test('a cancelled diagnosis ends at once', async () => {
	const stop = new AbortController();
	const asked = collectFacts({ host: () => new Promise(() => {}) }, { signal: stop.signal });
	stop.abort();
	await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
});

test('a hostile name stays one word in every command', () => {
	const name = "x'; touch /tmp/pwned; echo '";
	const hostile = all(box({ state: 'exited', exitCode: 1, name: 'n8n' }), (facts) =>
		withFault<readonly ContainerFacts[]>(facts, 'containers.value', () => [container({ name, health: 'unhealthy' })]),
	)(healthyMachine());
	const [first] = look(hostile).findings;
	expect(first!.command).toBe(
		`docker inspect --format '{{json .State.Health}}' 'x'\\''; touch /tmp/pwned; echo '\\'''`,
	);
});
