/**
 * What one look at the machine found. A fact that could not be read says why: unknown is never fine, and never 0.
 */
export type Fact<T> = { readonly known: true; readonly value: T } | Unknown;

export interface Unknown {
	readonly known: false;
	readonly why: string;
	/** Set where the reason itself says something: nobody set the source up, or its server is not there. */
	readonly reason?: 'not-set-up' | 'nothing-answers';
}

/** A fact that was read. */
export function known<T>(value: T): Fact<T> {
	return { known: true, value };
}

/** A fact that could not be read; `why` names the place and the reason, never a secret. */
export function unknown(why: string, reason?: Unknown['reason']): Unknown {
	return { known: false, why, ...(reason && { reason }) };
}

/** All that a diagnosis judges. Times are ISO 8601, sizes bytes, durations milliseconds, ratios 0 to 1. */
export interface MachineFacts {
	readonly takenAt: string;
	readonly host: HostFacts;
	readonly systemd: Fact<SystemdFacts>;
	readonly containers: Fact<readonly ContainerFacts[]>;
	readonly postgres: PostgresFacts;
	readonly executions: Fact<ExecutionFacts>;
	readonly redis: Fact<RedisFacts>;
	readonly queue: Fact<QueueFacts>;
	readonly models: Fact<ModelFacts>;
	readonly backups: Fact<BackupFacts>;
}

/** The machine below the containers, as its kernel counts it. */
export interface HostFacts {
	readonly cpuCount: Fact<number>;
	readonly load: Fact<{ readonly one: number; readonly five: number; readonly fifteen: number }>;
	readonly cpu: Fact<CpuUse>;
	readonly memory: Fact<MemoryUse>;
	readonly pressure: Fact<PressureFacts>;
	readonly fileSystems: Fact<readonly FileSystem[]>;
	readonly oomKills: Fact<OomKills>;
	readonly openFiles: Fact<{ readonly allocated: number; readonly limit: number }>;
	readonly bootedAt: Fact<string>;
	readonly rebootRequired: Fact<boolean>;
}

/** Shares of all processor time over the window. `steal` is what the hypervisor gave to others. */
export interface CpuUse {
	readonly windowMs: number;
	readonly busy: number;
	readonly ioWait: number;
	readonly steal: number;
}

export interface MemoryUse {
	readonly totalBytes: number;
	readonly availableBytes: number;
	readonly swapTotalBytes: number;
	readonly swapFreeBytes: number;
}

/** Shares of the last 10 and 60 seconds in which some tasks, or all at once, waited for the resource (PSI). */
export interface Pressure {
	readonly some10: number;
	readonly some60: number;
	/** `null` where the kernel does not say, as for processors before Linux 5.13. */
	readonly full10: number | null;
	readonly full60: number | null;
}

export interface PressureFacts {
	readonly cpu: Pressure;
	readonly memory: Pressure;
	readonly io: Pressure;
}

export interface FileSystem {
	readonly mountPoint: string;
	readonly type: string;
	/** The file system itself takes no writes, whoever asks; a read-only view of a writable one is not meant. */
	readonly readOnly: boolean;
	readonly use: Fact<FileSystemUse>;
}

export interface FileSystemUse {
	readonly totalBytes: number;
	/** What a process that is not root may still write. */
	readonly availableBytes: number;
	/** Both 0 on a file system that has no fixed number of inodes. */
	readonly totalInodes: number;
	readonly freeInodes: number;
}

/** Processes that the kernel killed for memory. `byGroup` names the control groups that still stand and lost some. */
export interface OomKills {
	readonly sinceBoot: number;
	readonly byGroup: Fact<ReadonlyArray<{ readonly group: string; readonly kills: number }>>;
}

export interface SystemdFacts {
	/** When systemd was asked: a file that a timer writes can be old. */
	readonly readAt: string;
	readonly units: readonly UnitFacts[];
	/** Whether systemd holds the clock for synchronised with a time server. */
	readonly clockSynchronised: Fact<boolean>;
}

export interface UnitFacts {
	readonly name: string;
	readonly load: string;
	readonly active: string;
	readonly sub: string;
	readonly description: string;
}

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ContainerFacts {
	readonly name: string;
	readonly image: string;
	readonly state: ContainerState;
	/** `none` where the image and the Compose file name no health check. */
	readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
	/** What the last health check printed, cut short and redacted. */
	readonly healthOutput: string | null;
	readonly exitCode: number;
	readonly oomKilled: boolean;
	readonly restartCount: number;
	readonly restartPolicy: string;
	readonly startedAt: string | null;
	readonly finishedAt: string | null;
	/** One processor fully used is 1. */
	readonly cpuUse: Fact<number>;
	readonly memoryBytes: Fact<number>;
	/** `null` where no limit is set. */
	readonly memoryLimitBytes: Fact<number | null>;
}

