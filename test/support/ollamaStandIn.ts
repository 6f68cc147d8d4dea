// A stand-in for Ollama: it speaks the server's HTTP protocol on a real socket and holds no model. What it answers is
// scripted, or read off the document in the prompt by simple rules.
//
// Facts, read in Ollama's sources at v0.12.6 and v0.33.0-rc2 (server/routes.go, server/sched.go, llm/server.go,
// llm/llama_server.go, llm/status.go):
// - a model that is not pulled: 404, `model 'x' not found`
// - a full queue: 503, `server busy, please try again.  maximum pending requests exceeded`, no Retry-After
// - `think: true` for a model that cannot: 400, `"x" does not support thinking`; `think: false` is never refused
// - too little memory: 500, `model requires more system memory (…) than is available (…)` (0.12), or what the runner
//   printed last; a runner that died: 500, `model runner has unexpectedly stopped, this may be due to resource …`
// - a format that is no schema: 500, `invalid format: …`; a schema without a grammar: 500, `invalid JSON schema in format`
// - a prompt that does not fit, with `truncate: false`: 400, `the input length exceeds the context length`, or the
//   runner's own body as a text in `error` (since 0.30); without it the oldest messages are left out silently
// - an error before the first part is a status with JSON; after it, a line `{"error": …}` in the stream, which then ends
// - after more than 30 equal tokens in a row the stream ends in good order without its last message
// - a model of Ollama's cloud, not signed in: 401, `{"error":"unauthorized","signin_url":…}`; Ollama itself asks for no
//   key, a 401 of a reverse proxy has the proxy's own body
//
// Tokens are counted roughly: a piece of up to four letters, a digit or a sign each count as one. Real tokenizers differ.
//
// As a program: node test/support/ollamaStandIn.ts [port]
// prints {"baseUrl": "http://127.0.0.1:<port>"} on one line and serves until it is ended.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StandInRequest {
	readonly method: string;
	readonly path: string;
	readonly headers: Readonly<Record<string, string | string[] | undefined>>;
	/** The JSON body; for `/api/chat` see ChatBody. */
	readonly body: unknown;
}

export interface ChatBody {
	readonly model: string;
	readonly messages: ReadonlyArray<{
		readonly role: string;
		readonly content: string;
		readonly images?: readonly string[];
	}>;
	readonly stream?: boolean;
	readonly format?: object | string;
	readonly think?: boolean;
	readonly truncate?: boolean;
	readonly options?: { readonly num_ctx?: number; readonly num_predict?: number; readonly temperature?: number };
}

/** What becomes of one chat request. Without a script every request is answered `from-page`. */
export type Behaviour =
	| { readonly kind: 'answer'; readonly content: string | object; readonly thinking?: string }
	| { readonly kind: 'from-page' }
	/** Any HTTP status with Ollama's error body, or a body of its own. */
	| {
			readonly kind: 'status';
			readonly status: number;
			readonly error?: string;
			readonly body?: string;
			readonly headers?: Record<string, string>;
	  }
	/** The connection closes before any byte. */
	| { readonly kind: 'drop' }
	/** Nothing comes, or nothing more after `content`, until the client goes away. */
	| { readonly kind: 'stall'; readonly content?: string }
	/** The connection closes after this much content, without the final message. */
	| { readonly kind: 'cut'; readonly content: string }
	/** The stream ends in good order after this much content, without the final message: a repetition was stopped. */
	| { readonly kind: 'unfinished'; readonly content: string }
	/** An error in the middle of the stream, as when the runner dies. */
	| { readonly kind: 'error-in-stream'; readonly content: string; readonly error: string }
	/** `content`, then `unit` for ever: endless white space, a loop. */
	| { readonly kind: 'endless'; readonly content: string; readonly unit: string };

export interface StandInOptions {
	readonly port?: number;
	/** Names of the models that are "pulled". Default: the package's own default model. */
	readonly models?: readonly string[];
	/** Models that reason before they answer; the others refuse `think: true`. */
	readonly thinkingModels?: readonly string[];
	/** A bearer token that each request must carry. */
	readonly apiKey?: string;
}

export interface OllamaStandIn {
	readonly baseUrl: string;
	readonly requests: readonly StandInRequest[];
	/** Bodies of the chat requests so far. */
	chats(): ChatBody[];
	/** Behaviours of the next chat requests, in order; the last one stays. */
	script(...behaviours: Behaviour[]): void;
	/** Chat requests that have not ended. */
	open(): number;
	/** Resolves once no chat request is open. */
	settled(): Promise<void>;
	close(): Promise<void>;
}

