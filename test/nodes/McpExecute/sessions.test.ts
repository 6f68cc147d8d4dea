import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ToolSessions } from '../../../nodes/McpExecute/call';
import { createSessions, type McpServer, type Sessions } from '../../../nodes/McpExecute/sessions';
import { LocalAiError } from '../../../nodes/shared/errors';
import { attackTests, hostileServer } from '../../support/attackCorpus';
import { access, isAlive, peer, peerProgram, processesWith, stdioServer, until } from '../../support/mcpServers';

jest.setTimeout(30_000);

let sessions: Sessions;
const cleanups: Array<() => unknown> = [];
beforeEach(() => {
	sessions = createSessions({ firstRestMs: 300 });
});
afterEach(async () => {
	await sessions.close();
	for (const cleanup of cleanups.splice(0)) await cleanup();
});

const started = (...args: Parameters<typeof peer>) => {
	const one = peer(...args);
	cleanups.push(() => one.remove());
	return one;
};
const hostile = (mode: string, over: Parameters<typeof stdioServer>[2] = {}, ...rest: string[]) =>
	stdioServer('node', [hostileServer, mode, ...rest], { name: 'evil', connectTimeoutMs: 3000, ...over });
const call = (server: McpServer, given: Record<string, unknown> = {}, signal?: AbortSignal, who = access) =>
	sessions.callTool(server, { tool: 't', arguments: given }, who, signal);
const failure = async (work: Promise<unknown>): Promise<LocalAiError> => {
	const error: unknown = await work.then(
		() => undefined,
		(reason: unknown) => reason,
	);
	if (!(error instanceof LocalAiError)) throw new Error(`no LocalAiError but ${String(error)}`);
	return error;
};
const textOf = async (reply: ReturnType<Sessions['callTool']>) => {
	const one = await reply;
	if (one.kind !== 'complete') throw new Error(one.kind);
	const [block] = one.result.content;
	if (block?.type !== 'text') throw new Error('no text');
	return block.text;
};
/** How long it takes, in ms. */
const timed = async (work: () => Promise<unknown>) => {
	const start = performance.now();
	await work();
	return performance.now() - start;
};

test('the pool is what a call needs of servers', () => {
	const needed: ToolSessions = sessions;
	expect(needed).toBe(sessions);
});

