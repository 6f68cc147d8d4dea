import { known, type ContainerFacts, type MachineFacts } from '../../nodes/VpsHealth/facts';

/** The instant at which the facts below were taken. */
export const takenAt = '2026-11-22T08:00:00.000Z';

/** An instant some minutes before. */
export const minutesBefore = (minutes: number) => new Date(Date.parse(takenAt) - minutes * 60_000).toISOString();

/** A container that runs well. */
export function container(over: Partial<ContainerFacts> = {}): ContainerFacts {
	return {
		name: 'n8n-worker-1',
		image: 'docker.n8n.io/n8nio/n8n:2.41.1',
		state: 'running',
		health: 'healthy',
		healthOutput: null,
		exitCode: 0,
		oomKilled: false,
		restartCount: 0,
		restartPolicy: 'unless-stopped',
		startedAt: minutesBefore(60 * 24 * 5),
		finishedAt: null,
		cpuUse: known(0.1),
		memoryBytes: known(400e6),
		memoryLimitBytes: known(2e9),
		...over,
	};
}

/** A machine on which every fact is known and nothing is wrong. */
export function healthyMachine(): MachineFacts {
	const calm = { some10: 0.01, some60: 0.01, full10: 0, full60: 0 };
	return {
		takenAt,
		host: {
			cpuCount: known(4),
			load: known({ one: 0.4, five: 0.5, fifteen: 0.6 }),
			cpu: known({ windowMs: 500, busy: 0.2, ioWait: 0.01, steal: 0.001 }),
			memory: known({ totalBytes: 16e9, availableBytes: 9e9, swapTotalBytes: 2e9, swapFreeBytes: 1.9e9 }),
			pressure: known({ cpu: { ...calm, full10: null, full60: null }, memory: calm, io: calm }),
			fileSystems: known([
				{
					mountPoint: '/',
					type: 'ext4',
					readOnly: false,
					use: known({ totalBytes: 200e9, availableBytes: 90e9, totalInodes: 12e6, freeInodes: 10e6 }),
				},
			]),
			oomKills: known({ sinceBoot: 0, byGroup: known([]) }),
			openFiles: known({ allocated: 3000, limit: 800_000 }),
			bootedAt: known(minutesBefore(60 * 24 * 30)),
			rebootRequired: known(false),
		},
		systemd: known({
			readAt: minutesBefore(1),
			units: [
				{ name: 'ssh.service', load: 'loaded', active: 'active', sub: 'running', description: 'OpenBSD Secure Shell' },
				{ name: 'apt-daily.service', load: 'loaded', active: 'inactive', sub: 'dead', description: 'apt' },
			],
			clockSynchronised: known(true),
		}),
		containers: known([
			container({ name: 'n8n' }),
			container(),
			container({ name: 'postgres', image: 'postgres:16.14' }),
			container({ name: 'redis', image: 'redis:7.4.5' }),
			container({ name: 'ollama', image: 'ollama/ollama:0.20.2', health: 'none', memoryLimitBytes: known(null) }),
			container({ name: 'models-pull', image: 'ollama/ollama:0.20.2', state: 'exited', restartPolicy: 'no' }),
		]),
		postgres: {
			server: known({
				version: '16.14',
				connections: 12,
				maxConnections: 100,
				waitingForLocks: known(0),
				oldestTransactionIdAge: 150e6,
			}),
			databases: known([{ name: 'n8n', sizeBytes: 3e8 }]),
			longTransactions: known([{ pid: 4711, user: 'n8n', application: 'n8n', state: 'active', ageMs: 9000 }]),
			deadRows: known([
				{ table: 'public.execution_entity', liveRows: 1e6, deadRows: 60_000, lastAutovacuumAt: minutesBefore(90) },
			]),
			replicas: known([]),
		},
		executions: known({ hours: 6, total: 400, crashed: 0, failed: 7, newestCrashed: [] }),
		redis: known({
			version: '7.4.5',
			evictionPolicy: 'noeviction',
			maxMemoryBytes: 0,
			usedMemoryBytes: 5e6,
			evictedKeys: 0,
			appendOnly: true,
			savePoints: known(''),
			lastSaveOk: true,
			lastAppendWriteOk: true,
			connectedClients: 14,
			maxClients: 10_000,
			rejectedConnections: 0,
		}),
		queue: known({
			name: 'bull:jobs',
			waiting: 0,
			active: 0,
			delayed: 0,
			failed: 0,
			paused: false,
			oldestWaitingMs: null,
			activeWithoutLock: 0,
			consumers: 1,
			blockedConsumers: 1,
			stoppedConsumers: 0,
			longestSilenceMs: 0,
			listeners: 1,
			moved: false,
			windowMs: 500,
			probes: [],
		}),
		models: known({
			version: '0.20.2',
			installed: [{ name: 'qwen2.5:7b', sizeBytes: 4.7e9 }],
			loaded: [],
			wanted: ['qwen2.5:7b'],
			missing: [],
		}),
		backups: known({
			folder: '/backup',
			newest: { name: 'n8n-2026-11-22.dump', at: minutesBefore(300), sizeBytes: 2.1e8 },
			count: 7,
			previousSizeBytes: 2.0e8,
		}),
	};
}

/** The same facts with one of them, named by its path, replaced or changed. */
export function withFault<T>(facts: MachineFacts, path: string, change: (value: T) => T): MachineFacts {
	const copy = structuredClone(facts) as unknown as Record<string, never>;
	const keys = path.split('.');
	let place: Record<string, never> = copy;
	for (const key of keys.slice(0, -1)) place = place[key]!;
	const last = keys.at(-1)!;
	if (!(last in place)) throw new Error(`No fact stands at ${path}.`);
	place[last] = change(place[last] as T) as never;
	return copy as unknown as MachineFacts;
}
