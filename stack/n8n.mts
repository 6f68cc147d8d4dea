import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Program } from './processes.mts';
import type { RedisAddress } from './redis.mts';

/** What main, workers and the command line of one n8n have in common. */
export interface N8nSettings {
	/** The folder whose node_modules hold n8n. */
	readonly folder: string;
	/** Each process gets a folder of its own under this one. */
	readonly userFolders: string;
	readonly database: { readonly port: number; readonly name: string; readonly password: string };
	/** Absent: regular mode, everything runs in main. */
	readonly redis?: RedisAddress;
	/** Keeps the queues of several stacks on one Redis apart. */
	readonly queueName: string;
	readonly encryptionKey: string;
	readonly owner: { readonly email: string; readonly passwordHash: string };
	/** The only folder that workflows may read and write. */
	readonly files: string;
	readonly editorUrl: string;
	readonly publicUrl?: string;
	/** Where compiled code is kept from start to start. */
	readonly compileCache: string;
}

const host = '127.0.0.1';

/** The n8n that serves the editor, webhooks and triggers. */
export function mainProgram(settings: N8nSettings, port: number, brokerPort: number): Program {
	return program(settings, 'n8n-main', ['start'], port, {
		N8N_PORT: String(port),
		N8N_RUNNERS_BROKER_PORT: String(brokerPort),
	});
}

/** An n8n that runs queued executions. */
export function workerProgram(
	settings: N8nSettings,
	name: string,
	concurrency: number,
	healthPort: number,
	brokerPort: number,
): Program {
	return program(settings, name, ['worker', `--concurrency=${concurrency}`], healthPort, {
		QUEUE_HEALTH_CHECK_ACTIVE: 'true',
		QUEUE_HEALTH_CHECK_PORT: String(healthPort),
		N8N_RUNNERS_BROKER_PORT: String(brokerPort),
	});
}

/** The folder that the n8n process of this name calls home. */
export function userFolder(settings: N8nSettings, name: string): string {
	return join(settings.userFolders, name);
}

/** The n8n that does one thing from its command line and ends. */
export function n8nCommand(settings: N8nSettings, args: readonly string[]): Command {
	return command(settings, 'n8n-command', args, {});
}

function program(
	settings: N8nSettings,
	name: string,
	args: readonly string[],
	port: number,
	env: NodeJS.ProcessEnv,
): Program {
	return {
		...command(settings, name, args, env),
		port,
		isReady: async () => {
			const { status } = await fetch(`http://${host}:${port}/healthz/readiness`, { signal: AbortSignal.timeout(5000) });
			return status === 200;
		},
		readyWithinMs: 300_000,
	};
}

function command(settings: N8nSettings, name: string, args: readonly string[], env: NodeJS.ProcessEnv): Command {
	const home = userFolder(settings, name);
	return {
		name,
		command: [process.execPath, binary(settings), ...args],
		env: { ...environment(settings), ...env, N8N_USER_FOLDER: home },
		cwd: home,
		stopSignal: 'SIGTERM',
		killSignal: 'SIGKILL',
		prepare: () => {
			mkdirSync(home, { recursive: true, mode: 0o700 });
			// n8n waits 10 s when it finds this; restarts are ours to pace.
			rmSync(join(home, '.n8n', 'crash.journal'), { force: true });
		},
	};
}

function binary(settings: N8nSettings): string {
	return join(settings.folder, 'node_modules', 'n8n', 'bin', 'n8n');
}

