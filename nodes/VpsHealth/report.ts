import type { Changes, HealthState } from './compare';
import type { Diagnosis, Evidence, Finding, MachineFacts, Severity, Status } from './diagnose';
import type { Fact } from './facts';

export type Language = 'en' | 'fr';

/** The longest text report, in bytes of UTF-8: what an agent or a chat message takes without harm. */
export const maxTextBytes = 4096;

export interface ReportedFinding {
	readonly id: string;
	readonly code: string;
	readonly subject: string | null;
	readonly severity: Severity;
	readonly cause: string;
	readonly evidence: ReadonlyArray<{ what: string; value: number | string; unit: Evidence['unit'] }>;
	readonly nextStep: string;
	readonly command: string;
	readonly count?: number;
	readonly explainedBy: string | null;
}

export interface JsonReport {
	readonly status: Status;
	readonly takenAt: string;
	readonly counts: Readonly<Record<Severity, number>>;
	readonly findings: readonly ReportedFinding[];
	readonly notJudged: readonly string[];
}

/** The diagnosis in one language, for programs. */
export function asJson(diagnosis: Diagnosis, language: Language): JsonReport {
	const { status, takenAt, counts, notJudged } = diagnosis;
	return { status, takenAt, counts, findings: diagnosis.findings.map((one) => inLanguage(one, language)), notJudged };
}

/** The diagnosis as a text of at most 4096 bytes: causes first, each with its symptoms and its next step. */
export function asText(diagnosis: Diagnosis, language: Language): string {
	const said = words[language];
	const head = `${said.status[diagnosis.status]} (${summary(diagnosis, language)})`;
	const blocks = diagnosis.findings.map((finding) => textOf(finding, language));
	return fitted(head, blocks, said.more);
}

/** What became worse or better, as a message of at most 4096 bytes; null where nothing did. */
export function asMessage({ worse, better }: Changes, last: HealthState | null, language: Language): string | null {
	if (worse.length === 0 && better.length === 0) return null;
	const said = words[language];
	const since = last === null ? '' : ` (${said.since} ${inTime(last.takenAt, language)})`;
	const blocks = [
		...(worse.length > 0 ? [said.worse, ...grouped(worse).map((finding) => textOf(finding, language))] : []),
		...(better.length > 0
			? [said.better, ...better.map(({ cause, severity }) => `- [${said.severity[severity]}] ${cause[language]}`)]
			: []),
	];
	return fitted(`${said.title}${since}`, blocks, said.more);
}

/** The diagnosis as one HTML page that needs nothing else: no script, no outside resource, light and dark. */
export function asHtml(diagnosis: Diagnosis, facts: MachineFacts, language: Language): string {
	const said = words[language];
	const roots = diagnosis.findings.filter(({ explainedBy }) => explainedBy === null);
	const cards = roots.map((finding) => card(finding, diagnosis.findings, language)).join('\n');
	return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(said.title)} · ${escaped(said.status[diagnosis.status])}</title>
<style>${style}</style>
</head>
<body>
<header class="${diagnosis.status}">
<p class="what">${escaped(said.title)}</p>
<h1>${escaped(said.status[diagnosis.status])}</h1>
<p>${escaped(summary(diagnosis, language))}</p>
</header>
<main>
<section aria-label="${escaped(said.glance)}" class="glance">
${glance(facts, language)
	.map(
		([name, value, share]) =>
			`<div><span>${escaped(name)}</span><strong>${escaped(value)}</strong>${
				share === null
					? ''
					: `<meter min="0" max="1" low="0.8" high="0.92" optimum="0" value="${share.toFixed(3)}"></meter>`
			}</div>`,
	)
	.join('\n')}
