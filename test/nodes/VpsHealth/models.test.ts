import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readModels } from '../../../nodes/VpsHealth/models';

const signal = new AbortController().signal;
const details = {
	parent_model: '',
	format: 'gguf',
	family: 'qwen2',
	families: ['qwen2'],
	parameter_size: '7.6B',
	quantization_level: 'Q4_K_M',
};
// The replies of /api/version, /api/tags and /api/ps as Ollama's API documentation shows them, shortened.
const replies: Readonly<Record<string, unknown>> = {
	'/api/version': { version: '0.20.2' },
	'/api/tags': {
		models: [
			{ name: 'qwen2.5:7b', model: 'qwen2.5:7b', size: 4_683_087_332, digest: '845dbda0ea48', details },
			{
				name: 'nomic-embed-text:latest',
				model: 'nomic-embed-text:latest',
				size: 274_302_450,
				digest: '0a109f422b47',
				details,
			},
		],
	},
	'/api/ps': {
		models: [
			{
				name: 'qwen2.5:7b',
				model: 'qwen2.5:7b',
				size: 5_137_025_024,
				digest: '845dbda0ea48',
				details,
				expires_at: '2026-11-22T08:05:00.123456+01:00',
			},
			{ name: 'kept:latest', model: 'kept:latest', size: 1, digest: '0', details, expires_at: '2318-03-04T00:00:00Z' },
		],
	},
};

let ollama: Server;
let baseUrl: string;
beforeAll(async () => {
	ollama = createServer((request, response) => {
		response.writeHead(200, { 'content-type': 'application/json' });
		response.end(JSON.stringify(replies[request.url ?? '']));
	}).listen(0, '127.0.0.1');
	await once(ollama, 'listening');
	baseUrl = `http://127.0.0.1:${(ollama.address() as AddressInfo).port}`;
});
afterAll(() => ollama.close());

test('what is installed, what is in memory, and what is wanted but not there', async () => {
	const wanted = ['qwen2.5:7b', 'nomic-embed-text', 'qwen2.5', 'registry.local:5000/own/model'];
	expect(await readModels({ baseUrl }, wanted, signal)).toEqual({
		version: '0.20.2',
		installed: [
			{ name: 'nomic-embed-text:latest', sizeBytes: 274_302_450 },
			{ name: 'qwen2.5:7b', sizeBytes: 4_683_087_332 },
		],
		loaded: [
			{ name: 'qwen2.5:7b', sizeBytes: 5_137_025_024, expiresAt: '2026-11-22T07:05:00.123Z' },
			{ name: 'kept:latest', sizeBytes: 1, expiresAt: null },
		],
		wanted,
		missing: ['qwen2.5', 'registry.local:5000/own/model'],
	});
});

test('an Ollama that is not there is an error that says so', async () => {
	await expect(readModels({ baseUrl: 'http://127.0.0.1:1' }, [], signal)).rejects.toMatchObject({
		nothingAnswers: true,
	});
});
