import { NodeOperationError } from 'n8n-workflow';
import type { Failure, IDataObject, IExecuteFunctions, INode, INodeExecutionData } from 'n8n-workflow';

import { LocalAiError } from './errors';

/**
 * Runs `work` for every input item in order and pairs the JSON it gives with that item. Where the node continues on
 * fail, a failed item becomes `{ error, details: { code, hint } }`; a cancellation always ends the node.
 */
export async function forEachItem(
	host: IExecuteFunctions,
	work: (itemIndex: number, signal: AbortSignal) => Promise<IDataObject>,
): Promise<INodeExecutionData[][]> {
	const signal = host.getExecutionCancelSignal() ?? new AbortController().signal;
	const output: INodeExecutionData[] = [];
	for (const itemIndex of host.getInputData().keys()) {
		const pairedItem = { item: itemIndex };
		try {
			if (signal.aborted) throw cancelled(itemIndex);
			output.push({ json: await work(itemIndex, signal), pairedItem });
		} catch (failure) {
			const error = toNodeError(host.getNode(), failure, itemIndex);
			if (!host.continueOnFail() || signal.aborted) throw error;
			output.push({ json: errorJson(failure, error), pairedItem });
		}
	}
	return [output];
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
	const code = thrown instanceof LocalAiError ? thrown.code : defect;
	return { error: message, details: { code, hint: description ?? null } };
}

function cancelled(itemIndex: number) {
	return new LocalAiError('cancelled', `The execution was cancelled before item ${itemIndex}.`, {
		hint: 'Run the workflow again when you want the remaining items.',
	});
}
