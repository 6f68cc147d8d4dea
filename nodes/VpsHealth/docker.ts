import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';

import { LocalAiError } from '../shared/errors';
import { excerpt } from '../shared/http';
import { known, unknown, type ContainerFacts, type ContainerState, type Fact } from './facts';
import { redaction } from './redaction';

export type DockerAddress =
	| { readonly kind: 'socket'; readonly path: string }
	| {
			readonly kind: 'tcp';
			readonly host: string;
			readonly port: number;
			/** Certificates in PEM; without them the connection is in clear. */
			readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
	  };

/** An engine, and the containers on it that its owner opened, by their exact names. */
export interface Docker {
	readonly address: DockerAddress;
	/** Empty: none. */
	readonly allowed: readonly string[];
}

export interface Container extends ContainerFacts {
	readonly composeProject: string | null;
	readonly composeService: string | null;
	readonly createdAt: string;
	readonly ports: readonly string[];
	/** Names only: values are never told. */
	readonly environment: readonly string[];
}

export interface ContainerList {
	readonly containers: readonly Container[];
	/** How many others the engine has, whose names are not told. */
	readonly others: number;
}

export interface CallLimits {
	/** Wall clock of the whole operation. Default 10 000; for a restart 60 000. */
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal;
}

export interface ListRequest extends CallLimits {
	/** Default no. */
	readonly usage?: boolean;
	/** A container whose figures come later than this has unknown ones, and holds nobody up. Default 5000. */
	readonly usageTimeoutMs?: number;
}

/**
 * The allowed containers with their state, and with their use of processor and memory if wanted, which takes two samples
 * a second apart. A container that vanishes meanwhile is left out. Rejects with LocalAiError.
 */
export async function listContainers(
	docker: Docker,
	{ usage = false, usageTimeoutMs = 5_000, ...limits }: ListRequest = {},
): Promise<ContainerList> {
	return await within(docker, limits, 10_000, async (engine) => {
		mustAllowSome(docker);
		const listed = await allListed(engine);
		const allowed = listed.filter(({ name }) => docker.allowed.includes(name));
		const containers = await Promise.all(allowed.map((one) => describe(engine, one, usage ? usageTimeoutMs : null)));
		return {
			containers: containers.filter((one) => one !== null).sort((a, b) => a.name.localeCompare(b.name)),
			others: listed.length - allowed.length,
		};
	});
}

export interface LogsRequest extends CallLimits {
	/** Lines from the end. Default 100, at most 10 000. */
	readonly tail?: number;
	/** Of log text kept, from the end. Default 64 KiB. */
	readonly maxBytes?: number;
	/** Lines written since this many seconds ago. */
	readonly sinceSeconds?: number;
}

export interface LogLine {
	/** As the engine wrote it, RFC 3339 with nanoseconds; `null` where the line came without. */
	readonly at: string | null;
	/** A container with a terminal has one stream for both. */
	readonly stream: 'stdout' | 'stderr';
	readonly text: string;
}

export interface Logs {
	readonly container: string;
	readonly state: ContainerState;
	readonly lines: readonly LogLine[];
	/** Earlier text was left out for `maxBytes`. */
	readonly truncated: boolean;
}

/**
 * The last lines that a container wrote, oldest first, without the values of its secret environment variables and
 * passwords in addresses. Rejects with LocalAiError; `refused` with the reason `POLICY_ARGS` for any other container.
 */
export async function containerLogs(docker: Docker, name: string, request: LogsRequest = {}): Promise<Logs> {
	const { tail = 100, maxBytes = 65_536, sinceSeconds } = request;
	return await within(docker, request, 10_000, async (engine) => {
		const { reference } = await allowedContainer(engine, docker, name);
		const details = await inspect(engine, reference);
		const reply = await engine.ask('GET', `/containers/${reference}/logs?`, {
			stdout: true,
			stderr: true,
			timestamps: true,
			tail: Math.min(Math.max(1, Math.floor(tail)), 10_000),
			...(sinceSeconds !== undefined && { since: Math.floor(Date.now() / 1000 - sinceSeconds) }),
		});
		const end = new LogEnd(maxBytes);
		for await (const piece of details.Config.Tty ? untouched(reply) : frames(reply)) end.add(piece);
		return {
			container: name,
			state: details.State.Status,
			lines: end.lines(redaction(details.Config.Env)),
			truncated: end.truncated,
		};
	});
}

