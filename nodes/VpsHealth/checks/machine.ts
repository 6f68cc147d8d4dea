import type { FileSystem, PostgresFacts, UnitFacts } from '../facts';
import { above, ageMs, below, check, quoted, seen, type Check, type Found } from './check';
import type { Thresholds } from './thresholds';

/** What is judged of the machine itself: processors, memory, disks, kernel, services of its own. */
export const machineChecks: readonly Check[] = [
	check(
		'disk-full',
		({ host }) => host.fileSystems,
		(disks, { limits, facts }) => disks.map((disk) => fullDisk(disk, limits, facts.postgres)),
	),
	check(
		'inodes-full',
		({ host }) => host.fileSystems,
		(disks, { limits }) => disks.map((disk) => fullInodes(disk, limits)),
	),
	check(
		'disk-read-only',
		({ host }) => host.fileSystems,
		(disks) =>
			disks
				.filter(({ readOnly, type }) => readOnly && /^(ext[234]|xfs|btrfs|f2fs)$/.test(type))
				.map(({ mountPoint, type }) => ({
					subject: mountPoint,
					severity: mountPoint === '/' ? 'critical' : 'warning',
					cause: {
						en: `The file system at ${mountPoint} takes no writes; the kernel does this after a disk error.`,
						fr: `Le système de fichiers ${mountPoint} refuse les écritures ; le noyau le fait après une erreur disque.`,
					},
					evidence: [seen('file system', 'système de fichiers', type, 'text')],
					nextStep: {
						en: 'Look for disk errors in the kernel log before anything is remounted.',
						fr: 'Chercher les erreurs disque dans le journal du noyau avant de remonter quoi que ce soit.',
					},
					command: 'journalctl -k -p warning --no-pager | tail -n 50',
				})),
	),
	check(
		'oom-kills',
		({ host }) => host.oomKills,
		({ sinceBoot, byGroup }, { facts, limits, now }) => {
			if (sinceBoot === 0) return undefined;
			const { bootedAt } = facts.host;
			const recent = bootedAt.known && ageMs(bootedAt.value, now) <= limits.recentMs;
			const groups = byGroup.known ? byGroup.value : [];
			return {
				severity: recent ? 'warning' : 'info',
				count: sinceBoot,
				cause: {
					en: 'The kernel killed processes because memory ran out.',
					fr: 'Le noyau a tué des processus, faute de mémoire.',
				},
				evidence: [
					seen('kills since boot', 'processus tués depuis le démarrage', sinceBoot),
					...groups.slice(0, 3).map(({ group, kills }) => seen(group, group, kills)),
				],
				nextStep: {
					en: 'See which processes were killed, then give them less to do or the machine more memory.',
					fr: 'Voir quels processus ont été tués, puis réduire leur charge ou ajouter de la mémoire.',
				},
				command: `journalctl -k --no-pager | grep -i -E 'out of memory|oom-kill' | tail -n 20`,
			};
		},
	),
	check(
		'memory-low',
		({ host }) => host.memory,
		({ totalBytes, availableBytes }, { limits }) => {
			const severity = below(availableBytes / totalBytes, limits.availableMemoryRatio);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: { en: 'Almost no memory is left.', fr: 'Il ne reste presque plus de mémoire.' },
				evidence: [
					seen('available', 'disponible', availableBytes, 'bytes'),
					seen('of', 'sur', totalBytes, 'bytes'),
					seen('share', 'part', availableBytes / totalBytes, 'ratio'),
				],
				nextStep: { en: 'See who holds the memory.', fr: 'Voir qui occupe la mémoire.' },
				command: 'ps -eo pid,rss,comm --sort=-rss | head -n 15',
			};
		},
	),
	check(
		'swap-full',
		({ host }) => host.memory,
		({ swapTotalBytes, swapFreeBytes }, { limits }) => {
			if (swapTotalBytes === 0) return undefined;
			const used = (swapTotalBytes - swapFreeBytes) / swapTotalBytes;
			const severity = above(used, limits.usedSwapRatio);
			if (severity === undefined) return undefined;
			return {
				severity: 'warning',
				cause: { en: 'The swap space is nearly used up.', fr: "L'espace d'échange (swap) est presque épuisé." },
				evidence: [seen('used', 'utilisé', used, 'ratio'), seen('of', 'sur', swapTotalBytes, 'bytes')],
				nextStep: { en: 'See which processes are swapped out.', fr: 'Voir quels processus sont dans le swap.' },
				command: `grep -H VmSwap /proc/[0-9]*/status | sort -k2 -n -r | head -n 10`,
			};
		},
	),
	check(
		'memory-pressure',
		({ host }) => host.pressure,
		({ memory }, { limits }) => {
			if (memory.full60 === null) return undefined;
			const severity = above(memory.full60, limits.memoryPressureRatio);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: {
					en: 'All work stands still part of the time, waiting for memory.',
					fr: 'Tout le travail est arrêté une partie du temps, en attente de mémoire.',
				},
				evidence: [
					seen('stalled, last minute', 'à l’arrêt, dernière minute', memory.full60, 'ratio'),
					seen('some waited, last minute', 'certains attendaient, dernière minute', memory.some60, 'ratio'),
				],
				nextStep: { en: 'See who holds the memory.', fr: 'Voir qui occupe la mémoire.' },
				command: 'ps -eo pid,rss,comm --sort=-rss | head -n 15',
			};
		},
	),
	check(
		'io-pressure',
		({ host }) => host.pressure,
		({ io }, { limits }) => {
			if (io.full60 === null) return undefined;
			const severity = above(io.full60, limits.ioPressureRatio);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: {
					en: 'All work stands still part of the time, waiting for disks.',
					fr: 'Tout le travail est arrêté une partie du temps, en attente des disques.',
				},
				evidence: [
					seen('stalled, last minute', 'à l’arrêt, dernière minute', io.full60, 'ratio'),
					seen('some waited, last minute', 'certains attendaient, dernière minute', io.some60, 'ratio'),
				],
				nextStep: { en: 'See who reads and writes.', fr: 'Voir qui lit et écrit.' },
				command: 'iotop -boqqn 1 | head -n 15',
			};
		},
	),
	check(
		'cpu-steal',
		({ host }) => host.cpu,
		({ steal, windowMs }, { limits }) => {
			const severity = above(steal, limits.cpuStealRatio);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: {
					en: 'The provider gives the processor time of this machine to others.',
					fr: "L'hébergeur donne à d'autres le temps processeur de cette machine.",
				},
				evidence: [seen('stolen', 'volé', steal, 'ratio'), seen('measured over', 'mesuré sur', windowMs, 'ms')],
				nextStep: {
					en: 'Watch it for some minutes; if it stays, ask the provider for another host.',
					fr: "L'observer quelques minutes ; si cela dure, demander un autre hôte à l'hébergeur.",
				},
				command: 'vmstat 5 12',
			};
		},
	),
	check(
		'cpu-io-wait',
		({ host }) => host.cpu,
		({ ioWait, windowMs }, { limits }) => {
			const severity = above(ioWait, limits.cpuIoWaitRatio);
			if (severity === undefined) return undefined;
			return {
				severity: 'warning',
				cause: { en: 'Processors are idle because disks are slow.', fr: 'Les processeurs attendent les disques.' },
				evidence: [seen('waiting', 'en attente', ioWait, 'ratio'), seen('measured over', 'mesuré sur', windowMs, 'ms')],
				nextStep: { en: 'See which disk is busy.', fr: 'Voir quel disque est occupé.' },
				command: 'vmstat -d 2 3',
			};
		},
	),
	check(
		'cpu-pressure',
		({ host }) => host.pressure,
		({ cpu }, { limits }) => {
			const severity = above(cpu.some60, limits.cpuPressureRatio);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: { en: 'Work waits for a free processor.', fr: 'Le travail attend un processeur libre.' },
				evidence: [seen('waited, last minute', 'en attente, dernière minute', cpu.some60, 'ratio')],
				nextStep: { en: 'See who uses the processors.', fr: 'Voir qui occupe les processeurs.' },
				command: 'ps -eo pid,pcpu,comm --sort=-pcpu | head -n 15',
			};
		},
	),
	check(
		'load-high',
		({ host }) => host.load,
		({ five }, { facts, limits }) => {
			const { cpuCount } = facts.host;
			if (!cpuCount.known) return undefined;
			const severity = above(five / cpuCount.value, limits.loadPerCpu);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: {
					en: 'More tasks want to run than there are processors.',
					fr: 'Plus de tâches veulent tourner qu’il n’y a de processeurs.',
				},
				evidence: [
					seen('load over five minutes', 'charge sur cinq minutes', five),
					seen('processors', 'processeurs', cpuCount.value),
				],
				nextStep: { en: 'See who uses the processors.', fr: 'Voir qui occupe les processeurs.' },
				command: 'ps -eo pid,pcpu,stat,comm --sort=-pcpu | head -n 15',
			};
		},
	),
	check(
		'open-files',
		({ host }) => host.openFiles,
		({ allocated, limit }, { limits }) => {
			const severity = above(allocated / limit, limits.openFilesRatio);
			if (severity === undefined) return undefined;
			return {
				severity,
				cause: {
					en: 'The machine is about to run out of open files.',
					fr: 'La machine va manquer de fichiers ouverts.',
				},
				evidence: [seen('open', 'ouverts', allocated), seen('limit', 'limite', limit)],
				nextStep: { en: 'See who keeps so many open.', fr: 'Voir qui en garde autant.' },
				command: `for p in /proc/[0-9]*; do echo "$(ls $p/fd 2>/dev/null | wc -l) $(cat $p/comm)"; done | sort -rn | head`,
			};
		},
	),
	check(
		'rebooted',
		({ host }) => host.bootedAt,
		(bootedAt, { now }) => {
			if (ageMs(bootedAt, now) > 30 * 60_000) return undefined;
			return {
				severity: 'info',
				cause: { en: 'The machine started a short while ago.', fr: 'La machine vient de démarrer.' },
				evidence: [seen('started', 'démarrée', bootedAt, 'time')],
				nextStep: { en: 'See why it went down.', fr: "Voir pourquoi elle s'était arrêtée." },
				command: 'journalctl -b -1 -e --no-pager | tail -n 30',
			};
		},
	),
	check(
		'reboot-required',
		({ host }) => host.rebootRequired,
		(required) =>
			required
				? {
						severity: 'info',
						cause: {
							en: 'An update waits for a restart of the machine.',
							fr: 'Une mise à jour attend un redémarrage de la machine.',
						},
						evidence: [],
						nextStep: {
							en: 'See what asks for it, then restart at a quiet hour.',
							fr: 'Voir ce qui le demande, puis redémarrer à une heure creuse.',
						},
						command: 'cat /run/reboot-required.pkgs',
					}
				: undefined,
	),
	check(
		'unit-failed',
		({ systemd }) => systemd,
		({ units, readAt }, { limits, now }) =>
			ageMs(readAt, now) > limits.systemdAgeMs ? [] : units.map((unit) => failedUnit(unit, limits)),
	),
	check(
		'clock-not-synchronised',
		({ systemd }) => (systemd.known ? systemd.value.clockSynchronised : systemd),
		(synchronised) =>
			synchronised
				? undefined
				: {
						severity: 'warning',
						cause: {
							en: 'The clock follows no time server: schedules and tokens drift.',
							fr: "L'horloge ne suit aucun serveur de temps : les horaires et jetons dérivent.",
						},
						evidence: [],
						nextStep: { en: 'Switch synchronisation on.', fr: 'Activer la synchronisation.' },
						command: 'timedatectl set-ntp true && timedatectl status',
					},
	),
	check(
		'systemd-stale',
		({ systemd }) => systemd,
		({ readAt }, { limits, now }) =>
			ageMs(readAt, now) <= limits.systemdAgeMs
				? undefined
				: {
						severity: 'unknown',
						cause: {
							en: 'What is known of the system services is too old to be judged.',
							fr: "Ce que l'on sait des services système est trop ancien pour être jugé.",
						},
						evidence: [seen('written', 'écrit', readAt, 'time'), seen('age', 'âge', ageMs(readAt, now), 'ms')],
						nextStep: {
							en: 'See whether the timer on the host that writes the file still runs.',
							fr: "Voir si la minuterie de l'hôte qui écrit le fichier tourne encore.",
						},
						command: 'systemctl list-timers --all --no-pager',
					},
	),
];

