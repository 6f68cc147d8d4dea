import { holdersOf, type Asked } from '../../../../nodes/OllamaExtract/model/holders';
import { amount, squeezed } from '../../../../nodes/OllamaExtract/model/wording';
import type { HeaderPath } from '../../../../nodes/OllamaExtract/result';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';

function holders(text: string, ...header: HeaderPath[]) {
	const rows = rowsOfText(text);
	const asked: Asked = { header, lines: false };
	const bearing = rows.map(({ cells }) => cells.some((cell) => amount.test(cell.text)));
	const { cells, needless, fields, totalsNamed } = holdersOf(rows, asked, bearing);
	const texts = (of: ReadonlySet<{ readonly text: string }>) => [...of].map((cell) => squeezed(cell.text));
	return { cells: texts(cells), needless: texts(needless), fields: [...fields], totalsNamed };
}

test('a number is the one that its label names; without a label all that look like one', () => {
	const others = 'Téléphone 01 02 03 04 05\nSIRET 123 456 782 00010\n69003 Lyon\nTotal    12,00 €\nNo commande : C-9';
	expect(holders(`Devis n° D-7\nChantier B-12\n${others}`, 'number').cells).toEqual(['Devis n° D-7']);
	expect(holders(`Pièce D-7\nChantier B-12\n${others}`, 'number').cells).toEqual(['Pièce D-7', 'Chantier B-12']);
});

test('a date stands behind its label, or behind the number in the title', () => {
	expect(holders('Facture F-1 du 02/03/2026\nVu le chantier 01/02/2026', 'date').cells).toEqual([
		'Facture F-1 du 02/03/2026',
	]);
	expect(holders('Lyon, 02/03/2026\nLivraison 05/03/2026', 'date').cells).toHaveLength(2);
});

test('names are kept where labels, addresses, titles and legal forms tell of them', () => {
	const text = 'Bois & Cie\n12 rue des Lilas\n69003 Lyon\n\nClient : Mme Roy\n\nMerci de votre confiance\nValmont SARL';
	const { cells } = holders(text, 'seller.name', 'buyer.name');
	expect(cells).toEqual(expect.arrayContaining(['Bois & Cie', 'Client : Mme Roy', 'Valmont SARL']));
	expect(cells).not.toContain('12 rue des Lilas');
});

test('of totals, what a better one replaces is needless', () => {
	const text =
		'Sous-total    90,00\nTotal HT    100,00\nTVA    20,00\nTotal TTC    120,00\nAcompte versé    20,00\nNet à payer    100,00';
	const { needless, totalsNamed } = holders(text, 'totals.net', 'totals.tax', 'totals.gross');
	expect(needless).toEqual(['Sous-total', '90,00', 'Acompte versé', '20,00', 'Net à payer', '100,00']);
	expect(totalsNamed).toBe(true);
	expect(holders('Sous-total    90,00\nNet à payer    108,00', 'totals.net', 'totals.gross')).toMatchObject({
		cells: ['Sous-total', '90,00', 'Net à payer', '108,00'],
		needless: [],
		totalsNamed: false,
	});
});

test('a date is no amount', () => {
	for (const date of ['27.03.2026', '12.05.26', '1.12.2026']) expect(amount.test(date)).toBe(false);
	for (const sum of ['27.03', '1.234,56', '12 €', '£3', '1 450,00']) expect(amount.test(sum)).toBe(true);
});