export interface RestartRequest extends CallLimits {
	/** How long the container may take to stop before it is killed. Default 10. */
	readonly graceSeconds?: number;
	/** Names that are not restarted without `allowProtected`, beside those that are recognised. */
	readonly protected?: readonly string[];
	readonly allowProtected?: boolean;
	/** The id of the container that this program runs in. Default: as the kernel says. */
	readonly ownId?: string | null;
}

export interface Restarted {
	readonly container: string;
	readonly state: ContainerState;
	readonly startedAt: string | null;
	readonly durationMs: number;
}

/**
 * Restarts an allowed container and says when it started anew. PostgreSQL, Redis, n8n itself and the container of this
 * very program are `refused` with the reason `PROTECTED` unless `allowProtected`. Rejects with LocalAiError.
 */
export async function restartContainer(docker: Docker, name: string, request: RestartRequest = {}): Promise<Restarted> {
	const { graceSeconds = 10, allowProtected = false } = request;
	const started = Date.now();
	return await within(docker, request, 60_000, async (engine) => {
		const container = await allowedContainer(engine, docker, name);
		const ownId = request.ownId === undefined ? await ownContainer() : request.ownId;
		const why = whyProtected(container, request.protected ?? [], ownId);
		if (why !== null && !allowProtected) {
			throw new LocalAiError('refused', `The container "${name}" is protected: ${why}.`, {
				hint: 'Restart it yourself, or switch Restart Protected Containers on in the node.',
				reason: 'PROTECTED',
			});
		}
		const before = await inspect(engine, container.reference);
		const path = `/containers/${container.reference}/restart?`;
		await engine.text('POST', path, { t: Math.max(0, Math.floor(graceSeconds)) });
		const { State: state } = await inspect(engine, container.reference);
		if (state.StartedAt === before.State.StartedAt) {
			throw new LocalAiError('tool-failed', `Docker said that it restarted "${name}", and it did not start anew.`, {
				hint: 'Look at the log of the container and of Docker.',
			});
		}
		return {
			container: name,
			state: state.Status,
			startedAt: instant(state.StartedAt),
			durationMs: Date.now() - started,
		};
	});
}

/** Whether the engine answers and lists containers; how many. Rejects with LocalAiError. */
export async function countContainers(address: DockerAddress, limits: CallLimits = {}): Promise<number> {
	return await within({ address, allowed: [] }, limits, 5_000, async (engine) => (await allListed(engine)).length);
}

/** A name that Docker gives to containers, and that cannot be read as a path, an option or an id. */
export function isContainerName(text: string): boolean {
	return /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(text) && !/^[0-9a-f]{12,}$/.test(text);
}

/** The id of the container whose /proc/self/mountinfo this is, from the files that an engine mounts into it. */
export function containerIdIn(mountinfo: string): string | null {
	const mounted = /\/(?:overlay-)?containers\/([0-9a-f]{64})\/(?:userdata\/)?(?:hostname|hosts|resolv\.conf) /;
	return mounted.exec(mountinfo)?.[1] ?? null;
}

interface Listed {
	readonly id: string;
	readonly name: string;
	/** What stands in the path of a request. */
	readonly reference: string;
	readonly image: string;
	readonly command: string;
	readonly created: number;
	readonly labels: Readonly<Record<string, string>>;
	readonly ports: readonly string[];
}

async function allListed(engine: Engine): Promise<Listed[]> {
	const listed = await engine.json('/containers/json?', { all: true }, listShape);
	return listed.flatMap(({ Id: id, Names, Image, Command, Created, Labels, Ports }) => {
		const name = Names.map((one) => /^\/([^/]+)$/.exec(one)?.[1]).find((one) => one !== undefined);
		if (name === undefined) return [];
		return [
			{
				id,
				name,
				// Docker looks for an id first, then a name, then the start of an id: a name like "db" could become the latter.
				reference: /^[0-9a-f]+$/.test(name) ? id : name,
				image: Image,
				command: Command,
				created: Created,
				labels: Labels ?? {},
				ports: (Ports ?? []).map(({ IP, PublicPort, PrivatePort, Type }) =>
					PublicPort === undefined ? `${PrivatePort}/${Type}` : `${IP ?? ''}:${PublicPort}->${PrivatePort}/${Type}`,
				),
			},
		];
	});
}