</section>
<section aria-label="${escaped(said.findings)}">
${cards === '' ? `<p class="fine">${escaped(said.nothing)}</p>` : cards}
</section>
</main>
</body>
</html>
`;
}

function inLanguage(finding: Finding, language: Language): ReportedFinding {
	const { cause, evidence, nextStep, ...rest } = finding;
	return {
		...rest,
		cause: cause[language],
		evidence: evidence.map((one) => ({ what: one.what[language], value: valueIn(one, language), unit: one.unit })),
		nextStep: nextStep[language],
	};
}

const words = {
	en: {
		title: 'Health of this machine',
		status: {
			critical: 'Something is broken',
			warning: 'Something needs attention',
			unknown: 'Nothing bad is known, but not everything could be seen',
			ok: 'Everything is fine',
		},
		severity: { critical: 'critical', warning: 'warning', unknown: 'unknown', info: 'note' },
		counts: {
			critical: ['critical', 'critical'],
			warning: ['warning', 'warnings'],
			unknown: ['unknown', 'unknown'],
			info: ['note', 'notes'],
		},
		worse: 'Worse:',
		better: 'Better:',
		since: 'since',
		more: (left: number) => `… and ${left} more.`,
		follows: 'Follows from it',
		glance: 'At a glance',
		findings: 'Findings',
		nothing: 'Every check was made, and none found a fault.',
		notKnown: 'not known',
	},
	fr: {
		title: 'Santé de cette machine',
		status: {
			critical: 'Quelque chose est en panne',
			warning: 'Quelque chose demande attention',
			unknown: 'Rien de mauvais n’est connu, mais tout n’a pas pu être vu',
			ok: 'Tout va bien',
		},
		severity: { critical: 'critique', warning: 'attention', unknown: 'inconnu', info: 'note' },
		counts: {
			critical: ['critique', 'critiques'],
			warning: ['avertissement', 'avertissements'],
			unknown: ['inconnu', 'inconnus'],
			info: ['note', 'notes'],
		},
		worse: 'Pire :',
		better: 'Mieux :',
		since: 'depuis',
		more: (left: number) => `… et ${left} de plus.`,
		follows: 'En découle',
		glance: 'En bref',
		findings: 'Constats',
		nothing: 'Chaque contrôle a été fait, aucun n’a trouvé de défaut.',
		notKnown: 'inconnu',
	},
} as const;

function summary({ counts, takenAt }: Diagnosis, language: Language): string {
	const told = (['critical', 'warning', 'unknown', 'info'] as const)
		.filter((severity) => counts[severity] > 0)
		.map((severity) => `${counts[severity]} ${words[language].counts[severity][counts[severity] === 1 ? 0 : 1]}`);
	return [...told, inTime(takenAt, language)].join(', ');
}

/** Each with what follows from it right after it. One whose cause is not among them stands for itself. */
function grouped(findings: readonly Finding[]): Finding[] {
	const ids = new Set(findings.map(({ id }) => id));
	const withSymptoms = (finding: Finding): Finding[] => [
		finding,
		...findings.filter(({ explainedBy }) => explainedBy === finding.id).flatMap(withSymptoms),
	];
	return findings
		.filter(({ explainedBy }) => explainedBy === null || !ids.has(explainedBy))
		.flatMap((finding) => withSymptoms({ ...finding, explainedBy: null }));
}

function textOf(finding: Finding, language: Language): string {
	const { severity, cause, evidence, nextStep, command, explainedBy } = finding;
	const seen = evidence
		.map((one) => `${one.what[language]} ${inUnits({ ...one, value: valueIn(one, language) }, language)}`)
		.join(', ');
	const first = `[${words[language].severity[severity]}] ${cause[language]}${seen === '' ? '' : ` (${seen})`}`;
	if (explainedBy !== null) return `  ↳ ${first}`;
	return `- ${first}\n  → ${nextStep[language]}${command === '' ? '' : `\n    ${command}`}`;
}

/** As many blocks as fit, and a last line that says how many did not. */
function fitted(head: string, blocks: readonly string[], more: (left: number) => string): string {
	const size = (text: string) => Buffer.byteLength(text);
	let text = head;
	for (const [index, block] of blocks.entries()) {
		const left = blocks.length - index;
		const end = left === 1 ? '' : `\n${more(left - 1)}`;
		if (size(`${text}\n${block}${end}`) > maxTextBytes) return `${text}\n${more(left)}`;
		text += `\n${block}`;
	}
	return text;
}

function card(finding: Finding, all: readonly Finding[], language: Language): string {
	const { severity, cause, evidence, nextStep, command, id } = finding;
	const said = words[language];
	const symptoms = all.filter(({ explainedBy }) => explainedBy === id);
	const rows = evidence
		.map(
			(one) =>
				`<dt>${escaped(one.what[language])}</dt><dd>${escaped(inUnits({ ...one, value: valueIn(one, language) }, language))}</dd>`,
		)
		.join('');
	return `<article class="${severity}">
