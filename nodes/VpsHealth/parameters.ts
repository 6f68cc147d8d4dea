import type { IAllExecuteFunctions, IDataObject, IExecuteFunctions } from 'n8n-workflow';
import { z } from 'zod';

import { LocalAiError } from '../shared/errors';
import { choice, given, milliseconds, optionsOf, postgresAddress, textOf } from '../shared/n8n';
import { commands, type CommandName, type RunRequest } from './commands';
import { readState, type HealthState } from './compare';
import type { Docker, ListRequest, LogsRequest, RestartRequest } from './docker';
import type { ReadRequest } from './postgres';
import type { PostgresAddress } from '../shared/postgresAddress';
import type { QueueAddress } from './queue';
import type { RedisAddress } from './redis';
import type { Language } from './report';
import type { Scanner } from './scanner';
import type { Reachable } from './sources';

type Host = IExecuteFunctions;

/** Throws LocalAiError `invalid-input` where an expression gives none of the operations. */
export function operationOf(host: Host, itemIndex: number) {
	return choice(host, itemIndex, 'operation', {
		command: 'command',
		containers: 'containers',
		diagnose: 'diagnose',
		logs: 'logs',
		models: 'models',
		query: 'query',
		queue: 'queue',
		resources: 'resources',
		restart: 'restart',
		units: 'units',
	} as const);
}

/** The engine of the credential, and what may be touched on it. Throws LocalAiError `configuration` for a broken one. */
export async function dockerOf(host: Pick<IAllExecuteFunctions, 'getCredentials' | 'getNode'>, itemIndex: number) {
	mustHave(host, 'dockerHost', 'Docker Host');
	return dockerFrom(await host.getCredentials('dockerHost', itemIndex));
}

/** The same from the fields of the credential. */
export function dockerFrom(fields: IDataObject): Docker & { readonly protected: readonly string[] } {
	const { data, error } = dockerFields.safeParse(fields);
	if (error !== undefined) {
		const [{ path, message }] = error.issues as [z.core.$ZodIssue];
		throw new LocalAiError(
			'configuration',
			`"${path.join('.')}" of the Docker credential cannot be used: ${message}.`,
			{
				hint: 'Correct the Docker credential.',
			},
		);
	}
	const names = { allowed: namesIn(data.allowedContainers), protected: namesIn(data.protectedContainers) };
	switch (data.connection) {
		case 'socket':
			return { address: { kind: 'socket', path: data.socketPath }, ...names };
		case 'tcp':
			return { address: { kind: 'tcp', host: data.host, port: data.port }, ...names };
		case 'tls': {
			const { host, port, ca, cert, key } = data;
			return { address: { kind: 'tcp', host, port, tls: { ca, cert, key } }, ...names };
		}
		default:
			return data satisfies never;
	}
}

/** How this item lists containers. */
export function listRequest(host: Host, itemIndex: number): ListRequest {
	const { timeoutSeconds } = optionsOf(host, itemIndex, z.object({ timeoutSeconds: seconds }).partial());
	return {
		usage: host.getNodeParameter('usage', itemIndex, true) === true,
		...given('timeoutMs', milliseconds(timeoutSeconds)),
	};
}

/** The container that this item is about, as it was given: Docker's rules for names are the core's to apply. */
export function containerOf(host: Host, itemIndex: number): string {
	const name = host.getNodeParameter('container', itemIndex, '', { extractValue: true });
	if (typeof name === 'string' && name !== '') return name;
	throw new LocalAiError('invalid-input', 'No container is chosen.', {
		hint: 'Choose one from the list, or type its exact name.',
	});
}

/** How this item reads a log. */
export function logsRequest(host: Host, itemIndex: number): LogsRequest {
	const values = z
		.object({
			maxKibibytes: positive,
			sinceMinutes: z.coerce.number().nonnegative(),
			tail: positive,
			timeoutSeconds: seconds,
		})
		.partial();
	const { maxKibibytes, sinceMinutes, tail, timeoutSeconds } = optionsOf(host, itemIndex, values);
	return {
		...given('tail', tail),
		...given('maxBytes', bytes(maxKibibytes)),
		...given('sinceSeconds', sinceMinutes === undefined ? undefined : sinceMinutes * 60),
		...given('timeoutMs', milliseconds(timeoutSeconds)),
	};
}

/** How this item restarts a container. */
export function restartRequest(host: Host, itemIndex: number): RestartRequest {
	const values = z
		.object({ allowProtected: z.boolean(), graceSeconds: z.coerce.number().nonnegative(), timeoutSeconds: seconds })
		.partial();
	const { allowProtected, graceSeconds, timeoutSeconds } = optionsOf(host, itemIndex, values);
	return {
		...given('allowProtected', allowProtected),
		...given('graceSeconds', graceSeconds),
		...given('timeoutMs', milliseconds(timeoutSeconds)),
	};
}

