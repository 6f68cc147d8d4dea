import { sitesIn } from '../../../../nodes/OllamaExtract/page/labelled';
import type { Language } from '../../../../nodes/OllamaExtract/page/labels';
import { readParties } from '../../../../nodes/OllamaExtract/page/parties';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';

const partiesOf = (text: string, language: Language | null = 'fr') => {
	const rows = rowsOfText(text);
	const { parties } = readParties(rows, sitesIn(rows), undefined, language);
	return Object.fromEntries(Object.entries(parties).map(([path, { value }]) => [path, value]));
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

test('the account of a client is not the name, which stands below it', () => {
	expect(partiesOf('Client : 411VIDAL\nMme Inès Vidal\n12 rue du Lac\n15000 Aurillac')['buyer.name']).toBe(
		'Mme Inès Vidal',
	);
	expect(partiesOf('Client : 411VIDAL\n12 rue du Lac\n15000 Aurillac')['buyer.name']).toBeUndefined();
});

test('a name goes on below where its first line ends within a phrase', () => {
	const address = '15110 Chaudes-Aigues';
	for (const head of ['Client : ', 'Client :\n']) {
		const text = `${head}SOCIÉTÉ D'EXPLOITATION DES\nTHERMES DE CHAUDES-AIGUES\n${address}`;
		expect(partiesOf(text)['buyer.name']).toBe("SOCIÉTÉ D'EXPLOITATION DES THERMES DE CHAUDES-AIGUES");
		expect(partiesOf(`${head}Hôtel du Parc\nRésidence Haute\n${address}`)['buyer.name']).toBe('Hôtel du Parc');
		expect(partiesOf(`${head}Les Amis de\n12 rue du Lac\n${address}`)['buyer.name']).toBe('Les Amis de');
	}
});

test('a contact below the page’s first name is not the buyer, nor is that name the seller by its e-mail alone', () => {
	const client = 'COMITÉ AIRTEC\nMme Lucie Page\nl.page@airtec.example\n18000 Bourges';
	const parties = partiesOf(`${client}\n\n\nDomaine Vacheron\nvente@vacheron.example`);
	expect(parties['buyer.name']).toBeUndefined();
	expect(parties['seller.name']).toBeUndefined();
});

test('a name in a form is the client’s where the line above speaks of one', () => {
	const form = 'Nom : VIDAL Inès\nAdresse : 12 rue du Lac 15000 Aurillac';
	expect(partiesOf(`Type de client : Particulier\n${form}`)['buyer.name']).toBe('VIDAL Inès');
	expect(partiesOf(`Type de chantier : neuf\n${form}`)['buyer.name']).toBeUndefined();
});

test('an office is not the buyer where its house stands below it', () => {
	const seller = 'Dumas SARL\n15000 Aurillac\nSIRET : 443 061 841 00047\n\n\n\n';
	expect(partiesOf(`${seller}Monsieur le Maire\nMairie de Murat\n15300 Murat`)['buyer.name']).toBe('Mairie de Murat');
	expect(partiesOf(`${seller}Monsieur le Maire\n15300 Murat`)['buyer.name']).toBe('Monsieur le Maire');
});

test('two parties without any sign of who is who are nobody', () => {
	const text = 'Karl Huber          Otto Maier\nRingweg 8           Hauptstr. 5\n86150 Augsburg      80331 München';
	expect(partiesOf(text, 'de')).toEqual({});
});

test('a recipient without a heading is told by how he is addressed', () => {
	const text =
		'Toitures Vasseur & Fils, couvreur, 80000 Amiens\nDevis N° : V-0912     Date : 12/09/2026\n\nM. Pierre-Yves Saint-Étienne\n8 rue du Moulin\n80090 Amiens\np.saint-etienne@poste.example';
	expect(partiesOf(text)['buyer.name']).toBe('M. Pierre-Yves Saint-Étienne');
	expect(partiesOf(text)['buyer.email']).toBe('p.saint-etienne@poste.example');
	const twice = `${text}\n\n\nMme Odette Fabre\n3 place de la Gare\n81000 Albi`;
	expect(partiesOf(twice)['buyer.name']).toBeUndefined();
});

test('who prints a SIRET below his name is not the recipient', () => {
	const text = 'DEVIS\nM. Julien Marchetti\n3 place de la Gare\n29000 Quimper\nSIRET 80295478500028';
	expect(partiesOf(text)['buyer.name']).toBeUndefined();
});

test('a name that the page’s own e-mail spells is the seller’s, a mail host’s is not', () => {
	const head = (mail: string) => `Électro-Ménager Caradec\n${mail}\n\nDEVIS n° 451`;
	expect(partiesOf(head('caradec@orange.example'))['seller.name']).toBe('Électro-Ménager Caradec');
	expect(partiesOf(head('contact@orange.example'))['seller.name']).toBeUndefined();
});

test('several e-mails of the buyer are none, and said to be several', () => {
	const rows = rowsOfText(
		'Client : Jean Petit\nj.petit@poste.example\nAdresse de facturation : SCI Le Port, c@port.example',
	);
	const { parties, ambiguous } = readParties(rows, sitesIn(rows), undefined, 'fr');
	expect(parties['buyer.email']).toBeUndefined();
	expect(ambiguous.map(({ path, message }) => [path, message])).toEqual([
		['buyer.email', 'could be j.petit@poste.example or c@port.example'],
	]);
});

test('the client comes before the owner of the site', () => {
	const text =
		"Maître d'ouvrage : Commune de Véron\n\nEntreprise principale / client :\nCONSTRUCTIONS DE L'YONNE SA\n89000 Auxerre";
	expect(partiesOf(text)['buyer.name']).toBe("CONSTRUCTIONS DE L'YONNE SA");
});

test('the town of an address is nobody’s name', () => {
	const text =
		"Agence Diag'Immo 86\nPoitiers\nSIRET : 802 954 785 00028\n\n\nAdresse du bien : 4 place d'Armes, 86000 Poitiers";
	expect(partiesOf(text)['seller.name']).toBe("Agence Diag'Immo 86");
});

test('a body that buys is addressed by what it is, and a word of a trade’s name is no department', () => {
	const text =
		'CHALEUR SERVICE 88\n88000 Épinal\nSIRET 80295478500028\n\n\nDevis n° 5\n\n\nCommune de Changé\nPlace de la Mairie\n72560 CHANGÉ';
	expect(partiesOf(text)).toMatchObject({ 'seller.name': 'CHALEUR SERVICE 88', 'buyer.name': 'Commune de Changé' });
});
