import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type ProcessRecord, identify } from '../../stack/leftovers.mts';
import { type Command, Processes, type Program } from '../../stack/processes.mts';

let folder: string;
let said: string[];
let processes: Processes;
let changed: PromiseWithResolvers<void>;
let tellOfChange: () => void;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'processes-'));
	said = [];
	changed = Promise.withResolvers();
	tellOfChange = () => changed.resolve();
	processes = new Processes(
		folder,
		join(folder, 'processes.json'),
		(line) => said.push(line),
		() => tellOfChange(),
	);
});
afterEach(async () => {
	processes.end();
	await processes.stop(processes.list().map(({ name }) => name));
	rmSync(folder, { recursive: true });
});

const running = 'process.on("SIGTERM", () => process.exit()); setInterval(() => {}, 1000); console.log("up");';
const program = (name: string, code = running): Program => ({
	name,
	command: [process.execPath, '-e', code],
	env: { PATH: process.env.PATH },
	cwd: folder,
	port: 1,
	stopSignal: 'SIGTERM',
	killSignal: 'SIGKILL',
	isReady: () => Promise.resolve(readFileSync(join(folder, `${name}.log`), 'utf8').includes('up')),
	readyWithinMs: 20_000,
});
const records = () => JSON.parse(readFileSync(join(folder, 'processes.json'), 'utf8')) as ProcessRecord[];

test('a program is listed while it runs, and gone once it is stopped', async () => {
	await processes.start(program('one'));
	const { name, pid, port } = processes.list()[0]!;
	expect({ name, port }).toEqual({ name: 'one', port: 1 });
	expect(records()).toEqual([{ name: 'one', ...identify(pid) }]);
	await processes.stop(['one']);
	expect(identify(pid)).toBeUndefined();
	expect(processes.list()).toEqual([]);
	expect(records()).toEqual([]);
	expect(said).toEqual([]);
});

test('a program that ends before it is ready is named with its last words', async () => {
	await expect(
		processes.start(program('broken', 'console.error("no such table"); process.exit(3)')),
	).rejects.toMatchObject({
		code: 'tool-failed',
		message: 'broken ended with exit code 3. Its last words: no such table',
		hint: expect.stringContaining('broken.log'),
	});
});

test('a program that cannot be started is named', async () => {
	await expect(processes.start({ ...program('absent'), command: ['/no/such/program'] })).rejects.toThrow(
		/absent could not be started/,
	);
});

test('a start that is given up ends, and what it started can be stopped', async () => {
	const start = processes.start(program('slow', 'setInterval(() => {}, 1000)'));
	processes.end();
	await expect(start).rejects.toMatchObject({ name: 'AbortError' });
	await expect(processes.start(program('late'))).rejects.toMatchObject({ name: 'AbortError' });
	const { pid } = processes.list()[0]!;
	await processes.stop(['slow']);
	expect(identify(pid)).toBeUndefined();
});

test('a program that dies is started again, and said so', async () => {
	await processes.start(program('fragile'));
	const { pid } = processes.list()[0]!;
	process.kill(pid, 'SIGKILL');
	await changed.promise;
	expect(said).toEqual(['fragile ended with SIGKILL: starting it again', 'fragile is back']);
	expect(processes.list()).toEqual([{ name: 'fragile', port: 1, pid: expect.any(Number) }]);
	expect(processes.list()[0]!.pid).not.toBe(pid);
});

const diskFull = () => Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });

test('a program that a full disk keeps from starting is tried again until it starts, and told of once', async () => {
	let starts = 0;
	const prepare = () => {
		starts++;
		if (starts === 2 || starts === 3) throw diskFull();
	};
	await processes.start({ ...program('fragile'), prepare });
	process.kill(processes.list()[0]!.pid, 'SIGKILL');
	await changed.promise;
	expect(said).toEqual([
		'fragile ended with SIGKILL: starting it again',
		'fragile could not be started (ENOSPC: no space left on device, write): starting it again',
		'fragile is back',
	]);
	expect(processes.list()).toHaveLength(1);
}, 30_000);

test('a change that a full disk keeps from being written is written once there is space', async () => {
	let tries = 0;
	tellOfChange = () => {
		tries++;
		if (tries < 3) throw diskFull();
		changed.resolve();
	};
	await processes.start(program('fragile'));
	process.kill(processes.list()[0]!.pid, 'SIGKILL');
	await changed.promise;
	expect(tries).toBe(3);
	expect(processes.list()).toHaveLength(1);
}, 30_000);

test('what a program started ends with it', async () => {
	const child =
		'const c = require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]); console.log("up", c.pid);';
	await processes.start(program('parent', child + running));
	const childPid = Number(/up (\d+)/.exec(readFileSync(join(folder, 'parent.log'), 'utf8'))![1]);
	expect(identify(childPid)).toBeDefined();
	await processes.stop(['parent']);
	for (const end = Date.now() + 5000; identify(childPid) && Date.now() < end; ) await new Promise(setImmediate);
	expect(identify(childPid)).toBeUndefined();
});

const command = (name: string, code: string): Command => ({
	name,
	command: [process.execPath, '-e', code],
	env: { PATH: process.env.PATH },
	cwd: folder,
	stopSignal: 'SIGTERM',
	killSignal: 'SIGKILL',
});
const hanging = 'setInterval(() => {}, 1000)';

describe('a command', () => {
	test('is run to its end, and not started again', async () => {
		await processes.run(command('import', `require('node:fs').writeFileSync('done', '')`), 20_000);
		expect(existsSync(join(folder, 'done'))).toBe(true);
		expect(processes.list()).toEqual([]);
		expect(said).toEqual([]);
	});

	test('that fails is named with its first words', async () => {
		const code = `console.error('No such workflow'); console.log('at stack'); process.exitCode = 2`;
		await expect(processes.run(command('import', code), 20_000)).rejects.toMatchObject({
			code: 'tool-failed',
			message: 'import ended with exit code 2. Its words: No such workflow | at stack',
		});
	});

	test('that hangs is ended at its deadline', async () => {
		const run = processes.run(command('import', hanging), 50);
		run.catch(() => {});
		const { pid } = processes.list()[0]!;
		await expect(run).rejects.toMatchObject({
			code: 'timeout',
			message: expect.stringContaining('did not end within'),
		});
		expect(identify(pid)).toBeUndefined();
	});

	test('that hangs is given up with the start, and ended like every other process', async () => {
		const run = processes.run(command('import', hanging), 60_000);
		run.catch(() => {});
		const { pid } = processes.list()[0]!;
		processes.end();
		await expect(run).rejects.toMatchObject({ name: 'AbortError' });
		await processes.stop(processes.list().map(({ name }) => name));
		expect(identify(pid)).toBeUndefined();
	});
});
