import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { LocalAiError } from '../shared/errors';
import { known, unknown, type Fact, type SystemdFacts } from './facts';

const unitSchema = z.object({
	unit: z.string(),
	load: z.string(),
	active: z.string(),
	sub: z.string(),
	description: z.string(),
});

/** What the host's timer writes: the units alone, or with what timedatectl says beside them. */
const fileSchema = z.union([
	z.array(unitSchema).transform((units) => ({ units, NTPSynchronized: undefined })),
	z.object({ units: z.array(unitSchema), NTPSynchronized: z.enum(['yes', 'no']).optional() }),
]);

/** Asks systemd of this machine. Rejects with LocalAiError `configuration` where it does not run. */
export async function askSystemd(signal: AbortSignal): Promise<SystemdFacts> {
	const readAt = new Date().toISOString();
	const [units, clock] = await Promise.all([
		run('systemctl', ['list-units', '--all', '--output=json', '--no-pager'], signal),
		run('timedatectl', ['show', '--property=NTPSynchronized', '--value'], signal).catch(() => ''),
	]);
	return factsOf(readAt, parsed(units, 'systemctl list-units'), clock.trim());
}

/**
 * Reads what a timer on the host wrote: `systemctl list-units --all --output=json`, alone or as
 * `{ "units": [...], "NTPSynchronized": "yes" }`. The file's time is when systemd was asked.
 */
export async function readSystemdFile(file: string): Promise<SystemdFacts> {
	try {
		const [text, { mtime }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
		const { units, NTPSynchronized = '' } = parsed(text, file);
		return factsOf(mtime.toISOString(), { units }, NTPSynchronized);
	} catch (error) {
		if (error instanceof LocalAiError) throw error;
		const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
		throw new LocalAiError('configuration', `The list of system services in ${file} could not be read${code}.`, {
			hint: 'See whether the timer on the host writes it, and whether its folder is mounted here.',
		});
	}
}

function factsOf(readAt: string, { units }: { units: Array<z.infer<typeof unitSchema>> }, clock: string): SystemdFacts {
	return {
		readAt,
		units: units.map(({ unit, ...rest }) => ({ name: unit, ...rest })),
		clockSynchronised: clockFact(clock),
	};
}

function clockFact(clock: string): Fact<boolean> {
	if (clock === 'yes' || clock === 'no') return known(clock === 'yes');
	return unknown('timedatectl did not say whether the clock is synchronised.');
}

function parsed(text: string, from: string): z.infer<typeof fileSchema> {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		json = undefined;
	}
	const result = fileSchema.safeParse(json);
	if (result.success) return result.data;
	throw new LocalAiError('bad-reply', `${from} gave no list of units.`, {
		hint: 'systemd 246 or newer writes it as JSON.',
	});
}

async function run(file: string, args: readonly string[], signal: AbortSignal): Promise<string> {
	try {
		const limits = { signal, timeout: 5000, maxBuffer: 16 * 1024 ** 2, env: { PATH: process.env.PATH, LC_ALL: 'C' } };
		return (await promisify(execFile)(file, args, limits)).stdout;
	} catch (error) {
		const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
		throw new LocalAiError('configuration', `systemd does not run here: ${file} failed${code}.`, {
			hint: 'In a container, mount the file that a timer on the host writes, and name it.',
		});
	}
}
