import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, type Server, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { choosePorts } from '../../stack/ports.mts';
import { Processes } from '../../stack/processes.mts';
import { answers, findRedis, parseRedisUrl, redisProgram } from '../../stack/redis.mts';

test.each([
	['redis://127.0.0.1', { host: '127.0.0.1', port: 6379, database: 0, tls: false }],
	[
		'rediss://me:p%40ss@cache.example:7000/3',
		{ host: 'cache.example', port: 7000, username: 'me', password: 'p@ss', database: 3, tls: true },
	],
	['redis://:secret@[::1]:6380', { host: '::1', port: 6380, password: 'secret', database: 0, tls: false }],
])('%s', (url, address) => expect(parseRedisUrl(url)).toEqual(address));

describe('answers', () => {
	const asked: string[] = [];
	let server: Server | undefined;
	afterEach(() => server?.close());

	const peer = async (reply: (asked: string) => string) => {
		asked.length = 0;
		server = createServer((socket) => {
			socket.on('data', (data) => {
				asked.push(data.toString());
				socket.write(reply(data.toString()));
			});
			socket.on('error', () => socket.destroy());
		}).listen(0, '127.0.0.1');
		await once(server, 'listening');
		const { port } = server.address() as AddressInfo;
		return { host: '127.0.0.1', port, password: 'é', database: 0, tls: false };
	};

	test.each([
		['a ready server', '+OK\r\n+PONG\r\n', true],
		['a wrong password', '-WRONGPASS invalid\r\n-NOAUTH\r\n', false],
		['one that still loads its data', '+OK\r\n-LOADING Redis is loading\r\n', false],
	])('%s', async (_, reply, answer) => {
		const address = await peer(() => reply);
		expect(await answers(address)).toBe(answer);
		expect(asked.join('')).toBe('*2\r\n$4\r\nAUTH\r\n$2\r\né\r\n*1\r\n$4\r\nPING\r\n');
	});

	test('nobody there', async () => {
		const address = await peer(() => '');
		server!.close();
		await once(server!, 'close');
		expect(await answers(address)).toBe(false);
	});
});

test('a Redis starts and answers in a folder with blanks in its name', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'redis a b '));
	const port = (await choosePorts(join(folder, 'ports.json'), ['redis']))('redis');
	const processes = new Processes(folder, join(folder, 'processes.json'), () => {});
	try {
		const server = await findRedis(processes, () => {});
		if (!server) throw new Error('This test needs a Redis: npm start installs one for root on Debian.');
		await processes.start(redisProgram(server, folder, port, 'secret'));
		expect(await answers({ host: '127.0.0.1', port, password: 'secret', database: 0, tls: false })).toBe(true);
		expect(existsSync(join(folder, 'appendonlydir'))).toBe(true);
	} finally {
		processes.end();
		await processes.stop(['redis']);
		rmSync(folder, { recursive: true });
	}
});
