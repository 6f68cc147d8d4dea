import { existsSync, readFileSync } from 'node:fs';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { writePrivately } from './state.mts';

/** How to reach a running n8n. */
export interface Editor {
	readonly url: string;
	/** Gives up what is being asked. */
	readonly signal: AbortSignal;
	/** Longest wait for one answer. */
	readonly answerWithinMs: number;
}

export interface Owner {
	readonly email: string;
	readonly password: string;
}

/** A key for n8n's public API, and the file it is kept in. */
export interface ApiKeyWish {
	/** By which a person finds it in n8n's settings. */
	readonly name: string;
	readonly file: string;
	/** What it may do, at most; everything that the owner may where this is absent. */
	readonly scopes?: readonly string[];
	/** A path that n8n answers to a caller with this key. */
	readonly probe: string;
}

/**
 * API keys of the owner's that n8n accepts, one for each wish: the one in its file where it still works, else a new one,
 * kept there from now on. Throws `unauthorized` when n8n refuses the login, `timeout` when it does not answer.
 */
export async function ensureApiKeys(editor: Editor, owner: Owner, wishes: readonly ApiKeyWish[]): Promise<string[]> {
	const keys: string[] = [];
	let cookie: string | undefined;
	for (const wish of wishes) {
		const kept = await keptKey(editor, wish);
		cookie ??= kept === undefined ? await logIn(editor, owner) : undefined;
		keys.push(kept ?? (await newKey(editor, cookie!, wish)));
	}
	return keys;
}

/** Publishes a workflow as it is saved; returns undefined, or n8n's own words on what keeps it a draft. */
export async function publish(editor: Editor, apiKey: string, id: string): Promise<string | undefined> {
	const response = await ask(editor, `/api/v1/workflows/${encodeURIComponent(id)}/publish`, {
		method: 'POST',
		headers: { 'X-N8N-API-KEY': apiKey, 'Content-Type': 'application/json' },
		body: '{}',
	});
	if (response.ok) return undefined;
	const body = await response.text();
	try {
		return (JSON.parse(body) as { message?: string }).message ?? body;
	} catch {
		return `${response.status} ${body.slice(0, 200)}`;
	}
}

/**
 * Runs a workflow now, from one of its triggers, as its owner would from the editor. Throws `unauthorized` when n8n refuses
 * the login, `bad-reply` when it does not run it.
 */
export async function runNow(editor: Editor, owner: Owner, id: string, trigger: string): Promise<void> {
	const cookie = await logIn(editor, owner);
	await rest(editor, cookie, 'POST', `/rest/workflows/${encodeURIComponent(id)}/run`, {
		triggerToStartFrom: { name: trigger },
	});
}

async function keptKey(editor: Editor, { file, probe }: ApiKeyWish): Promise<string | undefined> {
	if (!existsSync(file)) return undefined;
	const key = readFileSync(file, 'utf8').trim();
	const { ok } = await ask(editor, probe, { headers: { 'X-N8N-API-KEY': key } });
	return ok ? key : undefined;
}

async function newKey(editor: Editor, cookie: string, { name, file, scopes }: ApiKeyWish): Promise<string> {
	const { rawApiKey } = await rest<{ rawApiKey: string }>(editor, cookie, 'POST', '/rest/api-keys', {
		label: `${name} ${new Date().toISOString()}`,
		expiresAt: null,
		scopes: scopes ?? (await rest<string[]>(editor, cookie, 'GET', '/rest/api-keys/scopes')),
	});
	writePrivately(file, `${rawApiKey}\n`);
	return rawApiKey;
}

async function logIn(editor: Editor, { email, password }: Owner): Promise<string> {
	const response = await ask(editor, '/rest/login', {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ emailOrLdapLoginId: email, password }),
	});
	const cookie = response.headers
		.getSetCookie()
		.find((one) => one.startsWith('n8n-auth='))
		?.split(';')[0];
	if (response.ok && cookie) return cookie;
	throw new LocalAiError('unauthorized', `n8n refuses the login of ${email} (${response.status}).`, {
		hint:
			response.status === 429
				? 'It allows five attempts a minute: wait a minute, then start again.'
				: 'If two-factor login was switched on for this account, make an API key in the editor and put it in the file api-key.',
	});
}

async function rest<T>(editor: Editor, cookie: string, method: string, path: string, body?: unknown): Promise<T> {
	const response = await ask(editor, path, {
		method,
		headers: { Cookie: cookie, 'Content-Type': 'application/json' },
		body: body === undefined ? undefined : JSON.stringify(body),
	});
	if (response.ok) return ((await response.json()) as { data: T }).data;
	throw new LocalAiError('bad-reply', `n8n answered ${method} ${path} with ${response.status}.`, {
		hint: 'The log of n8n-main says why.',
	});
}

async function ask({ url, signal, answerWithinMs }: Editor, path: string, init: RequestInit): Promise<Response> {
	const late = AbortSignal.timeout(answerWithinMs);
	try {
		const response = await fetch(url + path, { ...init, signal: AbortSignal.any([signal, late]) });
		// Read here, so that the limit holds for the body too.
		return new Response(await response.arrayBuffer(), response);
	} catch (cause) {
		signal.throwIfAborted();
		if (!late.aborted) throw cause;
		const seconds = Math.round(answerWithinMs / 1000);
		throw new LocalAiError('timeout', `n8n did not answer ${path} within ${seconds} s.`, {
			hint: 'Start again; the log of n8n-main says what it was doing.',
			cause,
		});
	}
}