describe('one connection', () => {
	test('answers call after call from the same process', async () => {
		const { server, starts } = started('echo');
		expect(await textOf(call(server, { a: 1 }))).toBe('{"a":1}');
		expect(await Promise.all([1, 2, 3].map((a) => textOf(call(server, { a }))))).toEqual([
			'{"a":1}',
			'{"a":2}',
			'{"a":3}',
		]);
		expect(starts()).toHaveLength(1);
	});

	test('parallel first calls start one process', async () => {
		const { server, starts } = started('echo');
		await Promise.all(Array.from({ length: 20 }, () => call(server)));
		expect(starts()).toHaveLength(1);
	});

	test('lists tools as the server has them now', async () => {
		const { server } = started('echo');
		expect(await sessions.listTools(server, access)).toEqual([{ name: 't', inputSchema: { type: 'object' } }]);
		const { server: fickle } = started('fickle');
		const descriptions = [
			(await sessions.listTools(fickle, access))[0]?.description,
			(await sessions.listTools(fickle, access))[0]?.description,
		];
		expect(descriptions).toEqual(['as before', 'another']);
	});

	test.each([
		['twice', 'twice'],
		['endless', 'does not end its list'],
	])('a list of tools that is %s is no list', async (mode, words) => {
		const error = await failure(sessions.listTools(started(mode).server, access));
		expect(error).toMatchObject({ code: 'bad-reply', reason: 'PROTOCOL', message: expect.stringContaining(words) });
	});

	test('sees of the environment what the policy names, and nothing else', async () => {
		const own = createSessions({ env: { ...process.env, NAMED: 'yes', CANARY: 'no' } });
		cleanups.push(() => own.close());
		const { server } = started('env', { env: ['NAMED', 'ABSENT'], setEnv: { FIXED: 'f' } });
		const who = { key: 'a', env: { GIVEN: 'g' } };
		const { pid, ...seen } = JSON.parse(await textOf(own.callTool(server, { tool: 't', arguments: {} }, who)));
		expect(seen).toEqual({ NAMED: 'yes', FIXED: 'f', GIVEN: 'g' });
		expect(pid).toEqual(expect.any(Number));
	});

	test('of what it was given only what is named like a secret is kept out of its answers', async () => {
		const env = { API_URL: 'http://127.0.0.1:5678', API_KEY: 'CANARY-4711' };
		const reply = sessions.callTool(started('env').server, { tool: 't', arguments: {} }, { key: 'a', env });
		expect(JSON.parse(await textOf(reply))).toMatchObject({ API_URL: env.API_URL, API_KEY: '[redacted]' });
	});

	test('a program that is not there is a matter of the policy', async () => {
		const error = await failure(call(stdioServer('/nowhere/at-all', [])));
		expect(error).toMatchObject({ code: 'configuration', reason: 'SPAWN_FAILED' });
	});

	test.each(['server.js', './server.js', '../x', 'a b'])('%s is no program', async (command) => {
		expect(await failure(call(stdioServer(command, [])))).toMatchObject({ reason: 'SPAWN_FAILED' });
	});

	test('what the server refuses is told without the secrets that it was given', async () => {
		const { server } = started('secret');
		const error = await failure(call(server, {}, undefined, { key: 'a', env: { API_KEY: 'CANARY-4711' } }));
		expect(error).toMatchObject({ code: 'tool-failed', reason: 'TOOL_ERROR' });
		expect(error.message).toContain('[redacted] is wrong');
		expect(JSON.stringify(error)).not.toContain('CANARY');
	});

	test('a server that floods with requests of its own is read no faster than it may speak', async () => {
		const { server, received } = started('unasked', { callTimeoutMs: 1000, maxTimeoutMs: 1000 });
		expect(await failure(call(server))).toMatchObject({ reason: 'TIMEOUT_CALL' });
		const answers = received().filter((line) => line.startsWith('answer'));
		expect(new Set(answers)).toEqual(new Set(['answer {"code":-32601,"message":"Method not found"}']));
		expect(answers.length).toBeLessThanOrEqual(1100);
	});

	test('a result nested without end is refused', async () => {
		const { server } = started('deep', { maxOutputBytes: 1e6 });
		const who = { key: 'a', env: { API_KEY: 'CANARY-4711' } };
		expect(await failure(call(server, {}, undefined, who))).toMatchObject({ code: 'bad-reply' });
	});

	test('progress keeps a call alive up to the absolute maximum, and is told now and then', async () => {
		const told: unknown[] = [];
		const { server } = started('progress', { callTimeoutMs: 300, maxTimeoutMs: 1500 });
		const ms = await timed(async () => {
			const work = sessions.callTool(
				server,
				{ tool: 't', arguments: {}, onProgress: (progress) => told.push(progress) },
				access,
			);
			expect(await failure(work)).toMatchObject({ code: 'timeout', reason: 'TIMEOUT_CALL' });
		});
		expect(ms).toBeGreaterThan(1400);
		expect(told.length).toBeGreaterThan(2);
		expect(told.length).toBeLessThanOrEqual(16);
		expect(told[0]).toEqual({ progress: expect.any(Number) });
	});

	test('after close nothing is called any more', async () => {
		const { server, starts } = started('echo');
		await call(server);
		await sessions.close();
		expect(starts().some(isAlive)).toBe(false);
		expect(await failure(call(server))).toMatchObject({ code: 'cancelled' });
	});
});