async function allowedContainer(engine: Engine, docker: Docker, name: string): Promise<Listed> {
	if (!isContainerName(name)) throw notAllowed(name, 'is not the name of a container');
	if (!docker.allowed.includes(name)) throw notAllowed(name, 'is not among the allowed containers');
	const found = (await allListed(engine)).find((one) => one.name === name);
	if (found !== undefined) return found;
	throw new LocalAiError('invalid-input', `Docker has no container named "${name}".`, {
		hint: 'Create it, or correct the name. Ids are not taken.',
	});
}

function notAllowed(name: string, why: string): LocalAiError {
	return new LocalAiError('refused', `"${excerpt(name, 80)}" ${why}.`, {
		hint: 'Give the exact name of a container that the Docker credential allows. Ids are not taken.',
		reason: 'POLICY_ARGS',
	});
}

function mustAllowSome({ allowed }: Docker): void {
	if (allowed.length > 0) return;
	throw new LocalAiError('configuration', 'The Docker credential allows no container.', {
		hint: 'Write the exact names of the containers into the credential.',
	});
}

async function ownContainer(): Promise<string | null> {
	return containerIdIn(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''));
}

function whyProtected({ id, name, image, command, labels }: Listed, names: readonly string[], ownId: string | null) {
	if (id === ownId) return 'this very workflow runs in it';
	if (names.includes(name)) return 'it is on the list of protected ones';
	const repository = image
		.replace(/@.*$/, '')
		.replace(/:[^/]*$/, '')
		.split('/')
		.at(-1)!;
	const words = [repository, name, labels['com.docker.compose.service'] ?? ''].map((word) => word.toLowerCase());
	const is = (pattern: RegExp) => words.some((word) => pattern.test(word));
	if (is(/^(postgres(ql)?|postgis|pgvector|timescaledb.*|supabase-postgres|pgbouncer)$/)) return 'it is PostgreSQL';
	if (is(/^(redis(-stack(-server)?)?|valkey|keydb|dragonfly)$/)) return 'it is Redis';
	const helper = /(^|\s)(worker|webhook)(\s|$)/.test(command);
	if (is(/^n8n$/) && !helper) return 'it is n8n itself';
	return null;
}

async function describe(engine: Engine, listed: Listed, usageTimeoutMs: number | null): Promise<Container | null> {
	try {
		const details = await inspect(engine, listed.reference);
		const { State: state, Config: config, HostConfig: host } = details;
		const healthLog = state.Health?.Log?.at(-1)?.Output;
		const redact = redaction(config.Env);
		const use = !state.Running
			? notRunning
			: usageTimeoutMs === null
				? notMeasured
				: await resourceUse(engine, listed.reference, usageTimeoutMs);
		const { Memory: limit } = host;
		return {
			name: listed.name,
			image: config.Image,
			state: state.Status,
			health: state.Health?.Status ?? 'none',
			healthOutput: healthLog ? excerpt(redact(healthLog), 300) : null,
			exitCode: state.ExitCode,
			oomKilled: state.OOMKilled,
			restartCount: details.RestartCount,
			restartPolicy: host.RestartPolicy?.Name || 'no',
			startedAt: instant(state.StartedAt),
			finishedAt: instant(state.FinishedAt),
			...use,
			memoryLimitBytes: limit === undefined ? unknown('Docker does not tell the limit.') : known(limit || null),
			composeProject: listed.labels['com.docker.compose.project'] ?? null,
			composeService: listed.labels['com.docker.compose.service'] ?? null,
			createdAt: new Date(listed.created * 1000).toISOString(),
			ports: [...new Set(listed.ports)].sort(),
			environment: (config.Env ?? []).map((entry) => entry.replace(/=.*$/s, '')).sort(),
		};
	} catch (error) {
		if (error instanceof LocalAiError && error.reason === 'GONE') return null;
		throw error;
	}
}

interface ResourceUse {
	readonly cpuUse: Fact<number>;
	readonly memoryBytes: Fact<number>;
}

const noUse = (why: string): ResourceUse => ({ cpuUse: unknown(why), memoryBytes: unknown(why) });
const notRunning = noUse('The container does not run.');
const notMeasured = noUse('Use was not asked for.');

async function resourceUse(engine: Engine, reference: string, timeoutMs: number): Promise<ResourceUse> {
	const late = wait(timeoutMs, noUse(`Docker gave no figures within ${timeoutMs} ms.`), { ref: false });
	return await Promise.race([measure(engine, reference), late]);
}

