import { NodeOperationError } from 'n8n-workflow';
import type {
	IBinaryKeyData,
	IExecuteFunctions,
	INode,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
} from 'n8n-workflow';

import { LocalAiError, localAiErrorCodes } from '../../../nodes/shared/errors';
import { forEachItem, toNodeError } from '../../../nodes/shared/n8n';
import { runNode } from '../../support/host';

class Probe implements INodeType {
	description = {
		displayName: 'Probe',
		name: 'probe',
		group: ['transform'],
		version: 1,
		description: '',
		defaults: {},
		inputs: ['main'],
		outputs: ['main'],
		properties: [{ displayName: 'Word', name: 'word', type: 'string', default: 'none' }],
	} as INodeTypeDescription;

	constructor(
		private readonly work: (word: unknown, signal: AbortSignal) => unknown = (word) => word,
		private readonly files?: () => IBinaryKeyData,
	) {}

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		// n8n binds `this` to the context; the probe's own fields are reached through the node type it holds.
		const { work, files } = (this as unknown as { nodeType: Probe }).nodeType;
		return await forEachItem(this, async (itemIndex, signal) => {
			const word = this.getNodeParameter('word', itemIndex);
			if (word === 'bad') throw unreachable();
			return { data: { word: (await work(word, signal)) as string }, ...(files && { files: files() }) };
		});
	}
}

const unreachable = () =>
	new LocalAiError('unreachable', 'The server refused it (ECONNREFUSED)', {
		hint: 'Start the server.',
		cause: new Error('Authorization: Bearer secret'),
	});
const parameters = { word: '={{ $json.word }}' };
const items = ['one', 'bad', 'three'].map((word) => ({ json: { word } }));
const failedJson = {
	error: 'The server refused it (ECONNREFUSED)',
	details: { code: 'unreachable', hint: 'Start the server.' },
};

describe('forEachItem', () => {
	test('an expression gives each item its own value, and each output its pair', async () => {
		const { outputs } = await runNode(new Probe(), { parameters, items: [items[0]!, items[2]!] });
		expect(outputs).toEqual([
			[
				{ json: { word: 'one' }, pairedItem: { item: 0 } },
				{ json: { word: 'three' }, pairedItem: { item: 1 } },
			],
		]);
	});

	test('one failed item of three stops the workflow and is named', async () => {
		const { status, outputs, error } = await runNode(new Probe(), { parameters, items });
		expect(status).toBe('error');
		expect(outputs).toEqual([]);
		expect(error).toMatchObject({
			message: 'The server refused it (ECONNREFUSED)',
			description: 'Start the server.',
			context: { itemIndex: 1 },
			failure: { cause: 'temporarily-unavailable' },
		});
	});

	test('continuing in the regular output keeps the order and says what failed', async () => {
		const { status, outputs } = await runNode(new Probe(), { parameters, items, onError: 'continueRegularOutput' });
		expect(status).toBe('success');
		expect(outputs[0]).toEqual([
			{ json: { word: 'one' }, pairedItem: { item: 0 } },
			{ json: failedJson, pairedItem: { item: 1 } },
			{ json: { word: 'three' }, pairedItem: { item: 2 } },
		]);
	});

	test('continuing in the error output sends the failed item there, its input beside the error', async () => {
		const { outputs } = await runNode(new Probe(), { parameters, items, onError: 'continueErrorOutput' });
		expect(outputs).toEqual([
			[
				{ json: { word: 'one' }, pairedItem: { item: 0 } },
				{ json: { word: 'three' }, pairedItem: { item: 2 } },
			],
			[{ json: { word: 'bad', ...failedJson }, pairedItem: { item: 1 } }],
		]);
	});

	test('files become binary fields, beside the JSON', async () => {
		const page = { data: 'PGh0bWw+', mimeType: 'text/html', fileName: 'report.html' };
		const probe = new Probe(
			(word) => word,
			() => ({ page }),
		);
		const { outputs } = await runNode(probe, { parameters, items: [items[0]!] });
		expect(outputs[0]).toEqual([{ json: { word: 'one' }, binary: { page }, pairedItem: { item: 0 } }]);
	});

	test('a finer reason of an error stands in its details', async () => {
		const probe = new Probe(() => {
			throw new LocalAiError('timeout', 'Too late', { hint: 'Wait longer.', reason: 'TIMEOUT_CALL' });
		});
		const { outputs } = await runNode(probe, { parameters, items: [items[0]!], onError: 'continueRegularOutput' });
		expect(outputs[0]?.[0]?.json).toEqual({
			error: 'Too late',
			details: { code: 'timeout', hint: 'Wait longer.', reason: 'TIMEOUT_CALL' },
		});
	});

	test('cancelling reaches the item that runs, and starts no further one', async () => {
		const stop = new AbortController();
		const started: unknown[] = [];
		let reached: unknown;
		const done = Promise.withResolvers<void>();
		const probe = new Probe((word, signal) => {
			started.push(word);
			return new Promise((_, reject) => {
				signal.addEventListener('abort', () => {
					reached = word;
					reject(new LocalAiError('cancelled', 'Stopped', { hint: '' }));
					setImmediate(done.resolve);
				});
				stop.abort();
			});
		});
		await runNode(probe, {
			parameters,
			items: [items[0]!, items[2]!],
			onError: 'continueRegularOutput',
			signal: stop.signal,
		});
		await done.promise;
		expect({ started, reached }).toEqual({ started: ['one'], reached: 'one' });
	});

	test('an expression that fails is told as n8n tells it, with the item', async () => {
		const { error } = await runNode(new Probe(), { parameters: { word: '={{ $("Nowhere").item.json.word }}' }, items });
		expect(error?.message).toMatch(/Nowhere|doesn't exist/);
		expect(error?.context.itemIndex).toBe(0);
	});
});

describe('toNodeError', () => {
	const node: INode = { id: '1', name: 'N', type: 't', typeVersion: 1, position: [0, 0], parameters: {} };

	test.each(localAiErrorCodes)('%s keeps its words and hint, and leaves its cause behind', (code) => {
		const message = 'Cannot stagePermissionCheck: EPERM, ENOENT';
		const cause = new Error('password=hunter2');
		const error = toNodeError(node, new LocalAiError(code, message, { hint: 'Do this.', cause }), 2);
		expect(error).toMatchObject({ message, description: 'Do this.', context: { itemIndex: 2 } });
		expect(JSON.stringify([error, error.cause, error.messages, error.stack])).not.toContain('hunter2');
	});

	test('a busy server says how long to wait', () => {
		const busy = new LocalAiError('overloaded', 'Busy', { hint: 'Wait.', retryAfterMs: 1500 });
		expect(toNodeError(node, busy, 0).failure).toEqual({ cause: 'rate-limited', retryAfterMs: 1500 });
	});

	test("n8n's own error stays the same object and gains the item", () => {
		const own = new NodeOperationError(node, 'Access to the file is not allowed.');
		expect(toNodeError(node, own, 0)).toBe(own);
		expect(own.context.itemIndex).toBe(0);
		expect(toNodeError(node, own, 7).context.itemIndex).toBe(0);
	});

	test('anything else is a defect of the node', () => {
		const error = toNodeError(node, new TypeError('x is not a function'), 1);
		expect(error).toMatchObject({ message: 'x is not a function', failure: { cause: 'node-defect' } });
	});
});
