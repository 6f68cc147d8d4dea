import type { CallToolResult } from '@modelcontextprotocol/client';
import { LocalAiError } from '../shared/errors';
import { compileSchema, type SchemaCheck } from './schema';

/** What a tool answered, ready to become items and binaries. */
export interface ToolContent {
	/** The tool itself says that it failed; `text` says why. */
	readonly isError: boolean;
	/** Checked against the tool's output schema when it has one. */
	readonly structured?: unknown;
	/** All text blocks, one after the other. */
	readonly text: string;
	readonly binaries: readonly ToolBinary[];
	/** Text resources that came with the answer. */
	readonly resources: readonly { readonly uri: string; readonly mimeType: string; readonly text: string }[];
	/** Resources that the answer only names; nothing is fetched. */
	readonly links: readonly { readonly uri: string; readonly name: string; readonly mimeType?: string }[];
}

export interface ToolBinary {
	readonly kind: 'image' | 'audio' | 'resource';
	/** One that no viewer runs; anything else becomes application/octet-stream. */
	readonly mimeType: string;
	/** Without folders and without characters that mean something to a shell or a browser. */
	readonly fileName: string;
	readonly bytes: Buffer;
	readonly uri?: string;
}

/** Types that a browser shows without running anything in them, with the ending of their files. */
const safeTypes: ReadonlyMap<string, string> = new Map([
	['image/png', 'png'],
	['image/jpeg', 'jpg'],
	['image/gif', 'gif'],
	['image/webp', 'webp'],
	['image/avif', 'avif'],
	['image/bmp', 'bmp'],
	['image/tiff', 'tiff'],
	['audio/mpeg', 'mp3'],
	['audio/wav', 'wav'],
	['audio/x-wav', 'wav'],
	['audio/ogg', 'ogg'],
	['audio/flac', 'flac'],
	['audio/aac', 'aac'],
	['audio/mp4', 'm4a'],
	['audio/webm', 'weba'],
	['text/plain', 'txt'],
	['text/csv', 'csv'],
	['application/json', 'json'],
	['application/pdf', 'pdf'],
	['application/zip', 'zip'],
	['application/gzip', 'gz'],
]);
const unknownType = 'application/octet-stream';
const deepest = 500;
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Compiling costs milliseconds, and a tool's schema is the same at every call. */
const checks = new Map<string, SchemaCheck>();
const keptChecks = 200;

/**
 * Takes a tool's answer apart. Throws LocalAiError `bad-reply` with reason PROTOCOL for bytes that are not base64,
 * OUTPUT_SCHEMA when the structured content is missing or breaks `outputSchema`, and SCHEMA_UNSUPPORTED or
 * SCHEMA_TOO_COMPLEX when that schema cannot be used. What a tool reports as its failure is not checked.
 */
export function readContent(tool: string, result: CallToolResult, outputSchema?: unknown): ToolContent {
	const isError = result.isError === true;
	const structured: unknown = result.structuredContent;
	if (isDeeper(structured, deepest))
		throw broken('PROTOCOL', `The tool ${tool} nested its answer deeper than ${deepest}`);
	if (outputSchema !== undefined && !isError) checkStructured(tool, structured, outputSchema);

	const texts: string[] = [];
	const binaries: ToolBinary[] = [];
	const resources: Array<ToolContent['resources'][number]> = [];
	const links: Array<ToolContent['links'][number]> = [];
	for (const block of result.content) {
		switch (block.type) {
			case 'text':
				texts.push(block.text);
				break;
			case 'image':
			case 'audio':
				binaries.push(binary(tool, block.type, block.data, block.mimeType, `${block.type}-${binaries.length + 1}`));
				break;
			case 'resource': {
				const { resource } = block;
				if ('text' in resource) {
					resources.push({ uri: resource.uri, mimeType: resource.mimeType ?? 'text/plain', text: resource.text });
				} else {
					const name = resource.uri.split(/[/\\]/).at(-1)!.split(/[?#]/)[0]!;
					const taken = binary(tool, 'resource', resource.blob, resource.mimeType ?? '', name);
					binaries.push({ ...taken, uri: resource.uri });
				}
				break;
			}
			case 'resource_link':
				links.push({
					uri: block.uri,
					name: block.name,
					...(block.mimeType !== undefined && { mimeType: block.mimeType }),
				});
				break;
			default:
				block satisfies never;
		}
	}
	return {
		isError,
		...(structured !== undefined && { structured }),
		text: texts.join('\n'),
		binaries,
		resources,
		links,
	};
}

function checkStructured(tool: string, structured: unknown, outputSchema: unknown): void {
	if (structured === undefined) {
		throw broken('OUTPUT_SCHEMA', `The tool ${tool} promises structured content and sent none`);
	}
	const wrong = outputCheck(tool, outputSchema)(structured);
	if (wrong !== null) throw broken('OUTPUT_SCHEMA', `The tool ${tool} broke its own output schema: ${wrong}`);
}

function outputCheck(tool: string, outputSchema: unknown) {
	const text = JSON.stringify(outputSchema);
	const known = checks.get(text);
	if (known) return known;
	try {
		const check = compileSchema(outputSchema);
		if (checks.size >= keptChecks) checks.clear();
		checks.set(text, check);
		return check;
	} catch (error) {
		if (!(error instanceof LocalAiError)) throw error;
		throw broken(error.reason ?? 'SCHEMA_UNSUPPORTED', `The output schema of ${tool}: ${error.message}`, error);
	}
}

function binary(tool: string, kind: ToolBinary['kind'], data: string, mimeType: string, name: string): ToolBinary {
	if (data.length % 4 !== 0 || !base64.test(data)) {
		throw broken('PROTOCOL', `The tool ${tool} sent ${kind} bytes that are not base64`);
	}
	const claimed = mimeType.split(';')[0]!.trim().toLowerCase();
	const fits = kind === 'resource' || claimed.startsWith(`${kind}/`);
	const safe = fits && safeTypes.has(claimed) ? claimed : unknownType;
	return { kind, mimeType: safe, fileName: fileName(name, safe), bytes: Buffer.from(data, 'base64') };
}

function isDeeper(value: unknown, levels: number): boolean {
	if (typeof value !== 'object' || value === null) return false;
	return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

/** A page or a program must not be opened by its name either: the ending follows the type. */
function fileName(name: string, mimeType: string): string {
	const stem = name
		.replace(/\.[^.]*$/, '')
		.replace(/[^\p{L}\p{N} _.-]/gu, '_')
		.replace(/^[. ]+/, '')
		.slice(0, 100);
	return `${stem || 'file'}.${safeTypes.get(mimeType) ?? 'bin'}`;
}

function broken(reason: string, message: string, cause?: unknown): LocalAiError {
	return new LocalAiError('bad-reply', message, {
		hint: 'The answer is not passed on. Tell the makers of the server.',
		reason,
		...(cause !== undefined && { cause }),
	});
}
