import fc from 'fast-check';
import {
	columnOf,
	folded,
	isBareLabel,
	isDocumentTitle,
	labelAt,
	languageOf,
} from '../../../../nodes/OllamaExtract/page/labels';

describe('labels', () => {
	test.each([
		['Devis n° : D-12', 'number'],
		['Facture FAC/2026/00017', 'title'],
		['N° de commande : 12', 'other-number'],
		['Date de livraison', 'other-date'],
		['Fällig am: 01.06.2026', 'valid-until'],
		['Total HT (hors options)', 'net'],
		['zzgl. 19% MwSt.', 'tax'],
		['Grand total', 'gross'],
		['Rechnung (380) 2026-7', 'title'],
		['Invoice (380) No. 12', 'number'],
		['Käufer / Rechnungsempfänger:', 'buyer'],
		['Abweichende Lieferanschrift:', 'other-party'],
		['Net de taxes', 'due'],
		['Montant total net de taxes', 'due'],
		['Sous-total Plantations', 'subtotal'],
		['Remise commerciale 5 %', 'adjustment'],
		['Maître d’ouvrage', 'buyer'],
		['Adresse du chantier', 'other-party'],
	])('%s: %s', (text, label) => expect(labelAt(text)?.label).toBe(label));

	test.each(['Pose de tuiles', 'Lieferant GmbH', '1 234,56 €'])('none at the beginning of %s', (text) =>
		expect(labelAt(text)).toBeNull(),
	);

	test('what follows a label begins behind its colon and blanks', () => {
		expect('Date :  22/11/2026'.slice(labelAt('Date :  22/11/2026')?.end).trim()).toBe('22/11/2026');
		expect(isBareLabel('Total TTC :')).toBe(true);
		expect(isBareLabel('Total TTC 12,00')).toBe(false);
	});

	test('the name of a document, also letter-spaced', () => {
		expect(['OFFRE DE PRIX', 'D E V I S', 'Facture F-12'].every(isDocumentTitle)).toBe(true);
		expect(['Devisson SARL', 'Rechnungswesen Maier', 'Offredi Frères'].some(isDocumentTitle)).toBe(false);
	});
});

test.each([
	['Prix unit. HT', 'unitPrice'],
	['Einzel €', 'unitPrice'],
	['Unit £', 'unitPrice'],
	['Unité', 'unit'],
	['Nb', 'quantity'],
	['TJM HT', 'unitPrice'],
	['GP in €', 'total'],
	['Total TTC', 'totalWithTax'],
	['% TVA', 'vatRate'],
	['Montant TVA', 'vatAmount'],
	['Rem. %', 'discount'],
	['Réduc.', 'discount'],
	['Text', 'description'],
	['Pos.', 'position'],
	['Farbe', null],
] as const)('the column headed %s holds %s', (head, column) => expect(columnOf(head)).toBe(column));

test('the language is that of most words, none without a majority', () => {
	expect(languageOf(['Facture du mois', 'Montant de la TVA'])).toBe('fr');
	expect(languageOf(['Rechnung vom', 'Betrag und Steuer'])).toBe('de');
	expect(languageOf(['12,00', 'XYZ'])).toBeNull();
});

test('folding moves no character', () => {
	expect(folded('Échéance\u00a0: l’été')).toBe("echeance : l'ete");
	fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => folded(text).length === text.length));
	fc.assert(
		fc.property(
			fc.integer({ min: 0x20, max: 0x24f }),
			(code) => folded(`a${String.fromCodePoint(code)}b`).length === 3,
		),
	);
});

test.each([
	'Remise en état du chantier',
	'Remise à niveau',
	'Remise des clés',
	'Remise aux normes',
	'Remise d’ouvrages',
])('%s is no discount', (text) => expect(labelAt(text)).toBeNull());

test.each([
	'Remise',
	'Remise 10 %',
	'Remise de 10 %',
	'Remise de fin d’année',
	'Remise commerciale',
	'Remise sur pose',
])('%s is a discount', (text) => expect(labelAt(text)?.label).toBe('adjustment'));
