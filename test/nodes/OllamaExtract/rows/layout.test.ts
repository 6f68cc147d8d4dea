import fc from 'fast-check';

import { rowsOf, type Row } from '../../../../nodes/OllamaExtract/rows/layout';
import type { Page, Run } from '../../../../nodes/OllamaExtract/pdf/pdf';

/** Text set at x and baseline y in a face of average width; `x` is the right edge where `align` says so. */
function run(text: string, x: number, y: number, fontSize = 10, align: 'left' | 'right' = 'left'): Run {
	const width = text.length * 0.5 * fontSize;
	const left = align === 'left' ? x : x - width;
	const box = [left, y - 0.78 * fontSize, left + width, y + 0.22 * fontSize] as const;
	return { text, box, fontSize, from: 'text' };
}

function page(runs: Run[]): Page {
	return { number: 1, width: 595, height: 842, runs };
}

function texts(rows: readonly Row[]): string[][] {
	return rows.map(({ cells }) => cells.map(({ text }) => text));
}

describe('lines', () => {
	test('words of several runs on one baseline read on as one cell, wide gaps part cells', () => {
		const rows = rowsOf(page([run('Devis', 50, 100), run('n°', 78, 100), run('2026-07', 300, 100.4)]));
		expect(texts(rows)).toEqual([['Devis n°', '2026-07']]);
	});

	test('address blocks side by side stay apart, also where their lines are not level', () => {
		const rows = rowsOf(
			page([
				run('Menuiserie Durand', 50, 100),
				run('Mme Martin', 350, 105),
				run('3 rue des Lilas', 50, 112),
				run('8 avenue Foch', 350, 117),
			]),
		);
		expect(texts(rows)).toEqual([['Menuiserie Durand'], ['Mme Martin'], ['3 rue des Lilas'], ['8 avenue Foch']]);
	});

	test('a word drawn in several runs, as ligatures are, is one word', () => {
		const rows = rowsOf(page([run('Co', 50, 100), run('ff', 60, 100), run('rage perdu', 70, 100)]));
		expect(texts(rows)).toEqual([['Coffrage perdu']]);
		expect(rows[0]!.cells[0]!.words.map(({ text }) => text)).toEqual(['Coffrage', 'perdu']);
	});

	test('a label and its value part where the values of the lines around begin', () => {
		const rows = rowsOf(
			page([
				run('Date', 50, 100),
				run('16/11/2026', 150, 100),
				run('Conditions de paiemt', 45, 115),
				run('Immédiat', 150, 115),
				run('Votre référence', 50, 130),
				run('PO445', 150, 130),
			]),
		);
		expect(texts(rows)).toEqual([
			['Date', '16/11/2026'],
			['Conditions de paiemt', 'Immédiat'],
			['Votre référence', 'PO445'],
		]);
	});

	test('text that runs up the page is a row of its own', () => {
		const upright: Run = { ...run('Tampon du client', 20, 300), box: [20, 200, 30, 300] };
		expect(texts(rowsOf(page([upright, run('Total', 50, 250)])))).toEqual([['Tampon du client'], ['Total']]);
	});

	test('right-to-left words read from the right', () => {
		expect(texts(rowsOf(page([run('عرض سعر', 50, 100)])))).toEqual([['عرض سعر']]);
	});
});

