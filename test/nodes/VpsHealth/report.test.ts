import fc from 'fast-check';
import { defaultThresholds, diagnose, type Diagnosis, type Finding } from '../../../nodes/VpsHealth/diagnose';
import { known, unknown, type ContainerFacts, type MachineFacts } from '../../../nodes/VpsHealth/facts';
import { asHtml, asJson, asText, maxTextBytes } from '../../../nodes/VpsHealth/report';
import { container, healthyMachine, minutesBefore, takenAt, withFault } from '../../support/machineFacts';

const look = (facts: MachineFacts) => diagnose(facts, defaultThresholds, new Date(takenAt));
const languages = ['en', 'fr'] as const;

const sick = [
	(facts: MachineFacts) => withFault(facts, 'host.memory.value.availableBytes', () => 3e8),
	(facts: MachineFacts) => withFault(facts, 'host.memory.value.swapFreeBytes', () => 0),
	(facts: MachineFacts) => withFault(facts, 'redis.value.evictionPolicy', () => 'allkeys-lru'),
	(facts: MachineFacts) => withFault(facts, 'backups.value.newest.at', () => minutesBefore(60 * 30)),
	(facts: MachineFacts) => withFault(facts, 'models', () => unknown('Reading Ollama did not end within 2500 ms.')),
].reduce((facts, fault) => fault(facts), healthyMachine());

test('the text says what, how bad, how much, what to do, and what follows from it', () => {
	expect(asText(look(sick), 'en')).toBe(
		`Something is broken (1 critical, 3 warnings, 1 unknown, Nov 22, 2026, 8:00 AM UTC)
- [critical] Almost no memory is left. (available 300 MB, of 16 GB, share 1.9%)
  → See who holds the memory.
    ps -eo pid,rss,comm --sort=-rss | head -n 15
  ↳ [warning] The swap space is nearly used up. (used 100%, of 2 GB)
- [warning] Redis may throw away queued jobs as soon as somebody gives it a memory limit. (eviction policy allkeys-lru, keys thrown away 0)
  → Forbid it, here and in the configuration file.
    redis-cli CONFIG SET maxmemory-policy noeviction && redis-cli CONFIG REWRITE
- [warning] The newest backup is too old. (age 1.3 days, newest n8n-2026-11-22.dump)
  → See why no newer one was made.
    ls -lt /backup | head; systemctl list-timers --all --no-pager
- [unknown] Nothing is known about Ollama. (reason: Reading Ollama did not end within 2500 ms.)
  → Mend what the reason names, then look again.`,
	);
});

test('the same in French', () => {
	expect(asText(look(sick), 'fr')).toMatch(/^Quelque chose est en panne \(1 critique, 3 avertissements, 1 inconnu,/);
});

test('why something is not known is said in the language of the report, everywhere', () => {
	const faults: ReadonlyArray<readonly [string, string, string]> = [
		[
			'systemd',
			'systemd does not run here: systemctl failed (1).',
			'systemd ne tourne pas ici : systemctl a échoué (1).',
		],
		[
			'models',
			'Ollama is not reachable at [::1]:1 (ECONNREFUSED)',
			'Ollama n’est pas joignable à [::1]:1 (ECONNREFUSED).',
		],
		['backups', 'Reading the backups failed (Error).', 'La lecture (les sauvegardes) a échoué (Error).'],
		['queue', 'Redis at db:1 did not answer within 2000 ms.', 'Redis à db:1 n’a pas répondu en 2000 ms.'],
		['containers', 'what another program said', 'what another program said'],
	];
	const facts = faults.reduce(
		(machine, [part, why]) =>
			withFault(machine, part, () => unknown(why, part === 'models' ? 'nothing-answers' : undefined)),
		healthyMachine(),
	);
	const diagnosis = look(facts);
	for (const [, english, french] of faults) {
		expect(asText(diagnosis, 'en')).toContain(`reason: ${english}`);
		expect(asText(diagnosis, 'fr')).toContain(`raison : ${french}`);
		expect(JSON.stringify(asJson(diagnosis, 'fr'))).toContain(french);
		expect(asHtml(diagnosis, facts, 'fr')).toContain(french);
	}
});

test('a healthy machine needs one line', () => {
	expect(asText(look(healthyMachine()), 'en')).toBe('Everything is fine (Nov 22, 2026, 8:00 AM UTC)');
	expect(asText(look(healthyMachine()), 'fr')).toBe('Tout va bien (22 nov. 2026, 08:00 UTC)');
});

test('a text never exceeds its size, keeps the worst, and says how much is left out', () => {
	const letters = fc.string({ unit: 'grapheme', maxLength: 300 });
	const finding = fc.record({ subject: letters, en: letters, value: letters, command: letters }).map(
		({ subject, en, value, command }): Finding => ({
			id: `x:${subject}`,
			code: 'x',
			subject,
			severity: 'critical',
			cause: { en, fr: en },
			evidence: [{ what: { en: 'a', fr: 'b' }, value, unit: 'text' }],
			nextStep: { en, fr: en },
			command,
			explainedBy: null,
		}),
	);
	fc.assert(
		fc.property(fc.array(finding, { maxLength: 60 }), fc.constantFrom(...languages), (findings, language) => {
			const counts = { critical: findings.length, warning: 0, unknown: 0, info: 0 };
			const text = asText({ status: 'critical', takenAt, findings, counts, notJudged: [] }, language);
			expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxTextBytes);
			const shown = findings.filter(({ cause }) => text.includes(`] ${cause[language]} (`)).length;
			if (shown < findings.length) expect(text).toMatch(/… (and|et) \d+ (more|de plus)\.$/);
		}),
	);
});

