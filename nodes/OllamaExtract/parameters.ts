import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { IExecuteFunctions, ResolvedFilePath } from 'n8n-workflow';
import { z } from 'zod';

import { LocalAiError } from '../shared/errors';
import { choice, given, milliseconds, optionsOf, textOf } from '../shared/n8n';
import type { OllamaServer } from '../shared/ollama';
import type { ArchiveRequest } from './files/archive';
import type { FindRequest } from './files/inbox';
import type { ExtractOptions, Source, Verdict } from './result';
import { mustFit } from './source';

type Operation = 'extract' | 'archive' | 'find';

export interface ExtractRequest {
	readonly source: Source;
	readonly options: Omit<ExtractOptions, 'chat'>;
	/** Absent where the engine calls no model, and in Automatic where no credential was chosen. */
	readonly server?: OllamaServer & { readonly timeoutMs: number };
	readonly includeEvidence: boolean;
}

const verdictFolders: Record<Verdict, string> = { complete: 'processed', review: 'review', failed: 'rejected' };

/** Throws LocalAiError `invalid-input` where an expression gives none of the operations. */
export function operationOf(host: IExecuteFunctions, itemIndex: number): Operation {
	return choice(host, itemIndex, 'operation', { extract: 'extract', archive: 'archive', find: 'find' });
}

/** What this item asks for. Rejects with LocalAiError, or with n8n's own error for an expression or binary field. */
export async function extractRequest(host: IExecuteFunctions, itemIndex: number): Promise<ExtractRequest> {
	const options = optionsOf(host, itemIndex, extractOptionValues);
	const engine = choice(host, itemIndex, 'engine', engines);
	const server = engine === 'without-model' ? undefined : await ollamaServer(host, itemIndex, engine, options);
	return {
		source: await sourceOf(host, itemIndex, options.password || undefined),
		options: {
			schema: schemaOf(host, itemIndex),
			engine,
			...(engine !== 'without-model' && { model: modelOf(host, itemIndex) }),
			...given('ignoreXml', options.ignoreXml),
			...given('visionModel', options.visionModel || undefined),
			...given('unproven', options.unproven),
			...given('numCtx', options.numCtx),
			...given('maxReplyTokens', options.maxReplyTokens),
			...given('maxCalls', options.maxCalls),
			...given('maxPages', options.maxPages),
			...given('readTimeoutMs', milliseconds(options.readTimeoutSeconds)),
			...given('readMemoryMiB', options.readMemoryMiB),
		},
		...given('server', server),
		includeEvidence: options.includeEvidence ?? true,
	};
}

/** The move that this item asks for, both ends resolved and within n8n's file access rules. */
export async function archiveRequest(host: IExecuteFunctions, itemIndex: number): Promise<ArchiveRequest> {
	const { sha256 } = optionsOf(host, itemIndex, archiveOptionValues);
	return {
		from: await allowedEntry(host, textOf(host, itemIndex, 'filePath')),
		folder: await allowedPath(host, archiveFolder(host, itemIndex)),
		...given('sha256', sha256 || undefined),
	};
}

/** The folder that this item asks to look into, within n8n's file access rules. */
export async function findRequest(host: IExecuteFunctions, itemIndex: number): Promise<FindRequest> {
	const {
		extensions = '.pdf',
		fileName,
		sha256 = false,
		stillSeconds = 2,
	} = optionsOf(host, itemIndex, findOptionValues);
	return {
		folder: await allowedPath(host, textOf(host, itemIndex, 'folder')),
		stillMs: stillSeconds * 1000,
		extensions: extensions
			.split(',')
			.map((extension) => extension.trim().toLowerCase())
			.filter((extension) => extension !== ''),
		...given('fileName', fileName || undefined),
		withSha256: sha256,
	};
}

const wholeFrom = (least: number) => z.coerce.number().int().min(least);

const extractOptionValues = z
	.object({
		ignoreXml: z.boolean(),
		includeEvidence: z.boolean(),
		maxCalls: wholeFrom(1),
		maxPages: wholeFrom(1),
		maxReplyTokens: wholeFrom(64),
		modelTimeoutSeconds: z.coerce.number().positive(),
		numCtx: wholeFrom(512),
		password: z.string(),
		readMemoryMiB: wholeFrom(200),
		readTimeoutSeconds: z.coerce.number().positive(),
		unproven: z.enum(['null', 'keep', 'fail']),
		visionModel: z.string().trim(),
	})
	.partial();

const archiveOptionValues = z
	.object({ sha256: z.string().regex(/^([0-9a-f]{64})?$/i, 'not 64 hexadecimal digits') })
	.partial();

const findOptionValues = z
	.object({
		extensions: z.string(),
		fileName: z.string(),
		sha256: z.boolean(),
		stillSeconds: z.coerce.number().nonnegative(),
	})
	.partial();

const engines = {
	automatic: 'automatic',
	modelOnly: 'model-only',
	withoutModel: 'without-model',
} as const satisfies Record<string, ExtractOptions['engine']>;

const sources = { binary: 'binary', file: 'file', text: 'text' } as const;

async function sourceOf(host: IExecuteFunctions, itemIndex: number, password: string | undefined): Promise<Source> {
	const kind = choice(host, itemIndex, 'source', sources);
	switch (kind) {
		case 'binary':
			return { ...(await binarySource(host, itemIndex)), ...given('password', password) };
		case 'file':
			return { ...(await fileSource(host, textOf(host, itemIndex, 'filePath'))), ...given('password', password) };
		case 'text':
			return { text: textOf(host, itemIndex, 'text') };
		default:
			return kind satisfies never;
	}
}