describe('tables', () => {
	const header = (y: number) => [
		run('Désignation', 50, y),
		run('Qté', 360, y, 10, 'right'),
		run('P.U.', 430, y, 10, 'right'),
		run('Total', 520, y, 10, 'right'),
	];
	const figures = (y: number, quantity: string, price: string, total: string) => [
		run(quantity, 360, y, 10, 'right'),
		run(price, 430, y, 10, 'right'),
		run(total, 520, y, 10, 'right'),
	];

	test('a description that wraps below its figures stays in its row', () => {
		const rows = rowsOf(
			page([
				...header(100),
				run('Pose de carrelage', 50, 120),
				...figures(120, '12', '30,00 €', '360,00 €'),
				run('format 60 x 60', 50, 132),
				run('Plinthes', 50, 152),
				...figures(152, '4', '5,00 €', '20,00 €'),
			]),
		);
		expect(texts(rows)).toEqual([
			['Désignation', 'Qté', 'P.U.', 'Total'],
			['Pose de carrelage format 60 x 60', '12', '30,00 €', '360,00 €'],
			['Plinthes', '4', '5,00 €', '20,00 €'],
		]);
	});

	test('figures centred beside a description of two lines', () => {
		const rows = rowsOf(
			page([
				...header(100),
				run('Pose de carrelage', 50, 120),
				...figures(126, '12', '30,00 €', '360,00 €'),
				run('format 60 x 60', 50, 132),
				run('Dépose', 50, 144),
				...figures(150, '1', '90,00 €', '90,00 €'),
				run('et évacuation', 50, 156),
			]),
		);
		expect(texts(rows).slice(1)).toEqual([
			['Pose de carrelage format 60 x 60', '12', '30,00 €', '360,00 €'],
			['Dépose et évacuation', '1', '90,00 €', '90,00 €'],
		]);
	});

	test('figures on the last line of each description', () => {
		const rows = rowsOf(
			page([
				...header(90),
				run('Pose de carrelage', 50, 120),
				run('format 60 x 60', 50, 132),
				...figures(132, '12', '30,00 €', '360,00 €'),
				run('Dépose', 50, 144),
				run('et évacuation', 50, 156),
				...figures(156, '1', '90,00 €', '90,00 €'),
			]),
		);
		expect(texts(rows).slice(1)).toEqual([
			['Pose de carrelage format 60 x 60', '12', '30,00 €', '360,00 €'],
			['Dépose et évacuation', '1', '90,00 €', '90,00 €'],
		]);
	});

	test('names of columns on several lines are one row', () => {
		const rows = rowsOf(
			page([
				run('Désignation', 50, 106),
				run('Qté', 360, 106, 10, 'right'),
				run('Prix', 430, 100, 10, 'right'),
				run('unitaire', 430, 112, 10, 'right'),
				run('Total', 520, 106, 10, 'right'),
				run('Plinthes', 50, 140),
				...figures(140, '4', '5,00 €', '20,00 €'),
			]),
		);
		expect(texts(rows)).toEqual([
			['Désignation', 'Qté', 'Prix unitaire', 'Total'],
			['Plinthes', '4', '5,00 €', '20,00 €'],
		]);
	});

	test('a total below the table is no part of its last row', () => {
		const rows = rowsOf(
			page([
				...header(100),
				run('Plinthes', 50, 120),
				...figures(120, '4', '5,00 €', '20,00 €'),
				run('Total HT', 430, 145, 10, 'right'),
				run('20,00 €', 520, 145, 10, 'right'),
				run('Merci de votre confiance', 50, 180),
			]),
		);
		expect(texts(rows).slice(1)).toEqual([
			['Plinthes', '4', '5,00 €', '20,00 €'],
			['Total HT', '20,00 €'],
			['Merci de votre confiance'],
		]);
	});
});

test('a figure grouped by spaces is not parted where a column above happens to begin', () => {
	const right = (text: string, x: number, y: number) => run(text, x, y, 10, 'right');
	const rows = rowsOf(
		page([
			run('Désignation', 50, 100),
			right('Qté', 300, 100),
			right('P.U.', 400, 100),
			right('Total', 500, 100),
			run('Plinthes', 50, 120),
			right('1', 300, 120),
			right('5,00', 400, 120),
			right('5,00', 500, 120),
			run('Cloisons', 50, 140),
			right('2', 300, 140),
			right('6,00', 400, 140),
			right('12,00', 500, 140),
			run('Total HT', 350, 180),
			run('11 016,92 €', 465, 180),
		]),
	);
	expect(texts(rows).at(-1)).toEqual(['Total HT', '11 016,92 €']);
});

