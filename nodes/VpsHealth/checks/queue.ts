import type { MachineFacts, QueueFacts } from '../facts';
import { above, check, quoted, seen, type Check } from './check';

/** What is judged of n8n's queue, its workers and its executions. */
export const queueChecks: readonly Check[] = [
	check(
		'queue-no-worker',
		({ queue }) => queue,
		(queue, { facts }) => {
			if (!idle(queue) || alive(queue, facts) !== undefined) return undefined;
			return {
				severity: 'critical',
				cause: {
					en: 'No worker is there: nothing that n8n puts into its queue will run.',
					fr: 'Aucun worker : rien de ce que n8n met en file ne sera exécuté.',
				},
				evidence: stuck(queue),
				nextStep: { en: 'Start a worker.', fr: 'Démarrer un worker.' },
				command: 'docker compose up -d n8n-worker',
			};
		},
	),
	check(
		'queue-not-consumed',
		({ queue }) => queue,
		(queue, { facts }) => {
			const sign = alive(queue, facts);
			if (!idle(queue) || sign === undefined) return undefined;
			return {
				severity: 'critical',
				cause: {
					en: 'Workers are alive but take no jobs: they lost their place at the queue and will not find it again.',
					fr: 'Des workers sont en vie mais ne prennent aucune tâche : ils ont perdu leur place dans la file et ne la retrouveront pas.',
				},
				evidence: [seen('sign of life', 'signe de vie', sign, 'text'), ...stuck(queue)],
				nextStep: { en: 'Restart the workers.', fr: 'Redémarrer les workers.' },
				command: restartWorkers(facts),
			};
		},
	),
	check(
		'queue-worker-stopped',
		({ queue }) => queue,
		(queue, { facts }) => {
			const { stoppedConsumers, consumers, longestSilenceMs, activeWithoutLock, paused } = queue;
			if (stoppedConsumers === 0 || paused || idle(queue)) return undefined;
			return {
				severity: stoppedConsumers < consumers ? 'warning' : 'critical',
				cause: {
					en: 'A worker is alive but does not consume: it is connected, yet neither waits for jobs nor holds one.',
					fr: 'Un worker est en vie mais ne consomme pas : il est connecté, mais n’attend aucune tâche et n’en tient aucune.',
				},
				evidence: [
					seen('workers stopped', 'workers arrêtés', stoppedConsumers),
					seen('at the queue', 'dans la file', consumers),
					seen('silent for', 'muet depuis', longestSilenceMs, 'ms'),
					seen('running jobs without a lock', 'tâches en cours sans verrou', activeWithoutLock),
				],
				nextStep: {
					en: 'See which worker stands still (state T: stopped), then restart it.',
					fr: 'Voir quel worker ne bouge plus (état T : arrêté), puis le redémarrer.',
				},
				command: `ps -eo pid,stat,etime,args | grep '[n]8n.* worker'; ${restartWorkers(facts)}`,
			};
		},
	),
	check(
		'queue-worker-missing',
		({ queue }) => queue,
		(queue, { facts }) => {
			const { consumers, listeners, probes } = queue;
			const expected =
				probes.length > 0 ? probes.filter(({ answers }) => answers).length : workerContainers(facts).length;
			if (idle(queue) || consumers >= expected) return undefined;
			return {
				severity: 'warning',
				cause: {
					en: 'Not every living worker waits for jobs: the others carry its share.',
					fr: 'Un worker en vie n’attend plus de tâches : les autres portent sa part.',
				},
				evidence: [
					seen('workers alive', 'workers en vie', expected),
					seen('at the queue', 'dans la file', consumers),
					seen('listening for commands', 'à l’écoute des commandes', listeners),
				],
				nextStep: { en: 'Restart the workers one by one.', fr: 'Redémarrer les workers un par un.' },
				command: restartWorkers(facts),
			};
		},
	),
	check(
		'queue-worker-silent',
		({ queue }) => queue,
		({ probes }) =>
			probes
				.filter(({ answers }) => !answers)
				.map(({ worker }) => ({
					subject: worker,
					severity: probes.some(({ answers }) => answers) ? 'warning' : 'critical',
					cause: { en: `The worker ${worker} does not answer.`, fr: `Le worker ${worker} ne répond pas.` },
					evidence: [],
					nextStep: { en: 'Read its log, then restart it.', fr: 'Lire son journal, puis le redémarrer.' },
					command: `docker logs --tail 100 ${quoted(worker)}; docker restart ${quoted(worker)}`,
				})),
	),
	check(
		'queue-paused',
		({ queue }) => queue,
		({ paused, waiting, name }) => {
			if (!paused) return undefined;
			return {
				severity: waiting > 0 ? 'critical' : 'warning',
				cause: { en: 'Somebody paused the queue.', fr: 'Quelqu’un a mis la file en pause.' },
				evidence: [seen('waiting jobs', 'tâches en attente', waiting)],
				nextStep: {
					en: 'Let it go on: the waiting jobs lie in a list of their own while it is paused.',
					fr: 'La relancer : pendant la pause, les tâches en attente sont dans une liste à part.',
				},
				command: `redis-cli EVAL ${quoted(resume)} 3 ${[`${name}:meta-paused`, `${name}:paused`, `${name}:wait`].map(quoted).join(' ')}`,
			};
		},
	),
	check(
		'queue-stalled-jobs',
		({ queue }) => queue,
		({ activeWithoutLock, active }) => {
			if (activeWithoutLock === 0) return undefined;
			return {
				severity: 'warning',
				cause: {
					en: 'Jobs are marked as running, but no worker holds them: n8n will mark them as crashed and not start them again.',
					fr: 'Des tâches sont dites en cours mais aucun worker ne les tient : n8n les marquera « crashed » sans les relancer.',
				},
				evidence: [seen('without a worker', 'sans worker', activeWithoutLock), seen('running', 'en cours', active)],
				nextStep: { en: 'See which worker ended, and why.', fr: 'Voir quel worker s’est arrêté, et pourquoi.' },
				command: `docker ps -a --filter name=worker --format '{{.Names}} {{.Status}}'`,
			};
		},
	),
	check(
		'queue-oldest-job',
		({ queue }) => queue,
		({ oldestWaitingMs, waiting }, { limits }) => {
			const severity = oldestWaitingMs === null ? undefined : above(oldestWaitingMs, limits.waitingMs);
			if (oldestWaitingMs === null || severity === undefined) return undefined;
			return {
				severity,
				cause: { en: 'Jobs wait too long for a worker.', fr: 'Des tâches attendent trop longtemps un worker.' },
				evidence: [
					seen('oldest', 'plus ancienne', oldestWaitingMs, 'ms'),
					seen('waiting jobs', 'tâches en attente', waiting),
				],
				nextStep: {
					en: 'Start another worker, or look for executions that never end.',
					fr: 'Démarrer un autre worker, ou chercher des exécutions sans fin.',
				},
				command: 'docker compose up -d --scale n8n-worker=3',
			};
		},
	),
	check(
		'queue-backlog',
		({ queue }) => queue,
		({ waiting, active, blockedConsumers }, { limits }) => {
			const severity = above(waiting, limits.waitingJobs);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: {
					en: 'More jobs come than the workers can run.',
					fr: 'Il arrive plus de tâches que les workers ne peuvent en traiter.',
				},
				evidence: [
					seen('waiting jobs', 'tâches en attente', waiting),
					seen('running', 'en cours', active),
					seen('workers ready', 'workers prêts', blockedConsumers),
				],
				nextStep: { en: 'Start another worker.', fr: 'Démarrer un autre worker.' },
				command: 'docker compose up -d --scale n8n-worker=3',
			};
		},
	),
	check(
		'queue-failed-jobs',
		({ queue }) => queue,
		({ failed }, { limits }) => {
			if (failed < limits.failedJobs) return undefined;
			return {
				severity: 'info',
				cause: { en: 'Many failed jobs lie in Redis.', fr: 'Beaucoup de tâches en échec restent dans Redis.' },
				evidence: [seen('failed jobs', 'tâches en échec', failed)],
				nextStep: { en: 'See why they failed.', fr: 'Voir pourquoi elles ont échoué.' },
				command: psql(
					`SELECT "workflowId", status, count(*) FROM execution_entity WHERE status IN ('error', 'crashed') GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 20`,
				),
			};
		},
	),
	check(
		'executions-crashed',
		({ executions }) => executions,
		({ crashed, hours, newestCrashed }, { limits }) => {
			const severity = above(crashed, limits.crashedExecutions);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: {
					en: 'Executions were cut off while they ran. n8n does not start them again.',
					fr: 'Des exécutions ont été coupées en cours de route. n8n ne les relance pas.',
				},
				evidence: [
					seen('crashed', 'coupées', crashed),
					seen('in the last', 'dans les dernières', hours * 3_600_000, 'ms'),
					...newestCrashed
						.slice(0, 3)
						.map(({ executionId, workflow }) =>
							seen(`execution ${executionId}`, `exécution ${executionId}`, workflow, 'text'),
						),
				],
				nextStep: {
					en: 'Look at each, and start those again that may safely run twice.',
					fr: 'Les regarder une à une, et relancer celles qui peuvent tourner deux fois sans dommage.',
				},
				command: psql(
					`SELECT id, "workflowId", "stoppedAt" FROM execution_entity WHERE status = 'crashed' ORDER BY id DESC LIMIT 20`,
				),
			};
		},
	),
	check(
		'executions-failing',
		({ executions }) => executions,
		({ failed, total, hours }, { limits }) => {
			if (failed < limits.failedExecutionsLeast || failed / total < limits.failedExecutionsRatio) return undefined;
			return {
				severity: 'warning',
				cause: { en: 'Most executions fail.', fr: 'La plupart des exécutions échouent.' },
				evidence: [
					seen('failed', 'en échec', failed),
					seen('of', 'sur', total),
					seen('in the last', 'dans les dernières', hours * 3_600_000, 'ms'),
				],
				nextStep: { en: 'See which workflow fails.', fr: 'Voir quel workflow échoue.' },
				command: psql(
					`SELECT "workflowId", count(*) FROM execution_entity WHERE status = 'error' GROUP BY 1 ORDER BY 2 DESC LIMIT 10`,
				),
			};
		},
	),
];

