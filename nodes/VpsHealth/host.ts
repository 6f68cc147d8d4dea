import { readFile, readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LocalAiError } from '../shared/errors';
import {
	known,
	unknown,
	type CpuUse,
	type Fact,
	type FileSystem,
	type FileSystemUse,
	type HostFacts,
	type MemoryUse,
	type OomKills,
	type Pressure,
	type PressureFacts,
} from './facts';

/** Where the kernel shows itself: the real places on a machine, mounted ones in a container that looks at its host. */
export interface HostRoots {
	readonly proc: string;
	readonly sys: string;
	/** The root of the file tree: `/`, or where the host's is mounted. */
	readonly root: string;
}

export const ownRoots: HostRoots = { proc: '/proc', sys: '/sys', root: '/' };

/** What the kernel says of itself. Processor time is measured over `windowMs`. What cannot be read is unknown. */
export async function readHost(roots: HostRoots, windowMs: number, signal: AbortSignal): Promise<HostFacts> {
	const text = (...path: string[]) => readFile(join(roots.proc, ...path), 'utf8');
	const processors = () => fact('/proc/stat', async () => parseStat(await text('stat')));
	const [first, load, memory, pressure, fileSystems, oomKills, openFiles, rebootRequired, last] = await Promise.all([
		processors(),
		fact('/proc/loadavg', async () => parseLoad(await text('loadavg'))),
		fact('/proc/meminfo', async () => parseMemory(await text('meminfo'))),
		fact('/proc/pressure', () => readPressure(text)),
		fact('/proc/1/mountinfo', () => readFileSystems(roots)),
		fact('/proc/vmstat', async () => readOomKills(await text('vmstat'), roots)),
		fact('/proc/sys/fs/file-nr', async () => parseOpenFiles(await text('sys', 'fs', 'file-nr'))),
		fact('/run', () => isRebootRequired(roots)),
		wait(windowMs, undefined, { signal }).then(processors),
	]);
	return {
		cpuCount: derived(first, ({ cpuCount }) => cpuCount),
		cpu: derived(first, (before) => derived(last, (after) => cpuUse(before.ticks, after.ticks, windowMs))),
		bootedAt: derived(first, ({ bootedAt }) => bootedAt),
		load,
		memory,
		pressure,
		fileSystems,
		oomKills,
		openFiles,
		rebootRequired,
	};
}

/**
 * The same of the machine that this process runs on. Rejects with LocalAiError `configuration` in a container, where
 * /proc mixes the host's figures with the container's own.
 */
export async function readOwnHost(signal: AbortSignal): Promise<HostFacts> {
	const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
	if (mounts === '') {
		throw new LocalAiError('configuration', 'This machine has no /proc: only Linux can be looked at.', {
			hint: 'Run n8n on Linux, or name an infraScanner.',
		});
	}
	if (isContainer(mounts)) {
		throw new LocalAiError('configuration', 'n8n runs in a container, which cannot see the machine below it.', {
			hint: 'Start infraScanner beside it and name its address.',
		});
	}
	return await readHost(ownRoots, 500, signal);
}

/** Whether the text of /proc/self/mountinfo is that of a container: a layered root, or engine-made files in /etc. */
export function isContainer(mountinfo: string): boolean {
	const mounts = parseMounts(mountinfo);
	const made = ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'];
	return (
		mounts.some(({ mountPoint, type }) => mountPoint === '/' && type === 'overlay') ||
		made.every((file) => mounts.some(({ mountPoint }) => mountPoint === file))
	);
}

async function fact<T>(place: string, read: () => Promise<T>): Promise<Fact<T>> {
	try {
		return known(await read());
	} catch (error) {
		if (error instanceof Unreadable) return unknown(`${place}: ${error.message}.`);
		const code = error instanceof Error && 'code' in error ? String(error.code) : 'not as expected';
		return unknown(`${place} could not be read (${code}).`);
	}
}

/** The kernel's text is not what it should be, or does not hold what was looked for. */
class Unreadable extends Error {}

function derived<T, U>(from: Fact<T>, value: (known: T) => U | Fact<U>): Fact<U> {
	if (!from.known) return from;
	const made = value(from.value);
	return typeof made === 'object' && made !== null && 'known' in made ? made : known(made);
}

