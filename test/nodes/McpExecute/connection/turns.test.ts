import fc from 'fast-check';
import { createTurns } from '../../../../nodes/McpExecute/connection/turns';

test('never more at once than allowed, in the order of coming, and nobody is forgotten', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.integer({ min: 1, max: 4 }),
			fc.integer({ min: 0, max: 6 }),
			fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
			async (atOnce, maxQueued, leaving) => {
				const turns = createTurns('s', atOnce, maxQueued);
				const passOn: Array<() => void> = [];
				const order: number[] = [];
				let running = 0;
				const callers = leaving.map((leaves, index) => {
					const caller = new AbortController();
					const taken = turns.take(10_000, caller.signal).then(
						(release) => {
							running += 1;
							expect(running).toBeLessThanOrEqual(atOnce);
							order.push(index);
							passOn.push(() => {
								running -= 1;
								release();
								// Passing on twice gives nobody a second turn.
								release();
							});
							return 'ran';
						},
						(error: { reason: string }) => error.reason,
					);
					return { caller, leaves, taken };
				});
				await Promise.resolve();
				for (const [index, { caller, leaves }] of callers.entries()) if (leaves && index >= atOnce) caller.abort();
				let left = true;
				const all = Promise.all(callers.map(({ taken }) => taken)).finally(() => (left = false));
				while (left || passOn.length > 0) {
					passOn.shift()?.();
					await new Promise(setImmediate);
				}
				const outcomes = await all;
				expect(order).toEqual([...order].sort((a, b) => a - b));
				for (const [index, outcome] of outcomes.entries()) {
					const expected =
						index < atOnce ? 'ran' : index >= atOnce + maxQueued ? 'BUSY' : leaving[index] ? 'CANCELLED' : 'ran';
					expect({ index, outcome }).toEqual({ index, outcome: expected });
				}
				expect(running).toBe(0);
			},
		),
		{ numRuns: 100 },
	);
});

test('a turn that does not come in time is given up, and said when to come again', async () => {
	const turns = createTurns('s', 1, 5);
	const release = await turns.take(1000);
	await expect(turns.take(20)).rejects.toMatchObject({
		code: 'overloaded',
		reason: 'BUSY',
		retryAfterMs: expect.any(Number),
	});
	release();
	(await turns.take(20))();
});
