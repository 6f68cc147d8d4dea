import {
	collectFacts,
	defaultThresholds,
	diagnose,
	type CollectOptions,
	type Diagnosis,
	type MachineFacts,
} from './diagnose';
import type { Thresholds } from './checks/thresholds';
import { sourcesOf, type Reachable } from './sources';

export { compare, readState, type Changes, type HealthState } from './compare';
export { collectFacts, defaultThresholds, diagnose };
export type {
	CollectOptions,
	Diagnosis,
	Evidence,
	Fact,
	Finding,
	MachineFacts,
	Severity,
	Sources,
	Status,
} from './diagnose';
export { asHtml, asJson, asMessage, asText, type JsonReport, type Language } from './report';
export type { Reachable, Thresholds };

export interface ExamineOptions extends CollectOptions {
	/** Where a value becomes a warning or critical. Default `defaultThresholds`. */
	readonly thresholds?: Thresholds;
}

export interface Examination {
	readonly facts: MachineFacts;
	readonly diagnosis: Diagnosis;
}

/**
 * Looks at a machine and at what is named of it, all at once, and says what is wrong, why, and what to do. What cannot
 * be read is unknown and delays nothing. Rejects only with LocalAiError `cancelled`.
 */
export async function examine(reachable: Reachable = {}, options: ExamineOptions = {}): Promise<Examination> {
	const facts = await collectFacts(sourcesOf(reachable), options);
	return { facts, diagnosis: diagnose(facts, options.thresholds ?? defaultThresholds) };
}
