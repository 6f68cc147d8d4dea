import { above, ageMs, check, quoted, seen, type Check } from './check';

/** What is judged of the local models and of the backups. */
export const serviceChecks: readonly Check[] = [
	check(
		'model-missing',
		({ models }) => models,
		({ missing, installed }) =>
			missing.map((model) => ({
				subject: model,
				severity: 'critical',
				cause: {
					en: `The model ${model} is not installed: every step that asks for it fails.`,
					fr: `Le modèle ${model} n'est pas installé : toute étape qui le demande échoue.`,
				},
				evidence: [seen('installed models', 'modèles installés', installed.length)],
				nextStep: { en: 'Fetch it.', fr: 'Le télécharger.' },
				command: `ollama pull ${quoted(model)}`,
			})),
	),
	check(
		'backup-missing',
		({ backups }) => backups,
		({ newest, folder }) => {
			if (newest !== null) return undefined;
			return {
				severity: 'critical',
				cause: { en: 'There is no backup.', fr: 'Il n’existe aucune sauvegarde.' },
				evidence: [seen('folder', 'dossier', folder, 'text')],
				nextStep: { en: 'Look at the folder and its timer.', fr: 'Regarder le dossier et sa minuterie.' },
				command: `ls -lt ${quoted(folder)} | head; systemctl list-timers --all --no-pager`,
			};
		},
	),
	check(
		'backup-old',
		({ backups }) => backups,
		({ newest, folder }, { limits, now }) => {
			if (newest === null) return undefined;
			const age = ageMs(newest.at, now);
			const severity = above(age, limits.backupAgeMs);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: { en: 'The newest backup is too old.', fr: 'La dernière sauvegarde est trop ancienne.' },
				evidence: [seen('age', 'âge', age, 'ms'), seen('newest', 'dernière', newest.name, 'text')],
				nextStep: { en: 'See why no newer one was made.', fr: "Voir pourquoi il n'y en a pas de plus récente." },
				command: `ls -lt ${quoted(folder)} | head; systemctl list-timers --all --no-pager`,
			};
		},
	),
	check(
		'backup-shrank',
		({ backups }) => backups,
		({ newest, previousSizeBytes, folder }, { limits }) => {
			if (newest === null) return undefined;
			const empty = newest.sizeBytes === 0;
			const shrank = previousSizeBytes !== null && newest.sizeBytes < previousSizeBytes * limits.backupShrinkRatio;
			if (!empty && !shrank) return undefined;
			return {
				severity: 'critical',
				cause: empty
					? { en: 'The newest backup is empty.', fr: 'La dernière sauvegarde est vide.' }
					: {
							en: 'The newest backup is far smaller than the one before: it may be cut short.',
							fr: 'La dernière sauvegarde est bien plus petite que la précédente : elle est peut-être tronquée.',
						},
				evidence: [
					seen('newest', 'dernière', newest.sizeBytes, 'bytes'),
					...(previousSizeBytes === null ? [] : [seen('before', 'précédente', previousSizeBytes, 'bytes')]),
				],
				nextStep: {
					en: 'Make another one, and try to restore it.',
					fr: 'En refaire une, et essayer de la restaurer.',
				},
				command: `ls -lt ${quoted(folder)} | head`,
			};
		},
	),
];
