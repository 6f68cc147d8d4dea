import { intactShare, isSameAmount, isSameLine, isSameValue, type TrueLine } from './grading';

const wanted: TrueLine = {
	description: 'Pose de parquet chêne',
	whole: true,
	quantity: '2',
	unitPrices: ['50.00'],
	total: '100.00',
};
const line = { description: 'Pose de parquet chêne', quantity: '2.00', unitPrice: '50.00', total: '100' };

test('a name may lack its legal form, and nothing else', () => {
	const same = (value: string, truth: string) => isSameValue('seller.name', value, truth, false);
	expect(same('SARL Durand', 'Durand')).toBe(true);
	expect(same('Durand', 'DURAND S.A.R.L.')).toBe(true);
	expect(same('Kraus GmbH & Co. KG', 'Kraus')).toBe(true);
	for (const value of ['S', 'SARL', 'Durand SAS', 'Durand et fils SARL', 'Duran', ''])
		expect([value, same(value, 'SARL Durand')]).toEqual([value, false]);
});

test('a sign counts, but on a credit note', () => {
	expect(isSameAmount('-10.0', '10', false)).toBe(false);
	expect(isSameAmount('-10.0', '10', true)).toBe(true);
	expect(isSameValue('totals.gross', '-120', '120.00', false)).toBe(false);
});

test('what is not there must not be read, a quantity and a price neither', () => {
	expect(isSameAmount('3', null, true)).toBe(false);
	expect(isSameAmount(null, '3', true)).toBe(false);
	expect(isSameAmount(null, null, false)).toBe(true);
	expect(isSameLine(line, wanted, false, false)).toBe(true);
	expect(isSameLine(line, { ...wanted, quantity: null }, false, false)).toBe(false);
	expect(isSameLine(line, { ...wanted, unitPrices: [] }, true, false)).toBe(false);
	expect(isSameLine({ ...line, quantity: null }, { ...wanted, quantity: null }, false, false)).toBe(true);
});

test('a description that is cut is wrong where the whole one is known', () => {
	const cut = { ...line, description: 'Pose de parquet' };
	expect(isSameLine(cut, wanted, false, false)).toBe(false);
	expect(isSameLine(cut, { ...wanted, whole: false }, false, false)).toBe(true);
	expect(isSameLine({ ...line, description: null }, { ...wanted, whole: false }, false, false)).toBe(false);
});

describe('lines that come out whole', () => {
	const lines = [
		{ name: 'Pose de parquet', total: '1234.50' },
		{ name: 'Dépose', total: '40.00' },
	];

	test('are counted among those of the truth, whatever a reader loses', () => {
		expect(intactShare(lines, ['Pose de parquet  1 234,50 €', 'Dépose  40,00'])).toBe(1);
		expect(intactShare(lines, ['Pose de parquet', '1 234,50 €', 'Dépose  40,00'])).toBe(0.5);
		expect(intactShare(lines, ['Pose de parquet  1 234,50 €', 'Dépose'])).toBe(0.5);
	});

	test('are none where a reader fails or returns nothing', () => {
		expect(intactShare(lines, [])).toBe(0);
		expect(intactShare(lines, ['failed: Error'])).toBe(0);
		expect(() => intactShare([], ['Pose'])).toThrow('without lines');
	});
});