describe('many connections', () => {
	test('the one unused for longest makes room, and one in use never does', async () => {
		const few = createSessions({ maxSessions: 2 });
		cleanups.push(() => few.close());
		const [a, b, c] = [started('pid'), started('slow'), started('pid')];
		await few.callTool(a.server, { tool: 't', arguments: {} }, access);
		const slow = few.callTool(b.server, { tool: 't', arguments: { ms: 1000 } }, access);
		await until(() => b.received().includes('tools/call'));
		await few.callTool(c.server, { tool: 't', arguments: {} }, access);
		await until(() => !isAlive(a.starts()[0]!));
		await slow;
		expect(isAlive(b.starts()[0]!)).toBe(true);
	});

	test('a caller who gives up while the server starts takes nobody with him', async () => {
		const { server, starts } = started('echo');
		const one = new AbortController();
		const given = failure(call(server, {}, one.signal));
		const kept = call(server);
		one.abort();
		expect(await given).toMatchObject({ code: 'cancelled' });
		await kept;
		expect(starts()).toHaveLength(1);
	});

	test('one who waits for his turn may leave', async () => {
		const { server, received } = started('slow', { serial: true });
		const first = call(server, { ms: 500 });
		const second = new AbortController();
		const left = failure(call(server, { ms: 500 }, second.signal));
		const third = call(server, { ms: 1 });
		second.abort();
		expect(await left).toMatchObject({ code: 'cancelled' });
		await Promise.all([first, third]);
		expect(received().filter((line) => line === 'tools/call')).toHaveLength(2);
	});

	test('a serial server that lost its caller starts nothing new before it is done', async () => {
		const { server, starts, received } = started('slow', { serial: true });
		const caller = new AbortController();
		const lost = failure(call(server, { ms: 700 }, caller.signal));
		await until(() => received().includes('tools/call'));
		caller.abort();
		expect(await lost).toMatchObject({ code: 'cancelled' });
		await call(server, { ms: 1 });
		expect(starts()).toHaveLength(2);
		const [done, ...rest] = received().filter((line) => line === 'done');
		expect({ done, rest }).toEqual({ done: 'done', rest: ['done'] });
	});
});

describe('what a server of 2026-07-28 may answer', () => {
	test('a question before there is a result is no result, and its state goes back as it came', async () => {
		const { server } = started('modern-input');
		const reply = await call(server);
		expect(reply).toEqual({
			kind: 'input-required',
			state: 'opaque é ==',
			requests: { who: expect.objectContaining({ method: 'elicitation/create' }) },
		});
		if (reply.kind !== 'input-required') throw new Error(reply.kind);
		const resume = { state: reply.state!, responses: { who: { action: 'decline' } } };
		const again = sessions.callTool(server, { tool: 't', arguments: {}, resume }, access);
		expect(await textOf(again)).toBe('resumed with opaque é ==');
	});
});

/** Runs a program that has the sources at hand, in a process of its own, and gives its lines. */
function program(source: string, ...flags: string[]) {
	const child = spawn(
		process.execPath,
		[...flags, '--require', join(__dirname, '../../support/typescript.cjs'), '-e', source],
		{
			cwd: __dirname,
			stdio: ['ignore', 'pipe', 'inherit'],
		},
	);
	const lines: string[] = [];
	createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
	cleanups.push(() => child.kill('SIGKILL'));
	return { child, lines };
}

const prelude = `
	const { createSessions } = require('${join(__dirname, '../../../nodes/McpExecute/sessions.ts')}');
	const access = { key: 'test' };
	const rss = () => { for (let i = 0; i < 3; i += 1) globalThis.gc?.(); return process.memoryUsage().rss / 2 ** 20; };
`;

