import { labelAt } from '../page/labels';

/** A text as it is sent: blanks and rulings squeezed, no pictograms. */
export function squeezed(text: string): string {
	return text
		.replace(/\p{Extended_Pictographic}+/gu, ' ')
		.replace(/\s+/g, ' ')
		.replace(/(?<!\S)([^\s@]{1,64}@[^\s@]{1,99})(?: \1)+/g, '$1')
		.replace(/([._\-–—=*])\1{3,}/g, '$1$1')
		.trim();
}

/** An amount of money in a text: two decimals or a currency sign, and no part of a date. */
export const amount = /(?<![./]\d)\d[.,]\d{2}(?!\d|[./-]\d)|\d\s?[€$£]|[€$£]\s?\d/;

/** Whether a text is one figure, with its unit or without. */
export function isFigure(text: string): boolean {
	return /^[\d ]+(?:[.,]\d+)?(?: ?\p{L}{1,7}[²³]?| ?%)?$/u.test(text) && !/^\d{5} \p{Lu}\p{L}{2}/u.test(text);
}

/** A code of a party, an address for mail, or the words of the French exemption. */
export const wanted = /@|\d(?:[ .]?\d){13}|\b[A-Z]{2} ?\d(?:[ .]?\d){7}|siret|293/i;

/** The legal forms by which a company is known. */
export const company =
	/(?<!\p{L})(?:[Ss][Aa][Rr][Ll]|S\.[AC]\.|S\.A\.R\.L|S[Aa][Ss][Uu]?|sasu?|[Ee][Uu][Rr][Ll]|SC[IP]|SNC|SA|EI|[Gg][Mm][Bb][Hh]|AG|KG|UG|OHG|e\. ?K|[Ll][Tt][Dd]|[Ll]imited|LIMITED|LLC|Inc|INC|PLC|plc)(?!\p{L})/u;

// Every repetition below is bounded, or cannot overlap its neighbours: a hostile cell costs time by its length alone.
const postcode = /^(?:\p{Lu}{1,2}[- ])?\d{4,5} \p{Lu}[\p{L} '’.-]*(?: cedex(?: \d+)?)?(?:,? (?:france|\p{Lu}{2}))?$/iu;
const street = new RegExp(
	[
		'\\d{1,4}(?: ?(?:bis|ter|quater|[a-d]))?,? (?:rue|avenue|av\\.?|bd|boulevard|place|chemin|impasse|quai|all[ée]e|route|cours|square|passage|voie|faubourg)\\b.{0,50}',
		'[\\p{L} .-]+(?:str\\.|stra(?:ß|ss)e|weg|platz|gasse|allee) \\d{1,4} ?[a-z]?',
		'\\d{1,4} [\\p{L} .-]+(?:str\\.|stra(?:ß|ss)e|weg|platz|gasse|allee)',
		"\\d{1,4}[a-z]?,? [\\p{L} '.-]+ (?:street|st|road|rd|lane|avenue|ave|drive|way|close)\\.?",
		'\\p{L}[\\p{L} ]+ [A-Z]{1,2}\\d[A-Z\\d]? \\d[A-Z]{2}',
	]
		.map((source) => `^${source}$`)
		.join('|'),
	'iu',
);

/** Whether a text is a street with its number, or a town with its postcode. */
export function isAddress(text: string): boolean {
	return text.length <= 120 && (postcode.test(text) || street.test(text));
}

/** What holds no field: page numbers, bank details, telephones, sites, countries. */
export const ballast =
	/^(?:(?:page|seite) ?\d+(?: ?(?:\/|sur|von|of|de) ?\d+)?|(?:\p{L}+-)?(?:iban|bic|swift|blz|t[ée]l[.ée]?\w*|fax|phone|mobile|portable|web(?:site)?|internet)\b[\s\w.:|/+()-]*|\+\d[\d .()+-]{8,30}|https?:\S+|www\.\S+|france|deutschland|allemagne)$/iu;
const asides = [
	/[(,–-]{0,3}\s?(?:au )?capital(?: social)? (?:de|:) ?[\d .,]{1,24} ?(?:€|EUR|euros?)/i,
	/[,–-]{0,3}\s?R\.?C\.?S\.?(?: [\p{L}' -]{2,30}?)? (?:[AB] )?\d{3} ?\d{3} ?\d{3}(?!\d| \d)/iu,
	/[,–-]{0,3}\s?(?:code )?(?:APE|NAF) ?:? ?\d{2}\.?\d{2} ?[A-Z]\b/i,
	/[,–-]{0,3}\s?\bIBAN\b[ :.-]{0,8}[A-Z]{2}\d{2}(?: ?[A-Z\d]{2,4}){3,8}/,
	/[,–-]{0,3}\s?\bBIC\b[ :.-]{0,8}[A-Z]{6}[A-Z\d]{2,5}\b/,
	/[,–-]{0,3}\s?(?:t[ée]l[.ée]?\w{0,12}|fax|phone|mobile|portable)[ :.]{0,8}\+?\d[\d .()/-]{7,30}\d/i,
	/[,–-]{0,3}\s?(?:https?:\/\/|www\.)[^\s|]+/i,
];

/** A text without capital, register and bank details, telephones and addresses of sites. */
export function withoutAsides(text: string): string {
	return asides.reduce((rest, aside) => rest.replace(aside, ''), text).trim();
}

/** The parts of a text that dashes, dots or bars divide, without addresses and other ballast. */
export function withoutBallast(text: string): string {
	if (!divider.test(text)) return ballast.test(text) || (isAddress(text) && !company.test(text)) ? '' : text;
	const parts = text.split(divider);
	const kept = parts.filter((part) => !ballast.test(part) && (company.test(part) || !isAddress(part)));
	return kept.length === parts.length ? text : kept.join(' - ');
}

const divider = / [-–—|·•] /u;

/** Whether a text begins with the label of a number or date that the schema has no field for. */
export function isOtherLabel(text: string): boolean {
	const label = labelAt(text)?.label;
	return label === 'other-number' || label === 'other-date';
}

/** A text of more words than this is prose. */
export const proseFrom = 12;
const figure = /\d[.,]\d{2}(?!\d)|\d[\d./ -]{5,}\d|\b\d{4,5}\b|@|[€$£]|\d\s?%/;
const period =
	/valable|validit|jours|mois|[ée]ch[ée]ance|payable|f[äa]llig|tage\b|g[üu]ltig|days|months?\b|due|valid|293/i;

/** The words of terms of payment and of sale. */
export const terms =
	/p[ée]nalit|escompte|indemnit[ée]|recouvrement|retard de paiement|r[ée]serve de propri[ée]t[ée]|verzug|eigentumsvorbehalt|late payment/i;

/** The sentences of a text that can hold a field; a text that is no prose stays as it is. */
export function withoutProse(text: string): string {
	if (text.split(' ').length <= proseFrom) return text;
	return text
		.split(/(?<=[.!?;]) (?=\p{Lu})/u)
		.filter((sentence) => {
			if (wanted.test(sentence) || company.test(sentence)) return true;
			if (terms.test(sentence)) return false;
			return sentence.split(' ').length <= 5 || figure.test(sentence) || period.test(sentence);
		})
		.join(' ');
}
