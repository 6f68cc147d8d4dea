import { Draft, type Entry } from '../../../../nodes/OllamaExtract/document/draft';

const printed = (value: string): Entry => ({
	value,
	origin: 'page',
	place: { page: 1, box: [0, 0, 10, 10], quote: value },
});
const figures = { adjustments: [], priceQuantity: null };

test('the first to settle a value keeps it, and a reason gives way to a value', () => {
	const draft = new Draft();
	draft.leaveOpen('number', 'could be 7 or 8');
	expect(draft.fields()[0]).toMatchObject({ path: 'number', value: null, reason: 'could be 7 or 8' });
	draft.settle('number', printed('7'));
	draft.settle('number', printed('8'));
	expect(draft.data().number).toBe('7');
	draft.leaveOpen('lines.0.total', 'no such field of the header');
	expect(draft.header.size).toBe(1);
});

test('every leaf of the data is a field, in one order', () => {
	const draft = new Draft();
	draft.lines.push({ entries: { description: printed('Pose'), total: printed('12.00') }, figures });
	const paths = draft.fields().map(({ path }) => path);
	expect(paths).toHaveLength(12 + 6);
	expect(new Set(paths).size).toBe(18);
	for (const { path, value } of draft.fields()) {
		const leaf = path.split('.').reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], draft.data());
		expect(leaf).toBe(value);
	}
});

test('what a complete document lacks', () => {
	const draft = new Draft();
	expect(draft.missing()).toMatchObject({ lines: true });
	draft.lines.push({ entries: { description: printed('Pose') }, figures });
	expect(draft.missing().lines).toBe(true);
	draft.lines[0]!.entries.total = printed('12.00');
	draft.settle('date', printed('2026-11-22'));
	expect(draft.missing().lines).toBe(false);
	expect(draft.missing().header).not.toContain('date');
});

describe('derived totals', () => {
	const derived = (totals: Partial<Record<'net' | 'tax' | 'gross', string>>, exempt: string | null = null) => {
		const draft = new Draft();
		for (const [key, value] of Object.entries(totals)) draft.settle(`totals.${key as 'net'}`, printed(value));
		draft.derive(exempt);
		return draft;
	};

	test.each([
		[{ net: '100.00', tax: '20.00' }, 'gross', '120.00'],
		[{ tax: '20.00', gross: '120.00' }, 'net', '100.00'],
		[{ net: '100.00', gross: '120.00' }, 'tax', '20.00'],
	] as const)('%o', (totals, key, value) => {
		const draft = derived(totals);
		expect(draft.data().totals[key]).toBe(value);
		expect(draft.fields().find(({ path }) => path === `totals.${key}`)).toMatchObject({
			origin: 'derived',
			place: null,
		});
		expect(draft.printedData().totals[key]).toBeNull();
	});

	test('not from one value, nor from two that cannot stand together', () => {
		expect(derived({ gross: '120.00' }).data().totals).toEqual({ net: null, tax: null, gross: '120.00' });
		expect(derived({ tax: '200.00', gross: '120.00' }).data().totals.net).toBeNull();
		expect(derived({ net: '-100.00', gross: '120.00' }).data().totals.tax).toBeNull();
	});

	test('without tax where the seller states the exemption', () => {
		expect(derived({ gross: '120.00' }, 'TVA non applicable').data().totals).toEqual({
			net: '120.00',
			tax: '0.00',
			gross: '120.00',
		});
	});
});

test('a copy without lines has the same header and shares no list', () => {
	const draft = new Draft();
	draft.settle('number', printed('7'));
	draft.lines.push({ entries: {}, figures });
	const copy = draft.withoutLines();
	copy.lines.push({ entries: {}, figures }, { entries: {}, figures });
	copy.settle('date', printed('2026-11-22'));
	expect([draft.lines.length, draft.value('date'), copy.value('number')]).toEqual([1, null, '7']);
});
