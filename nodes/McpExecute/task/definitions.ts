import { LocalAiError } from '../../shared/errors';
import { canonical, canonicalHash } from './canonical';
import type { Refusal } from '../codes';
import { compileSchema, type SchemaCheck } from '../schema';
import { hidesCharacters, shortened, visible } from './text';

/** A tool as its server describes it, every key as served. */
export interface ToolDefinition {
	readonly name: string;
	readonly [key: string]: unknown;
}

/** A served tool as `decide` wants to know it. */
export interface KnownDefinition {
	readonly definition: ToolDefinition;
	readonly hash: string;
	/** What its hash must be: by the policy, or as it was first seen. */
	readonly pinned: string;
	readonly input: SchemaCheck | Refusal;
}

/** `sha256:` of the canonical form of everything that the server says of the tool. */
export function definitionHash(definition: ToolDefinition): string {
	return canonicalHash(definition);
}

/** The check of a tool's arguments by its own schema, or why there can be none. Compiled once for each definition. */
export function inputCheck(definition: ToolDefinition, hash: string): SchemaCheck | Refusal {
	const known = checks.get(hash);
	if (known !== undefined) return known;
	const check = compiled(definition);
	// A server that changes its mind at every request must not fill the memory.
	if (checks.size >= 1000) checks.clear();
	checks.set(hash, check);
	return check;
}

/**
 * What a person should look at before trusting a definition: characters that do not show, and texts that speak to a
 * model rather than about the tool. One sentence each.
 */
export function definitionFlags(definition: ToolDefinition): readonly string[] {
	return textsIn(definition, '').flatMap(({ path, text }) => [
		...(hidesCharacters(text) ? [`${path} holds characters that do not show: ${excerpt(text)}`] : []),
		...(instructions.test(text) ? [`${path} seems to give orders to a model: ${excerpt(text)}`] : []),
	]);
}

/** What differs between two definitions, one line for each place, with every character showing. */
export function definitionDifference(before: ToolDefinition, after: ToolDefinition): readonly string[] {
	const [old, current] = [leavesOf(before, ''), leavesOf(after, '')];
	return [...new Set([...old.keys(), ...current.keys()])]
		.filter((path) => old.get(path) !== current.get(path))
		.map((path) => {
			const [was, is] = [old.get(path), current.get(path)];
			if (was === undefined) return `${visible(path)} is new: ${excerpt(is!)}`;
			if (is === undefined) return `${visible(path)} is gone: ${excerpt(was)}`;
			return `${visible(path)} was ${excerpt(was)} and is ${excerpt(is)}`;
		});
}

const checks = new Map<string, SchemaCheck | Refusal>();

// Markup and phrases of the known attacks by tool descriptions; a hint for a person, never a decision.
const instructions =
	/<\s*(important|system|instructions?|secret)\b|\bignore (all |any )?(previous|prior|other)\b|\bdo not (tell|mention|inform)\b|~\/\.ssh|\bid_rsa\b|\bsystem prompt\b/i;

function compiled({ inputSchema }: ToolDefinition): SchemaCheck | Refusal {
	try {
		return compileSchema(inputSchema);
	} catch (error) {
		const reason = error instanceof LocalAiError ? error.reason : undefined;
		return {
			code: reason === 'SCHEMA_TOO_COMPLEX' ? reason : 'SCHEMA_UNSUPPORTED',
			reason: error instanceof Error ? visible(error.message) : 'The schema of the tool cannot be read.',
		};
	}
}

function textsIn(value: unknown, path: string): Array<{ path: string; text: string }> {
	if (typeof value === 'string') return [{ path: visible(path), text: value }];
	if (typeof value !== 'object' || value === null) return [];
	return Object.entries(value).flatMap(([key, inner]) => {
		const at = path === '' ? key : `${path}.${key}`;
		return [...(hidesCharacters(key) ? [{ path: visible(at), text: key }] : []), ...textsIn(inner, at)];
	});
}

function leavesOf(value: unknown, path: string): Map<string, string> {
	const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
	if (entries.length === 0) return new Map([[path, canonical(value)]]);
	return new Map(entries.flatMap(([key, inner]) => [...leavesOf(inner, path === '' ? key : `${path}.${key}`)]));
}

function excerpt(text: string): string {
	return shortened(visible(text), 300).text;
}
