import fc from 'fast-check';
import { compare, readState, type HealthState } from '../../../nodes/VpsHealth/compare';
import { defaultThresholds, diagnose } from '../../../nodes/VpsHealth/diagnose';
import { known, unknown, type MachineFacts } from '../../../nodes/VpsHealth/facts';
import { asMessage, maxTextBytes } from '../../../nodes/VpsHealth/report';
import { healthyMachine, takenAt, withFault } from '../../support/machineFacts';

const look = (facts: MachineFacts) => diagnose(facts, defaultThresholds, new Date(takenAt));
const evicting = (facts: MachineFacts) => withFault(facts, 'redis.value.evictionPolicy', () => 'allkeys-lru');
const limited = (facts: MachineFacts) => withFault(facts, 'redis.value.maxMemoryBytes', () => 1e9);
const unseen = (facts: MachineFacts) =>
	withFault(facts, 'redis', () => unknown('Reading Redis did not end within 2500 ms.'));
const silent = (facts: MachineFacts) => withFault(facts, 'redis', () => unknown('ECONNREFUSED', 'nothing-answers'));

/** What is said at each of several looks, each compared with the one before. */
function watch(...looks: MachineFacts[]) {
	let last: HealthState | null = null;
	return looks.map((facts) => {
		const { worse, better, state } = compare(last, look(facts));
		last = readState(JSON.stringify(state));
		return { worse: worse.map(({ id }) => id), better: better.map(({ code }) => code) };
	});
}

const quiet = { worse: [], better: [] };

test('a fault is told once when it comes, and once when it is gone for two looks', () => {
	const well = healthyMachine();
	expect(watch(well, evicting(well), evicting(well), well, well, well)).toEqual([
		quiet,
		{ worse: ['redis-evicts'], better: [] },
		quiet,
		quiet,
		{ worse: [], better: ['redis-evicts'] },
		quiet,
	]);
});

test('a fault that comes and goes is told once', () => {
	const well = healthyMachine();
	const sways = [evicting(well), well, evicting(well), well, evicting(well), well, evicting(well)];
	expect(watch(...sways)).toEqual([{ worse: ['redis-evicts'], better: [] }, ...Array.from({ length: 6 }, () => quiet)]);
});

test('a fault that changes its severity is told again', () => {
	const well = healthyMachine();
	expect(watch(evicting(well), limited(evicting(well)), evicting(well), evicting(well), evicting(well))).toEqual([
		{ worse: ['redis-evicts'], better: [] },
		{ worse: ['redis-evicts'], better: [] },
		quiet,
		{ worse: [], better: ['redis-evicts'] },
		quiet,
	]);
});

test('a fault that nobody can see is not better, and is not told again when it is seen', () => {
	const well = healthyMachine();
	expect(
		watch(evicting(well), unseen(well), unseen(well), unseen(well), evicting(well), evicting(well), well, well),
	).toEqual([
		{ worse: ['redis-evicts'], better: [] },
		{ worse: ['not-known:redis'], better: [] },
		quiet,
		quiet,
		quiet,
		{ worse: [], better: ['not-known'] },
		quiet,
		{ worse: [], better: ['redis-evicts'] },
	]);
});

test('an Ollama that never answered is a warning, one that went away is critical and told once', () => {
	const well = healthyMachine();
	const without = withFault(well, 'models', () => unknown('ECONNREFUSED', 'nothing-answers'));
	const unasked = withFault(well, 'models', () => unknown('Nobody said how.', 'not-set-up'));
	const severities = (...looks: MachineFacts[]) => {
		let last: HealthState | null = null;
		return looks.map((facts) => {
			const diagnosis = diagnose(facts, defaultThresholds, new Date(takenAt), last?.seen);
			const { worse, state } = compare(last, diagnosis);
			last = readState(JSON.stringify(state));
			const told = worse.find(({ code }) => code === 'ollama-down')?.severity;
			return [diagnosis.status, told ?? null];
		});
	};
	expect(severities(without, without, well, without, without)).toEqual([
		['warning', 'warning'],
		['warning', null],
		['ok', null],
		['critical', 'critical'],
		['critical', null],
	]);
	expect(severities(unasked, without).at(-1)).toEqual(['warning', 'warning']);
});

test('a silent server that then cannot be asked is not back', () => {
	const well = healthyMachine();
	expect(watch(silent(well), unseen(well), unseen(well), unseen(well), well, well).map(({ better }) => better)).toEqual(
		[[], [], [], [], [], ['not-known', 'redis-down']],
	);
});

