import { createHash, randomBytes } from 'node:crypto';
import { realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import bcrypt from 'bcryptjs';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { type Editor, ensureApiKeys, publish } from './bootstrap.mts';
import { type ToolCalling, shippedCredentials } from './credentials.mts';
import { applySchema, createDatabases, createWatcher, databaseUrl } from './database.mts';
import { freeBytesAt, isFullDisk, requireSpace, watchDiskSpace } from './diskSpace.mts';
import type { Facts } from './facts.mts';
import { stopLeftovers } from './leftovers.mts';
import { lock } from './lock.mts';
import { gatewayProgram } from './mcpGateway.mts';
import { installMcpServers } from './mcpInstall.mts';
import { type N8nSettings, mainProgram, n8nCommand, userFolder, workerProgram } from './n8n.mts';
import { installN8n, n8nVersion } from './n8nInstall.mts';
import { placePackage } from './nodePackage.mts';
import { findOllama } from './outside.mts';
import { choosePorts, requireFree } from './ports.mts';
import { postgresProgram, superuserUrl } from './postgres.mts';
import { Processes } from './processes.mts';
import { type RedisAddress, answers, findRedis, parseRedisUrl, redisProgram } from './redis.mts';
import type { Settings } from './settings.mts';
import { forgetImport, importShipped } from './shipped.mts';
import { type State, openState, readJson, secret, writeJson } from './state.mts';
import { gatewayFolders, placePolicy, toolFolders } from './toolPolicy.mts';
import { modelsOf, readWorkflows, webhooksOf } from './workflows.mts';

/** A stack that is up. */
export interface Stack {
	readonly facts: Facts;
	/** Where the facts stand for other programs. */
	readonly stackFile: string;
	/** The names of the shipped workflows, by id. */
	readonly workflowNames: Readonly<Record<string, string>>;
	/** The owner's password when this start made it. */
	readonly newPassword?: string;
	/** Ends everything this stack started, after its running work. */
	readonly stop: () => Promise<void>;
}

/** How a start is watched and given up. */
export interface Watch {
	readonly say: (line: string) => void;
	/** Ends the start, after which everything already started is ended in order. */
	readonly signal: AbortSignal;
	/** Ends everything at once. */
	readonly kill: AbortSignal;
}

const email = 'owner@aurastack.local';
const answerWithinMs = 120_000;
const importWithinMs = 300_000;

/**
 * Brings up PostgreSQL, Redis, n8n's main and its workers, with owner, credentials, schema and shipped workflows in
 * place, and resolves once all of them serve; their addresses then stand in stack.json. When a step fails everything
 * already started is ended again.
 */
export async function bringUp(settings: Settings, watch: Watch): Promise<Stack> {
	if (process.platform !== 'linux') {
		throw new LocalAiError('configuration', `The stack runs on Linux, this is ${process.platform}.`, {
			hint: 'Use a Linux machine, a virtual one, or WSL.',
		});
	}
	requireSpace(settings.home);
	const state = openState(settings.home);
	const release = await lock(realpathSync(settings.home), 'A stack');
	let ready: Omit<Facts, 'processes'> | undefined;
	const announce = () => ready && writeJson(state.stackFile, { ...ready, processes: processes.list() });
	const processes = new Processes(state.logs, state.processesFile, watch.say, announce);
	let unwatch = () => {};
	const stop = async () => {
		unwatch();
		ready = undefined;
		rmSync(state.stackFile, { force: true });
		processes.end();
		const names = processes.list().map(({ name }) => name);
		await processes.stop(names.filter((name) => name.startsWith('n8n-')));
		await processes.stop(names.filter((name) => !name.startsWith('n8n-')));
		await release();
	};
	watch.signal.addEventListener('abort', () => processes.end());
	watch.kill.addEventListener('abort', () => processes.kill());
	try {
		rmSync(state.stackFile, { force: true });
		await clearTheGround(settings, state, watch);
		const n8nFolder = await installN8n(settings.cache, watch);
		const mcpServers = await installMcpServers(settings.root, settings.cache, watch);
		const { facts, ...rest } = await startAll(settings, state, { n8nFolder, mcpServers }, processes, watch);
		watch.signal.throwIfAborted();
		ready = facts;
		announce();
		unwatch = watchDiskSpace(settings.home, {
			say: watch.say,
			everyMs: 5000,
			freeBytes: () => freeBytesAt(settings.home),
		});
		return { facts: { ...facts, processes: processes.list() }, stackFile: state.stackFile, ...rest, stop };
	} catch (error) {
		await stop();
		if (!isFullDisk(error)) throw error;
		throw new LocalAiError('configuration', `The disk of ${settings.home} became full during the start.`, {
			hint: 'Free some space, then start again: it goes on from there.',
			cause: error,
		});
	}
}

async function clearTheGround(settings: Settings, state: State, { say }: Watch): Promise<void> {
	await stopLeftovers(state.processesFile, say);
	forgetImport(state.shippedFile);
	await requireFree(settings.editorPort, 'AURASTACK_PORT');
}

async function startAll(
	settings: Settings,
	state: State,
	{ n8nFolder, mcpServers }: { n8nFolder: string; mcpServers: string },
	processes: Processes,
	watch: Watch,
) {
	const { say, signal } = watch;
	const workers = Array.from({ length: settings.workers }, (_, index) => `n8n-worker-${index + 1}`);
	const port = await choosePorts(state.portsFile, [
		'postgres',
		'redis',
		'n8n-main broker',
		'mcp-gateway',
		...workers.flatMap((name) => [`${name} health`, `${name} broker`]),
	]);
	const passwordOf = (name: string) => secret(state, name, () => randomBytes(24).toString('base64url')).value;
	const keyOf = (name: string) => secret(state, name, () => randomBytes(32).toString('base64')).value;
	const postgresPassword = passwordOf('postgres-password');
	const n8nDatabase = { name: 'n8n', password: passwordOf('n8n-database-password') };
	const business = { name: 'aurastack', password: passwordOf('database-password') };

	const queueName = `aurastack-${createHash('sha256').update(state.home).digest('hex').slice(0, 8)}`;

	say('Starting PostgreSQL and Redis');
	const [redis] = await Promise.all([
		startRedis(settings, state, port('redis'), queueName, passwordOf, processes, say),
		processes.start(postgresProgram(state.postgres, port('postgres'), postgresPassword)),
	]);
	signal.throwIfAborted();
	await createDatabases(superuserUrl(port('postgres'), postgresPassword), [n8nDatabase, business]);
	const businessUrl = databaseUrl(port('postgres'), business);
	await applySchema(businessUrl, join(settings.root, 'workflows', 'schema.sql'));

	const password = secret(state, 'owner-password', () => `${randomBytes(12).toString('base64url')}A1`);
	const editorUrl = `http://127.0.0.1:${settings.editorPort}`;
	const n8n: N8nSettings = {
		folder: n8nFolder,
		userFolders: state.n8n,
		database: { port: port('postgres'), ...n8nDatabase },
		...(redis && { redis: redis.address }),
		queueName,
		encryptionKey: passwordOf('encryption-key'),
		owner: {
			email,
			passwordHash: secret(state, 'owner-password-hash', () => bcrypt.hashSync(password.value, 10)).value,
		},
		files: state.files,
		editorUrl,
		...(settings.publicUrl && { publicUrl: settings.publicUrl }),
		compileCache: join(settings.cache, `compiled-${process.version}`),
	};
	const variables = toolFolders(state, mcpServers);
	const tools: ToolCalling = {
		policyFile: placePolicy(join(settings.root, 'services', 'mcp', 'mcp-policy.yaml'), state),
		variables,
		approvalKey: keyOf('mcp-approval-key'),
		auditKey: keyOf('mcp-audit-key'),
		gatewayUrl: `http://127.0.0.1:${port('mcp-gateway')}`,
		gatewayToken: passwordOf('mcp-gateway-token'),
	};
	const names = ['n8n-main', ...(redis ? workers : []), 'n8n-command'];
	for (const name of names) placePackage(settings.root, n8nFolder, userFolder(n8n, name));

	const startMain = () => processes.start(mainProgram(n8n, settings.editorPort, port('n8n-main broker')));
	const startWorkers = () =>
		Promise.all(
			(redis ? workers : []).map((name) =>
				processes.start(
					workerProgram(n8n, name, settings.workerConcurrency, port(`${name} health`), port(`${name} broker`)),
				),
			),
		);
	// Only main, and alone, may bring n8n's database up to its version.
	const versionFile = join(state.n8n, 'version.json');
	const isMigrated = readJson(versionFile) === n8nVersion;
	say(`Starting n8n ${n8nVersion}${redis ? `: main and ${workers.length} workers` : ' in regular mode'}`);
	const early = isMigrated ? startWorkers() : undefined;
	early?.catch(() => {});
	await startMain();
	writeJson(versionFile, n8nVersion);
	const started = early ?? startWorkers();
	started.catch(() => {});
	signal.throwIfAborted();

	const watcherUrl = await createWatcher(
		superuserUrl(port('postgres'), postgresPassword),
		{ name: 'aurastack_watch', password: passwordOf('watcher-password') },
		n8nDatabase.name,
	);
	const apiKeyFile = state.secretFile('api-key');
	const editor: Editor = { url: editorUrl, signal, answerWithinMs };
	const [apiKey, executionsKey] = (await ensureApiKeys(editor, { email, password: password.value }, [
		{ name: 'AuraStack', file: apiKeyFile, probe: '/api/v1/workflows?limit=1' },
		{
			name: 'AuraStack executions',
			file: state.secretFile('executions-api-key'),
			scopes: ['execution:list'],
			probe: '/api/v1/executions?limit=1',
		},
	])) as [string, string];
	const gatewayTokenFile = state.secretFile('mcp-gateway-token');
	const gateway = processes.start(
		gatewayProgram(
			{
				root: settings.root,
				servers: mcpServers,
				...gatewayFolders(variables),
				tokenFile: gatewayTokenFile,
				n8n: { apiUrl: editorUrl, apiKeyFile },
			},
			port('mcp-gateway'),
		),
	);
	gateway.catch(() => {});
	const workflows = readWorkflows(join(settings.root, 'workflows'), state.files);
	await importShipped(
		shippedCredentials({
			ollamaUrl: settings.ollamaUrl,
			databaseUrl: businessUrl,
			watcherUrl,
			...(redis && { redis: redis.watcher }),
			webhookToken: passwordOf('webhook-token'),
			approverToken: passwordOf('approver-token'),
			tools,
			editorUrl,
			executionsKey,
		}),
		workflows,
		{
			databaseUrl: databaseUrl(port('postgres'), n8nDatabase),
			command: (args) => processes.run(n8nCommand(n8n, args), importWithinMs),
			publish: (id) => publish(editor, apiKey, id),
			...(settings.publicUrl && { publicUrl: settings.publicUrl }),
			recordFile: state.shippedFile,
			say,
			signal,
		},
	);
	const ollama = await findOllama(settings.ollamaUrl, [...new Set(workflows.flatMap(modelsOf))]);
	await Promise.all([started, gateway]);

	const facts: Omit<Facts, 'processes'> = {
		mode: redis ? 'queue' : 'regular',
		editorUrl,
		login: { email, passwordFile: state.secretFile('owner-password') },
		apiKeyFile,
		databaseUrl: businessUrl,
		folders: state.folders,
		webhooks: Object.fromEntries(
			workflows
				.map(
					(workflow) => [workflow.id, webhooksOf(workflow, settings.publicUrl ?? editorUrl, state.secretFile)] as const,
				)
				.filter(([, webhooks]) => webhooks.length > 0),
		),
		services: { ollama, mcpGateway: { url: tools.gatewayUrl, tokenFile: gatewayTokenFile } },
	};
	return {
		facts,
		workflowNames: Object.fromEntries(workflows.map(({ id, name }) => [id, name])),
		...(password.isNew && { newPassword: password.value }),
	};
}

async function startRedis(
	settings: Settings,
	state: State,
	port: number,
	queueName: string,
	passwordOf: (name: string) => string,
	processes: Processes,
	say: (line: string) => void,
): Promise<{ address: RedisAddress; watcher: RedisAddress } | undefined> {
	if (settings.redisUrl) {
		const address = parseRedisUrl(settings.redisUrl);
		if (await answers(address)) return { address, watcher: address };
		throw new LocalAiError('unreachable', `No Redis answers at ${address.host}:${address.port} (REDIS_URL).`, {
			hint: "Correct REDIS_URL or its password, or leave it out to have a Redis of the stack's own.",
		});
	}
	const server = await findRedis(processes, say);
	if (!server) {
		say(
			'No Redis: install redis-server or set REDIS_URL to have queue mode with workers; n8n runs in regular mode now',
		);
		return undefined;
	}
	const address = { host: '127.0.0.1', port, password: passwordOf('redis-password'), database: 0, tls: false };
	const watcher = { username: 'watcher', password: passwordOf('watcher-password'), prefix: queueName };
	await processes.start(redisProgram(server, state.redis, port, address.password, watcher));
	return { address, watcher: { ...address, username: watcher.username, password: watcher.password } };
}
