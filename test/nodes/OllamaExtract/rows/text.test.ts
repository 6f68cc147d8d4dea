import fc from 'fast-check';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';

test('two or more blanks part cells, one blank does not', () => {
	expect(rowsOfText('Porte en chêne   2  450,00\r\n').map(({ cells }) => cells.map(({ text }) => text))).toEqual([
		['Porte en chêne', '2', '450,00'],
	]);
});

test.each([
	['| Porte  en chêne | 2 | | 900,00 |', ['Porte  en chêne', '2', '900,00']],
	['Porte  en chêne\t2\t\t900,00\r', ['Porte  en chêne', '2', '900,00']],
])('tabs and bars part cells, an empty field keeps its place: %j', (line, texts) => {
	const [head, row] = rowsOfText(`Désignation | Qté | PU | Total\n${line}`).map(({ cells }) => cells);
	expect(row!.map(({ text }) => text)).toEqual(texts);
	expect(row!.map(({ left }) => left)).toEqual([0, 1, 3].map((at) => head![at]!.left));
});

test('tabs that fill up columns go by their stops', () => {
	const [head, row] = rowsOfText('Désignation\t\tQté\tTotal\nPorte en chêne clair\t2\t900,00').map(
		({ cells }) => cells,
	);
	expect(row!.map(({ left }) => left)).toEqual(head!.map(({ left }) => left));
});

test('an empty line leaves a gap, a form feed begins a page', () => {
	expect(rowsOfText('a\n\nb\n\fc').map(({ page, top }) => [page, top])).toEqual([
		[1, 0],
		[1, 24],
		[2, 0],
	]);
});

test('cells that stand under each other overlap', () => {
	const [title, figure] = rowsOfText('Désignation      Total\nPorte            900,00').map(({ cells }) => cells[1]!);
	expect(title!.left).toBe(figure!.left);
});

test('every word stands at its offset, and no word is lost', () => {
	fc.assert(
		fc.property(fc.string({ unit: fc.constantFrom(...'ab1 é\t|\n\r\f€'.split('')), maxLength: 200 }), (text) => {
			const words = rowsOfText(text).flatMap(({ cells }) => cells.flatMap((cell) => cell.words));
			for (const { place } of words) {
				if (!('offset' in place)) throw new Error('a text has offsets');
				expect(text.slice(place.offset, place.offset + place.quote.length)).toBe(place.quote);
			}
			expect(words.map((word) => word.text).join('')).toBe(text.replace(/[\s|]/g, ''));
		}),
	);
});
