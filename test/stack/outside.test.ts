import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { description } from '../../nodes/OllamaExtract/description';
import { findOllama, optionalModels } from '../../stack/outside.mts';

let peer: Server | undefined;
afterEach(() => peer?.close());

const server = async (body: string) => {
	peer?.close();
	peer = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1');
	await once(peer, 'listening');
	return `http://127.0.0.1:${(peer.address() as AddressInfo).port}`;
};

test('what Ollama has is told from what is wanted of it', async () => {
	const url = await server(JSON.stringify({ models: [{ name: 'qwen:3b' }, { name: 'nomic:latest' }] }));
	expect(await findOllama(url, ['qwen:3b', 'nomic', 'llama:1b'])).toEqual({
		url,
		found: true,
		models: ['qwen:3b', 'nomic:latest'],
		missing: ['llama:1b'],
		commands: [`OLLAMA_HOST=${new URL(url).host} ollama pull llama:1b`],
		optional: [
			{
				name: 'qwen2.5vl:3b',
				purpose: 'for images',
				command: `OLLAMA_HOST=${new URL(url).host} ollama pull qwen2.5vl:3b`,
			},
		],
	});
});

test('an optional model that is there, or needed, is not offered', async () => {
	const url = await server(JSON.stringify({ models: [{ name: 'qwen2.5vl:3b' }] }));
	expect((await findOllama(url, [])).optional).toEqual([]);
	const empty = await server('{"models":[]}');
	expect(await findOllama(empty, ['qwen2.5vl:3b'])).toMatchObject({ missing: ['qwen2.5vl:3b'], optional: [] });
});

test('the model for images is the one that the node asks', () => {
	const options = description.properties.flatMap(({ name, options = [] }) => (name === 'options' ? options : []));
	const vision = options.find(({ name }) => name === 'visionModel');
	expect(Object.keys(optionalModels)).toContain((vision as { default: unknown }).default);
});

test.each(['<html>', '{}', '{"models":[{}]}'])('a server that answers %s is no Ollama', async (body) => {
	const url = await server(body);
	expect((await findOllama(url, [])).found).toBe(false);
});

test('without a server the commands install it and pull the models', async () => {
	const url = await server('');
	peer!.close();
	await once(peer!, 'close');
	expect(await findOllama(url, ['qwen:3b'])).toMatchObject({
		found: false,
		missing: ['qwen:3b'],
		commands: [expect.stringContaining('ollama.com/install.sh'), expect.stringContaining('ollama pull qwen:3b')],
	});
});
