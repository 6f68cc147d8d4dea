/** From `warning` on a value is worth a look, from `critical` on something breaks or is about to. */
export interface Limit {
	readonly warning: number;
	readonly critical: number;
}

export interface Thresholds {
	/** Runnable and waiting tasks per processor, over five minutes. */
	readonly loadPerCpu: Limit;
	readonly cpuStealRatio: Limit;
	readonly cpuIoWaitRatio: Limit;
	/** Shares of the last minute in which tasks waited (PSI): some for the processor, all for memory and disks. */
	readonly cpuPressureRatio: Limit;
	readonly memoryPressureRatio: Limit;
	readonly ioPressureRatio: Limit;
	readonly availableMemoryRatio: Limit;
	readonly usedSwapRatio: Limit;
	readonly availableDiskRatio: Limit;
	/** Less than this is critical however small its share is of a large disk. */
	readonly availableDiskBytes: number;
	readonly freeInodesRatio: Limit;
	readonly openFilesRatio: Limit;
	/** How long a kill for memory, and a start of the machine, stay worth a word. */
	readonly recentMs: number;
	/** systemd's state is too old to be judged from here on. */
	readonly systemdAgeMs: number;
	/** A failed one of these is critical; names without `.service`. */
	readonly essentialUnits: readonly string[];
	/** This many restarts, and the last one younger than this, are a loop. */
	readonly restartLoopCount: number;
	readonly restartLoopMs: number;
	readonly startingMs: number;
	readonly containerMemoryRatio: Limit;
	readonly postgresConnectionsRatio: Limit;
	readonly transactionMs: Limit;
	readonly lockWaits: Limit;
	readonly deadRowsRatio: number;
	/** Fewer dead rows than this are not worth a word. */
	readonly deadRowsLeast: number;
	readonly transactionIdAge: Limit;
	readonly replicaLagBytes: Limit;
	readonly redisMemoryRatio: Limit;
	readonly redisClientsRatio: Limit;
	readonly waitingJobs: Limit;
	readonly waitingMs: Limit;
	readonly failedJobs: number;
	readonly crashedExecutions: Limit;
	readonly failedExecutionsRatio: number;
	readonly failedExecutionsLeast: number;
	readonly backupAgeMs: Limit;
	/** The newest backup as a share of the one before. */
	readonly backupShrinkRatio: number;
}

const seconds = 1000;
const minutes = 60 * seconds;
const hours = 60 * minutes;

export const defaultThresholds: Thresholds = {
	loadPerCpu: { warning: 2, critical: 5 },
	cpuStealRatio: { warning: 0.1, critical: 0.3 },
	cpuIoWaitRatio: { warning: 0.25, critical: 0.5 },
	cpuPressureRatio: { warning: 0.5, critical: 0.9 },
	memoryPressureRatio: { warning: 0.05, critical: 0.25 },
	ioPressureRatio: { warning: 0.3, critical: 0.7 },
	availableMemoryRatio: { warning: 0.1, critical: 0.04 },
	usedSwapRatio: { warning: 0.8, critical: 0.97 },
	availableDiskRatio: { warning: 0.12, critical: 0.04 },
	availableDiskBytes: 512 * 1024 ** 2,
	freeInodesRatio: { warning: 0.1, critical: 0.02 },
	openFilesRatio: { warning: 0.8, critical: 0.95 },
	recentMs: 24 * hours,
	systemdAgeMs: 15 * minutes,
	essentialUnits: [
		...['ssh', 'sshd', 'docker', 'containerd', 'cron', 'fail2ban', 'ufw', 'nftables', 'systemd-journald'],
		...['postgresql', 'redis-server', 'ollama', 'systemd-resolved', 'systemd-networkd', 'networking'],
	],
	restartLoopCount: 3,
	restartLoopMs: 10 * minutes,
	startingMs: 10 * minutes,
	containerMemoryRatio: { warning: 0.9, critical: 0.98 },
	postgresConnectionsRatio: { warning: 0.8, critical: 0.95 },
	transactionMs: { warning: 5 * minutes, critical: 60 * minutes },
	lockWaits: { warning: 5, critical: 30 },
	deadRowsRatio: 0.3,
	deadRowsLeast: 50_000,
	transactionIdAge: { warning: 1_200_000_000, critical: 1_700_000_000 },
	replicaLagBytes: { warning: 64 * 1024 ** 2, critical: 1024 ** 3 },
	redisMemoryRatio: { warning: 0.8, critical: 0.95 },
	redisClientsRatio: { warning: 0.8, critical: 0.95 },
	waitingJobs: { warning: 100, critical: 1000 },
	waitingMs: { warning: 5 * minutes, critical: 30 * minutes },
	failedJobs: 100,
	crashedExecutions: { warning: 1, critical: 10 },
	failedExecutionsRatio: 0.5,
	failedExecutionsLeast: 10,
	backupAgeMs: { warning: 26 * hours, critical: 50 * hours },
	backupShrinkRatio: 0.5,
};
