import type { Row } from '../rows/layout';

/** How long an offer stands, counted from its date, and the words that say so. */
export interface Validity {
	readonly quote: string;
	readonly count: number;
	readonly unit: 'day' | 'month';
}

/**
 * The period for which a devis says that it stands: `valable 30 jours`, `Validité : 3 mois`, `30 Tage gültig`. Null where
 * none is printed, where two differ, or where it counts working days or from something else than the devis's date.
 */
export function validityIn(rows: readonly Row[]): Validity | null {
	const text = rows.map(({ cells }) => cells.map((cell) => cell.text).join(' ')).join('\n');
	const found = periods.flatMap((pattern) => [...text.matchAll(pattern)]).map((match) => periodOf(match, text));
	const [first] = found;
	if (first == null || found.some((one) => one?.count !== first.count || one.unit !== first.unit)) return null;
	return first;
}

/** The last day of a period that begins on a day (ISO 8601); a month that lacks the day ends on its last one. */
export function endOf({ count, unit }: Validity, from: string): string {
	const [year, month, day] = from.split('-').map(Number) as [number, number, number];
	if (unit === 'day') return iso(Date.UTC(year, month - 1, day + count));
	const lastOfMonth = new Date(Date.UTC(year, month + count, 0)).getUTCDate();
	return iso(Date.UTC(year, month - 1 + count, Math.min(day, lastOfMonth)));
}

const numberWords: Readonly<Record<string, number>> = {
	un: 1,
	une: 1,
	deux: 2,
	trois: 3,
	six: 6,
	quinze: 15,
	trente: 30,
	soixante: 60,
	'quatre-vingt-dix': 90,
	one: 1,
	two: 2,
	three: 3,
	thirty: 30,
	sixty: 60,
	ninety: 90,
	einen: 1,
	zwei: 2,
	drei: 3,
	dreißig: 30,
};
const period = `(?<count>\\d{1,3}|${Object.keys(numberWords).join('|')})(?: \\([^)]{1,20}\\))?\\s+(?<unit>jours?|semaines?|mois|tagen?|wochen?|monaten?|days?|weeks?|months?)\\b`;
const filling =
	"(?:[\\s:]|(?:du|de|la|le|ce|cette|cet|notre|nos|présente?|devis|offre|proposition|prix|tarifs|pendant|durée|une|est|sont|pour|fixée?|for|of|is|the|this|our|quote|quotation|offer|period|a|remains?|are|prices|für|von|der|des|dieses|angebots?|beträgt|ist|sind)\\b|[dl]['’])*";
const stands =
	'(?:(?:devis|offre|proposition|prix|tarifs|quote|quotation|offer|estimate|prices|angebot|preise)\\s+(?:est |sont |reste |is |are |remains |ist |sind )?)?(?<!\\p{L})(?:valables?|valide|validité|valid|validity|gültig|gültigkeit|bindefrist)(?!\\p{L})';
const periods = [
	new RegExp(`${stands}${filling}${period}`, 'giu'),
	new RegExp(`(?<!\\p{L}|\\d|[.,])${period}\\s+(?:de validité|gültig|validity)(?!\\p{L})`, 'giu'),
];
/** What else may stand for a while, and what else a period may begin with. */
const otherThing =
	/garanti|warrant|gew[äa]hr|escompte|skonto|discount|remise|rabais|rabatt|promotion|acompte|assurance|attestation|paiement|zahlung|payment|livraison|delivery|lieferung/i;
const otherBeginning =
	/r[ée]ception|acceptation|acceptance|signature|envoi|receipt|erhalt|eingang|zugang|ouvr[ée]s?\b|ouvrables?|werktag|arbeitstag|working|business/i;

/** How far back a sentence is looked at: a document may hold as many periods as it likes. */
const sentenceLength = 400;

function periodOf(match: RegExpExecArray | RegExpMatchArray, text: string): Validity | null {
	const { count, unit } = match.groups as { count: string; unit: string };
	const start = match.index!;
	const before = text
		.slice(Math.max(0, start - sentenceLength), start)
		.split(/[.;\n]/)
		.at(-1)!;
	const end = start + match[0].length;
	const after = text.slice(end, end + 80).split(/[.;]/)[0]!;
	if (otherThing.test(before) || otherBeginning.test(`${match[0]}${after}`)) return null;
	const amount = numberWords[count.toLowerCase()] ?? Number(count);
	if (amount < 1) return null;
	return {
		quote: match[0].replace(/\s+/g, ' ').trim(),
		count: /^(?:sem|wo|we)/i.test(unit) ? amount * 7 : amount,
		unit: /^mo/i.test(unit) ? 'month' : 'day',
	};
}

function iso(time: number): string {
	return new Date(time).toISOString().slice(0, 10);
}
