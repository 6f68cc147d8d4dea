import fc from 'fast-check';
import { extract } from '../../../../nodes/OllamaExtract/extract';
import { rejoined } from '../../../../nodes/OllamaExtract/page/found';
import type { Row } from '../../../../nodes/OllamaExtract/rows/layout';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';

const amount = fc.oneof(
	fc.constantFrom('2', '3', '1,5', '150,00', '300,00', '1 250,00', '12 016,92 €', '1.234', '20 %', '', '-'),
	fc.integer({ min: 0, max: 9_999 }).map(String),
);
const words = fc.constantFrom(
	'Pose de bardage',
	'Vis',
	'1.2 Dépose',
	'3 Forfait',
	'Option : drain',
	'Remise',
	'h',
	'm²',
);
const cells = fc.oneof(
	fc.constantFrom(
		['Désignation', 'Qté', 'PU HT', 'Total HT'],
		['Quantité', 'Unité', 'Désignation', 'Prix', 'TVA', 'Montant'],
		['Devis n° 2026-045', 'du 22/11/2026'],
		['Base HT', 'Taux TVA', 'Montant TVA'],
		['SIRET 421 087 335 00018', 'contact@durand.example'],
		['Client :', 'Mme Durand'],
	),
	fc.tuple(fc.constantFrom('Total HT', 'TVA 20 %', 'Total TTC'), amount),
	fc.array(fc.oneof(words, amount), { minLength: 1, maxLength: 6 }),
	fc.tuple(words, amount, amount, amount),
);
const line = fc
	.tuple(cells, fc.constantFrom('\t', ' | ', '|', '    ', '  ', '\t\t', ' '))
	.map(([texts, delimiter]) => texts.join(delimiter));

test('every value of a text stands where its place says, word for word', async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 12 }), async (lines) => {
			const text = `Devis\n${lines.join('\n')}`;
			const { fields } = await extract({ text }, { schema: 'devis', engine: 'without-model' });
			for (const { path, place } of fields) {
				if (place === null || place === 'model-only' || !('offset' in place)) continue;
				expect([path, text.slice(place.offset, place.offset + place.quote.length)]).toEqual([path, place.quote]);
			}
		}),
		{
			numRuns: 300,
			examples: [[['Désignation\tQté\tPU HT\tTotal HT', 'Pose de bardage\t2\t2\t0', 'm²']]],
		},
	);
});

test('thousands that a narrow gap of a page parts are one number again, those that a text parts never', () => {
	const cell = (text: string, left: number, right: number) => ({
		text,
		left,
		right,
		words: [{ text, start: 0, place: { page: 1, box: [left, 0, right, 10] as const, quote: text } }],
	});
	const row: Row = { page: 1, top: 0, bottom: 10, cells: [cell('11', 0, 10), cell('016,92 €', 13, 50)] };
	expect(rejoined(row).cells.map(({ text }) => text)).toEqual(['11 016,92 €']);
	for (const [typed] of ['11\t016,92 €', '11|016,92 €', '11  016,92 €'].map(rowsOfText)) {
		expect(rejoined(typed!).cells.map(({ text }) => text)).toEqual(['11', '016,92 €']);
	}
});