<h2><span class="badge">${escaped(said.severity[severity])}</span> ${escaped(cause[language])}</h2>
${rows === '' ? '' : `<dl>${rows}</dl>`}
<p>${escaped(nextStep[language])}</p>
${command === '' ? '' : `<pre><code>${escaped(command)}</code></pre>`}
${
	symptoms.length === 0
		? ''
		: `<div class="follows"><h3>${escaped(said.follows)}</h3>${symptoms.map((one) => card(one, all, language)).join('')}</div>`
}
</article>`;
}

/** Name, value and, where it is a share of something, how much of it is used. */
function glance(facts: MachineFacts, language: Language): Array<[string, string, number | null]> {
	const { host, containers, queue, postgres, redis, models, backups } = facts;
	const en = language === 'en';
	const bytes = (value: number) => inUnits({ value, unit: 'bytes' }, language);
	const number = (value: number) => new Intl.NumberFormat(language).format(value);
	const told = <T>(fact: Fact<T>, value: (known: T) => string) =>
		fact.known ? value(fact.value) : words[language].notKnown;
	const share = <T>(fact: Fact<T>, of: (known: T) => number) => (fact.known ? of(fact.value) : null);
	const disks = host.fileSystems.known ? host.fileSystems.value.slice(0, 4) : [];
	return [
		[
			en ? 'Load / processors' : 'Charge / processeurs',
			told(host.cpuCount, (count) => `${told(host.load, ({ five }) => number(five))} / ${count}`),
			share(host.cpu, ({ busy }) => busy),
		],
		[
			en ? 'Memory' : 'Mémoire',
			told(
				host.memory,
				({ totalBytes, availableBytes }) => `${bytes(totalBytes - availableBytes)} / ${bytes(totalBytes)}`,
			),
			share(host.memory, ({ totalBytes, availableBytes }) => 1 - availableBytes / totalBytes),
		],
		...(disks.length === 0
			? [[en ? 'Disks' : 'Disques', words[language].notKnown, null] as [string, string, null]]
			: disks.map(({ mountPoint, use }): [string, string, number | null] => [
					`${en ? 'Disk' : 'Disque'} ${mountPoint}`,
					told(use, ({ totalBytes, availableBytes }) => `${bytes(totalBytes - availableBytes)} / ${bytes(totalBytes)}`),
					share(use, ({ totalBytes, availableBytes }) => (totalBytes === 0 ? 0 : 1 - availableBytes / totalBytes)),
				])),
		[
			en ? 'Containers running' : 'Conteneurs en marche',
			told(containers, (all) => `${all.filter(({ state }) => state === 'running').length} / ${all.length}`),
			null,
		],
		[
			en ? 'Jobs waiting, running' : 'Tâches en attente, en cours',
			told(queue, ({ waiting, active }) => `${number(waiting)}, ${number(active)}`),
			null,
		],
		[
			en ? 'PostgreSQL connections' : 'Connexions PostgreSQL',
			told(postgres.server, ({ connections, maxConnections }) => `${connections} / ${maxConnections}`),
			share(postgres.server, ({ connections, maxConnections }) => connections / maxConnections),
		],
		[en ? 'Memory of Redis' : 'Mémoire de Redis', told(redis, ({ usedMemoryBytes }) => bytes(usedMemoryBytes)), null],
		[en ? 'Models in Ollama' : 'Modèles dans Ollama', told(models, ({ installed }) => number(installed.length)), null],
		[
			en ? 'Last backup' : 'Dernière sauvegarde',
			told(backups, ({ newest }) => (newest === null ? '–' : inTime(newest.at, language))),
			null,
		],
	];
}

function valueIn({ value, valueInFrench }: Evidence, language: Language): Evidence['value'] {
	return language === 'fr' && valueInFrench !== undefined ? valueInFrench : value;
}

function inUnits({ value, unit }: Pick<Evidence, 'value' | 'unit'>, language: Language): string {
	if (typeof value === 'string') return unit === 'time' ? inTime(value, language) : value;
	const number = (amount: number, options: Intl.NumberFormatOptions) =>
		new Intl.NumberFormat(language, { maximumFractionDigits: 1, ...options }).format(amount);
	const largest = (scale: ReadonlyArray<readonly [number, string]>) => {
		const [size, name] = scale.find(([least]) => Math.abs(value) >= least) ?? scale.at(-1)!;
		return number(value / size, { style: 'unit', unit: name, unitDisplay: 'short' });
	};
	switch (unit) {
		case 'bytes':
			return largest([
				[1e12, 'terabyte'],
				[1e9, 'gigabyte'],
				[1e6, 'megabyte'],
				[1e3, 'kilobyte'],
				[1, 'byte'],
			]);
		case 'ms':
			return largest([
				[86_400_000, 'day'],
				[3_600_000, 'hour'],
				[60_000, 'minute'],
				[1000, 'second'],
				[1, 'millisecond'],
			]);
		case 'ratio':
			return number(value, { style: 'percent' });
		case 'count':
		case 'time':
		case 'text':
			return number(value, {});
		default:
			return unit satisfies never;
	}
}

function inTime(iso: string, language: Language): string {
	const at = new Date(iso);
	if (Number.isNaN(at.getTime())) return iso;
	const options = { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' } as const;
	return `${new Intl.DateTimeFormat(language, options).format(at)} UTC`;
}

function escaped(text: string): string {
	return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

const style = `
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #fff; --ink: #1b1f24; --soft: #5a6470; --line: #dde1e6;
	--critical: #b3261e; --warning: #8a5a00; --unknown: #4a5568; --info: #1f5fa8; --ok: #1c7a3e; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --card: #1d2126; --ink: #e8eaed; --soft: #a2abb5;
	--line: #333a42; --critical: #ff8a80; --warning: #f2b84b; --unknown: #b0bac6; --info: #85b8f5; --ok: #6fd08c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main { max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