/** Starts the stand-in on 127.0.0.1, on a free port unless told otherwise. */
export async function startOllamaStandIn(options: StandInOptions = {}): Promise<OllamaStandIn> {
	const models = options.models ?? ['qwen2.5-coder:3b-instruct'];
	const requests: StandInRequest[] = [];
	let behaviours: Behaviour[] = [{ kind: 'from-page' }];
	let open = 0;
	const waiting: Array<() => void> = [];
	const server = createServer((request, response) => {
		void serve(request, response).catch((error: unknown) => response.destroy(error as Error));
	});

	async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const text = await bodyOf(request);
		const path = new URL(request.url ?? '/', 'http://localhost').pathname;
		const body: unknown = text === '' ? null : JSON.parse(text);
		requests.push({ method: request.method ?? '', path, headers: request.headers, body });
		if (options.apiKey !== undefined && request.headers.authorization !== `Bearer ${options.apiKey}`) {
			return json(response, 401, { error: 'unauthorized' });
		}
		switch (path) {
			case '/':
				return void response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('Ollama is running');
			case '/api/version':
				return json(response, 200, { version: '0.12.6' });
			case '/api/tags':
				return json(response, 200, { models: models.map(modelEntry) });
			case '/api/ps':
				return json(response, 200, { models: [] });
			case '/api/show':
				return show(response, String((body as { model?: string }).model));
			case '/api/chat':
				open++;
				response.once('close', () => {
					open--;
					if (open === 0) for (const resolve of waiting.splice(0)) resolve();
				});
				return chat(response, body as ChatBody);
			default:
				return void response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found');
		}
	}

	function show(response: ServerResponse, model: string): void {
		if (!models.includes(model)) return json(response, 404, { error: `model '${model}' not found` });
		const capabilities = ['completion', ...(options.thinkingModels?.includes(model) ? ['thinking'] : [])];
		json(response, 200, {
			details: modelEntry(model).details,
			model_info: { 'general.architecture': 'qwen2', 'qwen2.context_length': 32768 },
			capabilities,
		});
	}

	function chat(response: ServerResponse, body: ChatBody): void {
		if (!models.includes(body.model)) return json(response, 404, { error: `model '${body.model}' not found` });
		if (body.think === true && !options.thinkingModels?.includes(body.model)) {
			return json(response, 400, { error: `"${body.model}" does not support thinking` });
		}
		const behaviour = behaviours.length > 1 ? behaviours.shift()! : behaviours[0]!;
		return play(response, body, behaviour);
	}

	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen(options.port ?? 0, '127.0.0.1', resolve);
	});
	const { port } = server.address() as AddressInfo;
	return {
		baseUrl: `http://127.0.0.1:${port}`,
		requests,
		chats: () => requests.filter(({ path }) => path === '/api/chat').map(({ body }) => body as ChatBody),
		script: (...next) => (behaviours = next),
		open: () => open,
		settled: () => (open === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
		close: () => closed(server),
	};
}

/** Tokens of a text by the rough count of this stand-in. */
export function roughTokens(text: string): number {
	return text.match(/\p{L}{1,4}|\p{N}|[^\p{L}\p{N}\s]|\n+/gu)?.length ?? 0;
}

function play(response: ServerResponse, body: ChatBody, behaviour: Behaviour): void {
	switch (behaviour.kind) {
		case 'answer':
			return answer(response, body, textOf(behaviour.content), behaviour.thinking);
		case 'from-page':
			return answer(response, body, JSON.stringify(answerFromPage(body)));
		case 'status':
			if (behaviour.body === undefined)
				return json(response, behaviour.status, { error: behaviour.error ?? '' }, behaviour.headers);
			return void response
				.writeHead(behaviour.status, { 'content-type': 'text/html', ...behaviour.headers })
				.end(behaviour.body);
		case 'drop':
			return void response.destroy();
		case 'stall':
			if (behaviour.content !== undefined) startStream(response, body, behaviour.content);
			return;
		case 'cut':
			startStream(response, body, behaviour.content);
			return void response.write('{"model":', () => response.destroy());
		case 'unfinished':
			startStream(response, body, behaviour.content);
			return void response.end();
		case 'error-in-stream':
			startStream(response, body, behaviour.content);
			return void response.end(`${JSON.stringify({ error: behaviour.error })}\n`);
		case 'endless': {
			startStream(response, body, behaviour.content);
			const more = () => {
				while (!response.destroyed && response.write(`${JSON.stringify(part(body, behaviour.unit))}\n`));
				if (!response.destroyed) response.once('drain', () => setImmediate(more));
			};
			return more();
		}
		default:
			return behaviour satisfies never;
	}
}

