import { conventionsOf } from '../../../../nodes/OllamaExtract/page/found';
import type { Cell, Row } from '../../../../nodes/OllamaExtract/rows/layout';
import { readTables } from '../../../../nodes/OllamaExtract/page/table';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';

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

/** A row of a page from its pieces, each with its left edge; pieces of the same edge are lines of one cell. */
const pageRow = (top: number, ...pieces: ReadonlyArray<readonly [left: number, text: string, top?: number]>): Row => {
	const cells = new Map<number, Cell>();
	for (const [left, text, at = top] of pieces) {
		const before = cells.get(left);
		const start = before === undefined ? 0 : before.text.length + 1;
		const words = [...text.matchAll(/\S+/g)].map((word) => ({
			text: word[0],
			start: start + word.index,
			place: {
				page: 1,
				box: [left + 5 * word.index, at, left + 5 * (word.index + word[0].length), at + 10] as const,
				quote: word[0],
			},
		}));
		cells.set(left, {
			text: before === undefined ? text : `${before.text} ${text}`,
			left,
			right: Math.max(before?.right ?? 0, left + 5 * text.length),
			words: [...(before?.words ?? []), ...words],
		});
	}
	const bottom = Math.max(...pieces.map(([, , at = top]) => at)) + 10;
	return { page: 1, top, bottom, cells: [...cells.values()] };
};
const head = pageRow(100, [0, 'Désignation'], [200, 'Qté'], [240, 'PU HT'], [300, 'Total HT']);
const readRows = (...rows: readonly Row[]) => readTables(rows, conventionsOf(rows));
const tuples = ({ lines }: ReturnType<typeof readRows>) =>
	lines.map(({ values: { description, quantity, unitPrice, total } }) =>
		[description, quantity, unitPrice, total].map((found) => found?.value ?? null),
	);

test('a title above a description in its column is no part of it', () => {
	const reading = readRows(
		head,
		pageRow(120, [0, 'Vidange'], [200, '1,00'], [240, '68,00'], [300, '68,00']),
		pageRow(138, [0, 'Freins'], [200, '2,00'], [240, '60,00'], [300, '120,00']),
		pageRow(156, [0, 'PIÈCES'], [0, 'Huile 5W30', 174], [200, '5,00', 174], [240, '12,00', 174], [300, '60,00', 174]),
		pageRow(192, [0, 'Filtre'], [200, '1,00'], [240, '14,00'], [300, '14,00']),
	);
	expect(tuples(reading).map(([description]) => description)).toEqual(['Vidange', 'Freins', 'Huile 5W30', 'Filtre']);
});

test('the first line of a description over figures at its foot stays', () => {
	const reading = readRows(
		head,
		pageRow(
			120,
			[0, 'CHAUDIÈRE murale'],
			[0, 'avec pose', 131],
			[200, '1,00', 131],
			[240, '68,00', 131],
			[300, '68,00', 131],
		),
		pageRow(
			150,
			[0, 'RADIATEUR acier'],
			[0, 'avec pose', 161],
			[200, '1,00', 161],
			[240, '68,00', 161],
			[300, '68,00', 161],
		),
	);
	expect(tuples(reading).map(([description]) => description)).toEqual([
		'CHAUDIÈRE murale avec pose',
		'RADIATEUR acier avec pose',
	]);
});

test('cells that are centred on rows of two lines belong to one line, as do their heads', () => {
	const reading = readRows(
		pageRow(93, [240, 'Prix']),
		pageRow(100, [0, 'Description'], [180, 'Quantité'], [300, 'Montant']),
		pageRow(107, [240, 'unitaire']),
		pageRow(122, [0, 'Chaise de bureau'], [180, '12,00'], [300, '1 788,00']),
		pageRow(129, [240, '149,00']),
		pageRow(136, [0, 'ergonomique'], [180, 'Unités'], [300, '€']),
		pageRow(158, [0, 'Bureau assis-debout'], [300, '2 340,00']),
		pageRow(165, [180, '4,00'], [240, '585,00']),
		pageRow(172, [0, 'de 160 cm'], [300, '€']),
	);
	expect(tuples(reading)).toEqual([
		['Chaise de bureau ergonomique', '12.00', '149.00', '1788.00'],
		['Bureau assis-debout de 160 cm', '4.00', '585.00', '2340.00'],
	]);
	expect(reading.unsure).toEqual([]);
});

test('a line without the quantity or price that other lines have is in doubt', () => {
	const { unsure } = readRows(
		head,
		pageRow(120, [0, 'Vidange'], [200, '1,00'], [240, '68,00'], [300, '68,00']),
		{ ...head, page: 2 },
		{ ...pageRow(138, [0, 'Freins'], [300, '120,00']), page: 2 },
	);
	expect(unsure.map(({ path }) => path)).toEqual(['lines.1.quantity', 'lines.1.unitPrice']);
});