/** The statement of this item, its values and its limits. */
export async function queryRequest(
	host: Host,
	itemIndex: number,
): Promise<{ readonly address: PostgresAddress; readonly request: ReadRequest }> {
	const values = z
		.object({
			allowedTables: z.string(),
			maxKibibytes: positive,
			maxRows: positive,
			timeoutSeconds: seconds,
			whenMore: z.enum(['cut', 'fail']),
		})
		.partial();
	const { allowedTables = '', maxKibibytes, maxRows, timeoutSeconds, whenMore } = optionsOf(host, itemIndex, values);
	const sql = textOf(host, itemIndex, 'sql');
	mustHave(host, 'postgres', 'PostgreSQL');
	return {
		address: await postgresAddress(host, itemIndex),
		request: {
			sql,
			values: listIn(host, itemIndex, 'values'),
			allowedTables: namesIn(allowedTables),
			...given('maxBytes', bytes(maxKibibytes)),
			...given('maxRows', maxRows),
			...given('timeoutMs', milliseconds(timeoutSeconds)),
			...given('whenMore', whenMore),
		},
	};
}

/** The command of this item with the arguments that it takes; fields of other commands and empty ones are left out. */
export function commandRequest(host: Host, itemIndex: number): RunRequest {
	const values = z.object({ maxKibibytes: positive, timeoutSeconds: seconds }).partial();
	const { maxKibibytes, timeoutSeconds } = optionsOf(host, itemIndex, values);
	const command = textOf(host, itemIndex, 'command');
	const names = Object.hasOwn(commands, command) ? Object.keys(commands[command as CommandName].takes) : [];
	const chosen = names
		.map((name): [string, unknown] => [name, host.getNodeParameter(name, itemIndex, '')])
		.filter(([name, value]) => value != null && value !== '' && !(name === 'sinceMinutes' && value === 0));
	return {
		command,
		arguments: Object.fromEntries(chosen),
		...given('maxBytes', bytes(maxKibibytes)),
		...given('timeoutMs', milliseconds(timeoutSeconds)),
	};
}

/** Which units this item wants, and where systemd is asked. */
export async function unitsRequest(host: Host, itemIndex: number) {
	const { unitsFile } = optionsOf(host, itemIndex, z.object({ unitsFile: text }).partial());
	return {
		which: choice(host, itemIndex, 'which', { all: 'all', failed: 'failed' } as const),
		reachable: { ...(await scannerOf(host, itemIndex)), ...given('unitsFile', unitsFile || undefined) },
	};
}

/** Where the machine is looked at: here, or by the scanner of the credential. */
export async function machineOf(host: Host, itemIndex: number): Promise<Reachable> {
	return await scannerOf(host, itemIndex);
}

/** The Ollama server of the credential and the models that have to be there. */
export async function modelsRequest(host: Host, itemIndex: number): Promise<Reachable> {
	const { wantedModels = '' } = optionsOf(host, itemIndex, z.object({ wantedModels: text }).partial());
	mustHave(host, 'ollamaApi', 'Ollama');
	return { ...(await ollamaOf(host, itemIndex)), wantedModels: namesIn(wantedModels) };
}

/** The Redis of the credential and n8n's queue in it. */
export async function queueRequest(host: Host, itemIndex: number): Promise<Reachable> {
	const queue = queueIn(optionsOf(host, itemIndex, queueValues));
	mustHave(host, 'redis', 'Redis');
	return { ...(await redisOf(host, itemIndex)), queue };
}

export interface DiagnoseRequest {
	readonly reachable: Reachable;
	readonly language: Language;
	readonly html: boolean;
	readonly timeoutMs: number;
	/** Absent where nothing is to be compared. */
	readonly last?: HealthState | null;
}

/** What this item looks at, which is what it has credentials for, and how it tells. */
export async function diagnoseRequest(host: Host, itemIndex: number): Promise<DiagnoseRequest> {
	const values = queueValues.extend({
		backupFolder: text,
		executions: z.boolean(),
		html: z.boolean(),
		lastState: z.unknown(),
		schema: text,
		tablePrefix: z.string().regex(/^\w*$/, 'not a prefix of table names'),
		timeoutSeconds: seconds,
		unitsFile: text,
		wantedModels: text,
	});
	const chosen = optionsOf(host, itemIndex, values.partial());
	// Judging and reporting come on top: all of it takes less than three seconds.
	const { backupFolder, executions = true, html = true, lastState, schema, tablePrefix, timeoutSeconds = 2.7 } = chosen;
	const language = choice(host, itemIndex, 'language', { en: 'en', fr: 'fr' } as const);
	const postgres = has(host, 'postgres') ? await postgresAddress(host, itemIndex) : undefined;
	return {
		reachable: {
			...(await scannerOf(host, itemIndex)),
			...given('unitsFile', chosen.unitsFile || undefined),
			...given('backupFolder', backupFolder || undefined),
			...(has(host, 'dockerHost') && { docker: await dockerOf(host, itemIndex) }),
			...(postgres && { postgres }),
			...(postgres &&
				executions && {
					executions: {
						address: postgres,
						...given('schema', schema || undefined),
						...given('tablePrefix', tablePrefix || undefined),
					},
				}),
			...(has(host, 'redis') && { ...(await redisOf(host, itemIndex)), queue: queueIn(chosen) }),
			...(has(host, 'ollamaApi') && (await ollamaOf(host, itemIndex))),
			wantedModels: namesIn(chosen.wantedModels ?? ''),
		},
		language,
		html,
		timeoutMs: timeoutSeconds * 1000,
		...('lastState' in chosen && { last: readState(lastState) }),
	};
}

