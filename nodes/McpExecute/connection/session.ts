import {
	type CallToolResult,
	Client,
	isInputRequiredResult,
	ProtocolError,
	type RequestOptions,
	SdkError,
	SdkErrorCode,
	SdkHttpError,
	UnauthorizedError,
} from '@modelcontextprotocol/client';
import { LocalAiError } from '../../shared/errors';
import { excerpt } from '../../shared/http';
import { fromWire } from './failure';
import { type HttpAddress, httpTransport } from './http';
import { redactor } from '../redact';
import { StdioTransport } from './stdio';
import { cancelled } from './turns';

/** A server, as far as a connection to it is concerned; a policy's server is one. */
export interface McpServer {
	readonly name: string;
	readonly transport:
		| ({ readonly kind: 'http' } & HttpAddress)
		| {
				readonly kind: 'stdio';
				readonly command: string;
				readonly args: readonly string[];
				/** Names of variables that are copied from this process's environment. */
				readonly env: readonly string[];
				readonly setEnv: Readonly<Record<string, string>>;
				readonly cwd?: string;
		  };
	/** One request at a time, whoever makes it. */
	readonly serial: boolean;
	readonly limits: {
		readonly connectTimeoutMs: number;
		/** For one call; progress starts it anew. */
		readonly callTimeoutMs: number;
		/** For one call, whatever its progress. */
		readonly maxTimeoutMs: number;
		readonly maxOutputBytes: number;
		readonly idleTimeoutMs: number;
		readonly maxQueued: number;
	};
}

/** In whose name a server is reached. */
export interface Access {
	/** Names the credential; sessions of different credentials are never shared. */
	readonly key: string;
	readonly bearerToken?: string;
	/** Further variables for a server on stdio. */
	readonly env?: Readonly<Record<string, string>>;
}

/** A tool as its server defines it. */
export interface ListedTool {
	readonly name: string;
	readonly [key: string]: unknown;
}

export interface ToolProgress {
	readonly progress: number;
	readonly total?: number;
	readonly message?: string;
}

export interface ToolCall {
	readonly tool: string;
	readonly arguments: Readonly<Record<string, unknown>>;
	/** As listed: names the arguments that an HTTP server of 2026-07-28 wants repeated in headers. */
	readonly definition?: ListedTool;
	/** Shorter than the server's own `callTimeoutMs`, when given. */
	readonly timeoutMs?: number;
	/** Told at most ten times a second. */
	readonly onProgress?: (progress: ToolProgress) => void;
	/** The answers to an earlier `input-required`, and its state exactly as it came. */
	readonly resume?: { readonly responses?: Readonly<Record<string, unknown>>; readonly state?: string };
}

/** What came of a call: the tool's result, or what the server asks for before there can be one. */
export type ToolReply =
	| { readonly kind: 'complete'; readonly result: CallToolResult }
	| {
			readonly kind: 'input-required';
			readonly requests: Readonly<Record<string, unknown>>;
			readonly state?: string;
	  };

interface Deadline {
	/** By `performance.now()`. */
	readonly until: number;
	readonly signal?: AbortSignal;
}

const clientInfo = { name: 'n8n-nodes-aurastack', version: '0.1.0' };
const maxPages = 32;
const maxTools = 1000;
const toleratedNoise = 100;
const progressEveryMs = 100;
const unknownKind = 'sent a result of a kind that nobody knows';
const secretName = /key|token|secret|pass|credential/i;

/**
 * One connection to one server for one credential: offers no roots, sampling or elicitation, and ends when the server
 * breaks its limits. Every method rejects with LocalAiError only.
 */
export class Session {
	/** Whether any request was answered. */
	hasServed = false;
	/** Resolves when the connection is gone, for whatever reason. */
	readonly ended: Promise<void>;
	readonly #server: McpServer;
	readonly #client: Client;
	readonly #redact: <Value>(value: Value) => Value;
	readonly #stdio?: StdioTransport;
	readonly #closeConnections?: () => void;
	#fault?: LocalAiError;
	/** Of the last HTTP request that came to nothing. */
	#failure?: LocalAiError;
	#noise = 0;
	#running = 0;
	#isRetired = false;
	#closing?: Promise<void>;

