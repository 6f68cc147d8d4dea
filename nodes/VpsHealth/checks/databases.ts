import { above, check, quoted, seen, type Check } from './check';

/** What is judged of PostgreSQL and Redis. */
export const databaseChecks: readonly Check[] = [
	check(
		'postgres-connections',
		({ postgres }) => postgres.server,
		({ connections, maxConnections }, { limits }) => {
			const severity = above(connections / maxConnections, limits.postgresConnectionsRatio);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: {
					en: 'PostgreSQL will soon refuse connections.',
					fr: 'PostgreSQL va bientôt refuser des connexions.',
				},
				evidence: [
					seen('connections', 'connexions', connections),
					seen('of at most', 'sur un maximum de', maxConnections),
				],
				nextStep: { en: 'See who holds them.', fr: 'Voir qui les occupe.' },
				command: psql(
					'SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC',
				),
			};
		},
	),
	check(
		'postgres-long-transaction',
		({ postgres }) => postgres.longTransactions,
		(transactions, { limits }) =>
			transactions.map(({ pid, user, application, state, ageMs }) => {
				const severity = above(ageMs, limits.transactionMs);
				if (severity === undefined) return undefined;
				return {
					subject: String(pid),
					severity,
					cause: {
						en: `A transaction of ${user} has been open too long: it keeps dead rows and locks.`,
						fr: `Une transaction de ${user} est ouverte depuis trop longtemps : elle retient des lignes mortes et des verrous.`,
					},
					evidence: [
						seen('open for', 'ouverte depuis', ageMs, 'ms'),
						seen('state', 'état', state, 'text'),
						...(application === '' ? [] : [seen('program', 'programme', application, 'text')]),
					],
					nextStep: {
						en: 'If nothing needs it any more, end it.',
						fr: 'Si plus rien n’en a besoin, y mettre fin.',
					},
					command: psql(`SELECT pg_terminate_backend(${pid})`),
				};
			}),
	),
	check(
		'postgres-lock-waits',
		({ postgres }) => (postgres.server.known ? postgres.server.value.waitingForLocks : postgres.server),
		(waitingForLocks, { limits }) => {
			const severity = above(waitingForLocks, limits.lockWaits);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: { en: 'Sessions of PostgreSQL wait for each other.', fr: 'Des sessions PostgreSQL s’attendent.' },
				evidence: [seen('waiting sessions', 'sessions en attente', waitingForLocks)],
				nextStep: { en: 'See who blocks whom.', fr: 'Voir qui bloque qui.' },
				command: psql(
					"SELECT pid, pg_blocking_pids(pid), state, now() - xact_start FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
				),
			};
		},
	),
	check(
		'postgres-dead-rows',
		({ postgres }) => postgres.deadRows,
		(tables, { limits }) =>
			tables.map(({ table, liveRows, deadRows, lastAutovacuumAt }) => {
				const share = deadRows / (liveRows + deadRows);
				if (deadRows < limits.deadRowsLeast || share < limits.deadRowsRatio) return undefined;
				return {
					subject: table,
					severity: 'warning',
					cause: {
						en: `The table ${table} is full of dead rows that nothing clears away.`,
						fr: `La table ${table} est pleine de lignes mortes que rien ne nettoie.`,
					},
					evidence: [
						seen('dead rows', 'lignes mortes', deadRows),
						seen('share', 'part', share, 'ratio'),
						...(lastAutovacuumAt === null ? [] : [seen('last cleared', 'dernier nettoyage', lastAutovacuumAt, 'time')]),
					],
					nextStep: { en: 'Clear them away.', fr: 'Les nettoyer.' },
					command: psql(`VACUUM (ANALYZE) ${table}`),
				};
			}),
	),
	check(
		'postgres-transaction-ids',
		({ postgres }) => postgres.server,
		({ oldestTransactionIdAge }, { limits }) => {
			const severity = above(oldestTransactionIdAge, limits.transactionIdAge);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: {
					en: 'PostgreSQL is running out of transaction ids and will refuse writes at 2.1 billion.',
					fr: 'PostgreSQL épuise ses identifiants de transaction et refusera les écritures à 2,1 milliards.',
				},
				evidence: [seen('oldest id', 'plus ancien identifiant', oldestTransactionIdAge)],
				nextStep: { en: 'Freeze old rows at a quiet hour.', fr: 'Geler les vieilles lignes à une heure creuse.' },
				command: 'vacuumdb --all --freeze --jobs=2',
			};
		},
	),
	check(
		'postgres-replica',
		({ postgres }) => postgres.replicas,
		(replicas, { limits }) =>
			replicas.map(({ name, state, lagBytes }) => {
				const late = lagBytes === null ? undefined : above(lagBytes, limits.replicaLagBytes);
				const severity = state === 'streaming' ? late : 'warning';
				if (severity === undefined) return undefined;
				return {
					subject: name,
					severity,
					cause: {
						en: `The replica ${name} lags behind.`,
						fr: `Le réplica ${name} est en retard.`,
					},
					evidence: [
						seen('state', 'état', state, 'text'),
						...(lagBytes === null ? [] : [seen('behind by', 'retard', lagBytes, 'bytes')]),
					],
					nextStep: { en: 'See what it is doing.', fr: 'Voir ce qu’il fait.' },
					command: psql('SELECT application_name, state, sent_lsn, replay_lsn FROM pg_stat_replication'),
				};
			}),
	),
	check(
		'redis-evicts',
		({ redis }) => redis,
		({ evictedKeys, evictionPolicy, maxMemoryBytes }) => {
			if (evictionPolicy === 'noeviction') return undefined;
			const canEvict = maxMemoryBytes > 0;
			return {
				severity: canEvict ? 'critical' : 'warning',
				cause: {
					en: canEvict
						? 'Redis may throw away queued jobs when its memory is full.'
						: 'Redis may throw away queued jobs as soon as somebody gives it a memory limit.',
					fr: canEvict
						? 'Redis peut supprimer des tâches en attente quand sa mémoire est pleine.'
						: 'Redis pourra supprimer des tâches en attente dès qu’on lui donnera une limite mémoire.',
				},
				evidence: [
					seen('eviction policy', "politique d'éviction", evictionPolicy, 'text'),
					seen('keys thrown away', 'clés supprimées', evictedKeys),
				],
				nextStep: {
					en: 'Forbid it, here and in the configuration file.',
					fr: "L'interdire, ici et dans le fichier de configuration.",
				},
				command: 'redis-cli CONFIG SET maxmemory-policy noeviction && redis-cli CONFIG REWRITE',
			};
		},
	),
	check(
		'redis-write-failed',
		({ redis }) => redis,
		({ lastSaveOk, lastAppendWriteOk }) => {
			if (lastSaveOk && lastAppendWriteOk) return undefined;
			return {
				severity: 'critical',
				cause: {
					en: 'Redis could not write to its disk: queued jobs would not survive a restart.',
					fr: 'Redis n’a pas pu écrire sur disque : les tâches en attente ne survivraient pas à un redémarrage.',
				},
				evidence: [
					seen('last snapshot', 'dernier instantané', lastSaveOk ? 'ok' : 'failed', 'text'),
					seen('last append', 'dernier ajout', lastAppendWriteOk ? 'ok' : 'failed', 'text'),
				],
				nextStep: {
					en: 'Look at its folder: is there space, may Redis write there?',
					fr: 'Regarder son dossier : y a-t-il de la place, Redis peut-il y écrire ?',
				},
				command: 'df -h "$(redis-cli CONFIG GET dir | tail -n 1)"',
			};
		},
	),
	check(
		'redis-not-kept',
		({ redis }) => redis,
		({ appendOnly, savePoints }) => {
			if (appendOnly || !savePoints.known || savePoints.value !== '') return undefined;
			return {
				severity: 'warning',
				cause: {
					en: 'Redis keeps nothing on disk: every queued job is lost when it restarts.',
					fr: 'Redis ne garde rien sur disque : toute tâche en attente est perdue à son redémarrage.',
				},
				evidence: [seen('append only file', 'fichier append only', 'no', 'text')],
				nextStep: { en: 'Switch the append only file on.', fr: 'Activer le fichier append only.' },
				command: 'redis-cli CONFIG SET appendonly yes && redis-cli CONFIG REWRITE',
			};
		},
	),
	check(
		'redis-memory',
		({ redis }) => redis,
		({ maxMemoryBytes, usedMemoryBytes }, { limits }) => {
			if (maxMemoryBytes === 0) return undefined;
			const severity = above(usedMemoryBytes / maxMemoryBytes, limits.redisMemoryRatio);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: {
					en: 'Redis is about to reach its memory limit and will then refuse new jobs.',
					fr: 'Redis va atteindre sa limite mémoire et refusera alors les nouvelles tâches.',
				},
				evidence: [
					seen('used', 'utilisée', usedMemoryBytes, 'bytes'),
					seen('limit', 'limite', maxMemoryBytes, 'bytes'),
				],
				nextStep: { en: 'Find the largest keys.', fr: 'Trouver les plus grosses clés.' },
				command: 'redis-cli --memkeys',
			};
		},
	),
	check(
		'redis-clients',
		({ redis }) => redis,
		({ connectedClients, maxClients, rejectedConnections }, { limits }) => {
			const severity = above(connectedClients / maxClients, limits.redisClientsRatio);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: { en: 'Redis will soon refuse connections.', fr: 'Redis va bientôt refuser des connexions.' },
				evidence: [
					seen('connections', 'connexions', connectedClients),
					seen('of at most', 'sur un maximum de', maxClients),
					seen('refused since its start', 'refusées depuis son démarrage', rejectedConnections),
				],
				nextStep: { en: 'See who holds them.', fr: 'Voir qui les occupe.' },
				command: 'redis-cli CLIENT LIST',
			};
		},
	),
];

const psql = (statement: string) => `psql -c ${quoted(statement)}`;