/** As Ollama does: the prompt is cut to the context, the reply to `num_predict`, and both are counted. */
function answer(response: ServerResponse, body: ChatBody, content: string, thinking?: string): void {
	const { num_ctx: context = 4096, num_predict: limit = -1 } = body.options ?? {};
	const pieces = content.match(/\p{L}{1,4}|\p{N}|[^\p{L}\p{N}\s]|\s+/gu) ?? [];
	const kept = limit >= 0 ? pieces.slice(0, limit) : pieces;
	const prompt = Math.min(
		roughTokens(body.messages.map((message) => message.content).join('\n')) + 4 * body.messages.length,
		context,
	);
	const end = {
		done: true,
		done_reason: kept.length < pieces.length ? 'length' : 'stop',
		total_duration: 5_000_000 * kept.length + 1_000_000 * prompt,
		load_duration: 1_000_000,
		prompt_eval_count: prompt,
		prompt_eval_duration: 1_000_000 * prompt,
		eval_count: kept.length,
		eval_duration: 5_000_000 * kept.length,
	};
	if (body.stream === false) {
		return json(response, 200, { ...part(body, kept.join(''), thinking), ...end });
	}
	response.writeHead(200, { 'content-type': 'application/x-ndjson' });
	if (thinking !== undefined && body.think !== false) response.write(`${JSON.stringify(part(body, '', thinking))}\n`);
	for (const piece of kept) response.write(`${JSON.stringify(part(body, piece))}\n`);
	response.end(`${JSON.stringify({ ...part(body, ''), ...end })}\n`);
}

function startStream(response: ServerResponse, body: ChatBody, content: string): void {
	response.writeHead(200, { 'content-type': 'application/x-ndjson' });
	response.write(`${JSON.stringify(part(body, content))}\n`);
}

function part({ model }: ChatBody, content: string, thinking?: string) {
	return {
		model,
		created_at: new Date().toISOString(),
		message: { role: 'assistant', content, ...(thinking === undefined ? {} : { thinking }) },
		done: false,
	};
}

/**
 * Reads the document in the prompt by simple rules and answers the keys of `format`: what a small model could find on a
 * plain devis or invoice. Keys that it has no rule for are null.
 */
function answerFromPage({ messages, format }: ChatBody): Record<string, unknown> {
	const doc = messages.find(({ role }) => role === 'user')?.content ?? '';
	const rows = doc.split('\n').map((row) => row.split('|').map((cell) => cell.trim()));
	const keys = Object.keys(
		(typeof format === 'object' ? (format as { properties?: object }).properties : undefined) ?? {},
	);
	return Object.fromEntries(
		keys.map((key) => [key, key === 'lines' ? linesOf(rows) : (pageRules[key]?.(doc, rows) ?? null)]),
	);
}

type PageRule = (doc: string, rows: string[][]) => string | undefined;

const anyDate = /\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b|\b\d{1,2}(?:er)? \p{L}+ \d{4}\b|\b\d{4}-\d\d-\d\d\b/u;
/** The last number of a cell. */
const anyAmount = /-?\d[\d  .,]*(?=\D*$)/;
const onlyAmount = /^-?\d[\d  .,]*(?: ?[€$£])?$/;
const amountOn =
	(label: RegExp): PageRule =>
	(_, rows) => {
		const row = rows.filter((cells) => label.test(cells.join(' ')) && anyAmount.test(cells.at(-1) ?? '')).at(-1);
		return row && anyAmount.exec(row.at(-1)!)?.[0].trim();
	};
const dateOn =
	(label: RegExp): PageRule =>
	(_, rows) => {
		const row = rows.find((cells) => label.test(cells.join(' ')) && anyDate.test(cells.join(' ')));
		return row && anyDate.exec(row.join(' '))?.[0];
	};
