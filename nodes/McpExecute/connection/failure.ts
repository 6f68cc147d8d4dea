import { z } from 'zod';
import { LocalAiError } from '../../shared/errors';
import { visible } from '../task/text';

const field = 'aurastack/failure';

/** What the data of a JSON-RPC error may hold: a failure of a connection behind the server that answers. */
const wire = z.object({
	[field]: z.object({
		code: z.enum(['timeout', 'overloaded', 'unreachable', 'bad-reply', 'tool-failed', 'configuration', 'unauthorized']),
		reason: z.string().max(64).optional(),
		hint: z.string().max(500),
		retryAfterMs: z.number().nonnegative().max(86_400_000).optional(),
	}),
});

/** The data that tells a client of ours what kind of failure a JSON-RPC error is. */
export function toWire({ code, reason, hint, retryAfterMs }: LocalAiError): Record<string, unknown> {
	return {
		[field]: {
			code,
			hint,
			...(reason !== undefined && { reason }),
			...(retryAfterMs !== undefined && { retryAfterMs }),
		},
	};
}

/** The failure that `data` tells of, with the message of its JSON-RPC error, every character showing; undefined when it tells of none. */
export function fromWire(message: string, data: unknown): LocalAiError | undefined {
	const { success, data: told } = wire.safeParse(data);
	if (!success) return undefined;
	const { code, ...rest } = told[field];
	return new LocalAiError(code, visible(message), { ...rest, hint: visible(rest.hint) });
}