header { padding-bottom: 0; }
h1 { margin: 0; font-size: 1.8rem; line-height: 1.2; }
header p { margin: .2rem 0; color: var(--soft); }
header.critical h1, article.critical > h2 .badge { color: var(--critical); }
header.warning h1, article.warning > h2 .badge { color: var(--warning); }
header.unknown h1, article.unknown > h2 .badge { color: var(--unknown); }
header.ok h1, .fine { color: var(--ok); }
article.info > h2 .badge { color: var(--info); }
.glance { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .75rem; margin-bottom: 1.5rem; }
.glance div, article { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
.glance span { display: block; color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
.glance meter { width: 100%; height: .6rem; }
article { margin-bottom: 1rem; border-left: .3rem solid var(--unknown); }
article.critical { border-left-color: var(--critical); }
article.warning { border-left-color: var(--warning); }
article.info { border-left-color: var(--info); }
h2 { margin: 0 0 .5rem; font-size: 1.1rem; overflow-wrap: anywhere; }
.badge { font-size: .75rem; text-transform: uppercase; letter-spacing: .05em; border: 1px solid; border-radius: 1rem;
	padding: .1rem .5rem; margin-right: .3rem; vertical-align: .1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 .5rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
p { margin: 0 0 .5rem; }
pre { margin: 0; padding: .5rem .75rem; background: var(--paper); border-radius: .3rem; white-space: pre-wrap;
	overflow-wrap: anywhere; font-size: .85rem; }
.follows { margin-top: .75rem; }
.follows h3 { margin: 0 0 .5rem; font-size: .9rem; color: var(--soft); }
.follows article { margin-bottom: .5rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .3rem; } }
`;