attackTests(
	['hang-crash', 'concurrency'],
	{
		'HANG-01': {
			run: async () => {
				const server = hostile('hanginit', { connectTimeoutMs: 1000 }, 'tag-hang-01');
				const ms = await timed(async () => {
					expect(await failure(call(server))).toMatchObject({ code: 'timeout', reason: 'TIMEOUT_CONNECT' });
				});
				expect(ms).toBeGreaterThan(900);
				expect(ms).toBeLessThan(1100);
				await until(() => processesWith('tag-hang-01').length === 0);
			},
		},
		'HANG-02': {
			run: async () => {
				const { server, received, starts } = started('slow', { callTimeoutMs: 500 });
				const error = await failure(call(server, { ms: 60_000 }));
				expect(error).toMatchObject({ code: 'timeout', reason: 'TIMEOUT_CALL' });
				await until(() => received().includes('notifications/cancelled') && !starts().some(isAlive));
				expect(await textOf(call(server, { ms: 1 }))).toBe('late');
				expect(starts()).toHaveLength(2);
				expect(await failure(call(hostile('hang', { callTimeoutMs: 500 })))).toMatchObject({ reason: 'TIMEOUT_CALL' });
			},
		},
		'HANG-04': {
			run: async () => {
				const { server, starts } = started('dies');
				const reasons: Array<string | undefined> = [];
				for (let index = 0; index < 20; index += 1) reasons.push((await failure(call(server))).reason);
				expect(reasons.slice(0, 3)).toEqual(['SERVER_ENDED', 'SERVER_ENDED', 'SERVER_ENDED']);
				expect(new Set(reasons.slice(3))).toEqual(new Set(['CIRCUIT_OPEN']));
				expect(starts()).toHaveLength(3);
				const { retryAfterMs } = await failure(call(server));
				expect(retryAfterMs).toBeLessThanOrEqual(300);
				await new Promise((resolve) => setTimeout(resolve, retryAfterMs! + 10));
				await Promise.all(Array.from({ length: 5 }, () => failure(call(server))));
				expect(starts()).toHaveLength(4);
			},
		},
		'HANG-06': {
			run: async () => {
				expect(await failure(call(hostile('bomb', {}, '9')))).toMatchObject({ reason: 'LIMIT_OUTPUT' });
				expect((await textOf(call(hostile('bomb', { maxOutputBytes: 10_000_000 }, '9')))).length).toBe(9_000_000);
			},
		},
		'HANG-07': {
			run: async () => {
				expect(await failure(call(hostile('bomb', { maxOutputBytes: 10_000_000 }, '50')))).toMatchObject({
					code: 'bad-reply',
					reason: 'LIMIT_OUTPUT',
				});
				expect(await failure(call(hostile('noline')))).toMatchObject({ reason: 'LIMIT_OUTPUT' });
			},
		},
		'HANG-08': {
			run: async () => {
				const spies = (['log', 'warn', 'error', 'debug', 'info'] as const).map((name) =>
					jest.spyOn(console, name).mockImplementation(() => {}),
				);
				cleanups.push(() => spies.forEach((spy) => spy.mockRestore()));
				expect(await failure(call(hostile('garbage')))).toMatchObject({ code: 'bad-reply', reason: 'PROTOCOL' });
				expect(spies.map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0, 0, 0]);
			},
		},
		'HANG-09': {
			run: async () => {
				const server = hostile('progress', { callTimeoutMs: 500, maxTimeoutMs: 2000 });
				const before = process.cpuUsage();
				const ms = await timed(async () => {
					expect(await failure(call(server))).toMatchObject({ reason: 'TIMEOUT_CALL' });
				});
				expect(ms).toBeLessThan(2200);
				// A million messages a second parsed would keep a whole processor busy.
				expect(process.cpuUsage(before).user / 1000).toBeLessThan(1000);
			},
		},
		'HANG-10': {
			run: async () => {
				const server = hostile('wrongid', { callTimeoutMs: 500 });
				const both = await Promise.all([failure(call(server)), failure(call(server))]);
				expect(both.map(({ reason }) => reason)).toEqual(['TIMEOUT_CALL', 'TIMEOUT_CALL']);
				expect(await textOf(call(hostile('dup')))).toBe('1');
			},
		},
		'HANG-13': {
			run: async () => {
				const script = `trap '' TERM HUP; node "$0" wrap-nodie tag-hang-13 & wait`.replace('node', process.execPath);
				const server = stdioServer('/bin/sh', ['-c', `${script}`, hostileServer], {
					callTimeoutMs: 500,
					connectTimeoutMs: 1000,
				});
				const piped = stdioServer('/bin/sh', ['-c', script.replace('& wait', '; :'), hostileServer], {
					connectTimeoutMs: 3000,
				});
				await failure(call(server));
				expect(await textOf(call(piped))).toBe('ok');
				expect(processesWith('tag-hang-13').length).toBeGreaterThan(0);
				expect(await timed(() => sessions.close())).toBeLessThan(5000);
				expect(processesWith('tag-hang-13')).toEqual([]);
			},
		},
		'HANG-18': {
			run: async () => {
				const { server } = started('stderr');
				const { child, lines } = program(
					`${prelude}
				(async () => {
					const sessions = createSessions();
					const call = (megabytes) => sessions.callTool(${JSON.stringify(server)}, { tool: 't', arguments: { megabytes } }, access);
					await call(1);
					const before = rss();
					// Read at its own pace, a gigabyte takes longer than any call may.
					await call(1024).catch(() => {});
					console.log(rss() - before);
					await sessions.close();
				})();`,
					'--expose-gc',
				);
				await once(child, 'exit');
				expect(Number(lines[0])).toBeLessThan(20);
			},
			timeoutMs: 60_000,
		},
		'HANG-20': {
			run: async () => {
				const { server, received, starts } = started('slow');
				const caller = new AbortController();
				const given = failure(call(server, { ms: 300 }, caller.signal));
				await until(() => received().includes('tools/call'));
				caller.abort();
				expect(await given).toMatchObject({ code: 'cancelled', reason: 'CANCELLED' });
				await until(() => received().includes('notifications/cancelled') && received().includes('done'));
				// The late answer reaches nobody.
				expect(await textOf(call(server, { ms: 1 }))).toBe('late');
				expect(starts()).toHaveLength(1);
			},
		},
		'HANG-23': {
			run: async () => {
				const { server } = started('echo', { idleTimeoutMs: 50 });
				const { child, lines } = program(
					`${prelude}
				const { setTimeout: wait } = require('node:timers/promises');
				const { existsSync } = require('node:fs');
				(async () => {
					const sessions = createSessions();
					const cycle = async () => {
						await sessions.callTool(${JSON.stringify(started('pid', { idleTimeoutMs: 50 }).server)}, { tool: 't', arguments: {} }, access)
							.then(async ({ result }) => {
								const pid = result.content[0].text;
								for (let i = 0; i < 300 && existsSync('/proc/' + pid); i += 1) await wait(10);
								if (existsSync('/proc/' + pid)) throw new Error(pid + ' is still there');
							});
					};
					for (let i = 0; i < 3; i += 1) await cycle();
					const before = rss();
					for (let i = 0; i < 10; i += 1) await cycle();
					console.log(rss() - before);
				})();`,
					'--expose-gc',
				);
				const [code] = await once(child, 'exit');
				expect(code).toBe(0);
				expect(Number(lines[0])).toBeLessThan(10);
				expect(server.limits.idleTimeoutMs).toBe(50);
			},
		},
		'CONC-05': {
			run: async () => {
				const { server, starts } = started('pid');
				const who = [{ key: 'a' }, { key: 'b' }, { key: 'a', bearerToken: 'x' }, { key: 'a', env: { X: '1' } }];
				const pids = await Promise.all(who.map((one) => textOf(call(server, {}, undefined, one))));
				expect(new Set(pids).size).toBe(4);
				expect(await textOf(call(server, {}, undefined, { key: 'b' }))).toBe(pids[1]);
				expect(starts()).toHaveLength(4);
			},
		},
		'CONC-06': {
			run: async () => {
				const { server } = started('slow', { serial: true, maxQueued: 3 });
				const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => call(server, { ms: 50 })));
				const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as LocalAiError] : []));
				expect(refused).toHaveLength(6);
				for (const one of refused) {
					expect(one).toMatchObject({ code: 'overloaded', reason: 'BUSY', retryAfterMs: expect.any(Number) });
				}
			},
		},
	},
	['CONC-02'],
);

test('nothing outlives an n8n that is killed with SIGKILL', async () => {
	const script = `trap '' TERM HUP; ${process.execPath} "$0" stubborn '' tag-orphan; :`;
	const server = stdioServer('/bin/sh', ['-c', script, peerProgram], { connectTimeoutMs: 3000 });
	const { child, lines } = program(`${prelude}
		createSessions().callTool(${JSON.stringify(server)}, { tool: 't', arguments: {} }, access).then(() => console.log('called'));
		setInterval(() => {}, 1000);`);
	await until(() => lines.includes('called'), 20_000);
	expect(processesWith('tag-orphan').length).toBeGreaterThan(0);
	child.kill('SIGKILL');
	await until(() => processesWith('tag-orphan').length === 0);
});
