import { type Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';
import { LocalAiError } from './errors';

export interface RequestLimits {
	/** The service's name as a person knows it, for messages. */
	readonly service: string;
	/** What to do when nothing answers. */
	readonly startHint: string;
	/** The whole exchange, the body included. */
	readonly timeoutMs: number;
	readonly maxReplyBytes: number;
	readonly signal?: AbortSignal;
	/** Connections of the caller's own, for one that decides where they may lead; it fits the address's protocol. */
	readonly agent?: Agent;
}

/**
 * A `fetch` that ends within its limits. Rejects, and fails the body's stream, with LocalAiError: `unreachable`,
 * `timeout`, `bad-reply` (too large) or `cancelled`. Any HTTP status is a reply; redirects are not followed.
 */
export function fetchWithin(limits: RequestLimits): typeof fetch {
	return async (input, init) => {
		const request = new Request(input, { ...init, signal: null });
		const body = request.body === null ? undefined : Buffer.from(await request.arrayBuffer());
		const deadline = AbortSignal.timeout(limits.timeoutMs);
		const signal = AbortSignal.any([deadline, limits.signal, init?.signal].filter((one) => one != null));
		const explain = (error: unknown) => asLocalAiError(error, request.url, limits, deadline, signal);
		if (signal.aborted) throw explain(signal.reason);

		const reply = await send(request, body, signal, limits.agent).catch((error: unknown) => {
			throw explain(error);
		});
		const bodyless = [204, 205, 304].includes(reply.statusCode ?? 0);
		return new Response(
			bodyless ? null : (Readable.toWeb(Readable.from(capped(reply, limits, explain))) as ReadableStream),
			{
				status: reply.statusCode ?? 502,
				statusText: reply.statusMessage ?? '',
				headers: Object.entries(reply.headersDistinct).flatMap(([name, values]) =>
					(values ?? []).map((value): [string, string] => [name, value]),
				),
			},
		);
	};
}

/**
 * The error for an HTTP status that is not a success; `detail` is what the server said of it. A status that asks to
 * come back later carries `retryAfterMs` when the server gave it.
 */
export function statusError(service: string, response: Response, detail: string): LocalAiError {
	const { status } = response;
	const said = detail.trim() === '' ? '' : `: ${excerpt(detail)}`;
	const message = `${service} answered ${status}${said}`;
	if (status === 401 || status === 403) {
		return new LocalAiError('unauthorized', message, { hint: `Check the key in the ${service} credential.` });
	}
	if (status === 429 || status === 503) {
		const retryAfterMs = retryAfter(response.headers.get('retry-after'));
		return new LocalAiError('overloaded', message, {
			hint: `${service} is busy. Try again later, or lower the number of requests made at once.`,
			...(retryAfterMs === undefined ? {} : { retryAfterMs }),
		});
	}
	if (status === 408 || status === 504) {
		return new LocalAiError('timeout', message, { hint: `Raise the time-out in front of ${service}, or try again.` });
	}
	if (status >= 500) {
		return new LocalAiError('unreachable', message, { hint: `Look at the log of ${service}, then try again.` });
	}
	return new LocalAiError('configuration', message, { hint: `Check the base URL in the ${service} credential.` });
}

/** The beginning of a text on one line, short enough for a message. */
export function excerpt(text: string, maxLength = 200): string {
	const line = text.replace(/\s+/g, ' ').trim();
	return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}

/** Node's own fetch gives up when headers take longer than 300 s, which a model on a CPU can need for its first token. */
function send(
	request: Request,
	body: Buffer | undefined,
	signal: AbortSignal,
	agent: Agent | undefined,
): Promise<IncomingMessage> {
	return new Promise((resolve, reject) => {
		const { protocol } = new URL(request.url);
		const open = protocol === 'https:' ? requestHttps : requestHttp;
		const outgoing = open(request.url, {
			method: request.method,
			headers: { ...Object.fromEntries(request.headers), ...(body ? { 'content-length': body.length } : {}) },
			signal,
			...(agent && { agent }),
		});
		outgoing.once('response', resolve);
		outgoing.on('error', reject);
		outgoing.end(body);
	});
}

async function* capped(reply: IncomingMessage, limits: RequestLimits, explain: (error: unknown) => LocalAiError) {
	let size = 0;
	try {
		for await (const chunk of reply as AsyncIterable<Buffer>) {
			size += chunk.length;
			if (size > limits.maxReplyBytes) {
				throw new LocalAiError('bad-reply', `${limits.service} sent more than ${limits.maxReplyBytes} bytes`, {
					hint: `Check that the base URL belongs to ${limits.service}.`,
				});
			}
			yield chunk;
		}
	} catch (error) {
		throw explain(error);
	} finally {
		reply.destroy();
	}
}

function asLocalAiError(
	error: unknown,
	url: string,
	{ service, startHint, timeoutMs }: RequestLimits,
	deadline: AbortSignal,
	signal: AbortSignal,
): LocalAiError {
	if (error instanceof LocalAiError) return error;
	const { host } = new URL(url);
	if (deadline.aborted) {
		return new LocalAiError('timeout', `${service} at ${host} did not finish within ${timeoutMs} ms`, {
			hint: 'Raise the time-out, or use a smaller model or a shorter document.',
		});
	}
	if (signal.aborted) {
		return new LocalAiError('cancelled', `The request to ${service} was cancelled`, {
			hint: 'Run it again if it is still wanted.',
		});
	}
	const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown cause';
	const refused = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN', 'ETIMEDOUT'].includes(code);
	return new LocalAiError(
		'unreachable',
		refused
			? `${service} is not reachable at ${host} (${code})`
			: `${service} at ${host} broke off the connection (${code})`,
		{
			hint: refused ? startHint : `Look at the log of ${service}, then try again.`,
			cause: { code },
			nothingAnswers: refused,
		},
	);
}

function retryAfter(header: string | null): number | undefined {
	if (header === null) return undefined;
	const seconds = Number(header);
	const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
	return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}
