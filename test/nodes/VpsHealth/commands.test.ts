import fc from 'fast-check';
import childProcess from 'node:child_process';
import { existsSync } from 'node:fs';
import fsPromises from 'node:fs/promises';

import { commandNames, commands, planCommand, runCommand } from '../../../nodes/VpsHealth/commands';

jest.setTimeout(30_000);

const refused = { name: 'LocalAiError', code: 'refused', reason: 'POLICY_ARGS' };
const plan = (command: string, given?: Record<string, unknown>) =>
	planCommand({ command, ...(given && { arguments: given }) });

test.each([
	['disk-space', undefined, 'df -P -k'],
	['disk-space', { path: '/var/lib/docker' }, 'df -P -k -- /var/lib/docker'],
	['memory', {}, 'free -b'],
	['processes', { by: 'memory' }, /^ps -e -o .* --sort=-rss$/],
	['unit-log', { unit: 'docker.service', lines: 5 }, /--unit=docker\.service --lines=5 --priority=info$/],
	['unit-log', { unit: 'getty@tty1.service', sinceMinutes: 10, priority: 'err' }, /--priority=err --since=-10min$/],
	['unit-status', { unit: 'backup.timer' }, /^systemctl .* -- backup\.timer$/],
	['logins', { lines: 3 }, 'last -n 3'],
])('%s %j is %s', (command, given, line) => {
	const { program, args } = plan(command, given);
	expect([program, ...args].join(' ')).toEqual(typeof line === 'string' ? line : expect.stringMatching(line));
});

test.each([
	...[
		'ls && id',
		'ls $(id)',
		'ls\nid',
		'ls <(id)',
		`awk 'BEGIN{system("id")}'`,
		'/bin/sh',
		'sh',
		'',
		'df',
		'../disk-space',
	],
	...['constructor', '__proto__', 'toString', 'disk-space ', 'DISK-SPACE', 'disk-space; id'],
])('%j is no command', (command) => {
	expect(() => plan(command)).toThrow(expect.objectContaining(refused));
});

test.each([
	['unit-log', {}],
	['unit-log', { unit: 'docker' }],
	['unit-log', { unit: '--vacuum-time=1s.service' }],
	['unit-log', { unit: '-M.service' }],
	['unit-log', { unit: 'a.service; id' }],
	['unit-log', { unit: 'a.service\n--vacuum-size=1' }],
	['unit-log', { unit: '$(id).service' }],
	['unit-log', { unit: ['docker.service'] }],
	['unit-log', { unit: 'docker.service', lines: '10; id' }],
	['unit-log', { unit: 'docker.service', lines: 0 }],
	['unit-log', { unit: 'docker.service', lines: 1e9 }],
	['unit-log', { unit: 'docker.service', priority: 'all' }],
	['unit-log', { unit: 'docker.service', output: 'cat' }],
	['unit-status', { unit: '../../etc/shadow.service' }],
	['disk-space', { path: '/ ; cat /etc/shadow' }],
	['disk-space', { path: '--output' }],
	['disk-space', { path: 'etc' }],
	['disk-space', { path: '/a/../../etc' }],
	['disk-space', { path: '/a\n/b' }],
	['disk-space', { path: '/$(id)' }],
	['memory', { path: '/' }],
	['uptime', { __proto__: null, constructor: 1 }],
	['processes', { by: 'pcpu --forest' }],
])('%s with %j is refused', (command, given) => {
	expect(() => plan(command, given)).toThrow(expect.objectContaining(refused));
});

