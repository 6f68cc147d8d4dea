import type { Fact, MachineFacts, Unknown } from '../facts';
import { finding, quoted, seen, type Evidence, type Finding, type Words } from './check';
import { reasonInFrench } from './reasons';

/**
 * What could not be read: a server that does not answer is a fault, anything else is something we do not know. Whatever
 * nobody set up is told in one finding. A server that a machine may do without is critical only where its code
 * is in `seenBefore`: it answered at an earlier look.
 */
export function unread(facts: MachineFacts, seenBefore: readonly string[] = []): Finding[] {
	const skipped = areas.filter(({ parts }) =>
		Object.values(parts(facts)).every((fact) => !fact.known && fact.reason === 'not-set-up'),
	);
	const asked = areas.filter((area) => !skipped.includes(area));
	return [
		...asked.flatMap(({ area, name, server, parts }) => {
			const all = parts(facts);
			const silent = Object.values(all).find((fact) => !fact.known && fact.reason === 'nothing-answers');
			if (server !== undefined && silent !== undefined && !silent.known) {
				return [silentServer(name, server, silent, seenBefore)];
			}
			return notKnown(area, name, all);
		}),
		...(skipped.length > 0 ? [notLookedAt(skipped.map(({ name }) => name))] : []),
	];
}

/** The codes of silent servers of which nothing at all is known, so not even whether they are silent. */
export function undecidedServers(facts: MachineFacts): string[] {
	return areas.flatMap(({ server, parts }) => {
		const all = Object.values(parts(facts));
		const decided = all.some((fact) => fact.known || fact.reason === 'nothing-answers');
		return server === undefined || decided ? [] : [server.code];
	});
}

interface Server {
	readonly code: string;
	/** What its container, if it has one, is called. */
	readonly container: string | null;
	/** A machine may do without it. */
	readonly optional?: true;
}

interface Area {
	readonly area: string;
	readonly name: Words;
	/** The server that these facts come from, where its silence is a fault of the machine. */
	readonly server?: Server;
	readonly parts: (facts: MachineFacts) => Readonly<Record<string, Fact<unknown>>>;
}

const areas: readonly Area[] = [
	{
		area: 'host',
		name: { en: 'the machine itself', fr: 'la machine elle-même' },
		parts: ({ host }) => ({
			...host,
			...(host.fileSystems.known &&
				Object.fromEntries(host.fileSystems.value.map(({ mountPoint, use }) => [mountPoint, use]))),
		}),
	},
	{
		area: 'systemd',
		name: { en: 'the system services', fr: 'les services système' },
		parts: ({ systemd }) => ({
			systemd,
			...(systemd.known && { clockSynchronised: systemd.value.clockSynchronised }),
		}),
	},
	{
		area: 'containers',
		name: { en: 'Docker', fr: 'Docker' },
		server: { code: 'docker-down', container: null },
		parts: ({ containers }) => ({
			containers,
			...(containers.known &&
				Object.fromEntries(
					containers.value
						.filter(({ state }) => state === 'running')
						.map(({ name, memoryBytes }) => [`${name}: memory`, memoryBytes]),
				)),
		}),
	},
	{
		area: 'postgres',
		name: { en: 'PostgreSQL', fr: 'PostgreSQL' },
		server: { code: 'postgres-down', container: 'postgres' },
		parts: ({ postgres }) => ({
			...postgres,
			...(postgres.server.known && { waitingForLocks: postgres.server.value.waitingForLocks }),
		}),
	},
	{
		area: 'executions',
		name: { en: 'the database of n8n', fr: 'la base de n8n' },
		server: { code: 'n8n-database-down', container: 'postgres' },
		parts: ({ executions }) => ({ executions }),
	},
	{
		area: 'redis',
		name: { en: 'Redis', fr: 'Redis' },
		server: { code: 'redis-down', container: 'redis' },
		// With an append only file nothing hangs on snapshots.
		parts: ({ redis }) => ({
			redis,
			...(redis.known && !redis.value.appendOnly && { savePoints: redis.value.savePoints }),
		}),
	},
	{
		area: 'queue',
		name: { en: 'the queue', fr: 'la file de tâches' },
		server: { code: 'queue-down', container: 'redis' },
		parts: ({ queue }) => ({ queue }),
	},
	{
		area: 'models',
		name: { en: 'Ollama', fr: 'Ollama' },
		server: { code: 'ollama-down', container: 'ollama', optional: true },
		parts: ({ models }) => ({ models }),
	},
	{
		area: 'backups',
		name: { en: 'the backups', fr: 'les sauvegardes' },
		parts: ({ backups }) => ({ backups }),
	},
];

/** The codes of the servers that a machine may do without. */
export const optionalServers: readonly string[] = areas.flatMap(({ server }) =>
	server?.optional ? [server.code] : [],
);

/** One finding per area and reason, however many of its facts share that reason. */
function notKnown(area: string, name: Words, all: Readonly<Record<string, Fact<unknown>>>): Finding[] {
	const byReason = new Map<string, string[]>();
	for (const [part, fact] of Object.entries(all)) {
		if (!fact.known) byReason.set(fact.why, [...(byReason.get(fact.why) ?? []), part]);
	}
	return [...byReason].map(([why, parts]) => {
		const whole = parts.length === Object.keys(all).length;
		return finding('not-known', {
			subject: whole ? area : `${area}:${parts[0]}`,
			severity: 'unknown',
			cause: whole
				? { en: `Nothing is known about ${name.en}.`, fr: `On ne sait rien concernant ${name.fr}.` }
				: {
						en: `Not everything is known about ${name.en}.`,
						fr: `On ne sait pas tout concernant ${name.fr}.`,
					},
			evidence: [...(whole ? [] : [seen('not known', 'inconnu', parts.slice(0, 6).join(', '), 'text')]), reasonOf(why)],
			nextStep: {
				en: 'Mend what the reason names, then look again.',
				fr: 'Corriger ce que dit la raison, puis regarder à nouveau.',
			},
			command: '',
		});
	});
}

function notLookedAt(names: readonly Words[]): Finding {
	const list = (language: 'en' | 'fr') => names.map((name) => name[language]).join(', ');
	return finding('not-looked-at', {
		severity: 'unknown',
		cause: { en: `Not looked at: ${list('en')}.`, fr: `Non regardé : ${list('fr')}.` },
		evidence: [],
		nextStep: {
			en: 'Tell the node how to reach them, or do without on purpose.',
			fr: 'Indiquer au nœud comment les atteindre, ou s’en passer sciemment.',
		},
		command: '',
	});
}

function silentServer(name: Words, server: Server, { why }: Unknown, seenBefore: readonly string[]): Finding {
	const { code, container, optional } = server;
	return finding(code, {
		severity: optional && !seenBefore.includes(code) ? 'warning' : 'critical',
		cause: { en: `No answer comes from ${name.en}.`, fr: `Aucune réponse de ${name.fr}.` },
		evidence: [reasonOf(why)],
		nextStep: {
			en: 'See whether it runs, and read its last words.',
			fr: 'Voir s’il tourne, et lire ses derniers messages.',
		},
		command:
			container === null
				? 'systemctl status docker --no-pager'
				: `docker ps -a --filter name=${quoted(container)}; docker logs --tail 50 ${quoted(container)}`,
	});
}

function reasonOf(why: string): Evidence {
	return { ...seen('reason:', 'raison :', why, 'text'), valueInFrench: reasonInFrench(why) };
}