	/**
	 * Connects within the server's `connectTimeoutMs`; the era is found out unless it is `knownLegacy`. Rejects with
	 * `timeout` (TIMEOUT_CONNECT), `unreachable` (SERVER_ENDED), `configuration` (SPAWN_FAILED), `unauthorized`, or
	 * `refused` (SSRF).
	 */
	static async open(
		server: McpServer,
		access: Access,
		owner: NodeJS.ProcessEnv,
		knownLegacy = false,
	): Promise<Session> {
		const session = new Session(server, access, owner);
		const { connectTimeoutMs } = server.limits;
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<never>((_, reject) => {
			timer = setTimeout(() => reject(session.#late('TIMEOUT_CONNECT', connectTimeoutMs)), connectTimeoutMs);
		});
		try {
			const connecting = session.#client.connect(session.#transport, {
				timeout: connectTimeoutMs,
				...(knownLegacy && { prior: { kind: 'legacy' } }),
			});
			await Promise.race([connecting, late]);
			return session;
		} catch (error) {
			const isLate = error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout;
			const known = isLate
				? session.#late('TIMEOUT_CONNECT', connectTimeoutMs)
				: session.#explain(session.#failure ?? error);
			void session.#stdio?.kill();
			void session.close();
			throw known;
		} finally {
			clearTimeout(timer);
		}
	}

	readonly #transport;

