import { NodeOperationError } from 'n8n-workflow';
import type {
	IAllExecuteFunctions,
	Failure,
	IBinaryKeyData,
	IDataObject,
	IExecuteFunctions,
	INode,
	INodeExecutionData,
} from 'n8n-workflow';
import { z } from 'zod';

import { LocalAiError } from './errors';
import type { PostgresAddress } from './postgresAddress';

/** What one item becomes: its JSON, and files by the name of their binary field. */
export interface ItemOutput {
	readonly data: IDataObject;
	readonly files?: IBinaryKeyData;
}

/**
 * Runs `work` for every input item in order and pairs what it gives with that item. Where the node continues on fail, a
 * failed item becomes `{ error, details: { code, hint, reason? } }`; a cancellation always ends the node.
 */
export async function forEachItem(
	host: IExecuteFunctions,
	work: (itemIndex: number, signal: AbortSignal) => Promise<ItemOutput>,
): Promise<INodeExecutionData[][]> {
	const signal = host.getExecutionCancelSignal() ?? new AbortController().signal;
	const output: INodeExecutionData[] = [];
	for (const itemIndex of host.getInputData().keys()) {
		const pairedItem = { item: itemIndex };
		try {
			if (signal.aborted) throw cancelled(itemIndex);
			const { data, files } = await work(itemIndex, signal);
			output.push({ json: data, ...(files && { binary: files }), pairedItem });
		} catch (failure) {
			const error = toNodeError(host.getNode(), failure, itemIndex);
			if (!host.continueOnFail() || signal.aborted) throw error;
			output.push({ json: errorJson(failure, error), pairedItem });
		}
	}
	return [output];
}

/** The value of the choice that a parameter names for this item. Throws LocalAiError `invalid-input` with the choices. */
export function choice<Value>(
	host: IExecuteFunctions,
	itemIndex: number,
	name: string,
	values: Readonly<Record<string, Value>>,
): Value {
	const chosen = host.getNodeParameter(name, itemIndex);
	if (typeof chosen === 'string' && Object.hasOwn(values, chosen)) return values[chosen]!;
	throw new LocalAiError('invalid-input', `The parameter "${name}" is ${JSON.stringify(chosen) ?? 'empty'}.`, {
		hint: `It can be one of: ${Object.keys(values).join(', ')}.`,
	});
}

/** A parameter that must hold text for this item. Throws LocalAiError `invalid-input` naming it. */
export function textOf(host: IExecuteFunctions, itemIndex: number, name: string): string {
	const value = host.getNodeParameter(name, itemIndex);
	if (typeof value === 'string' && value.trim() !== '') return value;
	throw new LocalAiError('invalid-input', `The parameter "${name}" is empty.`, {
		hint: 'Type a value, or check what its expression gives for this item.',
	});
}

/**
 * The options that this item chose, in the form that `values` gives them; an expression that gives nothing leaves its
 * option out. Throws LocalAiError `invalid-input` naming the option.
 */
export function optionsOf<Values>(host: IExecuteFunctions, itemIndex: number, values: z.ZodType<Values>): Values {
	const chosen = host.getNodeParameter('options', itemIndex, {}) as object;
	const { data, error } = values.safeParse(
		Object.fromEntries(Object.entries(chosen).filter(([, value]) => value != null)),
	);
	if (error === undefined) return data!;
	const [{ path, message }] = error.issues as [z.core.$ZodIssue];
	throw new LocalAiError('invalid-input', `The option "${path.join('.')}" cannot be used: ${message}.`, {
		hint: 'Correct it, or check what its expression gives for this item.',
	});
}

/** `{ [name]: value }`, or nothing where the value was not given. */
export function given<Name extends string, Value>(name: Name, value: Value | undefined): { [K in Name]?: Value } {
	return (value === undefined ? {} : { [name]: value }) as { [K in Name]?: Value };
}

/** What a person gave in seconds, in milliseconds; undefined where nothing was given. */
export function milliseconds(seconds: number | undefined): number | undefined {
	return seconds === undefined ? undefined : seconds * 1000;
}