function fullDisk({ mountPoint, use }: FileSystem, limits: Thresholds, postgres: PostgresFacts): Found | undefined {
	if (!use.known || use.value.totalBytes === 0) return undefined;
	const { totalBytes, availableBytes } = use.value;
	const left = availableBytes / totalBytes;
	// A small partition, as /boot is, may be nearly full for ever without harm.
	const small = totalBytes < limits.availableDiskBytes * 8;
	const severity =
		!small && availableBytes < limits.availableDiskBytes ? 'critical' : below(left, limits.availableDiskRatio);
	if (severity === undefined) return undefined;
	const [largest] = postgres.databases.known
		? postgres.databases.value.toSorted((a, b) => b.sizeBytes - a.sizeBytes)
		: [];
	return {
		subject: mountPoint,
		severity,
		cause: {
			en: `The disk mounted on ${mountPoint} is almost full.`,
			fr: `Le disque monté sur ${mountPoint} est presque plein.`,
		},
		evidence: [
			seen('available', 'disponible', availableBytes, 'bytes'),
			seen('of', 'sur', totalBytes, 'bytes'),
			seen('share', 'part', left, 'ratio'),
			...(largest === undefined
				? []
				: [seen(`database ${largest.name}`, `base ${largest.name}`, largest.sizeBytes, 'bytes')]),
		],
		nextStep: { en: 'Find what takes the space.', fr: 'Trouver ce qui prend la place.' },
		command: `du -xh --max-depth=2 ${quoted(mountPoint)} 2>/dev/null | sort -rh | head -n 20`,
	};
}

