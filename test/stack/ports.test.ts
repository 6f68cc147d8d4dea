import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { choosePorts, requireFree } from '../../stack/ports.mts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ports-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const listen = async (port: number) => {
	const server = createServer().listen(port, '127.0.0.1');
	await once(server, 'listening');
	return server;
};

test('every name gets a port of its own, the same at the next start', async () => {
	const file = join(folder, 'ports.json');
	const names = ['postgres', 'redis', 'broker'];
	const first = await choosePorts(file, names);
	const ports = names.map(first);
	expect(new Set(ports).size).toBe(3);
	const second = await choosePorts(file, names);
	expect(names.map(second)).toEqual(ports);
});

test('a port that another program took meanwhile is chosen anew, the others stay', async () => {
	const file = join(folder, 'ports.json');
	const first = await choosePorts(file, ['postgres', 'redis']);
	const thief = await listen(first('postgres'));
	const second = await choosePorts(file, ['postgres', 'redis']);
	expect(second('postgres')).not.toBe(first('postgres'));
	expect(second('redis')).toBe(first('redis'));
	thief.close();
});

test('a taken port is refused with the setting that moves it', async () => {
	const port = (await choosePorts(join(folder, 'ports.json'), ['any']))('any');
	const server = await listen(port);
	await expect(requireFree(port, 'AURASTACK_PORT')).rejects.toMatchObject({
		code: 'configuration',
		message: expect.stringContaining(String(port)),
		hint: expect.stringContaining(`AURASTACK_PORT=${port + 1}`),
	});
	server.close();
	await once(server, 'close');
	await requireFree(port, 'AURASTACK_PORT');
});