	private constructor(server: McpServer, access: Access, owner: NodeJS.ProcessEnv) {
		this.#server = server;
		this.#client = new Client(clientInfo, {
			capabilities: {},
			// A server on stdio that does not know the question may never answer it; the older greeting needs its time, too.
			versionNegotiation: {
				mode: 'auto',
				...(server.transport.kind === 'stdio' && { probe: { timeoutMs: server.limits.connectTimeoutMs / 3 } }),
			},
			inputRequired: { autoFulfill: false },
		});
		this.#client.onerror = () => this.#hear();
		const { transport, limits, name } = server;
		if (transport.kind === 'stdio') {
			const env = { ...pick(owner, transport.env), ...transport.setEnv, ...access.env };
			this.#redact = redactor(secretsOf(env, access));
			this.#stdio = new StdioTransport(name, { ...transport, env }, limits.maxOutputBytes);
			this.#transport = this.#stdio;
		} else {
			this.#redact = redactor(bearer(access));
			const http = httpTransport(name, transport, {
				...(access.bearerToken !== undefined && { bearerToken: access.bearerToken }),
				maxOutputBytes: limits.maxOutputBytes,
				timeoutMs: limits.maxTimeoutMs,
				onOverflow: (error) => this.#fail(error),
				onFailure: (error) => (this.#failure = error),
			});
			this.#closeConnections = http.closeConnections;
			this.#transport = http.transport;
		}
		this.#transport.onmessage = (message) => this.#inspect(message);
		this.ended = new Promise((resolve) => {
			this.#client.onclose = resolve;
		});
	}

	/** Whether the server speaks a protocol from before 2026-07-28. */
	get isLegacy(): boolean {
		return this.#client.getProtocolEra() === 'legacy';
	}

	/** All tools of the server, over at most 32 pages; a server that never ends its list is `bad-reply` (PROTOCOL). */
	async listTools(deadline: Deadline): Promise<ListedTool[]> {
		if (this.#client.getServerCapabilities()?.tools === undefined) return [];
		return await this.#within(deadline, this.#server.limits.callTimeoutMs, async (options) => {
			const tools = new Map<string, ListedTool>();
			let cursor: string | undefined;
			for (let page = 0; page < maxPages; page += 1) {
				const params = cursor === undefined ? {} : { cursor };
				const { tools: some, nextCursor } = await this.#client.request({ method: 'tools/list', params }, options);
				for (const tool of some) {
					if (tools.has(tool.name)) throw this.#broken(`lists the tool ${JSON.stringify(tool.name)} twice`);
					tools.set(tool.name, tool);
				}
				if (tools.size > maxTools) throw this.#broken(`lists more than ${maxTools} tools`);
				if (nextCursor === undefined) return [...tools.values()];
				cursor = nextCursor;
			}
			throw this.#broken(`does not end its list of tools within ${maxPages} pages`);
		});
	}

	/**
	 * Calls a tool. A failure that the tool itself reports is a result with `isError`. Rejects with `timeout`
	 * (TIMEOUT_CALL), `bad-reply` (LIMIT_OUTPUT, PROTOCOL), `tool-failed` (the server refused the request), `cancelled`, or
	 * what `open` rejects with; the server is told when nobody waits for the answer any more.
	 */
	async callTool(call: ToolCall, deadline: Deadline): Promise<ToolReply> {
		const timeoutMs = Math.min(call.timeoutMs ?? Infinity, this.#server.limits.callTimeoutMs);
		const { definition, resume } = call;
		const result = await this.#within(deadline, timeoutMs, (options) => {
			const params = {
				name: call.tool,
				arguments: { ...call.arguments },
				...(resume?.state !== undefined && { requestState: resume.state }),
				...(resume?.responses !== undefined && { inputResponses: resume.responses }),
			} as Parameters<Client['callTool']>[0];
			return this.#client.callTool(params, {
				...options,
				onprogress: throttled(options.onprogress!, call.onProgress),
				allowInputRequired: true,
				// Results are checked against their schema in content.ts, which bounds what that may cost.
				toolDefinition: {
					inputSchema: { type: 'object' },
					...definition,
					name: call.tool,
					outputSchema: undefined,
				},
			});
		});
		try {
			const reply = asReply(result, (what) => this.#broken(what));
			// Its state goes back exactly as it came.
			return reply.kind === 'complete' ? this.#redact(reply) : { ...reply, requests: this.#redact(reply.requests) };
		} catch (error) {
			throw error instanceof RangeError ? this.#broken('sent a result that is nested too deep') : error;
		}
	}

	/** Lets the running requests finish, takes no more, and ends the connection; resolves when it is gone. */
	retire(): Promise<void> {
		this.#isRetired = true;
		if (this.#running === 0) void this.close();
		return this.ended;
	}

	/** Ends the connection, and with it a server on stdio with all that it started, within 5 s. */
	close(): Promise<void> {
		return (this.#closing ??= this.#end());
	}

	async #end(): Promise<void> {
		await this.#client.close().catch(() => {});
		await this.#transport.close().catch(() => {});
		this.#closeConnections?.();
	}

	/** Runs one request until `timeoutMs` after its start or its last progress, and not beyond the deadline. */
	async #within<T>(
		{ until, signal }: Deadline,
		timeoutMs: number,
		run: (options: RequestOptions) => Promise<T>,
	): Promise<T> {
		if (signal?.aborted) throw cancelled(this.#server.name);
		const stop = new AbortController();
		const abort = () => stop.abort(cancelled(this.#server.name));
		const leftMs = Math.max(until - performance.now(), 0);
		const timer = setTimeout(() => stop.abort(this.#late('TIMEOUT_CALL', timeoutMs)), timeoutMs);
		const absolute = setTimeout(() => stop.abort(this.#late('TIMEOUT_CALL', Math.round(leftMs))), leftMs);
		signal?.addEventListener('abort', abort);
		this.#running += 1;
		try {
			const result = await run({ signal: stop.signal, timeout: 2 ** 31 - 1, onprogress: () => timer.refresh() });
			if (this.#fault) throw this.#fault;
			this.hasServed = true;
			this.#noise = 0;
			return result;
		} catch (error) {
			throw stop.signal.aborted ? (stop.signal.reason as LocalAiError) : this.#explain(error);
		} finally {
			clearTimeout(timer);
			clearTimeout(absolute);
			signal?.removeEventListener('abort', abort);
			this.#running -= 1;
			if (this.#isRetired && this.#running === 0) void this.close();
		}
	}

	/** The SDK lets results of before 2026-07-28 pass whatever kind they say they are. */
	#inspect(message: object): void {
		if (!this.isLegacy || !('result' in message)) return;
		const { resultType } = Object(message.result) as { resultType?: unknown };
		if (resultType !== undefined && resultType !== 'complete') this.#fail(this.#broken(unknownKind));
	}

	/** Something that no request asked for, or nobody understands: a little is forgiven. */
	#hear(): void {
		if (++this.#noise > toleratedNoise) this.#fail(this.#broken('sends messages that answer nothing'));
	}

	#fail(error: LocalAiError): void {
		this.#fault ??= error;
		void this.#stdio?.kill();
		void this.close();
	}

	#explain(error: unknown): LocalAiError {
		const fault = this.#fault ?? this.#stdio?.fault;
		if (fault) return fault;
		if (error instanceof LocalAiError) return error;
		const { name } = this.#server;
		const said = this.#redact(excerpt(error instanceof Error ? error.message : String(error), 300));
		if (
			error instanceof UnauthorizedError ||
			(error instanceof SdkHttpError && [401, 403].includes(error.status ?? 0))
		) {
			return new LocalAiError('unauthorized', `The MCP server ${name} does not accept the credential`, {
				hint: 'Check the token in the credential.',
				reason: 'UNAUTHORIZED',
			});
		}
		if (error instanceof ProtocolError) {
			const told = fromWire(said, error.data);
			if (told) return told;
			return new LocalAiError('tool-failed', `The MCP server ${name} refused the request: ${said}`, {
				hint: 'Correct what the server names, then try again.',
				reason: 'TOOL_ERROR',
			});
		}
		if (error instanceof SdkHttpError) return this.#httpError(error.status ?? 0, said);
		const isGone =
			error instanceof SdkError &&
			[SdkErrorCode.ConnectionClosed, SdkErrorCode.NotConnected, SdkErrorCode.SendFailed].includes(error.code as never);
		if (isGone || this.#stdio?.exit !== undefined) {
			const how = this.#stdio?.exit === undefined ? 'closed the connection' : `ended (${this.#stdio.exit})`;
			const words = this.#redact(excerpt(this.#stdio?.lastWords ?? '', 300));
			return new LocalAiError('unreachable', `The MCP server ${name} ${how}${words && `: ${words}`}`, {
				hint: 'Look at what the server says, then try again.',
				reason: 'SERVER_ENDED',
			});
		}
		return this.#broken(`broke the protocol: ${said}`);
	}

	#httpError(status: number, said: string): LocalAiError {
		const { name } = this.#server;
		if (status === 429 || status === 503) {
			return new LocalAiError('overloaded', `The MCP server ${name} is busy (${status})`, {
				hint: 'Try again later.',
				reason: 'BUSY',
				retryAfterMs: 1000,
			});
		}
		return new LocalAiError('unreachable', `The MCP server ${name} answered ${status}: ${said}`, {
			hint: 'Check the address of the server in the policy, and look at its log.',
			reason: 'HTTP_STATUS',
		});
	}

	#broken(what: string): LocalAiError {
		return new LocalAiError('bad-reply', `The MCP server ${this.#server.name} ${what}`, {
			hint: 'Update the server, or do without it.',
			reason: 'PROTOCOL',
		});
	}

	#late(reason: 'TIMEOUT_CONNECT' | 'TIMEOUT_CALL', ms: number): LocalAiError {
		const what = reason === 'TIMEOUT_CONNECT' ? 'did not answer the greeting' : 'did not finish the call';
		return new LocalAiError('timeout', `The MCP server ${this.#server.name} ${what} within ${ms} ms`, {
			hint: `Raise the time-outs of this server in the policy, or ask for less at a time.`,
			reason,
		});
	}
}

function asReply(result: unknown, broken: (what: string) => LocalAiError): ToolReply {
	if (isInputRequiredResult(result)) {
		return {
			kind: 'input-required',
			requests: { ...result.inputRequests },
			...(result.requestState !== undefined && { state: result.requestState }),
		};
	}
	const { resultType, ...rest } = result as CallToolResult & { resultType?: unknown };
	if (resultType !== undefined && resultType !== 'complete') throw broken(unknownKind);
	return { kind: 'complete', result: rest as CallToolResult };
}

/** Every progress keeps the call alive; a person is told now and then. */
function throttled(keepAlive: (progress: ToolProgress) => void, tell?: (progress: ToolProgress) => void) {
	let lastTold = -Infinity;
	return (progress: ToolProgress) => {
		keepAlive(progress);
		const now = performance.now();
		if (!tell || now - lastTold < progressEveryMs) return;
		lastTold = now;
		tell(progress);
	};
}

function pick(owner: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
	return Object.fromEntries(names.flatMap((name) => (owner[name] === undefined ? [] : [[name, owner[name]]])));
}

function secretsOf(env: Readonly<Record<string, string>>, access: Access): string[] {
	// An address or a folder among the variables is no secret, and answers may have to name it.
	const named = Object.entries({ ...env, ...access.env }).filter(([name]) => secretName.test(name));
	return [...bearer(access), ...named.map(([, value]) => value)];
}

function bearer({ bearerToken }: Access): string[] {
	return bearerToken === undefined ? [] : [bearerToken];
}