describe('kills for memory on a machine that is up for long', () => {
	const killed = (sinceBoot: number) =>
		withFault(healthyMachine(), 'host.oomKills.value', () => ({ sinceBoot, byGroup: known([]) }));
	const uncounted = withFault(healthyMachine(), 'host.oomKills', () => unknown('It is forbidden.'));
	const told = { worse: ['oom-kills'], better: [] };

	test('are a note at the first look, and a warning once whenever there are more', () => {
		expect(watch(killed(3), killed(3), killed(4), killed(4), killed(9), killed(9))).toEqual([
			quiet,
			quiet,
			told,
			quiet,
			told,
			quiet,
		]);
		expect(watch(healthyMachine(), killed(1), killed(1))).toEqual([quiet, told, quiet]);
	});

	test('are counted on from the last look that could count them', () => {
		const looks = watch(killed(3), uncounted, uncounted, killed(3), killed(3));
		expect(looks.flatMap(({ worse }) => worse)).not.toContain('oom-kills');
		expect(watch(killed(3), uncounted, killed(4)).at(-1)!.worse).toContain('oom-kills');
	});

	test('are said in the message as a warning', () => {
		const { state } = compare(null, look(killed(3)));
		expect(asMessage(compare(state, look(killed(4))), state, 'en')).toContain('[warning] The kernel killed processes');
		// A state of before they were counted says nothing of them.
		const { takenAt: at, faults } = state;
		expect(compare({ takenAt: at, faults }, look(killed(4))).worse).toEqual([]);
	});
});

test('what follows from a fault that was told before is told with its own figures and next step', () => {
	const noMemory = withFault(healthyMachine(), 'host.memory.value.availableBytes', () => 3e8);
	const noSwap = withFault(noMemory, 'host.memory.value.swapFreeBytes', () => 0);
	const { state } = compare(null, look(noMemory));
	const message = asMessage(compare(state, look(noSwap)), state, 'en')!;
	expect(message.split('\n').slice(1)).toEqual([
		'Worse:',
		'- [warning] The swap space is nearly used up. (used 100%, of 2 GB)',
		expect.stringMatching(/^ {2}→ ./),
		expect.stringMatching(/^ {4}./),
	]);
	expect(asMessage(compare(null, look(noSwap)), null, 'en')).toContain('\n  ↳ [warning] The swap space');
});

test('a line of what follows stands right under its cause', () => {
	const [finding] = look(evicting(healthyMachine())).findings;
	const one = (id: string, explainedBy: string | null) => ({
		...{ ...finding!, id, explainedBy, evidence: [], command: '' },
		...{ cause: { en: id, fr: id }, nextStep: { en: 'go', fr: 'va' } },
	});
	const worse = [one('a', null), one('c', 'told before'), one('d', 'a')];
	const { state } = compare(null, look(healthyMachine()));
	expect(asMessage({ worse, better: [], state }, null, 'en')!.split('\n').slice(2)).toEqual([
		'- [warning] a',
		'  → go',
		'  ↳ [warning] d',
		'- [warning] c',
		'  → go',
	]);
});

test('notes make no message', () => {
	const well = healthyMachine();
	expect(
		watch(
			well,
			withFault(well, 'host.rebootRequired.value', () => true),
		),
	).toEqual([quiet, quiet]);
	expect(asMessage(compare(null, look(well)), null, 'fr')).toBeNull();
});

test('the message says what is worse with its next step, and what is better', () => {
	const well = healthyMachine();
	const first = compare(null, look(evicting(well))).state;
	const { state } = compare(first, look(well));
	const now = compare(state, look(withFault(well, 'queue.value.paused', () => true)));
	expect(asMessage(now, state, 'en')).toBe(
		`Health of this machine (since Nov 22, 2026, 8:00 AM UTC)
Worse:
- [warning] Somebody paused the queue. (waiting jobs 0)
  → Let it go on: the waiting jobs lie in a list of their own while it is paused.
    ${now.worse[0]!.command}
Better:
- [warning] Redis may throw away queued jobs as soon as somebody gives it a memory limit.`,
	);
	expect(asMessage(now, state, 'fr')).toContain('Mieux :');
	const many = { ...now, worse: Array.from({ length: 200 }, () => now.worse[0]!) };
	expect(Buffer.byteLength(asMessage(many, state, 'fr')!)).toBeLessThanOrEqual(maxTextBytes);
});

test('a state that is none is refused, never taken for a first look', () => {
	for (const nothing of [undefined, null, '']) expect(readState(nothing)).toBeNull();
	fc.assert(
		fc.property(
			fc.jsonValue().filter((value) => value !== null && value !== ''),
			(value) => {
				expect(() => readState(value)).toThrow(expect.objectContaining({ code: 'invalid-input' }));
			},
		),
	);
});