/** What Bull itself does to let a queue go on. */
const resume = `redis.call('DEL', KEYS[1]) if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[3]) end`;

/** Nothing runs, nothing was started while we looked, and nobody stands ready to take the next job. */
function idle({ active, blockedConsumers, moved, paused }: QueueFacts): boolean {
	return !paused && active === 0 && blockedConsumers === 0 && !moved;
}

/** What shows that a worker process lives, or undefined where nothing does. */
function alive({ probes, consumers, listeners }: QueueFacts, facts: MachineFacts): string | undefined {
	const probe = probes.find(({ answers }) => answers);
	if (probe) return `${probe.worker}: healthz 200`;
	const [container] = workerContainers(facts);
	if (container !== undefined) return `${container}: running`;
	if (consumers > 0) return `Redis: ${consumers} × Bull`;
	return listeners > 0 ? `Redis: ${listeners} × n8n.commands` : undefined;
}

function workerContainers({ containers }: MachineFacts): string[] {
	if (!containers.known) return [];
	return containers.value
		.filter(({ name, image, state }) => state === 'running' && /worker/.test(name) && /n8n(?!io\/runners)/.test(image))
		.filter(({ image }) => !/runners/.test(image))
		.map(({ name }) => name);
}

const stuck = ({ waiting, oldestWaitingMs, consumers }: QueueFacts) => [
	seen('waiting jobs', 'tâches en attente', waiting),
	...(oldestWaitingMs === null ? [] : [seen('oldest', 'plus ancienne', oldestWaitingMs, 'ms' as const)]),
	seen('running jobs', 'tâches en cours', 0),
	seen('workers ready', 'workers prêts', 0),
	seen('worker connections', 'connexions de workers', consumers),
];

function restartWorkers(facts: MachineFacts): string {
	const names = workerContainers(facts);
	if (names.length > 0) return `docker restart ${names.map(quoted).join(' ')}`;
	// Without containers whoever supervises the process starts it again.
	return facts.containers.known ? 'docker compose restart n8n-worker' : `kill -TERM $(pgrep -f 'n8n worker')`;
}

const psql = (statement: string) => `psql -c ${quoted(statement)}`;