/** From the second frame of the stream: the first one has nothing to be compared with. */
async function measure(engine: Engine, reference: string): Promise<ResourceUse> {
	const reply = await engine.ask('GET', `/containers/${reference}/stats?`, { stream: true });
	let text = '';
	for await (const chunk of capped(reply, 1_048_576)) {
		text += chunk.toString();
		const [, second, rest] = text.split('\n');
		if (rest !== undefined) return useIn(parse(second!, statsShape));
	}
	return noUse('Docker gave no figures.');
}

function useIn({
	cpu_stats: now,
	precpu_stats: before,
	memory_stats: memory,
}: z.infer<typeof statsShape>): ResourceUse {
	const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
	const passed = (now.system_cpu_usage ?? Number.NaN) - (before.system_cpu_usage ?? Number.NaN);
	const processors = now.online_cpus ?? now.cpu_usage.percpu_usage?.length ?? 1;
	// What the kernel would give back at once is not counted, as in `docker stats`.
	const cache = memory.stats?.inactive_file ?? memory.stats?.total_inactive_file ?? 0;
	return {
		cpuUse: passed > 0 && used >= 0 ? known((used / passed) * processors) : unknown('Docker gave no two samples.'),
		memoryBytes:
			memory.usage === undefined
				? unknown('The kernel does not count the memory of containers.')
				: known(memory.usage - Math.min(cache, memory.usage)),
	};
}

async function inspect(engine: Engine, reference: string): Promise<z.infer<typeof inspectShape>> {
	return await engine.json(`/containers/${reference}/json`, {}, inspectShape);
}

/** Docker's zero time means never. */
function instant(text: string | undefined): string | null {
	const at = new Date(text ?? '');
	return Number.isNaN(at.getTime()) || at.getUTCFullYear() <= 1 ? null : at.toISOString();
}

const states = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'] as const;

const listShape = z.array(
	z.object({
		Id: z.string().regex(/^[0-9a-f]{64}$/),
		Names: z.array(z.string()),
		Image: z.string(),
		Command: z.string().catch(''),
		Created: z.number(),
		Labels: z.record(z.string(), z.string()).nullish(),
		Ports: z
			.array(
				z.object({
					IP: z.string().optional(),
					PrivatePort: z.number(),
					PublicPort: z.number().optional(),
					Type: z.string(),
				}),
			)
			.nullish(),
	}),
);

const inspectShape = z.object({
	RestartCount: z.number().catch(0),
	State: z.object({
		Status: z.enum(states),
		Running: z.boolean(),
		OOMKilled: z.boolean().catch(false),
		ExitCode: z.number(),
		StartedAt: z.string().optional(),
		FinishedAt: z.string().optional(),
		Health: z
			.object({
				Status: z.enum(['none', 'starting', 'healthy', 'unhealthy']).catch('none'),
				Log: z.array(z.object({ Output: z.string() })).nullish(),
			})
			.nullish(),
	}),
	Config: z.object({ Image: z.string(), Tty: z.boolean().catch(false), Env: z.array(z.string()).nullish() }),
	HostConfig: z.object({
		Memory: z.number().optional(),
		RestartPolicy: z.object({ Name: z.string() }).nullish(),
	}),
});

const cpuShape = z.object({
	cpu_usage: z.object({ total_usage: z.number(), percpu_usage: z.array(z.number()).nullish() }),
	system_cpu_usage: z.number().optional(),
	online_cpus: z.number().optional(),
});

const statsShape = z.object({
	cpu_stats: cpuShape,
	precpu_stats: cpuShape,
	memory_stats: z.object({
		usage: z.number().optional(),
		stats: z.object({ inactive_file: z.number().optional(), total_inactive_file: z.number().optional() }).nullish(),
	}),
});

type Piece = readonly [stream: 'stdout' | 'stderr', bytes: Buffer];

/**
 * The payloads of a multiplexed log, in the order they came; a frame may come in several pieces.
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
 */
export async function* frames(source: AsyncIterable<Buffer>): AsyncGenerator<Piece> {
	let header = Buffer.alloc(0);
	let missing = 0;
	let stream: Piece[0] = 'stdout';
	for await (let chunk of source) {
		while (chunk.length > 0) {
			if (missing > 0) {
				const piece = chunk.subarray(0, missing);
				missing -= piece.length;
				chunk = chunk.subarray(piece.length);
				yield [stream, piece];
				continue;
			}
			const part = chunk.subarray(0, 8 - header.length);
			header = Buffer.concat([header, part]);
			chunk = chunk.subarray(part.length);
			if (header.length < 8) continue;
			if (header[0]! > 2 || header[1] !== 0 || header[2] !== 0 || header[3] !== 0)
				throw notDocker('a broken log stream');
			stream = header[0] === 2 ? 'stderr' : 'stdout';
			missing = header.readUInt32BE(4);
			header = Buffer.alloc(0);
		}
	}
}

