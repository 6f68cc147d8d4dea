import { createHash } from 'node:crypto';
import { LocalAiError } from '../shared/errors';
import {
	type Access,
	type ListedTool,
	type McpServer,
	Session,
	type ToolCall,
	type ToolReply,
} from './connection/session';
import { cancelled, createTurns, type Turns } from './connection/turns';

export type { Access, ListedTool, McpServer, ToolCall, ToolProgress, ToolReply } from './connection/session';

/** Connections to MCP servers, kept open between calls. Every method rejects with LocalAiError only. */
export interface Sessions {
	/** The tools as the server defines them now. */
	readonly listTools: (server: McpServer, access: Access, signal?: AbortSignal) => Promise<ListedTool[]>;
	/** Calls one tool; what the tool itself reports as its failure is a reply with `isError`. */
	readonly callTool: (server: McpServer, call: ToolCall, access: Access, signal?: AbortSignal) => Promise<ToolReply>;
	/** Ends all connections, and with them all servers on stdio, within 5 s. */
	readonly close: () => Promise<void>;
}

export interface SessionOptions {
	/** Where the variables that a policy names are copied from. Default: this process's environment. */
	readonly env?: NodeJS.ProcessEnv;
	/** Connections that may be open at once. Default 32. */
	readonly maxSessions?: number;
	/** How long a server that keeps failing at its start rests at first; doubled up to a minute. Default 1000. */
	readonly firstRestMs?: number;
}

/** One server in the name of one credential. */
interface Slot {
	session?: Promise<Session>;
	/** In a row, at the start or before anything was answered. */
	failures: number;
	restsUntil: number;
	isLegacy: boolean;
	users: number;
	lastUsedAt: number;
	idleTimer?: NodeJS.Timeout;
}

const requestsAtOnce = 32;
/** Failed starts that are followed by another one at once. */
const freeFailures = 3;
const longestRestMs = 60_000;

/**
 * A pool of connections: one for each server and credential, opened when it is needed and closed after `idleTimeoutMs`.
 * Requests to a `serial` server run one after the other; beyond `maxQueued` waiting ones a call is `overloaded` (BUSY).
 * A server that fails three starts in a row is left alone for a while (`unreachable`, CIRCUIT_OPEN).
 */
export function createSessions(options: SessionOptions = {}): Sessions {
	const { env = process.env, maxSessions = 32, firstRestMs = 1000 } = options;
	const slots = new Map<string, Slot>();
	const queues = new Map<string, Turns>();
	let isClosed = false;

	const request = async <T>(
		server: McpServer,
		access: Access,
		signal: AbortSignal | undefined,
		ask: (session: Session, until: number) => Promise<T>,
	): Promise<T> => {
		const until = performance.now() + server.limits.maxTimeoutMs;
		const passOn = await queueOf(queues, server).take(server.limits.maxTimeoutMs, signal);
		const slot = slotOf(slots, server, access);
		let ending: Promise<void> | undefined;
		slot.users += 1;
		clearTimeout(slot.idleTimer);
		try {
			const session = await unlessAborted(connected(slot, server, access), server, signal);
			try {
				const answer = await ask(session, until);
				slot.failures = 0;
				return answer;
			} catch (error) {
				if (leavesWorkBehind(error, server)) ending = dismiss(slot, session);
				throw error;
			}
		} finally {
			slot.users -= 1;
			slot.lastUsedAt = performance.now();
			if (slot.users === 0) slot.idleTimer = setTimeout(() => void evict(slot), server.limits.idleTimeoutMs).unref();
			// What a serial server is still doing must not meet the next request.
			if (server.serial && ending) void ending.then(passOn);
			else passOn();
		}
	};

	const connected = (slot: Slot, server: McpServer, access: Access): Promise<Session> => {
		if (slot.session) return slot.session;
		const restMs = slot.restsUntil - performance.now();
		if (isClosed) throw gone(server);
		if (restMs > 0) throw resting(server, slot.failures, restMs);
		makeRoom(server);
		const opening = Session.open(server, access, env, slot.isLegacy);
		slot.session = opening;
		opening.then(
			(session) => {
				slot.isLegacy = session.isLegacy;
				void session.ended.then(() => {
					if (slot.session === opening) delete slot.session;
					if (!session.hasServed && !isClosed) failed(slot);
				});
				if (isClosed) void session.close();
			},
			() => {
				if (slot.session === opening) delete slot.session;
				// A server that dies of the question what era it is from gets the older greeting next time.
				slot.isLegacy = !slot.isLegacy && server.transport.kind === 'stdio';
				failed(slot);
			},
		);
		return opening;
	};

	const failed = (slot: Slot) => {
		slot.failures += 1;
		const over = slot.failures - freeFailures;
		if (over >= 0) slot.restsUntil = performance.now() + Math.min(firstRestMs * 2 ** over, longestRestMs);
	};

	/** Ends the connection that is unused for longest when there are too many. */
	const makeRoom = (server: McpServer) => {
		const open = [...slots.values()].filter((one) => one.session);
		if (open.length < maxSessions) return;
		const [oldest] = open.filter(({ users }) => users === 0).sort((a, b) => a.lastUsedAt - b.lastUsedAt);
		if (!oldest) throw tooMany(server, maxSessions);
		void evict(oldest);
	};

	return {
		listTools: (server, access, signal) =>
			request(server, access, signal, (session, until) => session.listTools({ until, ...(signal && { signal }) })),
		callTool: (server, call, access, signal) =>
			request(server, access, signal, (session, until) => session.callTool(call, { until, ...(signal && { signal }) })),
		close: async () => {
			isClosed = true;
			await Promise.all([...slots.values()].map((slot) => evict(slot)));
		},
	};
}

