import type { ContainerFacts } from '../facts';
import { above, ageMs, check, quoted, seen, type Check, type Found, type Situation } from './check';

/** What is judged of the containers. */
export const containerChecks: readonly Check[] = [
	each('container-restart-loop', (container, { limits, now }) => {
		if (!loops(container, limits.restartLoopCount, limits.restartLoopMs, now)) return undefined;
		const { name, restartCount, exitCode } = container;
		return {
			severity: 'critical',
			cause: {
				en: `The container ${name} ends and is started again and again.`,
				fr: `Le conteneur ${name} redémarre sans cesse.`,
			},
			evidence: [
				seen('restarts', 'redémarrages', restartCount),
				seen('last exit code', 'dernier code de sortie', exitCode),
			],
			nextStep: { en: 'Read its last words.', fr: 'Lire ses derniers messages.' },
			command: logs(name),
		};
	}),
	each('container-oom-killed', ({ name, oomKilled, memoryLimitBytes, finishedAt, state }, { limits, now }) => {
		const recent = finishedAt !== null && ageMs(finishedAt, now) <= limits.recentMs;
		if (!oomKilled || (state === 'running' && !recent)) return undefined;
		return {
			severity: 'critical',
			cause: {
				en: `The container ${name} was killed because it needed more memory than it may have.`,
				fr: `Le conteneur ${name} a été tué : il lui fallait plus de mémoire que sa limite.`,
			},
			evidence: [
				...(finishedAt === null ? [] : [seen('killed', 'tué', finishedAt, 'time')]),
				...(memoryLimitBytes.known && memoryLimitBytes.value !== null
					? [seen('limit', 'limite', memoryLimitBytes.value, 'bytes')]
					: []),
			],
			nextStep: {
				en: 'Raise its memory limit in the Compose file, or lower what it does at once.',
				fr: 'Relever sa limite mémoire dans le fichier Compose, ou réduire ce qu’il fait en parallèle.',
			},
			command: `docker stats --no-stream ${quoted(name)}`,
		};
	}),
	each('container-down', ({ name, state, exitCode, restartPolicy, finishedAt }) => {
		if (state !== 'exited' && state !== 'dead') return undefined;
		const supposedToRun = restartPolicy !== 'no' && restartPolicy !== '' && restartPolicy !== 'on-failure';
		if (exitCode === 0 && !supposedToRun) return undefined;
		return {
			severity: supposedToRun ? 'critical' : 'warning',
			cause: {
				en: `The container ${name} does not run${exitCode === 0 ? '; somebody stopped it' : ''}.`,
				fr: `Le conteneur ${name} ne tourne pas${exitCode === 0 ? ' ; quelqu’un l’a arrêté' : ''}.`,
			},
			evidence: [
				seen('state', 'état', state, 'text'),
				seen('exit code', 'code de sortie', exitCode),
				...(finishedAt === null ? [] : [seen('ended', 'terminé', finishedAt, 'time')]),
			],
			nextStep: { en: 'Read its last words, then start it.', fr: 'Lire ses derniers messages, puis le relancer.' },
			command: `${logs(name)}; docker start ${quoted(name)}`,
		};
	}),
	each('container-unhealthy', ({ name, health, startedAt, state }) => {
		if (health !== 'unhealthy' || state !== 'running') return undefined;
		return {
			severity: 'critical',
			cause: {
				en: `The container ${name} runs but fails its own health check.`,
				fr: `Le conteneur ${name} tourne mais échoue à son contrôle de santé.`,
			},
			evidence: startedAt === null ? [] : [seen('started', 'démarré', startedAt, 'time')],
			nextStep: {
				en: 'See what the health check said.',
				fr: 'Voir ce que dit le contrôle de santé.',
			},
			command: `docker inspect --format '{{json .State.Health}}' ${quoted(name)}`,
		};
	}),
	each('container-slow-start', ({ name, health, startedAt, state }, { limits, now }) => {
		if (health !== 'starting' || state !== 'running' || startedAt === null) return undefined;
		if (ageMs(startedAt, now) < limits.startingMs) return undefined;
		return {
			severity: 'warning',
			cause: {
				en: `The container ${name} is still not ready.`,
				fr: `Le conteneur ${name} n'est toujours pas prêt.`,
			},
			evidence: [seen('started', 'démarré', startedAt, 'time')],
			nextStep: { en: 'Read what it does.', fr: 'Lire ce qu’il fait.' },
			command: logs(name),
		};
	}),
	each('container-paused', ({ name, state }) => {
		if (state !== 'paused') return undefined;
		return {
			severity: 'warning',
			cause: { en: `The container ${name} is paused.`, fr: `Le conteneur ${name} est en pause.` },
			evidence: [],
			nextStep: { en: 'Let it go on.', fr: 'Le laisser continuer.' },
			command: `docker unpause ${quoted(name)}`,
		};
	}),
	each('container-memory', ({ name, memoryBytes, memoryLimitBytes }, { limits }) => {
		if (!memoryBytes.known || !memoryLimitBytes.known || memoryLimitBytes.value === null) return undefined;
		const severity = above(memoryBytes.value / memoryLimitBytes.value, limits.containerMemoryRatio);
		if (severity === undefined) return undefined;
		return {
			severity,
			cause: {
				en: `The container ${name} is about to reach its memory limit.`,
				fr: `Le conteneur ${name} va atteindre sa limite mémoire.`,
			},
			evidence: [
				seen('used', 'utilisée', memoryBytes.value, 'bytes'),
				seen('limit', 'limite', memoryLimitBytes.value, 'bytes'),
			],
			nextStep: {
				en: 'Raise its memory limit in the Compose file before the kernel kills it.',
				fr: 'Relever sa limite mémoire dans le fichier Compose avant que le noyau ne le tue.',
			},
			command: `docker stats --no-stream ${quoted(name)}`,
		};
	}),
	each('container-restarted-often', (container, { limits, now }) => {
		const { name, restartCount, state, startedAt } = container;
		if (loops(container, limits.restartLoopCount, limits.restartLoopMs, now)) return undefined;
		if (state !== 'running' || restartCount < 10) return undefined;
		return {
			severity: 'info',
			cause: {
				en: `The container ${name} was restarted many times before it stayed up.`,
				fr: `Le conteneur ${name} a redémarré de nombreuses fois avant de tenir.`,
			},
			evidence: [
				seen('restarts', 'redémarrages', restartCount),
				...(startedAt === null ? [] : [seen('up since', 'en marche depuis', startedAt, 'time')]),
			],
			nextStep: { en: 'Read its log from that time.', fr: 'Lire son journal à cette date.' },
			command: logs(name),
		};
	}),
	each('image-floating', ({ name, image }) => {
		const tag = image.includes('@') ? 'digest' : /:([\w.-]+)$/.exec(image)?.[1];
		if (tag !== undefined && tag !== 'latest') return undefined;
		return {
			severity: 'info',
			cause: {
				en: `The container ${name} has no fixed version: the next pull may change it.`,
				fr: `Le conteneur ${name} n'a pas de version fixe : le prochain pull peut le changer.`,
			},
			evidence: [seen('image', 'image', image, 'text')],
			nextStep: {
				en: 'Write a version in the Compose file.',
				fr: 'Écrire une version dans le fichier Compose.',
			},
			command: `docker image inspect --format '{{index .RepoDigests 0}}' ${quoted(image)}`,
		};
	}),
	check(
		'n8n-runner-version',
		({ containers }) => containers,
		(containers) => {
			const n8n = new Set<string>();
			const runners = new Set<string>();
			for (const { image } of containers) {
				const [, kind, tag] = /(?:^|\/)n8nio\/(n8n|runners):([\w.-]+)/.exec(image) ?? [];
				if (tag !== undefined) (kind === 'n8n' ? n8n : runners).add(tag);
			}
			const differ = n8n.size > 1 || runners.size > 1 || (runners.size === 1 && !n8n.has([...runners][0]!));
			if (n8n.size === 0 || !differ) return undefined;
			return {
				severity: 'warning',
				cause: {
					en: 'The parts of n8n do not have the same version.',
					fr: "Les parties de n8n n'ont pas la même version.",
				},
				evidence: [
					seen('n8n', 'n8n', [...n8n].join(', '), 'text'),
					...(runners.size === 0 ? [] : [seen('runners', 'runners', [...runners].join(', '), 'text')]),
				],
				nextStep: {
					en: 'Give all of them the same version in the Compose file, then start them.',
					fr: 'Leur donner la même version dans le fichier Compose, puis les relancer.',
				},
				command: 'docker compose up -d',
			};
		},
	),
];

function each(
	code: string,
	judge: (container: ContainerFacts, situation: Situation) => Omit<Found, 'subject'> | undefined,
): Check {
	return check(
		code,
		({ containers }) => containers,
		(containers, situation) =>
			containers.map((container) => {
				const found = judge(container, situation);
				return found && { ...found, subject: container.name };
			}),
	);
}

function loops({ state, restartCount, startedAt }: ContainerFacts, count: number, withinMs: number, now: Date) {
	if (state === 'restarting') return true;
	return restartCount >= count && startedAt !== null && state === 'running' && ageMs(startedAt, now) < withinMs;
}

const logs = (name: string) => `docker logs --tail 100 ${quoted(name)}`;
