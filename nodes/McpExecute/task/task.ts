import { canonical, canonicalHash } from './canonical';
import { refusal, type Refusal } from '../codes';

/** One tool call as it is asked for. */
export interface Task {
	readonly server: string;
	readonly tool: string;
	/** A copy of its own: nothing outside can change it between the decision and the call. */
	readonly arguments: Readonly<Record<string, unknown>>;
}

/** Who asks. */
export interface Caller {
	readonly workflowId: string;
	readonly nodeName: string;
	readonly user?: string;
}

/**
 * Reads a task from JSON text or from a value: `server`, `tool`, `arguments` and nothing else. A missing `arguments` is
 * an empty one. Numbers that are none, lone surrogates and `__proto__` are refused, as is what is too large or deep.
 */
export function parseTask(input: unknown): { readonly task: Task } | { readonly refusal: Refusal } {
	let value = input;
	if (typeof input === 'string') {
		if (input.length > maxLength) return { refusal: refusal('LIMIT') };
		try {
			value = JSON.parse(input);
		} catch {
			return { refusal: refusal('PARSE') };
		}
	}
	if (!isRecord(value)) return { refusal: refusal('PARSE', 'The task is no JSON object.') };
	const { server, tool, arguments: given = {}, ...unknown } = value;
	if (typeof server !== 'string') return { refusal: refusal('SERVER_NOT_ALLOWED') };
	if (typeof tool !== 'string') return { refusal: refusal('TOOL_NOT_ALLOWED') };
	if (Object.keys(unknown).length > 0) {
		return { refusal: refusal('SCHEMA', 'A task has "server", "tool" and "arguments", and nothing else.') };
	}
	if (!isRecord(given)) return { refusal: refusal('SCHEMA', '"arguments" is no JSON object.') };
	const faulty = formFault(given, 0);
	if (faulty !== null) return { refusal: faulty };
	try {
		const text = canonical(given);
		if (text.length > maxLength) return { refusal: refusal('LIMIT') };
		return { task: deepFreeze({ server, tool, arguments: JSON.parse(text) as Record<string, unknown> }) };
	} catch (error) {
		const why = error instanceof Error ? error.message : String(error);
		return { refusal: refusal('SCHEMA', `The arguments cannot be written as JSON: ${why}.`) };
	}
}

/**
 * `sha256:` of what an approval is given for: the task, the workflow and user that ask, the tool's definition and the
 * policy in force. The node is left out, since one may ask and another execute. The order of keys and the spelling of
 * numbers make no difference.
 */
export function taskHash(task: Task, caller: Caller, definition: string, policyVersion: string): string {
	const { server, tool, arguments: given } = task;
	const asker = { workflow: caller.workflowId.toWellFormed(), user: caller.user?.toWellFormed() ?? null };
	return canonicalHash({
		...{ type: 'mcp-task', server, tool, arguments: given, ...asker },
		...{ definition, policy: policyVersion },
	});
}

const maxLength = 1_000_000;
const maxDepth = 64;

function formFault(value: unknown, depth: number): Refusal | null {
	if (typeof value !== 'object' || value === null) return null;
	if (depth >= maxDepth) return refusal('LIMIT', `The arguments are nested deeper than ${maxDepth} levels.`);
	for (const [key, inner] of Object.entries(value)) {
		if (key === '__proto__') return refusal('SCHEMA', 'An argument is named "__proto__".');
		const fault = formFault(inner, depth + 1);
		if (fault !== null) return fault;
	}
	return null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deepFreeze<T>(value: T): T {
	if (typeof value !== 'object' || value === null) return value;
	Object.values(value).forEach(deepFreeze);
	return Object.freeze(value);
}
