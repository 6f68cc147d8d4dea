import { z } from 'zod';
import { LocalAiError } from '../shared/errors';
import { optionalServers } from './checks/unread';
import type { Diagnosis, Finding, Severity, Words } from './diagnose';

/** What was wrong at a look, to compare the next one with. Plain JSON. */
export interface HealthState {
	readonly takenAt: string;
	readonly faults: Readonly<Record<string, Fault>>;
	/** By id of a finding: how often it had happened. */
	readonly counts?: Readonly<Record<string, number>>;
	/** The codes of the optional servers that answered at this look or an earlier one. */
	readonly seen?: readonly string[];
}

export interface Fault {
	readonly code: string;
	readonly severity: Severity;
	readonly cause: Words;
	/** It was gone or less severe at the last look, for the first time. */
	readonly easing?: true;
}

export interface Changes {
	/** New findings, and known ones that became more severe; the worst causes first. */
	readonly worse: readonly Finding[];
	/** Faults that are gone or less severe for good, as they were. */
	readonly better: readonly Fault[];
	/** To keep for the next look. */
	readonly state: HealthState;
}

/**
 * What became worse or better since the last look; without one, everything found is new. Better is what is gone or less
 * severe at two looks in a row, so that a value which sways about its limit is told once. A fault that cannot be judged
 * now is kept as it was: it is not better because nobody can see it. Notes of severity `info` never count, except that
 * what happened again since the last look, as another kill for memory did, is told once as a warning.
 */
export function compare(last: HealthState | null, diagnosis: Diagnosis): Changes {
	const before = last?.faults ?? {};
	const found = diagnosis.findings.filter(({ severity }) => severity !== 'info');
	const grew = ({ id, count = 0 }: Finding) => last?.counts !== undefined && count > (last.counts[id] ?? 0);
	const worse = diagnosis.findings.flatMap((finding) => {
		const { id, severity } = finding;
		const known = before[id];
		if (severity !== 'info' && (known === undefined || rank[severity] > rank[known.severity])) return [finding];
		if (!grew(finding)) return [];
		return [severity === 'info' ? { ...finding, severity: 'warning' as const } : finding];
	});
	const better: Fault[] = [];
	const faults: Record<string, Fault> = Object.fromEntries(
		found.map(({ id, code, severity, cause }) => [id, { code, severity, cause }]),
	);
	for (const [id, fault] of Object.entries(before)) {
		const now = faults[id];
		const hidden = now === undefined && diagnosis.notJudged.includes(fault.code);
		const eases = !hidden && (now === undefined || rank[now.severity] < rank[fault.severity]);
		if (hidden) faults[id] = fault;
		else if (eases && fault.easing) better.push(fault);
		else if (eases) faults[id] = { ...fault, easing: true };
	}
	const state = {
		takenAt: diagnosis.takenAt,
		faults,
		counts: countsNow(last, diagnosis),
		seen: seenNow(last, diagnosis),
	};
	return { worse, better, state };
}

function seenNow(last: HealthState | null, { findings, notJudged }: Diagnosis): string[] {
	const silent = [...findings.map(({ code }) => code), ...notJudged];
	return optionalServers.filter((code) => last?.seen?.includes(code) || !silent.includes(code));
}

/** What cannot be counted now keeps its last number; what was not found happened never. */
function countsNow(last: HealthState | null, { findings, notJudged }: Diagnosis): Record<string, number> {
	const kept = Object.entries(last?.counts ?? {}).filter(([id]) => notJudged.includes(id.split(':')[0]!));
	const counted = findings.flatMap(({ id, count }) => (count === undefined ? [] : [[id, count] as const]));
	return Object.fromEntries([...kept, ...counted]);
}

/** Reads a state that was kept as JSON; nothing kept is null. Throws LocalAiError `invalid-input` for anything else. */
export function readState(kept: unknown): HealthState | null {
	if (kept === undefined || kept === null || kept === '') return null;
	const parsed = stateSchema.safeParse(typeof kept === 'string' ? jsonOf(kept) : kept);
	if (parsed.success) return parsed.data;
	throw new LocalAiError('invalid-input', 'The last state is not one that Diagnose gave.', {
		hint: 'Hand over the field "state" of an earlier diagnosis, or nothing.',
	});
}

const rank: Readonly<Record<Severity, number>> = { critical: 3, warning: 2, unknown: 1, info: 0 };

const stateSchema = z.object({
	takenAt: z.string(),
	faults: z.record(
		z.string(),
		z.object({
			code: z.string(),
			severity: z.enum(['critical', 'warning', 'unknown', 'info']),
			cause: z.object({ en: z.string(), fr: z.string() }),
			easing: z.literal(true).optional(),
		}),
	),
	counts: z.record(z.string(), z.number()).optional(),
	seen: z.array(z.string()).optional(),
}) satisfies z.ZodType<HealthState>;

function jsonOf(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