function numberIn(text: string, pattern: RegExp, name: string): number {
	const found = pattern.exec(text)?.[1];
	if (found === undefined || !Number.isFinite(Number(found))) throw new Unreadable(`there is no ${name}`);
	return Number(found);
}

/** Ticks by state: https://www.kernel.org/doc/html/latest/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat */
interface Ticks {
	readonly total: number;
	readonly idle: number;
	readonly ioWait: number;
	readonly steal: number;
}

function parseStat(text: string): { cpuCount: number; bootedAt: string; ticks: Ticks } {
	const ticks = /^cpu +(.+)$/m.exec(text)?.[1]?.split(' ').map(Number);
	const cpuCount = text.match(/^cpu\d+ /gm)?.length ?? 0;
	if (ticks === undefined || ticks.length < 8 || !ticks.every(Number.isFinite) || cpuCount === 0) {
		throw new Unreadable('there is no line of all processors');
	}
	// The time of guests, after the first eight, is already counted as user time.
	const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, irq = 0, softIrq = 0, steal = 0] = ticks;
	return {
		cpuCount,
		bootedAt: new Date(numberIn(text, /^btime (\d+)$/m, 'btime') * 1000).toISOString(),
		ticks: { total: user + nice + system + idle + ioWait + irq + softIrq + steal, idle, ioWait, steal },
	};
}

function cpuUse(before: Ticks, after: Ticks, windowMs: number): Fact<CpuUse> {
	const total = after.total - before.total;
	if (total <= 0) return unknown(`/proc/stat counted no time within ${windowMs} ms.`);
	const share = (of: 'idle' | 'ioWait' | 'steal') => Math.min(1, Math.max(0, (after[of] - before[of]) / total));
	const [idle, ioWait, steal] = [share('idle'), share('ioWait'), share('steal')];
	return known({ windowMs, busy: Math.max(0, 1 - idle - ioWait - steal), ioWait, steal });
}

function parseLoad(text: string) {
	const [one, five, fifteen] = text.split(' ').map(Number);
	if (![one, five, fifteen].every(Number.isFinite)) throw new Unreadable('there are no three figures');
	return { one: one!, five: five!, fifteen: fifteen! };
}

function parseMemory(text: string): MemoryUse {
	const bytes = (name: string) => numberIn(text, new RegExp(`^${name}: +(\\d+) kB$`, 'm'), name) * 1024;
	const totalBytes = bytes('MemTotal');
	if (totalBytes === 0) throw new Unreadable('the machine has no memory');
	return {
		totalBytes,
		availableBytes: bytes('MemAvailable'),
		swapTotalBytes: bytes('SwapTotal'),
		swapFreeBytes: bytes('SwapFree'),
	};
}

async function readPressure(text: (...path: string[]) => Promise<string>): Promise<PressureFacts> {
	const [cpu, memory, io] = await Promise.all(
		['cpu', 'memory', 'io'].map(async (kind) => parsePressure(await text('pressure', kind))),
	);
	return { cpu: cpu!, memory: memory!, io: io! };
}

/** Per cent of the last 10 and 60 seconds: https://docs.kernel.org/accounting/psi.html */
function parsePressure(text: string): Pressure {
	const share = (line: 'some' | 'full', average: 'avg10' | 'avg60') =>
		numberIn(text, new RegExp(`^${line} .*\\b${average}=([\\d.]+)`, 'm'), `${line} ${average}`) / 100;
	const full = /^full /m.test(text);
	return {
		some10: share('some', 'avg10'),
		some60: share('some', 'avg60'),
		full10: full ? share('full', 'avg10') : null,
		full60: full ? share('full', 'avg60') : null,
	};
}

function parseOpenFiles(text: string) {
	const [allocated, , limit] = text.split(/\s+/).map(Number);
	if (!Number.isFinite(allocated) || !limit) throw new Unreadable('there are no three figures');
	return { allocated: allocated!, limit };
}

interface Mount {
	readonly device: string;
	readonly mountPoint: string;
	readonly type: string;
	readonly superOptions: readonly string[];
}