function queueOf(queues: Map<string, Turns>, server: McpServer): Turns {
	const { name, serial, limits, transport } = server;
	const key = JSON.stringify([name, serial, transport, limits.maxQueued]);
	const known = queues.get(key);
	if (known) return known;
	const turns = createTurns(name, serial ? 1 : requestsAtOnce, limits.maxQueued);
	queues.set(key, turns);
	return turns;
}

function slotOf(slots: Map<string, Slot>, { name, transport, limits }: McpServer, access: Access): Slot {
	const env = Object.entries(access.env ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
	const key = createHash('sha256')
		.update(JSON.stringify([name, transport, limits, access.key, access.bearerToken ?? null, env]))
		.digest('base64');
	const known = slots.get(key);
	if (known) return known;
	const slot: Slot = { failures: 0, restsUntil: 0, isLegacy: false, users: 0, lastUsedAt: 0 };
	slots.set(key, slot);
	return slot;
}

/** Closes a slot's connection; the slot remembers how the server behaved. */
async function evict(slot: Slot): Promise<void> {
	clearTimeout(slot.idleTimer);
	const { session } = slot;
	delete slot.session;
	await session?.then(
		(open) => open.close(),
		() => {},
	);
}

/** The next request gets another connection; this one ends after what still runs on it. */
function dismiss(slot: Slot, session: Session): Promise<void> {
	delete slot.session;
	return session.retire();
}

/** After a call that timed out the server may be stuck; one that was only given up matters where calls must not meet. */
function leavesWorkBehind(error: unknown, { serial }: McpServer): boolean {
	if (!(error instanceof LocalAiError)) return false;
	return error.reason === 'TIMEOUT_CALL' || (serial && error.code === 'cancelled');
}

async function unlessAborted<T>(work: Promise<T>, { name }: McpServer, signal?: AbortSignal): Promise<T> {
	if (!signal) return await work;
	let abort: (() => void) | undefined;
	const aborted = new Promise<never>((_, reject) => {
		abort = () => reject(cancelled(name));
		if (signal.aborted) abort();
		else signal.addEventListener('abort', abort);
	});
	try {
		return await Promise.race([work, aborted]);
	} finally {
		signal.removeEventListener('abort', abort!);
	}
}

function resting({ name }: McpServer, failures: number, restMs: number): LocalAiError {
	return new LocalAiError('unreachable', `The MCP server ${name} failed ${failures} times in a row and is left alone`, {
		hint: 'Look at why the server does not start. It is tried again after a pause.',
		reason: 'CIRCUIT_OPEN',
		retryAfterMs: Math.ceil(restMs),
	});
}

function tooMany({ name }: McpServer, most: number): LocalAiError {
	return new LocalAiError('overloaded', `The MCP server ${name} gets no connection: all ${most} are in use`, {
		hint: 'Try again later, or use fewer servers and credentials at once.',
		reason: 'BUSY',
		retryAfterMs: 1000,
	});
}

function gone({ name }: McpServer): LocalAiError {
	return new LocalAiError('cancelled', `The connections to MCP servers are closed, ${name} is not called any more`, {
		hint: 'Start again.',
		reason: 'CANCELLED',
	});
}