const text = z.string().trim();
const positive = z.coerce.number().int().positive();
const seconds = z.coerce.number().positive().max(3_600);
const port = z.coerce.number().int().min(1).max(65_535);
const pem = z.string().regex(/-----BEGIN [A-Z ]+-----/, 'not in PEM');
const filled = text.min(1, 'empty');
const hostName = text.regex(/^[a-zA-Z0-9]([\w.-]*[a-zA-Z0-9])?$/, 'not the name or address of a host');

const containerNames = { allowedContainers: z.string().default(''), protectedContainers: z.string().default('') };
const dockerFields = z.discriminatedUnion('connection', [
	z.object({ connection: z.literal('socket'), socketPath: filled, ...containerNames }),
	z.object({ connection: z.literal('tcp'), host: hostName, port, ...containerNames }),
	z.object({ connection: z.literal('tls'), host: hostName, port, ca: pem, cert: pem, key: pem, ...containerNames }),
]);

const queueValues = z.object({ queueName: text, queuePrefix: text, redisKeyPrefix: text, workers: text }).partial();

function queueIn({ queueName, queuePrefix, redisKeyPrefix, workers = '' }: z.infer<typeof queueValues>): QueueAddress {
	return {
		...given('name', queueName || undefined),
		...given('prefix', queuePrefix || undefined),
		...given('n8nPrefix', redisKeyPrefix || undefined),
		workers: namesIn(workers).map((url) => ({ name: hostIn(url), url })),
	};
}

function hostIn(url: string): string {
	if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return new URL(url).host;
	throw new LocalAiError('invalid-input', 'A health address of a worker is not an http or https address.', {
		hint: 'Write it like http://n8n-worker-1:5678/healthz.',
	});
}

function has(host: Pick<IAllExecuteFunctions, 'getNode'>, type: string): boolean {
	return host.getNode().credentials?.[type] !== undefined;
}

function mustHave(host: Pick<IAllExecuteFunctions, 'getNode'>, type: string, name: string): void {
	if (has(host, type)) return;
	throw new LocalAiError('configuration', `This operation needs a ${name} credential, and none is chosen.`, {
		hint: `Choose a ${name} credential in this node.`,
	});
}

async function scannerOf(host: Host, itemIndex: number): Promise<{ readonly scanner?: Scanner }> {
	if (!has(host, 'infraScanner')) return {};
	const { baseUrl, token } = await host.getCredentials<{ baseUrl: string; token: string }>('infraScanner', itemIndex);
	if (URL.canParse(baseUrl)) return { scanner: { baseUrl, token } };
	throw new LocalAiError('configuration', 'The base URL of the Infra Scanner credential is not an address.', {
		hint: 'Write it like http://infra-scanner:8095.',
	});
}

async function redisOf(host: Host, itemIndex: number): Promise<{ readonly redis: RedisAddress }> {
	const fields = await host.getCredentials('redis', itemIndex);
	return {
		redis: {
			host: String(fields.host),
			port: Number(fields.port ?? 6379),
			database: Number(fields.database ?? 0),
			...given('username', typeof fields.user === 'string' && fields.user !== '' ? fields.user : undefined),
			...given('password', typeof fields.password === 'string' && fields.password !== '' ? fields.password : undefined),
			tls: fields.ssl === true,
		},
	};
}

async function ollamaOf(host: Host, itemIndex: number): Promise<Pick<Reachable, 'ollama'>> {
	const { baseUrl, apiKey } = await host.getCredentials<{ baseUrl: string; apiKey?: string }>('ollamaApi', itemIndex);
	return { ollama: { baseUrl, ...given('apiKey', apiKey || undefined) } };
}

function listIn(host: Host, itemIndex: number, name: string): unknown[] {
	const written = host.getNodeParameter(name, itemIndex, '[]');
	try {
		const value: unknown = typeof written === 'string' ? JSON.parse(written.trim() || '[]') : written;
		if (Array.isArray(value)) return value;
	} catch {
		// Falls through to the error below.
	}
	throw new LocalAiError('invalid-input', `The parameter "${name}" is not a JSON array.`, {
		hint: 'Write it like ["devis", 5].',
	});
}

/** The names in a text, separated by commas or lines. */
function namesIn(list: string): string[] {
	return list
		.split(/[,\n]/)
		.map((name) => name.trim())
		.filter((name) => name !== '');
}

function bytes(kibibytes: number | undefined): number | undefined {
	return kibibytes === undefined ? undefined : kibibytes * 1024;
}
