import { conventionsOf } from '../../../nodes/OllamaExtract/found';
import { readTables } from '../../../nodes/OllamaExtract/table';
import { rowsOfText } from '../../../nodes/OllamaExtract/text';

const tablesOf = (text: string) => {
	const rows = rowsOfText(text);
	return readTables(rows, conventionsOf(rows));
};

test('lines under their heads, over pages, without what is carried over', () => {
	const head = 'Désignation     Unité     Quantité     PU HT     Total HT';
	const { lines } = tablesOf(
		`${head}\nDépose          h         2,00         40,00     80,00\nÀ reporter                                       80,00\n\f${head}\nReport                                           80,00\nPose            m²        3,00         10,00     30,00\nTotal HT                                         110,00`,
	);
	expect(lines.map(({ values }) => Object.values(values).map(({ value }) => value))).toEqual([
		['Dépose', '2.00', '40.00', '80.00', 'h'],
		['Pose', '3.00', '10.00', '30.00', 'm²'],
	]);
});

test('a discount in percent takes part in the arithmetic of its line', () => {
	const { lines } = tablesOf(
		'Désignation     Qté     PU HT     Remise     Total HT\nTableau         1       1 250,00  10 %       1 125,00',
	);
	expect(lines[0]?.figures.discountPercent).toBe('10');
	expect(lines[0]?.values.unitPrice?.value).toBe('1250.00');
});

test('the table of taxes beside or below the lines', () => {
	const { taxes, lines } = tablesOf(
		'Base HT     Taux TVA     Montant TVA\n58,40       20,00        11,68\n344,80      10,00        34,48',
	);
	expect(lines).toEqual([]);
	expect(taxes.map(({ rate, base, amount }) => [rate?.value, base?.value, amount?.value])).toEqual([
		['20', '58.40', '11.68'],
		['10', '344.80', '34.48'],
	]);
});

test('options are marked, titles of sections are none of the lines', () => {
	const { lines } = tablesOf(
		'Désignation     Qté     PU HT     Total HT\nGros œuvre\nDalle           2       50,00     100,00\nOption : drain  1       70,00     70,00',
	);
	expect(lines.map(({ values, optional }) => [values.description?.value, optional])).toEqual([
		['Dalle', false],
		['Option : drain', true],
	]);
});

test('every cell that was read as part of a table is told, and no other', () => {
	const rows = rowsOfText(
		'Client : Durand\nDésignation     Qté     PU HT     Total HT\nDalle           2       50,00     100,00',
	);
	const { used } = readTables(rows, conventionsOf(rows));
	expect(rows.map(({ cells }) => cells.every((cell) => used.has(cell)))).toEqual([false, true, true]);
});
