import { LocalAiError } from '../../shared/errors';

/** Who may go next, and for how long the others wait. */
export interface Turns {
	/**
	 * Resolves when it is the caller's turn, to the function that passes the turn on. Rejects with `overloaded` (BUSY) when
	 * too many wait already or the turn does not come within `withinMs`, and with `cancelled` when `signal` aborts.
	 */
	readonly take: (withinMs: number, signal?: AbortSignal) => Promise<() => void>;
}

/** Turns for `atOnce` callers at a time, in the order of their coming; at most `maxQueued` wait. */
export function createTurns(name: string, atOnce: number, maxQueued: number): Turns {
	const waiting: Array<() => void> = [];
	let running = 0;
	let typicalMs = 100;

	const busy = (why: string) =>
		new LocalAiError('overloaded', `The MCP server ${name} is busy: ${why}`, {
			hint: 'Try again later, or let fewer calls run at once.',
			reason: 'BUSY',
			retryAfterMs: Math.max(100, Math.round((typicalMs * (waiting.length + 1)) / atOnce)),
		});
	const begin = () => {
		const startedAt = performance.now();
		let ended = false;
		return () => {
			if (ended) return;
			ended = true;
			typicalMs += (performance.now() - startedAt - typicalMs) / 8;
			const next = waiting.shift();
			if (next) next();
			else running -= 1;
		};
	};

	return {
		take: async (withinMs, signal) => {
			if (signal?.aborted) throw cancelled(name);
			if (running < atOnce) {
				running += 1;
				return begin();
			}
			if (waiting.length >= maxQueued) throw busy(`${waiting.length} calls wait for it already`);
			return await new Promise((resolve, reject) => {
				const leave = (error: LocalAiError) => {
					settle();
					waiting.splice(waiting.indexOf(go), 1);
					reject(error);
				};
				const settle = () => {
					clearTimeout(timer);
					signal?.removeEventListener('abort', abort);
				};
				const go = () => {
					settle();
					resolve(begin());
				};
				const abort = () => leave(cancelled(name));
				const timer = setTimeout(() => leave(busy(`no turn came within ${withinMs} ms`)), withinMs);
				signal?.addEventListener('abort', abort);
				waiting.push(go);
			});
		},
	};
}

/** The error of a call that its caller gave up. */
export function cancelled(name: string): LocalAiError {
	return new LocalAiError('cancelled', `The call to the MCP server ${name} was cancelled`, {
		hint: 'Run it again if it is still wanted. What the tool had done by then is done.',
		reason: 'CANCELLED',
	});
}