test('whatever is given, a value from outside is one whole argument behind an equals sign or a double dash', () => {
	const value = fc.oneof(
		fc.string({ unit: 'binary' }),
		fc.constantFrom('docker.service', '/var', 5, 'err', 'cpu'),
		fc.stringMatching(/^[-/.;$`|&<>\n a-z@]{1,20}(\.service)?$/),
		fc.integer(),
	);
	const name = fc.constantFrom('unit', 'path', 'lines', 'priority', 'sinceMinutes', 'by', 'x', '__proto__');
	fc.assert(
		fc.property(fc.constantFrom(...commandNames), fc.dictionary(name, value, { maxKeys: 3 }), (command, given) => {
			let planned;
			try {
				planned = plan(command, given);
			} catch (error) {
				expect(error).toMatchObject(refused);
				return;
			}
			for (const one of Object.values(given)) {
				if (typeof one !== 'string' || ['cpu', 'memory'].includes(one)) continue;
				const at = planned.args.findIndex((arg) => arg === one || arg.endsWith(`=${one}`));
				expect(at).toBeGreaterThan(-1);
				if (planned.args[at] === one) expect(planned.args[at - 1]).toBe('--');
			}
		}),
		{ numRuns: 2_000 },
	);
});

test('no command of the table is a shell or starts another program', () => {
	const programs = commandNames.map(
		(command) => plan(command, command.startsWith('unit-') ? { unit: 'a.service' } : {}).program,
	);
	expect(new Set(programs)).toEqual(
		new Set(['lsblk', 'df', 'systemctl', 'journalctl', 'ss', 'last', 'free', 'ps', 'uptime']),
	);
	for (const { title } of Object.values(commands)) expect(title).toMatch(/^[A-Z].+/);
});

describe('run', () => {
	test('the machine answers', async () => {
		const { stdout, stderr, exitCode, argv, truncated } = await runCommand({
			command: 'disk-space',
			arguments: { path: '/' },
		});
		expect({ stderr, exitCode, truncated }).toEqual({ stderr: '', exitCode: 0, truncated: false });
		expect(argv[0]).toMatch(/^\/(usr\/)?bin\/df$/);
		expect(stdout).toMatch(/^Filesystem.*\n.* \/\n$/s);
	});

	test('output is cut, and the command stopped there', async () => {
		const { stdout, truncated } = await runCommand({ command: 'processes', maxBytes: 100 });
		expect({ length: stdout.length, truncated }).toEqual({ length: 100, truncated: true });
	});

	test('programs come from the folders of the system, whatever the search path of n8n says', async () => {
		const before = process.env.PATH;
		process.env.PATH = '/nowhere';
		try {
			const { stdout, argv } = await runCommand({ command: 'uptime' });
			expect(stdout).toContain('load average');
			expect(argv).toEqual([expect.stringMatching(/^\/(usr\/)?s?bin\/uptime$/)]);
		} finally {
			process.env.PATH = before;
		}
	});

	test('a deadline and a cancellation end it', async () => {
		await expect(runCommand({ command: 'processes', timeoutMs: 0 })).rejects.toMatchObject({ code: 'timeout' });
		const stop = new AbortController();
		const running = runCommand({ command: 'processes', signal: stop.signal });
		stop.abort();
		await expect(running).rejects.toMatchObject({ code: 'cancelled' });
		await expect(runCommand({ command: 'uptime', signal: stop.signal })).rejects.toMatchObject({ code: 'cancelled' });
	});

	test.each(['timeout', 'cancelled'])('a command that nothing kills delays no %s', async (code) => {
		const { spawn } = childProcess;
		let unkillable: childProcess.ChildProcess | undefined;
		const spawning = jest.spyOn(childProcess, 'spawn').mockImplementation((_file, _args, options) => {
			unkillable = spawn('sleep', ['60'], options);
			if (code === 'cancelled') setImmediate(() => stop.abort());
			return unkillable as never;
		});
		// Like one that hangs in the kernel: it takes the signal and goes on.
		const killing = jest.spyOn(process, 'kill').mockReturnValue(true);
		const stop = new AbortController();
		try {
			const timeoutMs = code === 'timeout' ? 50 : 25_000;
			await expect(runCommand({ command: 'uptime', timeoutMs, signal: stop.signal })).rejects.toMatchObject({ code });
			expect(killing).toHaveBeenCalledWith(-unkillable!.pid!, 'SIGKILL');
			expect(unkillable).toMatchObject({ exitCode: null, signalCode: null });
		} finally {
			spawning.mockRestore();
			killing.mockRestore();
			unkillable?.kill('SIGKILL');
		}
	});

	test.each(['unit-log', 'kernel-log'])('passwords that stand in what %s says are taken out', async (command) => {
		const { spawn } = childProcess;
		const line = 'connecting to postgres://n8n:s3cret-word@db/n8n, DB_PASSWORD=s3cret-word, Bearer s3cret-word';
		const spawning = jest
			.spyOn(childProcess, 'spawn')
			.mockImplementation((_file, _args, options) =>
				spawn('sh', ['-c', `echo '${line}'; echo '${line}' >&2`], options),
			);
		// The program itself need not be installed here.
		const looking = jest.spyOn(fsPromises, 'access').mockResolvedValue();
		try {
			const given = command === 'unit-log' ? { unit: 'n8n.service' } : {};
			const { stdout, stderr } = await runCommand({ command, arguments: given });
			const shown = 'connecting to postgres://[redacted]@db/n8n, DB_PASSWORD=[redacted], Bearer [redacted]\n';
			expect({ stdout, stderr }).toEqual({ stdout: shown, stderr: shown });
		} finally {
			spawning.mockRestore();
			looking.mockRestore();
		}
	});

	test('a program that is not installed is told, or answers', async () => {
		const outcome = await runCommand({ command: 'failed-units' }).catch((error: unknown) => error);
		const installed = ['/usr/bin/systemctl', '/bin/systemctl'].some((file) => existsSync(file));
		expect(outcome).toMatchObject(installed ? { command: 'failed-units' } : { code: 'configuration' });
	});
});