test('JSON has one language and the same findings', () => {
	const diagnosis = look(sick);
	const report = asJson(diagnosis, 'fr');
	expect(report.findings.map(({ id }) => id)).toEqual(diagnosis.findings.map(({ id }) => id));
	expect(report.findings[0]).toMatchObject({
		code: 'memory-low',
		severity: 'critical',
		cause: 'Il ne reste presque plus de mémoire.',
		evidence: [{ what: 'disponible', value: 3e8, unit: 'bytes' }, {}, {}],
		command: expect.stringContaining('ps -eo'),
	});
	expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test('the page needs nothing from outside and runs nothing', () => {
	for (const language of languages) {
		const page = asHtml(look(sick), sick, language);
		expect(page).not.toMatch(/https?:|<script|<link|<img|url\(|@import|\son\w+=|javascript:/i);
		expect(page).toContain(`default-src 'none'`);
		expect(page).toContain('prefers-color-scheme: dark');
		expect(page).toContain(`<html lang="${language}">`);
	}
});

test('whatever a name holds, it is text on the page', () => {
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>&'`;
	const facts = withFault<readonly ContainerFacts[]>(healthyMachine(), 'containers.value', () => [
		container({ name: hostile, image: hostile, health: 'unhealthy' }),
	]);
	const page = asHtml(look(facts), facts, 'en');
	const tags = new Set([...page.matchAll(/<\/?([a-z0-9!]+)/gi)].map(([, name]) => name!.toLowerCase()));
	expect([...tags].filter((name) => ['script', 'img'].includes(name))).toEqual([]);
	expect(page).toContain('&#60;script&#62;alert(1)');
});

test('no secret that a fact may hold reaches any report', () => {
	const canary = 'c4n4ry-9f8e7d';
	const facts = withFault<readonly ContainerFacts[]>(healthyMachine(), 'containers.value', () => [
		container({ health: 'unhealthy', healthOutput: `connecting to postgres://n8n:${canary}@db failed` }),
	]);
	const diagnosis: Diagnosis = look(facts);
	const reports = languages.flatMap((language) => [
		JSON.stringify(asJson(diagnosis, language)),
		asText(diagnosis, language),
		asHtml(diagnosis, facts, language),
	]);
	expect(diagnosis.findings[0]!.code).toBe('container-unhealthy');
	expect(reports.filter((report) => report.includes(canary))).toEqual([]);
});

test('every figure on the page of a machine that nobody can see is unknown, never 0', () => {
	const why = unknown('nobody looked');
	const keys = (part: object) => Object.fromEntries(Object.keys(part).map((key) => [key, why]));
	const { host, postgres } = healthyMachine();
	const facts = {
		...(keys(healthyMachine()) as unknown as MachineFacts),
		takenAt,
		host: keys(host) as unknown as MachineFacts['host'],
		postgres: keys(postgres) as unknown as MachineFacts['postgres'],
	};
	const page = asHtml(look(facts), facts, 'en');
	const values = [...page.matchAll(/<strong>(.*?)<\/strong>/g)].map(([, value]) => value);
	expect(values.length).toBeGreaterThan(7);
	expect(new Set(values)).toEqual(new Set(['not known']));
	expect(page).not.toContain('<meter min');
	expect(known(0)).toEqual({ known: true, value: 0 });
});
