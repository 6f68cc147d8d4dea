/** The languages whose documents are read. */
export type Language = 'fr' | 'de' | 'en';

/**
 * What a printed label announces. `title` is the document's own name with its number behind it (`Facture F-12`),
 * `reference` any reference; `other-*` are labels that look like a wanted one and are not.
 */
export type Label =
	| 'number'
	| 'title'
	| 'reference'
	| 'date'
	| 'valid-until'
	| 'net'
	| 'tax'
	| 'gross'
	| 'total'
	| 'due'
	| 'subtotal'
	| 'adjustment'
	| 'currency'
	| 'seller'
	| 'buyer'
	| 'name'
	| 'other-party'
	| 'other-date'
	| 'other-number'
	| 'other-amount';

/** The label that a text begins with, and where what follows it begins (after colon and blanks). */
export interface Labelled {
	readonly label: Label;
	readonly end: number;
}

/** Finds the label at the beginning of a text, the longest one that fits; French, German and English. Null when none. */
export function labelAt(text: string): Labelled | null {
	const start = text.slice(0, longestLabel);
	const known = labels.get(start);
	if (known !== undefined) return known;
	const label = readLabel(folded(start));
	if (labels.size >= knownLabels) labels.clear();
	labels.set(start, label);
	return label;
}

// The same cells are asked about from many sides; a document has some hundred of them.
const labels = new Map<string, Labelled | null>();
const knownLabels = 4_000;

function readLabel(plain: string): Labelled | null {
	let best: Labelled | null = null;
	for (const [label, pattern] of patterns) {
		const match = pattern.exec(plain);
		if (match !== null && (best === null || match[0].length > best.end)) best = { label, end: match[0].length };
	}
	return best;
}

const longestLabel = 160;

/** True when the text is a label and nothing else. */
export function isBareLabel(text: string): boolean {
	const labelled = labelAt(text);
	return labelled !== null && text.slice(labelled.end).replace(/[\s:.)(€%-]|EUR/g, '') === '';
}

/** True for a document's own name, with or without more behind it: `OFFRE DE PRIX`, `D E V I S`, `Facture F-12`. */
export function isDocumentTitle(text: string): boolean {
	const plain = folded(text).trim();
	return title.test(plain) || (/^(?:\p{L} ){3,}\p{L}$/u.test(plain) && title.test(plain.replace(/ /g, '')));
}

