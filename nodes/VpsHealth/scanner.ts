import { z } from 'zod';
import { LocalAiError } from '../shared/errors';
import { fetchWithin, statusError } from '../shared/http';
import type { BackupFacts, Fact, HostFacts, SystemdFacts } from './facts';

/** What infraScanner tells of the machine below a container. */
export interface ScannedFacts {
	readonly host: HostFacts;
	readonly systemd: Fact<SystemdFacts>;
	readonly backups: Fact<BackupFacts>;
}

export interface Scanner {
	/** For instance `http://infra-scanner:8095`. */
	readonly baseUrl: string;
	readonly token: string;
	readonly timeoutMs?: number;
}

const service = 'infraScanner';

/** Asks an infraScanner. Rejects with LocalAiError; a reply that is not its own is `bad-reply`. */
export async function askScanner(scanner: Scanner, signal: AbortSignal): Promise<ScannedFacts> {
	const fetchFacts = fetchWithin({
		service,
		startHint: 'Start infraScanner, and check its address and port.',
		timeoutMs: scanner.timeoutMs ?? 2500,
		maxReplyBytes: 4 * 1024 ** 2,
		signal,
	});
	const url = new URL('facts', scanner.baseUrl.replace(/\/*$/, '/'));
	const reply = await fetchFacts(url, { headers: { authorization: `Bearer ${scanner.token}` } });
	if (!reply.ok) {
		await reply.body?.cancel();
		throw statusError(service, reply, '');
	}
	const parsed = scannedSchema.safeParse(await reply.json().catch(() => undefined));
	if (parsed.success) return parsed.data;
	throw new LocalAiError('bad-reply', `What answers at ${url.host} is no infraScanner of this version.`, {
		hint: 'Check the address, and give infraScanner and the node the same version.',
	});
}

function factOf<T extends z.ZodType>(value: T) {
	return z.union([
		z.object({ known: z.literal(true), value }),
		z.object({
			known: z.literal(false),
			why: z.string(),
			reason: z.enum(['not-set-up', 'nothing-answers']).optional(),
		}),
	]);
}

const count = z.number().nonnegative();
const share = z.number().min(0).max(1);
const pressure = z.object({ some10: count, some60: count, full10: count.nullable(), full60: count.nullable() });

const scannedSchema = z.object({
	host: z.object({
		cpuCount: factOf(z.number().positive()),
		load: factOf(z.object({ one: count, five: count, fifteen: count })),
		cpu: factOf(z.object({ windowMs: count, busy: share, ioWait: share, steal: share })),
		memory: factOf(
			z.object({
				totalBytes: z.number().positive(),
				availableBytes: count,
				swapTotalBytes: count,
				swapFreeBytes: count,
			}),
		),
		pressure: factOf(z.object({ cpu: pressure, memory: pressure, io: pressure })),
		fileSystems: factOf(
			z.array(
				z.object({
					mountPoint: z.string(),
					type: z.string(),
					readOnly: z.boolean(),
					use: factOf(z.object({ totalBytes: count, availableBytes: count, totalInodes: count, freeInodes: count })),
				}),
			),
		),
		oomKills: factOf(
			z.object({
				sinceBoot: count,
				byGroup: factOf(z.array(z.object({ group: z.string(), kills: count }))),
			}),
		),
		openFiles: factOf(z.object({ allocated: count, limit: z.number().positive() })),
		bootedAt: factOf(z.iso.datetime()),
		rebootRequired: factOf(z.boolean()),
	}),
	systemd: factOf(
		z.object({
			readAt: z.iso.datetime(),
			units: z.array(
				z.object({
					name: z.string(),
					load: z.string(),
					active: z.string(),
					sub: z.string(),
					description: z.string(),
				}),
			),
			clockSynchronised: factOf(z.boolean()),
		}),
	),
	backups: factOf(
		z.object({
			folder: z.string(),
			newest: z.object({ name: z.string(), at: z.iso.datetime(), sizeBytes: count }).nullable(),
			count,
			previousSizeBytes: count.nullable(),
		}),
	),
}) satisfies z.ZodType<ScannedFacts>;
