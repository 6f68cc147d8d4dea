import PdfKit from 'pdfkit';
import { readFields } from '../../../../nodes/OllamaExtract/page/page';
import { readPdf } from '../../../../nodes/OllamaExtract/pdf/pdf';
import { rowsOf } from '../../../../nodes/OllamaExtract/rows/layout';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';

const textOf = (...rows: readonly string[]) =>
	[
		'Désignation               Qté   PU HT     Total HT',
		...rows,
		'',
		'Total HT                                    140,00',
	].join('\n');
const laying = 'Fourniture et pose de      2    50,00       100,00';
const removal = 'Dépose                     1    40,00        40,00';

const reading = ({ lines, loose }: ReturnType<typeof readFields>) => ({
	lines: lines.map(({ description, total }) => `${description?.value} = ${total?.value}`),
	loose: loose.map(({ line, found }) => [line, found.value]),
});
const read = (...rows: readonly string[]) => reading(readFields(rowsOfText(textOf(...rows)), 'devis'));

/** A page in Helvetica of 10 pt: `wrapped` stands this far below the first line, the next line `pitch` below it. */
async function readPage(description: string, wrapped: string, below: number, pitch: number) {
	const page = new PdfKit({ size: 'A4' });
	const pieces: Buffer[] = [];
	page.on('data', (piece: Buffer) => pieces.push(piece));
	const done = new Promise((resolve) => page.on('end', resolve));
	page.fontSize(10);
	const row = (top: number, ...cells: readonly string[]) =>
		cells.forEach((cell, at) => page.text(cell, [50, 300, 380, 470][at], top, { lineBreak: false }));
	row(100, 'Désignation', 'Qté', 'PU HT', 'Total HT');
	row(130, description, '2', '50,00', '100,00');
	row(130 + below, wrapped);
	row(130 + below + pitch, 'Dépose', '1', '40,00', '40,00');
	row(130 + below + 2 * pitch, 'Ponçage', '1', '10,00', '10,00');
	row(190 + below + 2 * pitch, '', '', 'Total HT', '150,00');
	page.end();
	await done;
	const { pages } = await readPdf(new Uint8Array(Buffer.concat(pieces)));
	return reading(readFields(pages.flatMap(rowsOf), 'devis'));
}

describe('a description that goes on in the next row of a text', () => {
	const whole = 'Fourniture et pose de parquet chêne massif 14 mm = 100.00';

	test('belongs to its line, before the next line and before the totals', () => {
		expect(read(laying, 'parquet chêne massif 14 mm', removal)).toEqual({
			lines: [whole, 'Dépose = 40.00'],
			loose: [],
		});
		expect(read(removal, laying, 'parquet chêne massif 14 mm')).toEqual({
			lines: ['Dépose = 40.00', whole],
			loose: [],
		});
	});

	test('over several rows, its place being its beginning, word for word', () => {
		const text = textOf(laying, 'parquet chêne massif 14 mm,', '  y compris plinthes', removal);
		const { lines } = readFields(rowsOfText(text), 'devis');
		expect(lines[0]?.description).toEqual({
			value: 'Fourniture et pose de parquet chêne massif 14 mm, y compris plinthes',
			place: {
				offset: text.indexOf('Fourniture'),
				quote: 'Fourniture et pose de',
			},
		});
	});

	test.each(['- dépose des plinthes', '(hors évacuation)', '14 mm, brut', '+ colle', 'Chêne massif 14 mm'])(
		'however it begins after an unfinished row: %s',
		(next) => {
			expect(read(laying, next, removal).lines[0]).toBe(`Fourniture et pose de ${next} = 100.00`);
		},
	);

	test('is in doubt where a new sentence begins: then it is told and not taken', () => {
		expect(read(laying.replace(' et pose de', '           '), 'Chêne massif 14 mm', removal)).toEqual({
			lines: ['Fourniture = 100.00', 'Dépose = 40.00'],
			loose: [[0, 'Chêne massif 14 mm']],
		});
	});

	test('is never a title, a label, a note after white, nor an option', () => {
		const line = laying.replace(' et pose de', '           ');
		const plain = { lines: ['Fourniture = 100.00', 'Dépose = 40.00'], loose: [] };
		expect(read('Sols', line, 'Murs', removal)).toEqual(plain);
		for (const title of ['2. Démolition', 'LOT 2', 'Lot 2 Murs', 'MURS ET PLAFONDS', 'Murs :', 'Option :'])
			expect([title, read(line, title, removal)]).toEqual([title, plain]);
		expect(read(line, removal, '', 'Travaux prévus en mars')).toEqual(plain);
		expect(read(line, removal, 'Total HT')).toEqual(plain);
	});
});

describe('a description that goes on in the next row of a page', () => {
	test.each([12, 16, 18, 20, 22])('belongs to its line at a pitch of %i pt', async (pitch) => {
		const whole = ['Fourniture et pose de parquet chêne = 100.00', 'Dépose = 40.00', 'Ponçage = 10.00'];
		for (const next of [pitch, 34])
			expect(await readPage('Fourniture et pose de', 'parquet chêne', pitch, next)).toEqual({
				lines: whole,
				loose: [],
			});
	});

	test('begins a sentence of its own: told by its distance, in doubt where all rows stand alike', async () => {
		expect((await readPage('Fourniture', 'Chêne massif', 20, 34)).lines[0]).toBe('Fourniture Chêne massif = 100.00');
		expect(await readPage('Fourniture', 'Chêne massif', 20, 20)).toEqual({
			lines: ['Fourniture = 100.00', 'Dépose = 40.00', 'Ponçage = 10.00'],
			loose: [[0, 'Chêne massif']],
		});
	});

	test('is in doubt where it stands far below what it would finish', async () => {
		expect((await readPage('Fourniture et pose de', 'parquet chêne', 60, 34)).loose).toEqual([[0, 'parquet chêne']]);
	});
});

describe('a row with words where others have figures', () => {
	test.each([
		'Nettoyage offert                               Offert',
		'Nettoyage offert           1                   Offert',
		'Nettoyage offert | Offert',
	])('is told: %s', (row) => {
		expect(read(laying, 'parquet', row, removal).loose).toEqual([[0, 'Nettoyage offert']]);
		expect(read(laying, 'parquet', removal, row).loose).toEqual([[1, 'Nettoyage offert']]);
	});

	test('above the first line too, where second rows of the heads stand', () => {
		expect(read('Nettoyage                                      Offert', removal).loose).toEqual([[null, 'Nettoyage']]);
		expect(read('des travaux               (h)   (EUR)     (EUR)', removal).loose).toEqual([]);
	});
});
