import { setTimeout as wait } from 'node:timers/promises';
import { Ollama, type ChatResponse, type Message } from 'ollama';
import { LocalAiError } from './errors';
import { excerpt, fetchWithin, statusError } from './http';

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
 * and what came before is returned. Counts are the server's; where it was stopped early, `promptTokens` is an estimate
 * from above. Rejects with LocalAiError.
 */
export function ollamaChat(
	options: OllamaChatOptions,
): (request: StructuredRequest, signal?: AbortSignal) => Promise<StructuredReply> {
	const { timeoutMs = 30 * 60_000, maxTries = 3, retryDelayMs = 1_000 } = options;
	return async (request, signal) => {
		const deadline = Date.now() + timeoutMs;
		let think: false | undefined = false;
		for (let tries = 1; ; tries++) {
			try {
				return await chatOnce(options, request, think, Math.max(1, deadline - Date.now()), signal);
			} catch (error) {
				if (!(error instanceof LocalAiError)) throw error;
				if (think === false && /think/i.test(error.message) && error.code === 'configuration') {
					think = undefined;
					continue;
				}
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
		throw explain(error, server.baseUrl);
	}
}

async function chatOnce(
	server: OllamaServer,
	request: StructuredRequest,
	think: false | undefined,
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
			...(think === undefined ? {} : { think }),
			options: { temperature: 0, num_ctx: request.numCtx, num_predict: request.maxReplyTokens },
		});
		let text = '';
		let pieces = 0;
		let checkedAt = 0;
		for await (const part of stream) {
			text += part.message?.content ?? '';
			pieces++;
			if (part.done) return finished(part, text, Date.now() - started);
			if (text.length - checkedAt >= 256) {
				checkedAt = text.length;
				if (runsAway(text)) {
					stream.abort();
					return {
						text: text.trimEnd(),
						promptTokens: estimateTokens(request.messages.map(({ content }) => content).join('\n')),
						replyTokens: pieces,
						durationMs: Date.now() - started,
					};
				}
			}
		}
		throw brokenOff(server.baseUrl);
	} catch (error) {
		throw explain(error, server.baseUrl);
	}
}

/**
 * Tokens a text can cost, from above, for the byte-level tokenizers that models share: two letters of a word in a Latin
 * script make at least one token's worth, of codes and other scripts each byte may be one.
 */
export function estimateTokens(text: string): number {
	let tokens = 4;
	for (const [piece] of text.matchAll(/\p{L}+|\s+|[^\p{L}\s]+/gu)) {
		const bytes = Buffer.byteLength(piece);
		if (piece !== ' ')
			tokens +=
				/^\p{Lu}?\p{Ll}+$/u.test(piece) && latinWord.test(piece) ? Math.ceil((2 * bytes - piece.length) / 2) : bytes;
	}
	return tokens;
}

const latinWord = /^[a-zà-öø-ÿœ]+$/i;

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
	if (/more system memory|out of memory|cudaMalloc|signal: killed/i.test(said)) {
		return new LocalAiError(
			'configuration',
			`Ollama has too little memory for ${model ?? 'this model'}: ${excerpt(said)}`,
			{
				hint: 'Choose a smaller model, lower the context length, or free memory on that machine.',
			},
		);
	}
	return statusError(service, response, said);
}

function messageIn(body: string): string {
	try {
		const parsed: unknown = JSON.parse(body);
		if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) return String(parsed.error);
	} catch {
		// A proxy in front of Ollama answers in HTML or plain text: shown as it is.
	}
	return body;
}

function explain(error: unknown, url: string): LocalAiError {
	if (error instanceof LocalAiError) return error;
	const message = error instanceof Error ? error.message : String(error);
	if (/Did not receive done/.test(message)) return brokenOff(url);
	if (/more system memory|out of memory|signal: killed/i.test(message)) {
		return new LocalAiError('configuration', `Ollama ran out of memory: ${excerpt(message)}`, {
			hint: 'Choose a smaller model, lower the context length, or free memory on that machine.',
		});
	}
	return new LocalAiError('bad-reply', `Ollama reported an error in its reply: ${excerpt(message)}`, {
		hint: 'Look at the log of Ollama, then try again.',
	});
}

function worthAnotherTry({ code, hint }: LocalAiError): boolean {
	return code === 'overloaded' || (code === 'unreachable' && !hint.startsWith('Start it'));
}

function brokenOff(url: string): LocalAiError {
	return new LocalAiError('unreachable', `Ollama at ${new URL(url).host} broke off its reply`, {
		hint: 'Look at the log of Ollama, then try again.',
	});
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