export interface PostgresFacts {
	readonly server: Fact<PostgresServer>;
	readonly databases: Fact<ReadonlyArray<{ readonly name: string; readonly sizeBytes: number }>>;
	/** Open transactions older than a few seconds, the oldest first. The statement itself is never kept. */
	readonly longTransactions: Fact<readonly LongTransaction[]>;
	/** The tables of the database at hand with the most dead rows. */
	readonly deadRows: Fact<readonly TableRows[]>;
	readonly replicas: Fact<readonly ReplicaFacts[]>;
}

export interface PostgresServer {
	readonly version: string;
	readonly connections: number;
	readonly maxConnections: number;
	/** Unknown to a role that may not see what others do. */
	readonly waitingForLocks: Fact<number>;
	/** Age of the oldest unfrozen transaction id, of the 2^31 that PostgreSQL can tell apart. */
	readonly oldestTransactionIdAge: number;
}

export interface LongTransaction {
	readonly pid: number;
	readonly user: string;
	readonly application: string;
	readonly state: string;
	readonly ageMs: number;
}

export interface TableRows {
	readonly table: string;
	readonly liveRows: number;
	readonly deadRows: number;
	readonly lastAutovacuumAt: string | null;
}

export interface ReplicaFacts {
	readonly name: string;
	readonly state: string;
	readonly lagBytes: number | null;
}

/** What n8n wrote of its own executions in the hours before. */
export interface ExecutionFacts {
	readonly hours: number;
	readonly total: number;
	readonly crashed: number;
	readonly failed: number;
	/** The newest crashed ones: n8n never starts them again by itself. */
	readonly newestCrashed: ReadonlyArray<{
		readonly executionId: string;
		readonly workflowId: string;
		readonly workflow: string;
		readonly stoppedAt: string | null;
	}>;
}

export interface RedisFacts {
	readonly version: string;
	readonly evictionPolicy: string;
	/** 0 where Redis has no limit of its own. */
	readonly maxMemoryBytes: number;
	readonly usedMemoryBytes: number;
	readonly evictedKeys: number;
	readonly appendOnly: boolean;
	/** As in `3600 1 300 100`; empty where Redis writes no snapshot. Unknown where CONFIG is forbidden. */
	readonly savePoints: Fact<string>;
	readonly lastSaveOk: boolean;
	readonly lastAppendWriteOk: boolean;
	readonly connectedClients: number;
	readonly maxClients: number;
	readonly rejectedConnections: number;
}

/** A Bull queue, looked at twice within a second or so. */
export interface QueueFacts {
	/** As its keys in Redis begin: `bull:jobs`. */
	readonly name: string;
	readonly waiting: number;
	readonly active: number;
	readonly delayed: number;
	readonly failed: number;
	readonly paused: boolean;
	readonly oldestWaitingMs: number | null;
	/** Active jobs without a lock at both looks: their worker is gone, or its event loop stands still. */
	readonly activeWithoutLock: number;
	/** Connections to Redis that Bull opened to wait for jobs of this queue: one per worker process. */
	readonly consumers: number;
	/** Those of them that stand in a blocking read, ready for the next job. */
	readonly blockedConsumers: number;
	/**
	 * Workers, at least, that keep their connection open but stopped consuming: silent for long, in no blocking read, and
	 * more of them than there are locked jobs.
	 */
	readonly stoppedConsumers: number;
	/** The longest silence of a connection that does not stand in a blocking read; 0 where all do. */
	readonly longestSilenceMs: number;
	/** Worker and webhook processes that listen to n8n's commands, so are alive, consuming or not. */
	readonly listeners: number;
	/** Whether any job started or ended between the two looks. */
	readonly moved: boolean;
	readonly windowMs: number;
	/** What each worker's own health address said; empty where none was named. */
	readonly probes: readonly WorkerProbe[];
}

export interface WorkerProbe {
	readonly worker: string;
	readonly answers: boolean;
}

export interface ModelFacts {
	readonly version: string;
	readonly installed: ReadonlyArray<{ readonly name: string; readonly sizeBytes: number }>;
	readonly loaded: ReadonlyArray<{
		readonly name: string;
		readonly sizeBytes: number;
		readonly expiresAt: string | null;
	}>;
	readonly wanted: readonly string[];
	readonly missing: readonly string[];
}

export interface BackupFacts {
	readonly folder: string;
	/** `null` where the folder holds no file. */
	readonly newest: { readonly name: string; readonly at: string; readonly sizeBytes: number } | null;
	readonly count: number;
	/** Size of the backup before the newest: one that shrank by half is suspect. */
	readonly previousSizeBytes: number | null;
}