async function binarySource(host: IExecuteFunctions, itemIndex: number) {
	const property = host.getNodeParameter('binaryPropertyName', itemIndex);
	const { fileName, bytes } = host.helpers.assertBinaryData(itemIndex, property);
	mustFit(bytes ?? 0, fileName ?? property);
	return {
		bytes: await host.helpers.getBinaryDataBuffer(itemIndex, property),
		...given('fileName', fileName),
	};
}

async function fileSource(host: IExecuteFunctions, path: string) {
	const allowed = await allowedPath(host, path);
	try {
		const info = await stat(allowed);
		if (!info.isFile()) {
			throw new LocalAiError('invalid-input', `"${path}" is not a file.`, {
				hint: 'Give the path of a PDF or an image.',
			});
		}
		mustFit(info.size, path);
		return { bytes: await buffer(await host.helpers.createReadStream(allowed)), fileName: basename(path) };
	} catch (error) {
		throw fileError(error, path);
	}
}

/** Refuses what n8n's administrator did not open to workflows, before the disk is looked at. */
async function allowedPath(host: IExecuteFunctions, path: string) {
	return mustBeAllowed(host, await resolved(host, path), path);
}

/** As `allowedPath`, the last name left as it is: a symbolic link there must be seen, not followed. */
async function allowedEntry(host: IExecuteFunctions, path: string) {
	const entry = join(await resolved(host, dirname(path)), basename(path));
	return mustBeAllowed(host, entry as ResolvedFilePath, path);
}

async function resolved(host: IExecuteFunctions, path: string): Promise<ResolvedFilePath> {
	return await host.helpers.resolvePath(path).catch((error: unknown) => {
		// Whether something exists in a closed folder is not for a workflow to learn.
		mustBeAllowed(host, resolve(path) as ResolvedFilePath, path);
		throw fileError(error, path);
	});
}

function mustBeAllowed(host: IExecuteFunctions, entry: ResolvedFilePath, path: string): ResolvedFilePath {
	if (!host.helpers.isFilePathBlocked(entry)) return entry;
	throw new LocalAiError('refused', `n8n may not open "${path}".`, {
		hint: 'Put the file in a folder that N8N_RESTRICT_FILE_ACCESS_TO allows, or add its folder there.',
	});
}

function archiveFolder(host: IExecuteFunctions, itemIndex: number): string {
	const destination = choice(host, itemIndex, 'destination', { verdict: 'verdict', folder: 'folder' } as const);
	switch (destination) {
		case 'verdict': {
			const folder = choice(host, itemIndex, 'verdict', verdictFolders);
			return join(textOf(host, itemIndex, 'archiveFolder'), folder);
		}
		case 'folder':
			return textOf(host, itemIndex, 'folder');
		default:
			return destination satisfies never;
	}
}

function schemaOf(host: IExecuteFunctions, itemIndex: number): ExtractOptions['schema'] {
	const schema = host.getNodeParameter('schema', itemIndex);
	if (schema === 'devis' || schema === 'invoice') return schema;
	const written = host.getNodeParameter('jsonSchema', itemIndex);
	const parsed = typeof written === 'string' ? parseJson(written) : written;
	if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
	throw new LocalAiError('invalid-input', 'The JSON Schema is not a JSON object.', {
		hint: 'Start from the example that the field holds by default.',
	});
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (error) {
		throw new LocalAiError('invalid-input', `The JSON Schema is not valid JSON: ${messageOf(error)}.`, {
			hint: 'Check its quotes, commas and braces.',
		});
	}
}

function modelOf(host: IExecuteFunctions, itemIndex: number): string {
	const model = host.getNodeParameter('model', itemIndex, '', { extractValue: true, ensureType: 'string' });
	if (typeof model === 'string' && model.trim() !== '') return model.trim();
	throw new LocalAiError('invalid-input', 'No model is chosen.', {
		hint: 'Choose one from the list, or type its name.',
	});
}

async function ollamaServer(
	host: IExecuteFunctions,
	itemIndex: number,
	engine: 'automatic' | 'model-only',
	{ modelTimeoutSeconds = 1800 }: { readonly modelTimeoutSeconds?: number | undefined },
) {
	if (host.getNode().credentials?.ollamaApi === undefined) {
		if (engine === 'automatic') return undefined;
		throw new LocalAiError('configuration', 'Model Only needs an Ollama credential, and none is chosen.', {
			hint: 'Choose an Ollama credential in this node, or the engine Without Model.',
		});
	}
	const { baseUrl, apiKey } = await host.getCredentials<{ baseUrl: string; apiKey?: string }>('ollamaApi', itemIndex);
	return { baseUrl, ...given('apiKey', apiKey || undefined), timeoutMs: modelTimeoutSeconds * 1000 };
}

function fileError(error: unknown, path: string): unknown {
	// Errors of n8n itself have no `errno`.
	if (!(error instanceof Error) || !('code' in error) || !('errno' in error)) return error;
	switch (error.code) {
		case 'ENOENT':
		case 'ENOTDIR':
			return new LocalAiError('invalid-input', `There is no file at "${path}".`, {
				hint: 'Check the path as the machine that runs n8n sees it.',
			});
		case 'EACCES':
		case 'EPERM':
			return new LocalAiError('configuration', `The user that runs n8n may not open "${path}".`, {
				hint: 'Give that user the right to read it.',
			});
		case 'EMFILE':
		case 'ENFILE':
		case 'ENOMEM':
		case 'EAGAIN':
			return new LocalAiError('overloaded', `"${path}" could not be opened: ${error.message}.`, {
				hint: 'The machine ran short of open files or memory: try again, or allow n8n more of them.',
				cause: error,
			});
		default:
			return new LocalAiError('unreachable', `"${path}" could not be read: ${error.message}.`, {
				hint: 'Check the disk, or the share that the file is on; then try again.',
				cause: error,
			});
	}
}

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
