import fc from 'fast-check';
import { indexOf, matches, normal } from '../../../../nodes/OllamaExtract/proof/pageIndex';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';

const index = (text: string) => indexOf(rowsOfText(text), text);
const quotes = (text: string, printed: string, kind: Parameters<typeof matches>[2]) =>
	matches(index(text), printed, kind).map(({ place }) => ('quote' in place ? place.quote : ''));

test.each([
	['text', "MAISON D'AUCH", 'Client : Maison d’Auch', 'Maison d’Auch'],
	['number', '1450.5', 'Total    1 450,50 €', '1 450,50 €'],
	['date', '2026-11-22', 'Le 22 novembre 2026 à Lyon', '22 novembre 2026'],
	['identifier', '12345678200010', 'SIRET 123 456 782 00010', '123 456 782 00010'],
	['currency', 'EUR', 'Prix    12,00 €', '€'],
] as const)('a %s is found however it is written', (kind, printed, text, quote) => {
	expect(quotes(text, printed, kind)).toEqual([quote]);
});

test.each([
	['text', 'D-2026', 'Devis D-2026-14'],
	['text', 'Roy', 'Royal'],
	['number', '12', 'Total 12,50'],
	['identifier', '12345', 'Code 123456'],
] as const)('a part of a longer %s is none: %s in %s', (kind, printed, text) => {
	expect(quotes(text, printed, kind)).toEqual([]);
});

test('an amount before a dash is not negative, one with a minus behind it is', () => {
	const text = 'Total HT 100,00 € - TVA 20,00 € - Total TTC 120,00 €\nRemise    10,00 -';
	expect(quotes(text, '100', 'number')).toEqual(['100,00 €']);
	expect(quotes(text, '20', 'number')).toEqual(['20,00 €']);
	expect(quotes(text, '-10', 'number')).toEqual(['10,00 -']);
});

test('what could be two things has a match for each, none of them sure', () => {
	const found = matches(index('Invoice date 03/04/2026'), '03/04/2026', 'date');
	expect(found.map(({ value, sure }) => [value, sure])).toEqual([
		['2026-04-03', false],
		['2026-03-04', false],
	]);
});

test('words are found in every cell that holds them, and nowhere else', () => {
	const word = fc.constantFrom('porte', 'pose', 'Pose', 'bois', 'port', 'el');
	const cell = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(' '));
	const rows = fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 });
	fc.assert(
		fc.property(rows, cell, (cells, wanted) => {
			const text = cells.map((row) => row.join('    ')).join('\n');
			const here = (one: string) => ` ${one.toLowerCase()} `.includes(` ${wanted.toLowerCase()} `);
			const expected = rowsOfText(text).flatMap((row, at) =>
				row.cells.flatMap((one, cellAt) => (here(normal(one.text)) ? [`${at}:${cellAt}`] : [])),
			);
			const found = matches(index(text), wanted, 'text').map(({ row, cell: at }) => `${row}:${at}`);
			expect([...new Set(found)]).toEqual(expected);
		}),
	);
});

test('a place is cut from the source unchanged', () => {
	const text = 'Client :   Mme\u00a0Roy\r\nTotal    12,00';
	for (const { place } of matches(index(text), 'Mme Roy', 'text')) {
		if (!('offset' in place)) throw new Error('a text has offsets');
		expect(text.slice(place.offset, place.offset + place.quote.length)).toBe(place.quote);
	}
	expect(quotes(text, 'Mme Roy', 'text')).toHaveLength(1);
});
