import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Attack {
	readonly id: string;
	readonly area: string;
	readonly input: Readonly<Record<string, unknown>>;
	readonly expected: string;
}

const folder = join(__dirname, '..', '..', '..', 'shared', 'corpus', 'mcp');
const file = join(folder, 'attacks.json');
const known: Attack[] = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Attack[]) : [];

/** The server of the attack corpus that misbehaves in the way its first argument names. */
export const hostileServer = join(folder, 'hostile-server.cjs');

/**
 * The cases of some areas of the attack corpus as tests, one function by id each; those that other tests prove are
 * named in `elsewhere`. `otherwise` runs those without a function of their own. At the end the score of each area is
 * printed, and a case without a test fails.
 */
export function attackTests(
	areas: readonly string[],
	cases: Readonly<Record<string, { run: (attack: Attack) => unknown; timeoutMs?: number }>>,
	elsewhere: readonly string[] = [],
	{ otherwise }: { otherwise?: (attack: Attack) => unknown } = {},
): void {
	if (known.length === 0) {
		test.skip('the attack corpus is not here', () => {});
		return;
	}
	const held = new Set<string>();
	const own = known.filter(({ area, id }) => areas.includes(area) && !elsewhere.includes(id));

	test.each(own.map((attack) => [attack.id, attack.expected, attack] as const))(
		'%s: %s',
		async (id, _, attack) => {
			const run = cases[id]?.run ?? otherwise;
			if (run === undefined) throw new Error(`No test for ${id}`);
			await run(attack);
			held.add(id);
		},
		Math.max(30_000, ...Object.values(cases).map(({ timeoutMs = 0 }) => timeoutMs)),
	);

	test('every case named here is one of the corpus', () => {
		expect(Object.keys(cases).filter((id) => !own.some((one) => one.id === id))).toEqual([]);
	});

	afterAll(() => {
		for (const area of areas) {
			const ids = own.filter((one) => one.area === area).map(({ id }) => id);
			const missing = ids.filter((id) => !held.has(id));
			const rest = missing.length === 0 ? '' : `; not met: ${missing.join(', ')}`;
			process.stdout.write(`Attack corpus, ${area}: ${ids.length - missing.length} of ${ids.length} hold${rest}\n`);
		}
	});
}