/**
 * The database of n8n's own `postgres` credential. Throws LocalAiError `configuration` for one behind an SSH tunnel,
 * which only n8n's own node can open.
 */
export async function postgresAddress(
	host: Pick<IAllExecuteFunctions, 'getCredentials'>,
	itemIndex: number,
): Promise<PostgresAddress> {
	const fields = await host.getCredentials('postgres', itemIndex);
	if (fields.sshTunnel === true) {
		throw new LocalAiError('configuration', 'The PostgreSQL credential goes through an SSH tunnel.', {
			hint: 'Choose a credential that reaches the database directly.',
		});
	}
	const encrypted = fields.ssl === undefined || fields.ssl === 'disable' ? 'off' : 'on';
	return {
		host: String(fields.host),
		port: Number(fields.port ?? 5432),
		database: String(fields.database),
		user: String(fields.user),
		password: String(fields.password ?? ''),
		ssl: fields.allowUnauthorizedCerts === true ? 'unchecked' : encrypted,
	};
}

/**
 * The error as n8n shows it: the message and next step of a LocalAiError, the item it happened on, and n8n's declared
 * cause. The error's own cause is left behind, since n8n stores what it is given. n8n's own errors keep their identity.
 */
export function toNodeError(node: INode, failure: unknown, itemIndex?: number): NodeOperationError {
	if (failure instanceof NodeOperationError) {
		// n8n returns the same object when it wraps one of its own again, and would drop the item.
		failure.context.itemIndex ??= itemIndex;
		return failure;
	}
	if (!(failure instanceof LocalAiError)) return unexpected(node, failure, itemIndex);
	const declared = declaredFailure(failure);
	const error = new NodeOperationError(node, failure.message, {
		itemIndex,
		description: failure.hint,
		...(declared && { failure: declared }),
	});
	// The constructor replaces any message that contains ECONNREFUSED, EPERM and the like, even inside a word.
	error.message = failure.message;
	return error;
}

function declaredFailure(error: LocalAiError): Failure | undefined {
	switch (error.code) {
		case 'configuration':
			return { cause: 'configuration-invalid' };
		case 'unauthorized':
			return { cause: 'credential-invalid' };
		case 'unreachable':
		case 'timeout':
			return { cause: 'temporarily-unavailable' };
		case 'overloaded':
			return {
				cause: 'rate-limited',
				...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
			};
		case 'defect':
			return { cause: 'node-defect' };
		case 'invalid-input':
		case 'bad-reply':
		case 'tool-failed':
		case 'refused':
		case 'cancelled':
			return undefined;
		default:
			return error.code satisfies never;
	}
}

/** Errors of n8n itself (an expression that fails, a missing credential) pass; anything else is the node's defect. */
function unexpected(node: INode, failure: unknown, itemIndex?: number): NodeOperationError {
	const message = failure instanceof Error ? failure.message : String(failure);
	const fromN8n = failure instanceof Error && 'level' in failure;
	const description = fromN8n && 'description' in failure ? failure.description : undefined;
	const error = new NodeOperationError(node, message, {
		itemIndex,
		...(typeof description === 'string' && { description }),
		...(!fromN8n && { failure: { cause: 'node-defect' } }),
	});
	error.message = message;
	return error;
}

/**
 * n8n routes an item to the error output by exactly these keys. An `error` beside `json` would do that too, but n8n
 * then cuts the JSON down to the message.
 */
function errorJson(thrown: unknown, { message, description, failure }: NodeOperationError) {
	const defect = failure?.cause === 'node-defect' ? 'defect' : null;
	const { code, reason } = thrown instanceof LocalAiError ? thrown : { code: defect, reason: undefined };
	return { error: message, details: { code, hint: description ?? null, ...(reason !== undefined && { reason }) } };
}

function cancelled(itemIndex: number) {
	return new LocalAiError('cancelled', `The execution was cancelled before item ${itemIndex}.`, {
		hint: 'Run the workflow again when you want the remaining items.',
	});
}