const pageRules: Readonly<Record<string, PageRule>> = {
	number: (doc) =>
		/(?:devis|facture|avoir|invoice|rechnung)[^\n|]{0,20}?(?:n[°ºo]\.?|nr\.?|:|#)[\s:|]*([\w./-]*\d[\w./-]*)/i.exec(
			doc,
		)?.[1],
	date: (doc, rows) => dateOn(/\bdate\b|\ble\b|datum/i)(doc, rows) ?? anyDate.exec(doc)?.[0],
	validUntil: dateOn(/valable|validit|échéance|jusqu|due|fällig/i),
	currency: (doc) => /€|EUR|CHF|£|USD/.exec(doc)?.[0],
	seller: (_, rows) =>
		rows.find(([first]) => first !== undefined && /\p{L}{3}/u.test(first) && !/devis|facture|page/i.test(first))?.[0],
	sellerVat: (doc) => /\b[A-Z]{2} ?(?:\d ?){9,12}/.exec(doc)?.[0].trim(),
	sellerSiret: (doc) => /\b\d{3} ?\d{3} ?\d{3} ?\d{5}\b/.exec(doc)?.[0],
	buyer: (_, rows) => {
		const at = rows.findIndex((cells) =>
			cells.some((cell) => /^(?:client|destinataire|facturé à|adressé à)\b/i.test(cell)),
		);
		const label = rows[at]?.find((cell) => /^(?:client|destinataire|facturé à|adressé à)\b/i.test(cell));
		const inline = label?.replace(/^[^:]*:?\s*/, '');
		return at === -1 ? undefined : inline && label?.includes(':') ? inline : rows[at + 1]?.at(-1);
	},
	buyerEmail: (doc) => /[\w.+-]+@[\w-]+\.[\w.]+\w/.exec(doc)?.[0],
	net: amountOn(/\bH\.?T\b|hors taxe|netto|subtotal/i),
	tax: amountOn(/T\.?V\.?A|mwst|\btax\b/i),
	gross: amountOn(/T\.?T\.?C|net à payer|total due|gesamt/i),
};

function linesOf(rows: string[][]): object[] {
	return rows
		.filter((cells) => cells.length >= 3 && /\p{L}{3}/u.test(cells[0]!) && onlyAmount.test(cells.at(-1)!))
		.filter((cells) => !/^(?:total|sous-total|net|tva|remise|acompte|montant|base)\b/i.test(cells[0]!))
		.map((cells) => {
			const figures = cells.slice(1);
			const amounts = figures.filter((cell) => onlyAmount.test(cell));
			return {
				desc: cells[0],
				qty:
					figures.find(
						(cell) => /^\d+(?:[.,]\d+)?\b/.test(cell) && cell !== amounts.at(-1) && cell !== amounts.at(-2),
					) ?? null,
				unit: null,
				price: amounts.length > 1 ? amounts.at(-2) : null,
				vat: figures.find((cell) => cell.includes('%')) ?? null,
				total: amounts.at(-1),
			};
		});
}

function modelEntry(name: string) {
	return {
		name,
		model: name,
		modified_at: '2026-01-01T00:00:00Z',
		size: 1_929_912_432,
		digest: 'f72c60cabf6237b07f6e632b2c48d533cef25eda2efbd34bed21c5e9c01e6225',
		details: {
			parent_model: '',
			format: 'gguf',
			family: 'qwen2',
			families: ['qwen2'],
			parameter_size: '3.1B',
			quantization_level: 'Q4_K_M',
		},
	};
}

function textOf(content: string | object): string {
	return typeof content === 'string' ? content : JSON.stringify(content);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
	return Buffer.concat(chunks).toString('utf8');
}

function json(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
	response
		.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers })
		.end(JSON.stringify(body));
}

async function closed(server: Server): Promise<void> {
	await new Promise<void>((resolve) => {
		server.close(() => resolve());
		server.closeAllConnections();
	});
}

if (process.argv[1]?.endsWith('ollamaStandIn.ts') === true) {
	const standIn = startOllamaStandIn({ port: Number(process.argv[2] ?? 0) });
	void standIn.then(({ baseUrl }) => process.stdout.write(`${JSON.stringify({ baseUrl })}\n`));
	for (const signal of ['SIGINT', 'SIGTERM'] as const) {
		process.once(signal, () => void standIn.then(({ close }) => close()).then(() => process.exit(0)));
	}
}
