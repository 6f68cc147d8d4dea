import { sitesIn } from '../../../../nodes/OllamaExtract/page/labelled';
import type { Language } from '../../../../nodes/OllamaExtract/page/labels';
import { readParties } from '../../../../nodes/OllamaExtract/page/parties';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';

const partiesOf = (text: string, language: Language | null = 'fr') => {
	const rows = rowsOfText(text);
	const found = readParties(rows, sitesIn(rows), undefined, language);
	return Object.fromEntries(Object.entries(found).map(([path, { value }]) => [path, value]));
};

test('by headings, each with its own numbers and address', () => {
	const text =
		'Émetteur :                         Adressé à :\nInfoRéseau 64                      Clinique du Gave\n64000 Pau                          64000 Pau\nSIRET : 443 061 841 00047          p.etcheverry@clinique.example';
	expect(partiesOf(text)).toEqual({
		'seller.name': 'InfoRéseau 64',
		'seller.siret': '44306184100047',
		'buyer.name': 'Clinique du Gave',
		'buyer.email': 'p.etcheverry@clinique.example',
	});
});

test('a tax number that only the buyer prints is not the seller’s', () => {
	const text = 'Toits Durand SARL\n\nFacturé à :\nBoulangerie Weber\n67500 Haguenau\nN° TVA : FR27552100554';
	expect(partiesOf(text)['seller.vat']).toBeUndefined();
});

test('tax numbers as they are grouped in their country', () => {
	expect(partiesOf('VAT Registration No.: GB 123 4567 82', 'en')['seller.vat']).toBe('GB123456782');
	expect(partiesOf('USt-IdNr.: DE 136 695 976', 'de')['seller.vat']).toBe('DE136695976');
	expect(partiesOf('N° intracommunautaire FR44 732829320')['seller.vat']).toBe('FR44732829320');
});

test('a name is no address, sentence, contact or document', () => {
	for (const name of ['Devis', '12 rue des Lilas', 'Tél : 01 02 03 04 05', 'Objet : réfection', 'BP'])
		expect(partiesOf(`Client :\n${name}`)['buyer.name']).toBeUndefined();
	expect(partiesOf('Client :\nMme Hélène Dubois')['buyer.name']).toBe('Mme Hélène Dubois');
});

test('two parties without any sign of who is who are nobody', () => {
	const text = 'Karl Huber          Otto Maier\nRingweg 8           Hauptstr. 5\n86150 Augsburg      80331 München';
	expect(partiesOf(text, 'de')).toEqual({});
});
