import { setTimeout as wait } from 'node:timers/promises';
import { Ollama, type ChatResponse, type Message } from 'ollama';
import { LocalAiError } from './errors';
import { excerpt, fetchWithin, statusError } from './http';
import { estimateTokens } from './tokens';

export interface OllamaServer {
	/** For instance `http://127.0.0.1:11434`. */
	readonly baseUrl: string;
	/** Sent as a bearer token, for a server behind a proxy that asks for one. */
	readonly apiKey?: string;
}

export interface OllamaChatOptions extends OllamaServer {
	/** Wall clock for one chat, tries included. Default 30 minutes: a model on a CPU is slow, not hung. */
	readonly timeoutMs?: number;
	/** How often a busy server or a broken connection is tried in all. Default 3. */
	readonly maxTries?: number;
	/** Pause before the second try, doubled before each further one, unless the server names its own. Default 1000. */
	readonly retryDelayMs?: number;
}

export interface StructuredRequest {
	model: string;
	messages: Array<{ role: 'system' | 'user' | 'assistant'; content: string; images?: Uint8Array[] }>;
	/** JSON Schema that the reply should fit. Not every server and model obeys it. */
	schema: object;
	numCtx: number;
	maxReplyTokens: number;
}

export interface StructuredReply {
	text: string;
	promptTokens: number;
	replyTokens: number;
	durationMs: number;
}

const service = 'Ollama';
const maxReplyBytes = 64 * 1024 * 1024;

/**
 * A chat over Ollama's own `/api/chat` at temperature 0, streamed, so that endless white space or repetition ends early
 * and what came before is returned; so it is where the server itself ends a repetition. Counts are the server's; of a
 * reply that was stopped, `promptTokens` is an estimate from above. Rejects with LocalAiError.
 */
export function ollamaChat(
	options: OllamaChatOptions,
): (request: StructuredRequest, signal?: AbortSignal) => Promise<StructuredReply> {
	const { timeoutMs = 30 * 60_000, maxTries = 3, retryDelayMs = 1_000 } = options;
	return async (request, signal) => {
		const deadline = Date.now() + timeoutMs;
		for (let tries = 1; ; tries++) {
			try {
				return await chatOnce(options, request, Math.max(1, deadline - Date.now()), signal);
			} catch (error) {
				if (!(error instanceof LocalAiError)) throw error;
				const pauseMs = error.retryAfterMs ?? retryDelayMs * 2 ** (tries - 1);
				if (tries >= maxTries || !worthAnotherTry(error) || Date.now() + pauseMs >= deadline) throw error;
				await wait(pauseMs, undefined, { signal }).catch(() => {
					throw cancelled();
				});
			}
		}
	};
}

export interface InstalledModel {
	readonly name: string;
	readonly sizeBytes: number;
	/** For instance `3.1B`; empty where the server does not say. */
	readonly parameterSize: string;
}

/** The models that the server holds, by name. Rejects with LocalAiError. */
export async function listModels(
	server: OllamaServer & { readonly timeoutMs?: number },
	signal?: AbortSignal,
): Promise<InstalledModel[]> {
	try {
		const { models } = await client(server, server.timeoutMs ?? 10_000, signal).list();
		return models
			.map(({ name, size, details }) => ({ name, sizeBytes: size, parameterSize: details?.parameter_size ?? '' }))
			.sort((a, b) => a.name.localeCompare(b.name));
	} catch (error) {
		throw explain(error);
	}
}

export interface ServerState {
	readonly version: string;
	readonly installed: readonly InstalledModel[];
	/** The models in memory, and when Ollama will put each away; `null` where it stays for ever. */
	readonly loaded: ReadonlyArray<{
		readonly name: string;
		readonly sizeBytes: number;
		readonly expiresAt: string | null;
	}>;
}

