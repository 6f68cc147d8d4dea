import type { Fact, MachineFacts } from '../facts';
import type { Limit, Thresholds } from './thresholds';

export type Severity = 'critical' | 'warning' | 'unknown' | 'info';

/** The same sentence in the languages of the report. */
export interface Words {
	readonly en: string;
	readonly fr: string;
}

export interface Evidence {
	readonly what: Words;
	readonly value: number | string;
	/** The value in French, where it is a sentence. */
	readonly valueInFrench?: string;
	/** `ratio` is 0 to 1, `ms` a duration, `time` an ISO 8601 instant. */
	readonly unit: 'bytes' | 'ratio' | 'ms' | 'count' | 'time' | 'text';
}

/** One thing that is wrong, worth knowing, or not known. */
export interface Finding {
	/** The code, and the subject where there is one: the same fault has the same id at the next look. */
	readonly id: string;
	readonly code: string;
	/** The container, unit, mount point, table... that it is about. */
	readonly subject: string | null;
	readonly severity: Severity;
	readonly cause: Words;
	readonly evidence: readonly Evidence[];
	readonly nextStep: Words;
	/** To be typed in a shell of the machine; names in it are quoted. */
	readonly command: string;
	/** How often it happened so far, where each time counts: more than at the last look is news. */
	readonly count?: number;
	/** The id of the finding that this one follows from. */
	readonly explainedBy: string | null;
}

/** What a check says of a fact; the code and the id are added to it. */
export interface Found extends Pick<Finding, 'severity' | 'cause' | 'evidence' | 'nextStep' | 'command' | 'count'> {
	readonly subject?: string;
}

export interface Situation {
	readonly facts: MachineFacts;
	readonly limits: Thresholds;
	readonly now: Date;
}

export interface Check {
	readonly code: string;
	/** Whether the fact that it judges is known: without it, no finding is no good news. */
	readonly canJudge: (facts: MachineFacts) => boolean;
	readonly judge: (situation: Situation) => readonly Finding[];
}

/** A check that judges one fact once it is known; what is not known is told elsewhere. */
export function check<T>(
	code: string,
	of: (facts: MachineFacts) => Fact<T>,
	judge: (value: T, situation: Situation) => Found | ReadonlyArray<Found | undefined> | undefined,
): Check {
	return {
		code,
		canJudge: (facts) => of(facts).known,
		judge: (situation) => {
			const fact = of(situation.facts);
			if (!fact.known) return [];
			return [judge(fact.value, situation)]
				.flat()
				.filter((one) => one !== undefined)
				.map((one) => finding(code, one));
		},
	};
}

/** A finding that no other explains yet. */
export function finding(code: string, { subject, ...found }: Found): Finding {
	const id = subject === undefined ? code : `${code}:${subject}`;
	return { id, code, subject: subject ?? null, ...found, explainedBy: null };
}

/** How bad a value is that should stay under its limits. */
export function above(value: number, { warning, critical }: Limit): 'critical' | 'warning' | undefined {
	return value >= critical ? 'critical' : value >= warning ? 'warning' : undefined;
}

/** How bad a value is that should stay over its limits. */
export function below(value: number, { warning, critical }: Limit): 'critical' | 'warning' | undefined {
	return value <= critical ? 'critical' : value <= warning ? 'warning' : undefined;
}

/** One line of evidence. */
export function seen(en: string, fr: string, value: number | string, unit: Evidence['unit'] = 'count'): Evidence {
	return { what: { en, fr }, value, unit };
}

/** A word as a POSIX shell takes it literally. */
export function quoted(word: string): string {
	return /^[\w@%+=:,./-]+$/.test(word) && !word.startsWith('-') ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Milliseconds from an ISO 8601 instant to now; an instant in the future is now. */
export function ageMs(at: string, now: Date): number {
	return Math.max(0, now.getTime() - Date.parse(at));
}