async function* untouched(source: AsyncIterable<Buffer>): AsyncGenerator<Piece> {
	for await (const chunk of source) yield ['stdout', chunk];
}

/** The last bytes of a log, however much of it comes. */
class LogEnd {
	truncated = false;
	private readonly pieces: Piece[] = [];
	private size = 0;

	constructor(private readonly maxBytes: number) {}

	add([stream, bytes]: Piece): void {
		// A copy: a piece is a view of a chunk that would be held as a whole.
		this.pieces.push([stream, Buffer.from(bytes)]);
		this.size += bytes.length;
		while (this.size > this.maxBytes) {
			const [oldest, held] = this.pieces[0]!;
			const surplus = Math.min(held.length, this.size - this.maxBytes);
			this.truncated = true;
			this.size -= surplus;
			if (surplus === held.length) this.pieces.shift();
			else this.pieces[0] = [oldest, held.subarray(surplus)];
		}
	}

	/** Each stream has lines of its own; they are given in the order in which they ended. */
	lines(redact: (text: string) => string): LogLine[] {
		const open: Record<Piece[0], Buffer[]> = { stdout: [], stderr: [] };
		const lines: LogLine[] = [];
		const close = (stream: Piece[0]) => {
			const text = Buffer.concat(open[stream]).toString().replace(/\r$/, '');
			open[stream] = [];
			const [, at, rest] = /^(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) ?(.*)$/s.exec(text) ?? [];
			lines.push({ at: at ?? null, stream, text: redact(rest ?? text) });
		};
		for (const [stream, bytes] of this.pieces) {
			let from = 0;
			for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, from)) {
				open[stream].push(bytes.subarray(from, at));
				close(stream);
				from = at + 1;
			}
			if (from < bytes.length) open[stream].push(bytes.subarray(from));
		}
		for (const stream of ['stdout', 'stderr'] as const) if (open[stream].length > 0) close(stream);
		return lines;
	}
}

interface Engine {
	/** The body of a successful reply. */
	ask(method: 'GET' | 'POST', path: string, query: Readonly<Record<string, unknown>>): Promise<AsyncIterable<Buffer>>;
	text(method: 'GET' | 'POST', path: string, query: Readonly<Record<string, unknown>>): Promise<string>;
	json<Value>(path: string, query: Readonly<Record<string, unknown>>, shape: z.ZodType<Value>): Promise<Value>;
}

const maxReplyBytes = 16 * 1_048_576;

/** Every status is a reply: what it means is said here, where its body has a limit. */
const everyStatus = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [at + 100, true]));

async function within<Result>(
	{ address }: Docker,
	{ timeoutMs: wanted, signal: cancel }: CallLimits,
	usualMs: number,
	work: (engine: Engine) => Promise<Result>,
): Promise<Result> {
	const timeoutMs = wanted ?? usualMs;
	const ended = new AbortController();
	const deadline = AbortSignal.timeout(timeoutMs);
	const signal = AbortSignal.any([ended.signal, deadline, ...(cancel ? [cancel] : [])]);
	const explain = (error: unknown): LocalAiError => {
		if (cancel?.aborted) {
			return new LocalAiError('cancelled', 'The request to Docker was cancelled', {
				hint: 'Run it again if it is still wanted.',
			});
		}
		if (deadline.aborted) {
			return new LocalAiError('timeout', `Docker did not finish within ${timeoutMs} ms`, {
				hint: 'Look whether Docker is busy, or raise the time-out. What it began may still happen.',
				reason: 'LIMIT',
			});
		}
		return error instanceof LocalAiError ? error : unreachable(address, error);
	};
	if (signal.aborted) throw explain(signal.reason);
	const aborted = new Promise<never>((_, reject) => {
		signal.addEventListener('abort', () => reject(explain(signal.reason)), { once: true });
	});
	aborted.catch(() => undefined);
	try {
		return await Promise.race([work(await connect(address, signal)), aborted]);
	} catch (error) {
		throw explain(error);
	} finally {
		// Streams that were read as far as needed end here.
		ended.abort();
	}
}