/** What the server is, holds, and has in memory. Rejects with LocalAiError. */
export async function describeServer(
	server: OllamaServer & { readonly timeoutMs?: number },
	signal?: AbortSignal,
): Promise<ServerState> {
	try {
		const ollama = client(server, server.timeoutMs ?? 10_000, signal);
		const [{ version }, { models }, installed] = await Promise.all([
			ollama.version(),
			ollama.ps(),
			listModels(server, signal),
		]);
		const loaded = models.map(({ name, size, expires_at }) => {
			const expiresAt = new Date(expires_at);
			// A model that is kept for ever expires in some hundred years.
			const forEver = Number.isNaN(expiresAt.getTime()) || expiresAt.getFullYear() > 2200;
			return { name, sizeBytes: size, expiresAt: forEver ? null : expiresAt.toISOString() };
		});
		return { version, installed, loaded };
	} catch (error) {
		throw explain(error);
	}
}

async function chatOnce(
	server: OllamaServer,
	request: StructuredRequest,
	timeoutMs: number,
	signal: AbortSignal | undefined,
): Promise<StructuredReply> {
	const started = Date.now();
	const messages: Message[] = request.messages.map(({ images, ...message }) => ({
		...message,
		...(images ? { images: images.map((bytes) => Buffer.from(bytes).toString('base64')) } : {}),
	}));
	try {
		const stream = await client(server, timeoutMs, signal, request.model).chat({
			model: request.model,
			messages,
			stream: true,
			format: request.schema,
			// Models that can think do so by default (0.12.6 and later), and those that cannot take this without complaint.
			think: false,
			// A prompt that does not fit is an error then; by default its oldest messages are left out silently.
			...({ truncate: false } as object),
			options: { temperature: 0, num_ctx: request.numCtx, num_predict: request.maxReplyTokens },
		});
		let text = '';
		let pieces = 0;
		let checkedAt = 0;
		const stopped = (): StructuredReply => ({
			text: text.trimEnd(),
			promptTokens: estimateTokens(request.messages.map(({ content }) => content).join('\n')),
			replyTokens: pieces,
			durationMs: Date.now() - started,
		});
		try {
			for await (const part of stream) {
				text += part.message?.content ?? '';
				pieces++;
				if (part.done) return finished(part, text, Date.now() - started);
				if (text.length - checkedAt >= 256) {
					checkedAt = text.length;
					if (runsAway(text)) {
						stream.abort();
						return stopped();
					}
				}
			}
		} catch (error) {
			// Ollama stops a model that repeats itself and closes the reply in good order, without its last message.
			if (error instanceof Error && error.message.startsWith('Did not receive done')) return stopped();
			throw error;
		}
		return stopped();
	} catch (error) {
		throw explain(error, request.model);
	}
}

function client(server: OllamaServer, timeoutMs: number, signal: AbortSignal | undefined, model?: string): Ollama {
	const within = fetchWithin({
		service,
		startHint: 'Start it with "ollama serve", or correct the base URL in the Ollama credential.',
		timeoutMs,
		maxReplyBytes,
		...(signal ? { signal } : {}),
	});
	const url = baseUrl(server.baseUrl);
	const authorization = server.apiKey ? `Bearer ${server.apiKey}` : basic(url);
	[url.username, url.password] = ['', ''];
	return new Ollama({
		host: url.href.replace(/\/+$/, ''),
		headers: authorization === undefined ? {} : { Authorization: authorization },
		fetch: async (input, init) => {
			const response = await within(input, init);
			if (!response.ok) throw refusal(response, await response.text(), model);
			if (!/json/.test(response.headers.get('content-type') ?? '')) {
				await response.body?.cancel();
				throw notOllama(server.baseUrl);
			}
			return response;
		},
	});
}

function baseUrl(text: string): URL {
	try {
		const url = new URL(text);
		if (url.protocol === 'http:' || url.protocol === 'https:') return url;
	} catch {
		// Falls through to the error below, which names the mistake better than the URL parser does.
	}
	throw new LocalAiError('configuration', 'The base URL of Ollama is not an http or https address', {
		hint: 'In the Ollama credential, write it like http://127.0.0.1:11434.',
	});
}

/** A user and password in the address are sent as a header: kept in the address, they would stand in logs. */
function basic({ username, password }: URL): string | undefined {
	if (username === '' && password === '') return undefined;
	return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
}

function finished(part: ChatResponse, text: string, durationMs: number): StructuredReply {
	return {
		text,
		promptTokens: part.prompt_eval_count ?? 0,
		replyTokens: part.eval_count ?? 0,
		durationMs: part.total_duration ? Math.round(part.total_duration / 1e6) : durationMs,
	};
}