/** What a cell calls the document that it names (`FACTURE N° F-12`, `Devis`); null where it names none. */
export function kindOfTitle(text: string): 'devis' | 'invoice' | null {
	const plain = folded(text).trim();
	const [named = ''] = title.exec(plain) ?? [];
	const rest = plain.slice(named.length);
	// Behind its name a document has its number or its date, or nothing.
	if (
		named === '' ||
		/proforma/.test(named) ||
		!/^ ?(?:$|[:#]|n[°ºo]|nr|no\b|num|du |vom |\p{Lu}*[-_/]?\p{L}{0,5}[-_/ ]?\d)/u.test(rest)
	)
		return null;
	return billTitle.test(named) ? 'invoice' : 'devis';
}

/** What a column of a table holds. */
export type Column =
	| 'position'
	| 'reference'
	| 'description'
	| 'quantity'
	| 'unit'
	| 'unitPrice'
	| 'price'
	| 'discount'
	| 'charge'
	| 'per'
	| 'vatRate'
	| 'vatAmount'
	| 'base'
	| 'total'
	| 'totalWithTax'
	| 'other';

/** What the head of a column announces, or null. `price` is a unit price or a total: its neighbours decide. */
export function columnOf(head: string): Column | null {
	if (head.length > 80) return null;
	if (/^unit[a-z]* ?[(]?[€£$]/i.test(head)) return 'unitPrice';
	const plain = folded(head)
		.replace(/\((?:eur|€|en euros?|%)\)|[€:*]/g, ' ')
		.replace(/\s+/g, ' ')
		.trim();
	if (plain === '' || plain.length > 60 || /\d{3}/.test(plain)) return null;
	for (const [column, pattern, not] of columns) {
		if (pattern.test(plain) && not?.test(plain) !== true) return column;
	}
	return null;
}

/** The language that most of the known words of a text belong to; null when it shows none. */
export function languageOf(texts: Iterable<string>): Language | null {
	const score = { fr: 0, de: 0, en: 0 };
	for (const text of texts) {
		const plain = folded(text);
		for (const language of ['fr', 'de', 'en'] as const) {
			score[language] += plain.match(languageWords[language])?.length ?? 0;
		}
	}
	const [first, second] = (['fr', 'de', 'en'] as const).toSorted((a, b) => score[b] - score[a]);
	return first !== undefined && second !== undefined && score[first] > score[second] ? first : null;
}

/** Lower case without accents, every white space an ordinary blank, each character in its place. */
export function folded(text: string): string {
	if (/^[\x20-\x7e]*$/.test(text)) return text.toLowerCase();
	if (/^[\t\x20-\x7e\u00a0-\u024f\u2000-\u20bf]*$/.test(text)) {
		// Of Latin letters each is one base letter and its marks, so that nothing moves.
		const bare = text
			.normalize('NFD')
			.replace(/[\u0300-\u036f]/g, '')
			.toLowerCase();
		return bare.replace(/\s/g, ' ').replaceAll('’', "'");
	}
	return Array.from(text, (character) => {
		const base = character.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
		if (/^\s$/.test(character)) return ' ';
		if (character === '’') return "'";
		return base.length === character.length ? base : character;
	}).join('');
}

// Patterns see folded text. A label ends at a word's end; numbers signs, colons and blanks behind it belong to it.
const no = '(?: ?(?:n[°ºo]s?\\.?|nr\\.?|no\\.?|num\\.?|numero|nummer|number|#|ref\\.?|reference))';
const ends = '(?:(?<=[°º#])|(?![\\p{L}\\d]))';
const tail =
	'(?: ?\\((?:eur|€|en euros?|ht|h\\.t\\.?|net|hors [^)\\d]*|excl[^)]*|inkl[^)]*|incl[^)]*|exkl[^)]*)\\))*(?: ?(?:in |en )?(?:eur|euros?|€)(?![\\p{L}]))? ?[:.#°=]* ?';

const offer =
	'(?:devis(?: (?:et )?(?:gratuit|estimatif|quantitatif|descriptif|detaille|rectificatif|modificatif))*|offre(?: de prix)?|proposition(?: commerciale)?|estimation|quotation|quote|estimate|angebot|kostenvoranschlag)';
const bill =
	"(?:facture(?: d'acompte| de situation| proforma| de solde)?|avoir|note d'honoraires|note de credit|tax invoice|invoice|credit note|credit memo" +
	'|(?:\\p{L}+)?rechnung|gutschrift)';
// Behind the name may stand its code of UNTDID 1001, also after a word for its branch: `Rechnung Bau (875)`.
const document = `(?:${offer}|${bill})(?:(?: \\p{L}+)? \\(\\d{3}\\))?`;
const title = new RegExp(`^${document}(?![\\p{L}])`, 'u');
const billTitle = new RegExp(`^${bill}`, 'u');
const issue = "(?:facturation|emission|edition|creation|etablissement|redaction|document|piece|l'offre|offre)";

// `Remise en état`, `Remise des clés` are works; `Remise de 10 %`, `Remise de fin d'année` are discounts.
const notHandedOver =
	"(?! (?:(?:en|a|aux?|sous|hors|dans|entre|des?|du)(?![\\p{L}])|d')(?! ?(?:la |l')?(?:\\d|fin|fidelite|bienvenue|lancement|volume|quantite|comptant|commande)))";

const buyer = '(?:kaufer|leistungsempfanger|rechnungsempfanger|rechnungsadresse|kunde|auftraggeber|empfanger)';

const sources: ReadonlyArray<readonly [Label, string]> = [
	['number', `(?:votre |notre )?${document}(?: (?:d'|de |des |du |pour )[\\p{L}'-]+){0,2}${no}(?: a rappeler)?`],
	['number', `sous (?:le |la )?${no}`],
	['number', `${no} ?(?:de |du |d'|de la |of )?(?:${document}|document|piece)`],
	['number', `(?:numero|reference|ref\\.?) (?:de |du |de la |d'|of )?(?:${document}|document|piece)`],
	['number', `(?:rechnungs|angebots|beleg|dokument(?:en)?|gutschrift(?:s)?) ?-? ?(?:nummer|nr\\.?)`],
	['number', `(?:document|quotation|quote|invoice|estimate) (?:number|no\\.?|id|#)`],
	['title', `${document}(?= ?:? ?\\p{L}{0,5}[-_/ ]?\\d)`],
	['title', '#(?= ?\\p{L}{0,5}[-_/]?\\d{2})'],
	['reference', `(?:reference|ref\\.?|n[°º]|nr\\.?|numero|nummer|number)`],
	[
		'other-number',
		"(?:numero|n[°ºo]|reference|ref\\.?) (?:de |du |d'|des )?(?:client|commande|bon|contrat|tva|siret|siren|facture associee|compte|chantier|dossier|engagement|lot|serie|tel|ape|rcs)\\b.*?(?=:|$)",
	],
	['other-number', 'n[°ºo] (?:de )?facture associee'],
	[
		'other-number',
		`(?:votre|vos|nos|your|ihre?|our|unsere?) (?:reference|ref\\.?|commande|order|zeichen|bestellung)s?`,
	],
	['other-number', `(?:facture liee|${document} (?:liee?|associee?|d'origine|precedente?|de reference))`],
	[
		'other-number',
		'(?:kunden|bestell|auftrags|liefer(?:schein)?|steuer|konto|telefon|artikel|vertrags)-?(?:nummer|nr\\.?)',
	],
	['other-number', '(?:customer|order|contract|account|purchase order|po|delivery|project) (?:number|no\\.?|id)'],
	['date', `date (?:de |du |d'|de l'|de la )?(?:${document}|${issue})`],
	[
		'date',
		`(?:date|datum|emis le|emise le|etabli le|etablie le|redige le|fait le|edite le|en date du|cree(?:e)? le|le(?= ?:? ?\\d))`,
	],
	['date', '(?:rechnungs|angebots|beleg|ausstellungs|dokument(?:en)?)-?datum'],
	[
		'date',
		'(?:invoice|quote|quotation|issue|document|estimate|billing) date|date of issue|dated|date issued|issued(?: on| at|(?= ?:))',
	],
	['date', `${document} (?:du|vom|dated|en date du|etablie? le)`],
	[
		'other-date',
		"date (?:de |du |d'|de la |of |des )?(?:livraison|prestation|debut|fin(?! (?:de )?(?:la |l')?(?:proposition|validite|offre|devis))|facture associee|commande|delivery|naissance|visite|reception|intervention|travaux|service|paiement|signature|execution|realisation)[^:]*",
	],
	['other-date', '(?:liefer|leistungs|liefer- und leistungs|bestell|druck)-?(?:datum|zeitraum)'],
	[
		'other-date',
		'(?:delivery|order|shipping|print|service|payment) date|date de debut|date de fin|abrechnungszeitraum',
	],
	[
		'valid-until',
		"(?:date (?:de |d')?|fin de )?(?:validite|expiration|limite de validite)(?: (?:du|de ce|de l'|de la|de notre) ?(?:devis|offre|proposition))?(?: jusqu'?(?:e?n? )?au)?",
	],
	['valid-until', "(?:(?:devis|offre|proposition|prix)(?: est)? )?valables? jusqu'? ?au|valide jusqu'? ?au|expire le"],
	[
		'valid-until',
		'gultig bis(?: zum)?|bindefrist(?: bis)?|valid until|valid through|expires(?: on)?|expiry date|expiration date|validity',
	],
	[
		'valid-until',
		"(?:date (?:d')?)?echeance(?: le)?|date de fin (?:de )?(?:la |l')?(?:proposition|validite|offre|devis)|date limite (?:de paiement|de reglement)?|a (?:payer|regler) (?:avant|au plus tard) le|payable (?:avant )?le",
	],
	[
		'valid-until',
		'fallig(?:keit)?(?:sdatum)?(?: am)?|zahlbar bis(?: zum)?|due date|date due|due(?= ?:| \\d)|payment due(?: date)?|due on|please remit (?:until|by)|due by',
	],
	['valid-until', 'bitte uberweisen sie bis zum|zahlungsziel|pay by'],
	[
		'net',
		'(?:montant |total |prix |sous-total |base )?(?:total )?(?:general )?(?:net )?(?:h\\.?t\\.?v?a?|hors[ -]taxes?)(?: net)?(?: apres remise)?',
	],
	['net', '(?:montant |total |prix )+(?:€|eur|en euros) ?(?:h\\.?t\\.?|hors taxes?)'],
	['gross', '(?:montant |total |prix )+(?:€|eur|en euros) ?t\\.?t\\.?c\\.?'],
	['net', 'total (?:general |net )?h\\.?t\\.?(?: net)?|montant (?:total )?h\\.?t\\.?|total net'],
	[
		'net',
		'(?:gesamt|summe|rechnungssumme|gesamtbetrag|gesamtsumme|zwischensumme|total)?[ -]?netto(?:betrag|summe|gesamt)?|rechnungssumme (?:netto|ohne ust)',
	],
	[
		'net',
		'net(?= ?:|$)|net (?:total|amount)(?: amount)?|total net(?: amount)?|total (?:excl(?:uding|\\.)? ?(?:vat|tax)|before tax|ex vat)|taxable (?:amount|total)',
	],
	['tax', '(?:\\d+(?:[.,]\\d+)? ?% )?(?:montant |total |dont )*(?:de la |des |de )?(?:t\\.?v\\.?a\\.?|taxes)'],
	[
		'tax',
		'(?:summe |gesamt |zzgl\\.? |zuzuglich |davon |\\+ ?|enthaltene )?(?:\\d+(?:,\\d+)? ?% )?(?:gesetzl\\.? )?(?:umsatzsteuer|mwst\\.?|mehrwertsteuer|ust\\.?)(?: gesamt|-?betrag)?|steuerbetrag|steuer gesamt|summe steuern?',
	],
	['tax', '(?:\\d+(?:\\.\\d+)? ?% )?(?:total |plus )?(?:vat|value added tax|sales tax|tax(?:es)?)(?: total| amount)?'],
	['gross', '(?:montant |total )*(?:general |net )?(?:t\\.?t\\.?c\\.?|toutes taxes comprises)'],
	[
		'gross',
		'(?:gesamt|rechnungs|end)?(?:betrag|summe|gesamt)? ?brutto(?:betrag|summe|gesamt)?|rechnungssumme brutto|gesamtbetrag|rechnungsbetrag|endbetrag|endsumme|gesamtsumme',
	],
	[
		'gross',
		'gross(?= ?:|$)|gross (?:total|amount)(?: amount)?|total (?:incl(?:uding|\\.)? ?(?:vat|tax)|inc\\.? vat)|grand total|invoice total',
	],
	['total', '(?:montant )?total(?: (?:du|de la|de ce) (?:devis|facture)| general| amount)?|gesamt|summe|totaux'],
	[
		'due',
		'(?:total |montant |reste |solde )?(?:net )?a (?:payer|regler)(?: (?:ttc|t\\.t\\.c\\.))?|net a payer(?: ttc)?|solde(?: (?:du|a payer))?|reste du|(?:montant )?(?:total )?net de (?:taxes?|tva)',
	],
	[
		'due',
		'zahlbetrag|offener betrag|zu zahlen(?:der betrag)?|amount (?:due|payable)|balance(?: due)?|total due|due payable|residual|open amount|restbetrag',
	],
	[
		'subtotal',
		'sous[- ]?total(?: .*)?|total (?:lot|poste|chapitre|tranche|section|partie|zone|piece|etage|batiment|phase|rubrique|fourniture|main)s?\\b.*|a reporter|reports?(?: (?:de la )?page.*)?',
	],
	[
		'subtotal',
		'zwischensumme|ubertrag|summe (?:pos|titel|los|abschnitt)\\b.*|subtotal|sub[- ]total|carried (?:forward|over)|brought forward|positionssumme|line total amount|total lines?',
	],
	[
		'adjustment',
		`(?:remise${notHandedOver}|rabais|ristourne|escompte|frais de (?:port|livraison|transport|dossier)|port et emballage|eco-?(?:participation|contribution))\\b.*|charge ?: ?.*`,
	],
	[
		'adjustment',
		'(?:abzgl\\.?|abzuglich) (?!umsatz|ust|mwst).*|(?:zzgl\\.?|zuzuglich) (?!(?:gesetzl|umsatz|ust|mwst|mehrwert|\\d)).*|(?:rabatt|nachlass|versandkosten|zuschlag|sondernachlass)\\b.*',
	],
	['adjustment', '(?:discount|allowance|extra charge|shipping|surcharge|rebate|charge:)\\b.*'],
	[
		'other-amount',
		'acomptes?\\b.*|deja (?:regle|paye|verse).*|avance\\b.*|bereits bezahlt|erhaltene anzahlungen|anzahlung.*|prepaid.*|paid.*|deposit.*|rounding.*|capital.*|indemnite.*|penalites?.*|gesamtbetrag der (?:zuschlage|abschlage)|bruttopreis.*|taux.*',
	],
	[
		'currency',
		'(?:devise|monnaie|wahrung|rechnungswahrung|currency|invoice currency|betrage in|montants en|amounts in)',
	],
	[
		'seller',
		'(?:emetteur|emis par|fournisseur|vendeur|prestataire|entreprise|artisan|verkaufer|rechnungs(?:er)?steller|lieferant|leistungserbringer|anbieter|auftragnehmer|seller|vendor|supplier|from|de|issued by|nos coordonnees)',
	],
	[
		'buyer',
		"(?:adresse (?:du |de )?(?:client|facturation|facturee)|client(?:e)?(?: facture)?|nom du client|factur(?:ee?|er) a|adresse a|devis pour|destinataire|maitre d'ouvrage|acheteur|a l'attention de|coordonnees (?:du )?client|vos coordonnees|doit|a(?= ?:)|pour|[\\p{L} ]{3,30} ?/ ?client(?= ?:))",
	],
	['buyer', `${buyer}(?: ?/ ?${buyer})?|(?:rechnung an|angebot fur)`],
	[
		'buyer',
		'(?:bill(?:ed)? to|invoice to|billing address|customer|sold to|buyer|prepared for|quotation for|client name|client|to|attn|quote (?:to|for))',
	],
	[
		'name',
		'(?:nom(?: (?:et prenom|prenom|complet|du client|/ raison sociale))?|raison sociale|denomination|societe|name|firma|company(?: name)?)',
	],
	[
		'other-party',
		"(?:adresse (?:de |du )?(?:livraison|chantier|des travaux|d'intervention|d'execution)|livraison|(?:livrer?|expedier?) a|(?:vos |votre )(?:interlocuteurs?|contacts?)|lieu (?:de livraison|des travaux|d'intervention)|chantier|representant fiscal|beneficiaire|contact commercial|nos references|vos references|references?(?: sur la facture)?|expediteur|banque|vos identifiants)",
	],
	[
		'other-party',
		'(?:(?:abweichende[rs]? )?(?:warenempfanger|lieferadresse|lieferanschrift|zahlungsempfanger)|bankverbindung|bemerkungen)',
	],
	[
		'other-party',
		'(?:delivery address|ship(?:ping)?(?: to| address)|deliver(?:y)? to|payee|remit to|bank details|payment details|notes?|reglement|conditions)',
	],
];
// `Lieferant` heads an address; `Lieferant GmbH` is a name.
const alone = new Set<Label>(['seller', 'buyer', 'other-party', 'name']);
const patterns = sources.map(([label, source]) => {
	const end = alone.has(label) ? '(?= ?(?:[:(]|$))' : ends;
	return [label, new RegExp(`^(?:${source})${end}${tail}`, 'u')] as const;
});

const columns: ReadonlyArray<readonly [Column, RegExp, RegExp?]> = [
	['charge', /\b(eco-? ?(part(icipation)?|contrib(ution)?|taxe)|deee|d3e)\b/],
	['per', /^(par|pour|per|pro|je|preiseinheit|unite de prix)$/],
	['discount', /\b(remises?|rem|reduc(?:tions?)?|rabatt|nachlass|disc|discount|allowances?|zu-? ?\/? ?abschlag)\b/],
	[
		'vatAmount',
		/(montant|betrag|amount|total|mt|dont) ?(de |de la )?(tva|t\.v\.a|ust|vat|tax|steuer)|(ust|steuer|mwst|vat|tax)[.-]* ?-?(betrag|amount)|steuerbetrag/,
		/excl|incl|ohne|basis|base/,
	],
	['base', /\b(base|basis(betrag)?|warenwert|steuerbasisbetrag|bemessungsgrundlage|taxable( amount)?)\b/],
	['totalWithTax', /\b(ttc|t\.t\.c|brutto(betrag|preis)?|incl\.? ?(vat|tax)|inkl\.? ?(ust|mwst))/, /unit|p\.? ?u\b/],
	[
		'unit',
		/^(u|un|unites?|un\.|einh\.?|einheit|meng(en)?[.-]* ?-? ?einheit|unit|uom|me)\b/,
		/pri(x|ce)|preis|unitaire/,
	],
	[
		'unitPrice',
		/\bp\.? ?u\b|\bp(ri)?x\.? ?\/? ?(unit|u\b|de l'unite)|\bunit[a-z]* (price|cost|rate)|einzel(preis|pr)?\b|\btjm\b|(taux|prix) journalier|nettopreis|e-?preis|stuckpreis|preis ?\/ ?einheit|\bep\b|tarif|valeur unit|cout unit/,
	],
	['unitPrice', /^(hourly rate|rate|taux horaire|cout|cost|kosten|(stunden)?satz)( ht)?$/],
	[
		'vatRate',
		/\b(tva|t\.v\.a\.?|taux|ust|mwst|vat|tax(es)?|steuer(satz)?)\b/,
		/montant|total|betrag|amount|pri(x|ce)|preis|excl|incl|ohne|\bht\b|base|net/,
	],
	[
		'total',
		/\b(totale?|montants?|mo?nt\.?|mt\.?|gesamt(preis|betrag|summe)?|nettobetrag|betrag|entgelt|positions-? ?betrag|summe|g-?preis|gp|line total|net amou?n?t|amount|ext(ended)? price|prix total|total price|price excl|netto)\b|excl\.? price/,
	],
	['price', /^(prix|price|preis|prix net|net price|valeur)( (de vente|ht|h\.t\.?|net|eur|€))*$|^(price|prix|preis)\b/],
	[
		'quantity',
		/\b(qte?s?|qtee?s?|quantites?|qty|quantity|menge|anzahl|nombre|nb(re?)?|hours|heures|std|stunden|surface|volume|metrage|longueur)\b|^(jours?|charge|personnes|pers\.?|stk\.?|stuck(zahl)?|units)$/,
	],
	[
		'description',
		/\b(designations?|descriptions?|libelles?|prestations?|nature|detail(s)?|intitule|ouvrages?|travaux|objet|bezeichnung|beschreibung|artikelbeschreibung|leistung|produkt|artikel|articles?|produits?|items?|products?|services?|particulars|activity|formules?|tasks?|taches?|diligences?|missions?)\b|^text$/,
		/^(art[. ]|code|item (no|code|#))/,
	],
	['reference', /\b(refs?|references?|code|referenzen|art\.?-?(ikel)?-? ?(nr|no)|sku|item (no|code)|article n)\b/],
	['position', /^(n[°ºo]\.?|no\.?|#|pos\.?|position|ligne|item|lot|nr\.?|poste)$/],
];

const languageWords: Readonly<Record<Language, RegExp>> = {
	fr: /\b(?:le|la|les|du|des|et|de|pour|facture|devis|montant|prix|quantite|tva|adresse|date|client|total ht|echeance|reglement|paiement)\b/g,
	de: /\b(?:der|die|das|und|von|vom|rechnung|betrag|menge|preis|gesamt|kunde|datum|lieferung|zahlung|umsatzsteuer|steuer|beschreibung|verkaufer|kaufer|nettobetrag)\b/g,
	en: /\b(?:the|of|and|to|by|invoice|amount|price|quantity|customer|date|delivery|payment|tax|vat|address|due|description|please|your|quote)\b/g,
};
