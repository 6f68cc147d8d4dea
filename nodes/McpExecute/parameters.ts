import type { IAllExecuteFunctions, IExecuteFunctions } from 'n8n-workflow';
import { z } from 'zod';

import { LocalAiError } from '../shared/errors';
import { choice, optionsOf, postgresAddress, textOf } from '../shared/n8n';
import type { CallRequest, Caller } from './call';
import { openWay, type GatewayAddress, type Way } from './gate';

/** Throws LocalAiError `invalid-input` where an expression gives none of the operations. */
export function operationOf(host: IExecuteFunctions, itemIndex: number) {
	return choice(host, itemIndex, 'operation', {
		answer: 'answer',
		check: 'check',
		execute: 'execute',
		list: 'list',
		request: 'request',
		trust: 'trust',
		verify: 'verify',
	} as const);
}

/** Who owns the servers that this item reaches. */
export function serversOf(host: IExecuteFunctions, itemIndex: number) {
	return choice(host, itemIndex, 'servers', { gateway: 'gateway', own: 'own' } as const);
}

/** The gate and the servers behind this item's credentials. */
export async function wayOf(
	host: Pick<IAllExecuteFunctions, 'getCredentials'>,
	itemIndex: number,
	servers: 'gateway' | 'own',
): Promise<Way> {
	const policy = await host.getCredentials('mcpPolicy', itemIndex);
	const database = await postgresAddress(host, itemIndex);
	if (servers === 'own') return await openWay(policy, database);
	const { baseUrl, token } = await host.getCredentials<GatewayAddress & object>('mcpGateway', itemIndex);
	return await openWay(policy, database, { baseUrl, token });
}

/** The task of this item and who asks for it. What the task holds is not judged here. */
export function taskRequest(host: IExecuteFunctions, itemIndex: number): Pick<CallRequest, 'task' | 'caller'> {
	const mode = choice(host, itemIndex, 'taskMode', { fields: 'fields', json: 'json' } as const);
	const caller = callerOf(host, itemIndex);
	switch (mode) {
		case 'json':
			return { task: host.getNodeParameter('task', itemIndex), caller };
		case 'fields':
			return {
				task: {
					server: nameOf(host, itemIndex, 'server'),
					tool: nameOf(host, itemIndex, 'tool'),
					arguments: argumentsOf(host, itemIndex),
				},
				caller,
			};
		default:
			return mode satisfies never;
	}
}

/** The token that came with this item, as it came. */
export function approvalOf(
	host: IExecuteFunctions,
	itemIndex: number,
): Pick<CallRequest, 'approval' | 'approvalIsShared'> {
	return {
		approval: host.getNodeParameter('approval', itemIndex, ''),
		approvalIsShared: host.getInputData().length > 1,
	};
}

/** The request that this item answers, how, and in whose name. */
export function answerOf(host: IExecuteFunctions, itemIndex: number) {
	return {
		id: textOf(host, itemIndex, 'requestId').trim(),
		answer: choice(host, itemIndex, 'answer', { approve: 'approve', reject: 'reject' } as const),
		approver: textOf(host, itemIndex, 'person').trim(),
	};
}

/** The tool whose definition this item trusts, and who says so. */
export function trustOf(host: IExecuteFunctions, itemIndex: number) {
	return {
		server: nameOf(host, itemIndex, 'server'),
		tool: nameOf(host, itemIndex, 'tool'),
		acceptedBy: textOf(host, itemIndex, 'person').trim(),
	};
}

/** The server whose tools this item lists, and for whom. */
export function listOf(host: IExecuteFunctions, itemIndex: number) {
	return { server: nameOf(host, itemIndex, 'server'), caller: callerOf(host, itemIndex) };
}

/** The audit ID that this item checks against; absent when none was given. */
export function anchorOf(host: IExecuteFunctions, itemIndex: number): string | undefined {
	const anchor = host.getNodeParameter('anchor', itemIndex, '');
	return typeof anchor === 'string' && anchor.trim() !== '' ? anchor.trim() : undefined;
}

const optionValues = z.object({ user: z.string().trim() }).partial();

function callerOf(host: IExecuteFunctions, itemIndex: number): Caller {
	const { user } = optionsOf(host, itemIndex, optionValues);
	return { workflowId: host.getWorkflow().id ?? '', nodeName: host.getNode().name, ...(user && { user }) };
}

/** Exactly as it was given: a name with a blank at its end is another name. */
function nameOf(host: IExecuteFunctions, itemIndex: number, parameter: 'server' | 'tool'): string {
	const name = host.getNodeParameter(parameter, itemIndex, '', { extractValue: true });
	if (typeof name === 'string' && name !== '') return name;
	throw new LocalAiError('invalid-input', `No ${parameter} is chosen.`, {
		hint: 'Choose one from the list, or check what its expression gives for this item.',
	});
}

/** The arguments that were filled in; the editor keeps lists and objects as JSON text. */
function argumentsOf(host: IExecuteFunctions, itemIndex: number): Record<string, unknown> {
	const mapped = host.getNodeParameter('arguments', itemIndex, {}) as {
		value?: Record<string, unknown> | null;
		schema?: ReadonlyArray<{ readonly id: string; readonly type?: string }>;
	};
	const types = new Map(mapped.schema?.map(({ id, type }) => [id, type]));
	return Object.fromEntries(
		Object.entries(mapped.value ?? {})
			.filter(([, value]) => value !== null && value !== undefined)
			.map(([name, value]) => [name, typedValue(name, value, types.get(name))]),
	);
}

function typedValue(name: string, value: unknown, type: string | undefined): unknown {
	if (typeof value !== 'string') return value;
	switch (type) {
		case 'array':
		case 'object':
			try {
				return JSON.parse(value);
			} catch {
				throw new LocalAiError('invalid-input', `The argument "${name}" is not valid JSON.`, {
					hint: type === 'array' ? 'Give a list such as ["a", "b"].' : 'Give an object such as {"a": 1}.',
				});
			}
		case 'number':
			return value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value;
		case 'boolean':
			return value === 'true' ? true : value === 'false' ? false : value;
		default:
			return value;
	}
}
