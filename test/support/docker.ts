import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface DockerEngine {
	readonly socketPath: string;
	/** Runs the `docker` command against this engine and gives its output. */
	docker(...args: string[]): string;
	/** A container without network that runs this shell script; gives its id. */
	run(name: string, script: string, ...options: string[]): string;
	stop(): Promise<void>;
}

/** What makes a real engine impossible here, in one line; `null` where one can run. Installs Debian's where root may. */
export function whyNoDocker(): string | null {
	if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a Docker engine of our own needs root on Linux';
	if (hasEngine()) return null;
	if (!existsSync('/etc/debian_version')) return 'no dockerd here, and no Debian to install it on';
	const install = ['install', '-y', '--no-install-recommends', 'docker.io', 'busybox-static'];
	const options = {
		stdio: 'ignore',
		timeout: 240_000,
		env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
	} as const;
	if (spawnSync('apt-get', install, options).status !== 0) {
		spawnSync('apt-get', ['update'], options);
		spawnSync('apt-get', install, options);
	}
	return hasEngine() ? null : 'apt cannot install docker.io and busybox-static here';
}

/** An engine on a socket and data of its own, with the image `box:1` of nothing but a shell; all gone after `stop`. */
export async function startDocker(): Promise<DockerEngine> {
	const folder = mkdtempSync(join(tmpdir(), 'docker-'));
	const socketPath = join(folder, 'docker.sock');
	const log = openSync(join(folder, 'log'), 'a');
	const engine = spawn(
		'dockerd',
		[
			...['-H', `unix://${socketPath}`, '--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
			...[
				'--pidfile',
				join(folder, 'pid'),
				'--bridge=none',
				'--iptables=false',
				'--ip-forward=false',
				'--ip-masq=false',
			],
		],
		{ stdio: ['ignore', log, log] },
	);
	const docker = (...args: string[]) =>
		execFileSync('docker', args, {
			encoding: 'utf8',
			env: { PATH: process.env.PATH, DOCKER_HOST: `unix://${socketPath}`, HOME: folder },
			stdio: ['ignore', 'pipe', 'pipe'],
		}).trim();
	const stop = async () => {
		const ids = engine.exitCode === null ? answered(() => docker('ps', '-aq')) : null;
		if (ids) docker('rm', '-f', ...ids.split('\n'));
		await ended(engine);
		for (const mount of mountsUnder(folder)) spawnSync('umount', ['-l', mount]);
		rmSync(folder, { recursive: true, force: true });
	};
	try {
		const deadline = Date.now() + 60_000;
		while (answered(() => docker('version', '--format', '{{.Server.Version}}')) === null) {
			if (engine.exitCode !== null || Date.now() > deadline) {
				throw new Error(`dockerd did not start: ${readFileSync(join(folder, 'log'), 'utf8').slice(-500)}`);
			}
			await wait(100);
		}
		const root = join(folder, 'root', 'bin');
		mkdirSync(root, { recursive: true });
		copyFileSync(busybox()!, join(root, 'sh'));
		chmodSync(join(root, 'sh'), 0o755);
		execFileSync('sh', ['-c', `tar -C "$1" -c . | docker import - box:1`, 'sh', join(folder, 'root')], {
			env: { PATH: process.env.PATH, DOCKER_HOST: `unix://${socketPath}`, HOME: folder },
			stdio: ['ignore', 'ignore', 'pipe'],
		});
	} catch (error) {
		await stop();
		throw error;
	}
	return {
		socketPath,
		docker,
		// The shell of busybox knows its other programs by itself.
		run: (name, script, ...options) =>
			docker('run', '-d', '--name', name, '--network', 'none', ...options, 'box:1', '/bin/sh', '-c', script),
		stop,
	};
}

function hasEngine(): boolean {
	const found = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
	return found('dockerd') && found('docker') && busybox() !== undefined;
}

function busybox(): string | undefined {
	return ['/bin/busybox', '/usr/bin/busybox'].find((file) => existsSync(file));
}

function answered(ask: () => string): string | null {
	try {
		return ask();
	} catch {
		return null;
	}
}

async function ended(program: ChildProcess): Promise<void> {
	if (program.exitCode !== null || program.signalCode !== null) return;
	const exit = once(program, 'exit');
	program.kill('SIGTERM');
	const stubborn = setTimeout(() => program.kill('SIGKILL'), 15_000);
	await exit;
	clearTimeout(stubborn);
}

function mountsUnder(folder: string): string[] {
	return readFileSync('/proc/self/mounts', 'utf8')
		.split('\n')
		.map((line) => line.split(' ')[1] ?? '')
		.filter((path) => path.startsWith(`${folder}/`))
		.reverse();
}