function fullInodes({ mountPoint, use }: FileSystem, limits: Thresholds): Found | undefined {
	if (!use.known || use.value.totalInodes === 0) return undefined;
	const { totalInodes, freeInodes } = use.value;
	const severity = below(freeInodes / totalInodes, limits.freeInodesRatio);
	if (severity === undefined) return undefined;
	return {
		subject: mountPoint,
		severity,
		cause: {
			en: `The disk mounted on ${mountPoint} can hold hardly any more files, whatever their size.`,
			fr: `Le disque monté sur ${mountPoint} ne peut presque plus contenir de fichiers, même vides.`,
		},
		evidence: [seen('files that still fit', 'fichiers possibles', freeInodes), seen('of', 'sur', totalInodes)],
		nextStep: {
			en: 'Find the folder with the most files.',
			fr: 'Trouver le dossier qui contient le plus de fichiers.',
		},
		command: `du -x --inodes --max-depth=3 ${quoted(mountPoint)} 2>/dev/null | sort -rn | head -n 20`,
	};
}

function failedUnit({ name, load, active, sub, description }: UnitFacts, limits: Thresholds): Found | undefined {
	const looping = sub === 'auto-restart';
	const broken = load === 'error' || load === 'bad-setting';
	if (active !== 'failed' && !looping && !broken) return undefined;
	const essential = limits.essentialUnits.includes(name.replace(/(@[^.]*)?\.(service|socket)$/, ''));
	return {
		subject: name,
		severity: essential ? 'critical' : 'warning',
		cause: looping
			? {
					en: `The service ${name} ends and is started again and again.`,
					fr: `Le service ${name} redémarre sans cesse.`,
				}
			: broken
				? { en: `The unit ${name} cannot be loaded.`, fr: `L'unité ${name} ne peut pas être chargée.` }
				: { en: `The service ${name} has failed.`, fr: `Le service ${name} est en échec.` },
		evidence: [
			seen('state', 'état', `${active}/${sub}`, 'text'),
			seen('what it is', 'description', description, 'text'),
		],
		nextStep: { en: 'Read its last words, then start it.', fr: 'Lire ses derniers messages, puis le relancer.' },
		command: `journalctl -u ${quoted(name)} -n 50 --no-pager && systemctl restart ${quoted(name)}`,
	};
}
