import { conventionsOf } from '../../../../nodes/OllamaExtract/page/found';
import { sitesIn } from '../../../../nodes/OllamaExtract/page/labelled';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';
import { readTotals } from '../../../../nodes/OllamaExtract/page/totals';

const totalsOf = (text: string) => {
	const rows = rowsOfText(text);
	return readTotals(rows, sitesIn(rows), conventionsOf(rows));
};
const valuesOf = (text: string) =>
	Object.fromEntries(Object.entries(totalsOf(text).totals).map(([key, { value }]) => [key, value]));

test('net, tax and gross by their labels, in one cell too', () => {
	const expected = { net: '100.00', tax: '20.00', gross: '120.00' };
	expect(valuesOf('Total HT   100,00 €\nTVA 20 %   20,00 €\nTotal TTC   120,00 €')).toEqual(expected);
	expect(valuesOf('Total HT : 100,00 € - TVA : 20,00 € - Total TTC : 120,00 €')).toEqual(expected);
	expect(valuesOf('Nettobetrag   100,00\nzzgl. 20% MwSt.   20,00\nRechnungsbetrag   120,00')).toEqual(expected);
});

test('a net beside which the tax to come is said', () => {
	expect(valuesOf('Total HT : 380,00 € (TVA 10 % en sus)')).toEqual({ net: '380.00' });
});

test('taxes by rate, with what they are taken from', () => {
	const { taxes } = totalsOf(
		'Total HT   3 018,00 €\nTVA 10 % sur 1 638,00 €   163,80 €\nTVA 5,5 % sur 1 380,00 €   75,90 €\nTotal TTC   3 257,70 €',
	);
	expect(taxes.map(({ rate, base, amount }) => [rate?.value, base?.value, amount?.value])).toEqual([
		['10', '1638.00', '163.80'],
		['5.5', '1380.00', '75.90'],
	]);
});

test('a rate in brackets is a rate, not an amount below zero', () => {
	const { totals, taxes } = totalsOf('Total HT   100,00 €\nTVA (20 %)   20,00 €\nTotal TTC   120,00 €');
	expect(taxes[0]?.rate?.value).toBe('20');
	expect(totals.tax?.value).toBe('20.00');
});

test.each(['Net de taxes', 'Total net de taxes', 'Montant total net de taxes', 'Net à payer'])(
	'%s is net and gross where no tax is charged',
	(label) => {
		const text = `${label}   1 250,00 €\nTVA non applicable, art. 293 B du CGI`;
		expect(valuesOf(text)).toEqual({ net: '1250.00', gross: '1250.00' });
	},
);

test.each(['Solde', 'Net à payer'])('%s is no gross where one is printed by its name, though it adds up', (label) => {
	const text = `Total HT   1 000,00 €\nTVA 20 %   200,00 €\nTotal TTC   1 320,00 €\n${label}   1 200,00 €`;
	expect(valuesOf(text)).toEqual({ net: '1000.00', tax: '200.00', gross: '1320.00' });
});

test('subtotals on the way are no totals', () => {
	const { totals, subtotals } = totalsOf(
		'Sous-total Lot 1   60,00\nSous-total Lot 2   40,00\nTotal HT   100,00\nTVA   20,00\nTotal TTC   120,00',
	);
	expect(totals.net?.value).toBe('100.00');
	expect(subtotals.map(({ value }) => value)).toEqual(['60.00', '40.00']);
});

test('figures that cannot be the totals of one document are doubts, each with what was seen', () => {
	const { totals, ambiguous } = totalsOf('Total HT   890,00 €\nTVA   2 367,70 €\nTotal TTC   3 257,70 €');
	expect(totals).toEqual({});
	expect(ambiguous.map(({ path }) => path)).toEqual(['totals.net', 'totals.tax', 'totals.gross']);
	expect(ambiguous[1]?.message).toContain('2367.70');
});

test('net and tax in one sentence', () => {
	const { totals, taxes } = totalsOf('Total HT : 219,00 €, TVA 10 % : 21,90 €, soit 240,90 € TTC.');
	expect([totals.net?.value, totals.tax?.value]).toEqual(['219.00', '21.90']);
	expect(taxes.map(({ rate, base, amount }) => [rate?.value, base?.value, amount?.value])).toEqual([
		['10', undefined, '21.90'],
	]);
});

describe('what changes the total with tax', () => {
	const totals = 'Total HT   380,00 €\nTVA 10 %   38,00 €\nTotal TTC   418,00 €\n';

	test('a discount below it leaves another one, and a net that no line says', () => {
		for (const text of [
			`${totals}Remise exceptionnelle TTC   -18,00 €\nTOTAL NET TTC   400,00 €`,
			`${totals}Remise commerciale -18,00 €\nNet à payer 400,00 €`,
			`${totals}Total TTC arrondi à 400,00 €`,
			`${totals}Remise   -18,00 €\nTOTAL NET TTC   400,00 €\nAcompte   100,00 €\nReste à payer   300,00 €`,
		]) {
			expect(valuesOf(text)).toEqual({ gross: '400.00' });
			expect(totalsOf(text).ambiguous.map(({ path }) => path)).toEqual(['totals.net']);
		}
	});

	test('a discount that does not explain what is to pay leaves it open', () => {
		const text = `${totals}Remise   -10,00 €\nNet à payer   400,00 €`;
		expect(valuesOf(text)).toEqual({});
		expect(totalsOf(text).ambiguous[0]?.message).toMatch('could be 418.00 or, after a discount, 400.00');
	});

	test('a payment on account and a subsidy do not', () => {
		const expected = { net: '380.00', tax: '38.00', gross: '418.00' };
		expect(valuesOf(`${totals}Acompte   118,00 €\nReste à payer   300,00 €`)).toEqual(expected);
		expect(valuesOf(`${totals}Prime CEE   -118,00 €\nReste à payer   300,00 €`)).toEqual(expected);
	});
});

test('amounts in thousands of euros are no totals', () => {
	for (const stated of ['Montants en k€', "Prix en milliers d'euros", 'Désignation   Total (k€)']) {
		const text = `${stated}\nTotal HT   12,5\nTVA 20 %   2,5\nTotal TTC   15,0`;
		expect(valuesOf(text)).toEqual({});
		expect(totalsOf(text).ambiguous).toHaveLength(1);
	}
});