/** https://www.kernel.org/doc/html/latest/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts */
function parseMounts(text: string): Mount[] {
	return text.split('\n').flatMap((line) => {
		const [mount = '', fileSystem = ''] = line.split(' - ');
		const [, , device, , mountPoint] = mount.split(' ');
		const [type, , superOptions] = fileSystem.split(' ');
		if (device === undefined || mountPoint === undefined || type === undefined) return [];
		const unescaped = mountPoint.replace(/\\([0-7]{3})/g, (_, octal: string) =>
			String.fromCharCode(Number.parseInt(octal, 8)),
		);
		return [{ device, mountPoint: unescaped, type, superOptions: superOptions?.split(',') ?? [] }];
	});
}

/** Those that hold a person's data. One that lies across a network can hang whoever asks, so it is never asked. */
const diskTypes = /^(ext[234]|xfs|btrfs|zfs|f2fs|bcachefs|jfs|reiserfs|vfat)$/;
const memoryPlaces = ['/tmp', '/run', '/dev/shm'];

async function readFileSystems(roots: HostRoots): Promise<FileSystem[]> {
	const seen = new Set<string>();
	// A later mount at the same place hides the one below it.
	const visible = new Map((await hostMounts(roots)).map((mount) => [mount.mountPoint, mount]));
	const mounts = [...visible.values()]
		.filter(({ type, mountPoint }) => diskTypes.test(type) || (type === 'tmpfs' && memoryPlaces.includes(mountPoint)))
		.sort((a, b) => a.mountPoint.length - b.mountPoint.length)
		// One file system may be seen at many places.
		.filter(({ device }) => !seen.has(device) && seen.add(device));
	if (mounts.length === 0) throw new Unreadable('no disk is mounted that could be seen from here');
	return await Promise.all(
		mounts.map(async ({ mountPoint, type, superOptions }) => ({
			mountPoint,
			type,
			readOnly: superOptions.includes('ro'),
			use: await fact(mountPoint, () => useOf(join(roots.root, mountPoint))),
		})),
	);
}

/** Those of the first process; where that is forbidden, our own that lie below the mounted root. */
async function hostMounts({ proc, root }: HostRoots): Promise<Mount[]> {
	try {
		return parseMounts(await readFile(join(proc, '1', 'mountinfo'), 'utf8'));
	} catch {
		const own = parseMounts(await readFile(join(proc, 'self', 'mountinfo'), 'utf8'));
		if (root === '/') return own;
		return own
			.filter(({ mountPoint }) => mountPoint === root || mountPoint.startsWith(`${root}/`))
			.map((mount) => ({ ...mount, mountPoint: mount.mountPoint.slice(root.length) || '/' }));
	}
}

async function useOf(folder: string): Promise<FileSystemUse> {
	const { bsize, blocks, bavail, files, ffree } = await statfs(folder);
	return { totalBytes: blocks * bsize, availableBytes: bavail * bsize, totalInodes: files, freeInodes: ffree };
}

async function readOomKills(vmstat: string, roots: HostRoots): Promise<OomKills> {
	return {
		sinceBoot: numberIn(vmstat, /^oom_kill (\d+)$/m, 'oom_kill'),
		byGroup: await fact('/sys/fs/cgroup', () => killsByGroup(join(roots.sys, 'fs', 'cgroup'))),
	};
}

const maxGroups = 2000;

/** From each group's memory.events: https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files */
async function killsByGroup(top: string): Promise<Array<{ group: string; kills: number }>> {
	await stat(join(top, 'cgroup.controllers')).catch(() => {
		throw new Unreadable('control groups of version 2 are not mounted there');
	});
	const found: Array<{ group: string; kills: number }> = [];
	const folders = [''];
	for (const folder of folders) {
		if (folders.length > maxGroups) throw new Unreadable(`there are more than ${maxGroups} control groups`);
		const events = await readFile(join(top, folder, 'memory.events'), 'utf8').catch(() => '');
		const kills = Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);
		if (folder !== '' && events !== '' && kills === 0) continue;
		const inner = await readdir(join(top, folder), { withFileTypes: true }).catch(() => []);
		folders.push(...inner.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name)));
		if (kills > 0) found.push({ group: folder, kills });
	}
	// A group counts what happened in those below it, too: only the innermost is named.
	return found
		.filter(({ group }) => !found.some((other) => other.group.startsWith(`${group}/`)))
		.sort((a, b) => b.kills - a.kills);
}

async function isRebootRequired({ root }: HostRoots): Promise<boolean> {
	await stat(join(root, 'run'));
	return await stat(join(root, 'run', 'reboot-required')).then(
		() => true,
		() => false,
	);
}