/** A grammar lets a model emit white space for ever, and a small model can fall into a loop. */
function runsAway(text: string): boolean {
	if (/\s{256}$/.test(text)) return true;
	const tail = text.slice(-4096);
	if (tail.length < 4096) return false;
	for (let period = 1; period <= 256; period++) {
		if (tail.slice(0, -period) === tail.slice(period)) return true;
	}
	return false;
}

function refusal(response: Response, body: string, model: string | undefined): LocalAiError {
	const said = messageIn(body);
	if (response.status === 404 && model !== undefined && /not found/i.test(said)) {
		return new LocalAiError('configuration', `Ollama does not have the model "${model}"`, {
			hint: `Run: ollama pull ${model}`,
		});
	}
	if (response.status === 401 && /"signin_url"/.test(body)) {
		return new LocalAiError('unauthorized', `Ollama would send "${model}" to its cloud and is not signed in there`, {
			hint: 'Choose a model that runs on your own machine.',
		});
	}
	return known(said, model) ?? statusError(service, response, said);
}

/** The error for what Ollama and its runner say of a request that will never work, or rarely. */
function known(said: string, model = 'this model'): LocalAiError | undefined {
	const configuration = (message: string, hint: string) =>
		new LocalAiError('configuration', `${message}: ${excerpt(said)}`, { hint });
	if (outOfMemory.test(said)) {
		return configuration(
			`Ollama has too little memory for ${model}`,
			'Choose a smaller model, lower the context length, or free memory on that machine.',
		);
	}
	if (/unexpectedly stopped|no longer running|process has terminated/i.test(said)) {
		return new LocalAiError('unreachable', `The model runner of Ollama stopped: ${excerpt(said)}`, {
			hint: `Memory is the usual cause: choose a smaller model than ${model}, or lower the context length. The log of Ollama tells more.`,
		});
	}
	if (/longer than the context|exceeds? the (?:available )?context|context (?:size|length) exceeded/i.test(said)) {
		return configuration('The prompt is too long for the context', 'Raise the context length.');
	}
	if (/invalid format|invalid JSON schema|failed to parse grammar|JSON schema conversion/i.test(said)) {
		return configuration('Ollama cannot use this JSON Schema', 'Simplify the schema: fewer patterns and alternatives.');
	}
	if (/image input/i.test(said)) {
		return configuration(`${model} cannot read images`, 'Choose a vision model, such as qwen2.5vl:3b.');
	}
	return undefined;
}

const outOfMemory =
	/more system memory|out of (?:device )?memory|erroroutofmemory|(?:cuda|hip)Malloc failed|failed to allocate|allocation failed|(?:not enough|insufficient) memory|signal: killed/i;

function messageIn(body: string): string {
	try {
		const parsed: unknown = JSON.parse(body);
		if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) {
			const { error } = parsed;
			// Since 0.30 the runner's own reply stands in it as text: `{"error":{"code":400,"message":"…"}}`.
			if (typeof error === 'string') return error.startsWith('{') ? messageIn(error) : error;
			if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
		}
	} catch {
		// A proxy in front of Ollama answers in HTML or plain text: shown as it is.
	}
	return body;
}

function explain(error: unknown, model?: string): LocalAiError {
	if (error instanceof LocalAiError) return error;
	const message = error instanceof Error ? error.message : String(error);
	return (
		known(messageIn(message), model) ??
		new LocalAiError('bad-reply', `Ollama reported an error in its reply: ${excerpt(message)}`, {
			hint: 'Look at the log of Ollama, then try again.',
		})
	);
}

function worthAnotherTry({ code, nothingAnswers }: LocalAiError): boolean {
	return code === 'overloaded' || (code === 'unreachable' && nothingAnswers !== true);
}

function notOllama(url: string): LocalAiError {
	return new LocalAiError('configuration', `What answers at ${new URL(url).host} is not Ollama`, {
		hint: 'Check the base URL in the Ollama credential.',
	});
}

function cancelled(): LocalAiError {
	return new LocalAiError('cancelled', 'The request to Ollama was cancelled', {
		hint: 'Run it again if it is still wanted.',
	});
}