describe('whatever stands on a page', () => {
	const anyRun = fc
		.record({
			text: fc.oneof(
				fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
				fc.constantFrom('1 234,50 €', '20 %', '3', 'Total HT', 'שלום עולם', '12,00', 'Désignation', 'a b  c'),
			),
			x: fc.integer({ min: 0, max: 500 }),
			y: fc.integer({ min: 20, max: 800 }),
			size: fc.integer({ min: 4, max: 30 }),
		})
		.filter(({ text }) => text.trim() !== '')
		.map(({ text, x, y, size }) => run(text, x, y, size));
	const anyRuns = fc.array(anyRun, { maxLength: 40 });
	const wordsOf = (rows: readonly Row[]) =>
		rows.flatMap(({ cells }) => cells.flatMap(({ words }) => words.map(({ text }) => text)));

	test('no letter is lost and none is doubled', () => {
		const letters = (texts: readonly string[]) => texts.flatMap((text) => [...text.replace(/\s+/g, '')]).sort();
		fc.assert(
			fc.property(anyRuns, (runs) => {
				expect(letters(wordsOf(rowsOf(page(runs))))).toEqual(letters(runs.map(({ text }) => text)));
			}),
			{ numRuns: 300 },
		);
	});

	test('the text of a cell is its words, each at its offset', () => {
		fc.assert(
			fc.property(anyRuns, (runs) => {
				for (const cell of rowsOf(page(runs)).flatMap(({ cells }) => [...cells])) {
					expect(cell.words.map(({ text }) => text).join(' ')).toBe(cell.text);
					for (const { text, start } of cell.words) expect(cell.text.slice(start, start + text.length)).toBe(text);
				}
			}),
		);
	});

	test('the order in which runs were drawn changes nothing', () => {
		const distinct = fc.uniqueArray(anyRun, {
			maxLength: 30,
			selector: ({ box, text }) => `${box[0]} ${box[1]} ${text}`,
		});
		fc.assert(
			fc.property(distinct, fc.infiniteStream(fc.nat()), (runs, numbers) => {
				const shuffled = runs.map((each) => [numbers.next().value as number, each] as const).sort(([a], [b]) => a - b);
				expect(rowsOf(page(shuffled.map(([, each]) => each)))).toEqual(rowsOf(page(runs)));
			}),
		);
	});

	test('moving the whole page moves nothing within it', () => {
		fc.assert(
			fc.property(anyRuns, fc.integer({ min: -64, max: 64 }), fc.integer({ min: -64, max: 64 }), (runs, dx, dy) => {
				const moved = runs.map((each): Run => {
					const [left, top, right, bottom] = each.box;
					return { ...each, box: [left + dx, top + dy, right + dx, bottom + dy] };
				});
				expect(texts(rowsOf(page(moved)))).toEqual(texts(rowsOf(page(runs))));
			}),
		);
	});
});

describe('narrow columns', () => {
	const width = (text: string) => text.length * 5;
	const rightAligned = (text: string, right: number, y: number) => run(text, right - width(text), y);

	test('quantity and unit set close together are two cells, as their titles are', () => {
		const rows = rowsOf(
			page([
				run('Bezeichnung', 50, 100),
				rightAligned('Menge', 300, 100),
				run('Einheit', 307, 100),
				rightAligned('Preis', 450, 100),
				run('Erdarbeiten', 50, 120),
				rightAligned('24,00', 300, 120),
				run('m³', 305, 120),
				rightAligned('1.164,00', 450, 120),
				run('Fundament', 50, 140),
				rightAligned('6,50', 300, 140),
				run('m³', 305, 140),
				rightAligned('2.028,00', 450, 140),
			]),
		);
		expect(texts(rows).slice(1)).toEqual([
			['Erdarbeiten', '24,00', 'm³', '1.164,00'],
			['Fundament', '6,50', 'm³', '2.028,00'],
		]);
	});

	test('titles set close together over columns of figures are cells of their own', () => {
		const rows = rowsOf(
			page([
				run('Désignation', 50, 100),
				rightAligned('Qté', 200, 100),
				rightAligned('Prix unitaire', 300, 100),
				rightAligned('Remise', 335, 100),
				rightAligned('Montant', 375, 100),
				run('Pose', 50, 120),
				rightAligned('1', 200, 120),
				rightAligned('100,00', 300, 120),
				rightAligned('10 %', 335, 120),
				rightAligned('90,00', 375, 120),
				run('Dépose', 50, 140),
				rightAligned('1', 200, 140),
				rightAligned('80,00', 300, 140),
				rightAligned('5 %', 335, 140),
				rightAligned('76,00', 375, 140),
			]),
		);
		expect(texts(rows)[0]).toEqual(['Désignation', 'Qté', 'Prix unitaire', 'Remise', 'Montant']);
	});
});
