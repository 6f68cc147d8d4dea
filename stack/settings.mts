import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalAiError } from '../nodes/shared/errors.ts';

/** What a person may choose about a stack; everything else follows from it. */
export interface Settings {
	/** The folder that holds the package this stack puts to work. */
	readonly root: string;
	/** The folder that holds all state of this stack. */
	readonly home: string;
	/** Downloads that several stacks share. */
	readonly cache: string;
	readonly editorPort: number;
	readonly workers: number;
	/** Jobs that one worker runs at the same time. */
	readonly workerConcurrency: number;
	readonly ollamaUrl: string;
	/** A Redis of the person's own, used instead of one that the stack starts. */
	readonly redisUrl?: string;
	/** Where the world reaches this n8n, for webhooks of outside services. */
	readonly publicUrl?: string;
}

/** Reads the settings from the environment; throws `configuration` naming the variable that cannot be used. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
	const root = dirname(dirname(fileURLToPath(import.meta.url)));
	const home = resolve(given(env, 'AURASTACK_HOME') ?? join(root, '.aurastack'));
	if (/["'`\\{}$\n;]/.test(home)) {
		throw new LocalAiError('configuration', `The folder ${JSON.stringify(home)} cannot hold a stack.`, {
			hint: 'Set AURASTACK_HOME to a path without quotes, backslashes, braces, dollar signs or semicolons.',
		});
	}
	return {
		root,
		home,
		cache: join(given(env, 'XDG_CACHE_HOME') ?? join(given(env, 'HOME') ?? '/root', '.cache'), 'aurastack'),
		editorPort: whole(env, 'AURASTACK_PORT', 5678, 1, 65535),
		workers: whole(env, 'AURASTACK_WORKERS', 2, 1, 16),
		workerConcurrency: whole(env, 'AURASTACK_CONCURRENCY', Math.max(5, availableParallelism()), 1, 100),
		ollamaUrl: (url(env, 'OLLAMA_URL', ['http:', 'https:']) ?? 'http://127.0.0.1:11434').replace(/\/+$/, ''),
		redisUrl: url(env, 'REDIS_URL', ['redis:', 'rediss:']),
		publicUrl: url(env, 'AURASTACK_PUBLIC_URL', ['http:', 'https:']),
	};
}

function given(env: NodeJS.ProcessEnv, name: string): string | undefined {
	return env[name]?.trim() || undefined;
}

function whole(env: NodeJS.ProcessEnv, name: string, otherwise: number, least: number, most: number): number {
	const text = given(env, name);
	if (text === undefined) return otherwise;
	const value = Number(text);
	if (Number.isInteger(value) && value >= least && value <= most) return value;
	throw new LocalAiError('configuration', `${name}=${text} is not a whole number from ${least} to ${most}.`, {
		hint: `Correct ${name}, or leave it out to have ${otherwise}.`,
	});
}

function url(env: NodeJS.ProcessEnv, name: string, protocols: string[]): string | undefined {
	const text = given(env, name);
	if (text === undefined) return undefined;
	if (protocols.includes(URL.parse(text)?.protocol ?? '')) return text;
	throw new LocalAiError('configuration', `${name} is not an address that starts with ${protocols.join(' or ')}`, {
		hint: `Correct ${name}, or leave it out.`,
	});
}
