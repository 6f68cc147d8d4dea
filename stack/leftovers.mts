import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { readJson, writeJson } from './state.mts';

/** A process that no other can be mistaken for: its number, when it began (clock ticks since boot), and which boot. */
export interface ProcessIdentity {
	readonly pid: number;
	readonly startTicks: number;
	readonly boot: string;
}

export interface ProcessRecord extends ProcessIdentity {
	readonly name: string;
}

const graceMs = 30_000;

/** The identity of a running process, from /proc (see proc(5)); undefined when none has this number. */
export function identify(pid: number): ProcessIdentity | undefined {
	const stat = procFile(`/proc/${pid}/stat`);
	if (stat === undefined) return undefined;
	// The second field is the program's name in parentheses and may hold anything, so fields are counted after it.
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
	return { pid, startTicks: Number(fields[19]), boot: procFile('/proc/sys/kernel/random/boot_id')?.trim() ?? '' };
}

/**
 * Ends what an earlier run of this stack left behind when it was killed: the processes recorded in `file`, and only
 * while they are provably the same ones. Says once that it takes over from such a run; resolves to their names.
 */
export async function stopLeftovers(file: string, say: (line: string) => void): Promise<string[]> {
	const records = readJson<ProcessRecord[]>(file) ?? [];
	if (records.length === 0) return [];
	const alive = records.filter(isStillThere);
	const names = alive.map(({ name }) => name);
	const ending = names.length > 0 ? `ending what it left behind (${names.join(', ')}), then ` : '';
	say(`The last run was killed: ${ending}going on with its data`);
	const isN8n = ({ name }: ProcessRecord) => name.startsWith('n8n-');
	await Promise.all(alive.filter(isN8n).map(stop));
	await Promise.all(alive.filter((record) => !isN8n(record)).map(stop));
	writeJson(file, []);
	return names;
}

async function stop(record: ProcessRecord): Promise<void> {
	signal(record, record.pid, record.name === 'postgres' ? 'SIGINT' : 'SIGTERM');
	const deadline = performance.now() + graceMs;
	while (isStillThere(record) && performance.now() < deadline) await wait(50);
	signal(record, -record.pid, 'SIGKILL');
	while (isStillThere(record)) await wait(50);
}

function signal(record: ProcessRecord, target: number, name: NodeJS.Signals): void {
	if (isStillThere(record)) process.kill(target, name);
}

function isStillThere({ pid, startTicks, boot }: ProcessRecord): boolean {
	const now = identify(pid);
	return now !== undefined && now.startTicks === startTicks && now.boot === boot;
}

function procFile(path: string): string | undefined {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return undefined;
	}
}