/** See https://docs.n8n.io/hosting/configuration/environment-variables/ for each name. */
function environment(settings: N8nSettings): NodeJS.ProcessEnv {
	const { database, redis, owner, files } = settings;
	const inherited = Object.fromEntries(
		Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$|INIT_CWD$)/.test(name)),
	);
	return {
		...inherited,
		NODE_ENV: 'production',
		NODE_COMPILE_CACHE: settings.compileCache,
		DB_TYPE: 'postgresdb',
		DB_POSTGRESDB_HOST: host,
		DB_POSTGRESDB_PORT: String(database.port),
		DB_POSTGRESDB_DATABASE: database.name,
		DB_POSTGRESDB_USER: database.name,
		DB_POSTGRESDB_PASSWORD: database.password,
		DB_POSTGRESDB_POOL_SIZE: '8',
		...(redis === undefined
			? { EXECUTIONS_MODE: 'regular' }
			: {
					EXECUTIONS_MODE: 'queue',
					OFFLOAD_MANUAL_EXECUTIONS_TO_WORKERS: 'true',
					QUEUE_BULL_PREFIX: settings.queueName,
					N8N_REDIS_KEY_PREFIX: settings.queueName,
					N8N_CACHE_REDIS_KEY_PREFIX: `${settings.queueName}-cache`,
					QUEUE_BULL_REDIS_HOST: redis.host,
					QUEUE_BULL_REDIS_PORT: String(redis.port),
					QUEUE_BULL_REDIS_DB: String(redis.database),
					QUEUE_BULL_REDIS_TLS: String(redis.tls),
					...(redis.username !== undefined && { QUEUE_BULL_REDIS_USERNAME: redis.username }),
					...(redis.password !== undefined && { QUEUE_BULL_REDIS_PASSWORD: redis.password }),
				}),
		N8N_ENCRYPTION_KEY: settings.encryptionKey,
		N8N_DEFAULT_BINARY_DATA_MODE: 'database',
		N8N_INSTANCE_OWNER_MANAGED_BY_ENV: 'true',
		N8N_INSTANCE_OWNER_EMAIL: owner.email,
		N8N_INSTANCE_OWNER_FIRST_NAME: 'Aura',
		N8N_INSTANCE_OWNER_LAST_NAME: 'Stack',
		N8N_INSTANCE_OWNER_PASSWORD_HASH: owner.passwordHash,
		N8N_LISTEN_ADDRESS: host,
		N8N_WORKER_SERVER_ADDRESS: host,
		N8N_RUNNERS_BROKER_LISTEN_ADDRESS: host,
		N8N_RUNNERS_TASK_TIMEOUT: '300',
		N8N_EDITOR_BASE_URL: settings.editorUrl,
		N8N_WEBHOOK_URL: settings.publicUrl ?? settings.editorUrl,
		N8N_SECURE_COOKIE: 'false',
		N8N_RESTRICT_FILE_ACCESS_TO: files,
		// n8n excludes this and the folder trigger; only the trigger is allowed back.
		NODES_EXCLUDE: '["n8n-nodes-base.executeCommand"]',
		N8N_WORKFLOW_PUBLICATION_OUTBOX_POLL_INTERVAL_MS: '1000',
		GENERIC_TIMEZONE: Intl.DateTimeFormat().resolvedOptions().timeZone,
		EXECUTIONS_DATA_PRUNE: 'true',
		EXECUTIONS_DATA_MAX_AGE: '168',
		// Minutes. What n8n was told not to keep, headers and bodies of webhooks among it, stays in its database until this
		// clears it away; 15 unless given.
		EXECUTIONS_DATA_PRUNE_HARD_DELETE_INTERVAL: '0.25',
		N8N_ENFORCE_SETTINGS_FILE_PERMISSIONS: 'true',
		N8N_LOG_LEVEL: process.env.N8N_LOG_LEVEL ?? 'warn',
		N8N_GRACEFUL_SHUTDOWN_TIMEOUT: '28',
		N8N_PYTHON_ENABLED: 'false',
		N8N_RUNNERS_MODE: 'internal',
		N8N_UNVERIFIED_PACKAGES_ENABLED: 'true',
		// Everything below would ask the network for something that nobody here asked for. The modules are clients of
		// n8n's own cloud as well; without them a start takes a third less processor time.
		N8N_DISABLED_MODULES: 'mcp-registry,workflow-builder,instance-ai',
		N8N_DIAGNOSTICS_ENABLED: 'false',
		N8N_DYNAMIC_BANNERS_ENABLED: 'false',
		N8N_HIRING_BANNER_ENABLED: 'false',
		N8N_PERSONALIZATION_ENABLED: 'false',
		N8N_TEMPLATES_ENABLED: 'false',
		N8N_VERIFIED_PACKAGES_ENABLED: 'false',
		N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
		N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED: 'false',
	};
}
