import { writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { join } from 'node:path';

import type { IExecuteFunctions, INodeExecutionData, INodeType } from 'n8n-workflow';

import { description } from '../../../nodes/OllamaExtract/description';
import { archiveRequest, extractRequest, findRequest, operationOf } from '../../../nodes/OllamaExtract/parameters';
import { forEachItem } from '../../../nodes/shared/n8n';
import { openFolder, runNode, type NodeRun } from '../../support/host';

/** A node with the same parameters whose output is what each item asks for. */
class Asks implements INodeType {
	description = description;

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await forEachItem(this, async (itemIndex) => {
			const operation = operationOf(this, itemIndex);
			const read = { extract: extractRequest, archive: archiveRequest, find: findRequest }[operation];
			return { data: { ...(await read(this, itemIndex)) } };
		});
	}
}

async function asked(setup: NodeRun) {
	const { outputs, error } = await runNode(new Asks(), setup);
	return { requests: outputs[0]?.map(({ json }) => json), error };
}

test('what is left alone is Automatic on a devis, without a server where no credential is chosen', async () => {
	const { requests } = await asked({ parameters: { source: 'text', text: 'Devis n° 7' } });
	expect(requests).toEqual([
		{
			source: { text: 'Devis n° 7' },
			options: { schema: 'devis', engine: 'automatic', model: 'qwen2.5-coder:3b-instruct' },
			includeEvidence: true,
		},
	]);
});

test('each item has its own source, schema and options, seconds become milliseconds', async () => {
	const { requests } = await asked({
		parameters: {
			source: 'text',
			text: '={{ $json.text }}',
			schema: 'jsonSchema',
			jsonSchema: '={{ $json.schema }}',
			engine: 'withoutModel',
			options: { readTimeoutSeconds: '={{ $json.seconds }}' },
		},
		items: [
			{ json: { text: 'a', schema: { type: 'object' }, seconds: 2 } },
			{ json: { text: 'b', schema: '{"type":"array"}', seconds: 0.5 } },
		],
	});
	expect(requests).toMatchObject([
		{ source: { text: 'a' }, options: { schema: { type: 'object' }, readTimeoutMs: 2000 } },
		{ source: { text: 'b' }, options: { schema: { type: 'array' }, readTimeoutMs: 500 } },
	]);
});

test('the server is that of the credential, its time-out the one chosen', async () => {
	const { requests } = await asked({
		parameters: { source: 'text', text: 'x', engine: 'modelOnly', options: { modelTimeoutSeconds: 60 } },
		credentials: { ollamaApi: { baseUrl: 'http://127.0.0.1:11434', apiKey: '' } },
	});
	expect(requests).toMatchObject([{ server: { baseUrl: 'http://127.0.0.1:11434', timeoutMs: 60_000 } }]);
	expect(requests![0]!['server']).not.toHaveProperty('apiKey');
});

test.each([
	[{ source: 'text', text: 'x', engine: 'modelOnly' }, /needs an Ollama credential/],
	[{ source: 'text', text: 'x', options: { maxPages: 0 } }, /maxPages/],
	[{ source: 'text', text: 'x', schema: 'jsonSchema', jsonSchema: '[1]' }, /not a JSON object/],
	[{ source: 'text', text: 'x', schema: 'jsonSchema', jsonSchema: '{' }, /not valid JSON/],
	[{ operation: 'archive', filePath: '/etc/passwd', archiveFolder: openFolder, verdict: 'review' }, /may not open/],
	[{ operation: 'find', folder: '/etc' }, /may not open/],
])('%j is refused with what is wrong', async (parameters, message) => {
	const { error } = await asked({ parameters: parameters as NodeRun['parameters'] });
	expect(error?.message).toMatch(message);
});

test.each([
	['EMFILE', 'overloaded'],
	['ENFILE', 'overloaded'],
	['EIO', 'unreachable'],
	['ESTALE', 'unreachable'],
	['EACCES', 'configuration'],
	['ENOENT', 'invalid-input'],
])('a file that cannot be read for %s is %s, not the fault of the node', async (errno, code) => {
	const path = join(openFolder, 'devis.pdf');
	writeFileSync(path, 'x');
	const failure = Object.assign(new Error(`${errno}: it failed`), { code: errno, errno: -1 });
	const reading = jest.spyOn(fs, 'stat').mockRejectedValue(failure);
	const { outputs } = await runNode(new Asks(), {
		parameters: { source: 'file', filePath: path, engine: 'withoutModel' },
		onError: 'continueErrorOutput',
	}).finally(() => reading.mockRestore());
	expect(outputs[1]).toMatchObject([{ json: { details: { code, hint: expect.stringMatching(/\w/) } } }]);
});

test('a folder is looked into for the extensions as they are written, PDF where none is', async () => {
	const parameters = { operation: 'find', folder: openFolder };
	const { requests } = await asked({ parameters });
	expect(requests).toMatchObject([{ folder: openFolder, stillMs: 2000, extensions: ['.pdf'] }]);
	const several = await asked({
		parameters: { ...parameters, options: { extensions: ' .PDF, .png,', stillSeconds: 1 } },
	});
	expect(several.requests).toMatchObject([{ stillMs: 1000, extensions: ['.pdf', '.png'] }]);
});