async function connect(address: DockerAddress, signal: AbortSignal): Promise<Engine> {
	// Its package brings a gRPC client that takes 0.2 s to load, which n8n need not spend at its start.
	const { default: Dockerode } = await import('dockerode');
	const nowhere = {
		host: undefined,
		port: undefined,
		socketPath: undefined,
		ca: undefined,
		cert: undefined,
		key: undefined,
		timeout: undefined,
	};
	// Each of these is named, or DOCKER_HOST and its like in the environment would win over the credential.
	const { modem } = new Dockerode(
		address.kind === 'socket'
			? { ...nowhere, protocol: 'http', socketPath: address.path }
			: {
					...nowhere,
					protocol: address.tls ? 'https' : 'http',
					host: address.host,
					port: address.port,
					...address.tls,
				},
	);
	const send = async (method: string, path: string, query: Readonly<Record<string, unknown>>) => {
		const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
		modem.dial(
			{
				path,
				method,
				options: { _query: query, _body: {} },
				isStream: true,
				statusCodes: everyStatus,
				abortSignal: signal,
			},
			(error: Error | null, reply: unknown) => (error ? reject(error) : resolve(reply as IncomingMessage)),
		);
		const reply = await promise;
		if (reply.statusCode !== undefined && reply.statusCode >= 200 && reply.statusCode < 300) return reply;
		throw statusError(reply.statusCode ?? 0, messageIn(await textOf(reply)));
	};
	return {
		ask: send,
		text: async (method, path, query) => await textOf(await send(method, path, query)),
		json: async (path, query, shape) => parse(await textOf(await send('GET', path, query)), shape),
	};
}

async function* capped(source: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
	let size = 0;
	for await (const chunk of source) {
		size += chunk.length;
		if (size > maxBytes) throw notDocker(`more than ${maxBytes} bytes`);
		yield chunk;
	}
}

async function textOf(reply: AsyncIterable<Buffer>): Promise<string> {
	return await text(capped(reply, maxReplyBytes));
}

function parse<Value>(text: string, shape: z.ZodType<Value>): Value {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		throw notDocker('something that is not JSON');
	}
	const { data, error } = shape.safeParse(value);
	if (error === undefined) return data!;
	throw notDocker(`JSON of another shape (${error.issues[0]!.path.join('.')}: ${error.issues[0]!.message})`);
}

function messageIn(body: string): string {
	try {
		const { message } = JSON.parse(body) as { message?: unknown };
		if (typeof message === 'string') return message;
	} catch {
		// A proxy in front of Docker answers in plain text.
	}
	return body;
}

function statusError(status: number, said: string): LocalAiError {
	const told = said.trim() === '' ? '' : `: ${excerpt(redaction([])(said))}`;
	const message = `Docker answered ${status}${told}`;
	switch (status) {
		case 401:
		case 403:
		case 405:
			return new LocalAiError('unauthorized', message, {
				hint: 'The proxy in front of Docker does not allow this call. Open it there if it is wanted.',
			});
		case 404:
			return new LocalAiError('invalid-input', message, {
				hint: 'The container was removed, or what answers is not Docker.',
				reason: 'GONE',
			});
		case 409:
			return new LocalAiError('tool-failed', message, { hint: 'Look at the state of the container.' });
		default:
			return new LocalAiError('tool-failed', message, { hint: 'Look at the log of Docker.' });
	}
}

function notDocker(what: string): LocalAiError {
	return new LocalAiError('bad-reply', `Docker sent ${what}`, {
		hint: 'Check that the address in the Docker credential belongs to a Docker engine.',
	});
}

function unreachable(address: DockerAddress, error: unknown): LocalAiError {
	const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
	const where = address.kind === 'socket' ? address.path : `${address.host}:${address.port}`;
	if (code === 'EACCES' || code === 'EPERM') {
		return new LocalAiError('unauthorized', `n8n may not open the Docker socket ${where}.`, {
			hint: 'Give its user the right to, better through a socket proxy than through the group docker.',
		});
	}
	const said = code || excerpt(error instanceof Error ? error.message : String(error));
	return new LocalAiError('unreachable', `Docker is not reachable at ${where} (${said})`, {
		hint: 'Start Docker or its socket proxy, or correct the address in the Docker credential.',
		nothingAnswers: ['ENOENT', 'ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'].includes(code),
	});
}
