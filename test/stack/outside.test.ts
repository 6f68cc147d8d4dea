import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { findOllama } from '../../stack/outside.mts';

let peer: Server | undefined;
afterEach(() => peer?.close());

const server = async (body: string) => {
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
	});
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