test('a quantity under the head of the units is one, with its unit', () => {
	const { lines } = readRows(
		pageRow(100, [0, 'Désignation'], [200, 'Qté'], [222, 'Unité'], [260, 'PU HT'], [300, 'Total HT']),
		pageRow(120, [0, 'Vidange'], [208, '16,00 h'], [260, '48,00'], [300, '768,00']),
	);
	expect([lines[0]?.values.quantity?.value, lines[0]?.values.unit?.value]).toEqual(['16.00', 'h']);
});

test('works that begin like a discount are lines', () => {
	const { lines, adjustments } = tablesOf(
		'Désignation                    Total HT\nPose de bardage                400,00\nRemise en état du chantier     210,00\nRemise de 10 %                 -61,00',
	);
	expect(lines.map(({ values }) => [values.description?.value, values.total?.value])).toEqual([
		['Pose de bardage', '400.00'],
		['Remise en état du chantier', '210.00'],
	]);
	expect(adjustments.map(({ found }) => found.value)).toEqual(['-61.00']);
});

test('a code that runs into the description is no part of it', () => {
	const reading = readRows(
		pageRow(100, [0, 'Réf.'], [60, 'Désignation'], [200, 'Qté'], [240, 'PU HT'], [300, 'Total HT']),
		pageRow(120, [0, 'A1'], [50, 'Vidange'], [200, '1,00'], [240, '68,00'], [300, '68,00']),
		pageRow(140, [0, 'ART100422 Freins avant'], [200, '2,00'], [240, '60,00'], [300, '120,00']),
	);
	expect(tuples(reading).map(([description]) => description)).toEqual(['Vidange', 'Freins avant']);
});

test('a table of taxes ends where totals begin, and a number below it is no tax', () => {
	const table = 'Taux     Base          Montant TVA\n10 %     14 900,00     1 490,00\n20 %     936,00        187,20';
	for (const below of ['Total HT : 15 836,00 €', 'SARL au capital de 8000 €'])
		expect(tablesOf(`${table}\n         ${below}`).taxes.map(({ amount }) => amount?.value)).toEqual([
			'1490.00',
			'187.20',
		]);
});

test('of two columns for the rate the one headed by the tax alone holds its amount', () => {
	const { taxes } = tablesOf('Taux TVA     TVA        Base HT\n20 %         152,50     762,50');
	expect(taxes.map(({ rate, base, amount }) => [rate?.value, base?.value, amount?.value])).toEqual([
		['20', '762.50', '152.50'],
	]);
});

test('an eco-contribution for each piece takes part in the arithmetic of its line', () => {
	const { lines } = tablesOf(
		'Désignation     Qté     PU HT      Éco-part.     Montant HT\nLave-linge      3       689,00     8,33          2 091,99\nTransport       1       50,00                    50,00',
	);
	expect(lines.map(({ figures }) => figures.adjustments)).toEqual([['24.99'], []]);
	expect(lines[0]?.values.unitPrice?.value).toBe('689.00');
});

test('a price for a thousand is told by the column that says so', () => {
	const { lines } = tablesOf(
		'Produit     Quantité     Prix      Par       Montant HT\nFlyers      5 000 ex.    38,00     1 000     190,00',
	);
	expect(lines[0]?.figures.priceQuantity).toBe('1000');
});

test('the title of a section with its sum beside it is no line', () => {
	const head = 'N°      Désignation     Qté     PU HT     Total HT\n';
	const rows =
		'1       Préparation                       50,00\n1.1     Bâchage         2       10,00     20,00\n1.2     Lavage          3       10,00     30,00';
	expect(tablesOf(head + rows).lines.map(({ values }) => values.description?.value)).toEqual(['Bâchage', 'Lavage']);
	const whole = tablesOf(`${head}${rows.replace('    50,00', '    60,00')}`);
	expect(whole.lines).toHaveLength(3);
});

test('prices with tax are said to be so, unless net ones stand beside them', () => {
	const line = 'Table     2     120,00     240,00';
	expect(tablesOf(`Désignation     Qté     PU TTC     Total TTC\n${line}`).withTax).toBe(true);
	const { withTax, lines } = tablesOf(`Prestation     Nombre     Tarif TTC     Montant TTC\n${line}`);
	expect([withTax, lines[0]?.values.unitPrice?.value, lines[0]?.values.total?.value]).toEqual([
		true,
		'120.00',
		'240.00',
	]);
	expect(tablesOf(`Désignation     Qté     PU HT     Total HT\n${line}`).withTax).toBe(false);
});
