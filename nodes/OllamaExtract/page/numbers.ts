import Big from 'big.js';
import { folded, type Language } from './labels';

/** Which mark separates the decimals. */
export type DecimalMark = ',' | '.';

/** What a printed number says. `ambiguous` holds every decimal that it could be, none of them chosen. */
export type NumberReading =
	| {
			readonly kind: 'number';
			/** A decimal string with the printed precision: `60,00` is `60.00`. */
			readonly value: string;
			readonly percent: boolean;
			/** ISO 4217, when a currency stands with the number. */
			readonly currency: string | null;
	  }
	| { readonly kind: 'ambiguous'; readonly could: readonly string[]; readonly currency: string | null };

export type DateOrder = 'day-first' | 'month-first';

/** What a printed date says, in ISO 8601. `ambiguous` holds the days that it could be. */
export type DateReading =
	| { readonly kind: 'date'; readonly value: string }
	| { readonly kind: 'ambiguous'; readonly could: readonly string[] };

/**
 * Reads a text that is one printed number, with its sign, percent sign or currency if any: `1 234,56 €`, `1.234,56`,
 * `(12,00)`, `12 %`, `45,00-`. Null when the text is anything else. A single mark before exactly three digits (`1.234`)
 * is ambiguous unless `decimalMark` says how the document writes its decimals.
 */
export function readNumber(text: string, decimalMark?: DecimalMark): NumberReading | null {
	const parts = splitNumber(text);
	if (parts === null) return null;
	const could = decimalsOf(parts.digits, decimalMark).map((value) => withSign(value, parts.negative));
	const [first] = could;
	if (first === undefined) return null;
	if (could.length > 1) return { kind: 'ambiguous', could, currency: parts.currency };
	return { kind: 'number', value: first, percent: parts.percent, currency: parts.currency };
}

/**
 * How a document writes its decimals, from the numbers printed in it: the mark that the unmistakable ones use.
 * Undefined when they show none, or both.
 */
export function decimalMarkOf(texts: Iterable<string>): DecimalMark | undefined {
	const seen = new Set<DecimalMark>();
	for (const text of texts) {
		const mark = provenMark(splitNumber(text)?.digits ?? '');
		if (mark !== undefined) seen.add(mark);
	}
	const [only] = seen;
	return seen.size === 1 ? only : undefined;
}

/** ISO 4217 code of a currency sign, code or name as printed, or null. `$` alone is taken for the US dollar. */
export function readCurrency(text: string): string | null {
	return currencyCodes.get(text.trim().toLowerCase()) ?? null;
}

/**
 * Reads a text that is one printed date: `22/11/2026`, `le 22.11.26`, `1er mars 2026`, `22. November 2026`,
 * `October 1, 2023`, `2026-11-22`. Null when it is anything else or no such day exists. Where day and month could be
 * swapped, `order` decides; without it the date is ambiguous.
 */
export function readDate(text: string, order?: DateOrder): DateReading | null {
	const match = wholeDate.exec(plain(text));
	return match === null ? null : dateOf(match, order);
}

/** The dates printed in a text, with where each begins and ends in it. */
export function datesIn(text: string, order?: DateOrder): Array<{ start: number; end: number; reading: DateReading }> {
	const found: Array<{ start: number; end: number; reading: DateReading }> = [];
	if (!/\d/.test(text)) return found;
	for (const match of folded(text).matchAll(dateAnywhere)) {
		const reading = dateOf(match, order);
		if (reading !== null) found.push({ start: match.index, end: match.index + match[0].length, reading });
	}
	return found;
}

/**
 * Which part of `03/04/2026` a document writes first: what its unmistakable dates prove, else what its language always
 * does (French and German: the day). Undefined for English without proof, and when the proofs contradict each other.
 */
export function dateOrderOf(texts: Iterable<string>, language: Language | null): DateOrder | undefined {
	const seen = new Set<DateOrder>();
	if (language === 'fr' || language === 'de') seen.add('day-first');
	for (const text of texts) {
		if (!/\d[/-]\d/.test(text)) continue;
		for (const match of folded(text).matchAll(dateAnywhere)) {
			const { first, second, mark } = match.groups ?? {};
			if (first === undefined || second === undefined || mark === '.') continue;
			if (Number(first) > 12 && Number(second) <= 12) seen.add('day-first');
			if (Number(second) > 12 && Number(first) <= 12) seen.add('month-first');
		}
	}
	const [only] = seen;
	return seen.size === 1 ? only : undefined;
}

/** A day in ISO 8601; null when the calendar has no such day, and outside 1900 to 2199. */
export function isoDay(year: string, monthNumber: number, day: number): string | null {
	const iso = `${year}-${String(monthNumber).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
	const time = Date.parse(`${iso}T00:00:00Z`);
	if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== iso) return null;
	return year >= '1900' && year < '2200' ? iso : null;
}

const space = '[ \\u00a0\\u202f\\u2009]';
const currencyCodes = new Map([
	['€', 'EUR'],
	['eur', 'EUR'],
	['euro', 'EUR'],
	['euros', 'EUR'],
	['$', 'USD'],
	['us$', 'USD'],
	['usd', 'USD'],
	['£', 'GBP'],
	['gbp', 'GBP'],
	['chf', 'CHF'],
	['fr.', 'CHF'],
	['cad', 'CAD'],
	['xpf', 'XPF'],
]);
const currencySign = '€|euros?|eur|us\\$|\\$|usd|£|gbp|chf|fr\\.|cad|xpf';
const printedNumber = new RegExp(
	`^(?<open>\\()?${space}*(?<sign>[-−–+])?${space}*(?<before>${currencySign})?${space}*(?<inner>[-−–])?` +
		`(?<digits>\\d(?:[\\d.,'’]|${space}(?=\\d))*)` +
		`(?:${space}*(?<after>${currencySign}|%))?${space}*(?<trailing>[-−–])?${space}*(?<close>\\))?$`,
	'iu',
);

function splitNumber(text: string) {
	const groups = printedNumber.exec(text.trim())?.groups;
	if (groups === undefined) return null;
	const { open, sign, before, inner, digits = '', after, trailing, close } = groups;
	if ((open === undefined) !== (close === undefined)) return null;
	const signs = [open, sign, inner, trailing].filter((mark) => mark !== undefined);
	if (signs.length > 1 || (before !== undefined && after !== undefined && after !== '%')) return null;
	if (/[.,'’]$/.test(digits)) return null;
	return {
		digits,
		// `TVA (20 %)` is an aside, not a negative rate.
		negative: signs.length === 1 && signs[0] !== '+' && !(open !== undefined && after === '%'),
		percent: after === '%',
		currency: readCurrency(before ?? (after === '%' ? '' : (after ?? ''))),
	};
}

/** Every decimal that a run of digits and marks could stand for; empty when it is no number. */
function decimalsOf(digits: string, decimalMark: DecimalMark | undefined): string[] {
	const could = (['.', ','] as const)
		.map((mark) => ({ mark, value: readWith(digits, mark) }))
		.filter((reading): reading is { mark: DecimalMark; value: string } => reading.value !== null);
	const values = [...new Set(could.map(({ value }) => value))];
	if (values.length < 2 || decimalMark === undefined) return values;
	return could.filter(({ mark }) => mark === decimalMark).map(({ value }) => value);
}

/** The decimal when `mark` separates the decimals and whatever else stands between digits groups thousands. */
function readWith(digits: string, mark: DecimalMark): string | null {
	const [whole = '', decimals, ...more] = digits.split(mark);
	if (more.length > 0 || (decimals !== undefined && !/^\d{1,6}$/.test(decimals))) return null;
	const groups = whole.split(/[., \u00a0\u202f\u2009'’]/);
	const groupMarks = new Set(whole.replace(/\d/g, '').replace(/[ \u00a0\u202f\u2009]/g, ' '));
	if (groupMarks.size > 1) return null;
	const [head = '', ...rest] = groups;
	if (rest.length > 0 && (!/^[1-9]\d{0,2}$/.test(head) || !rest.every((group) => /^\d{3}$/.test(group)))) return null;
	const integer = groups.join('');
	if (!/^(?:\d{1,2}|[1-9]\d{2,11})$/.test(integer)) return null;
	return decimals === undefined ? String(Number(integer)) : `${Number(integer)}.${decimals}`;
}

function provenMark(digits: string): DecimalMark | undefined {
	const marks = digits.replace(/[^.,]/g, '');
	const readings = (['.', ','] as const).filter((mark) => readWith(digits, mark) !== null);
	const [only] = readings;
	if (marks === '' || readings.length !== 1 || only === undefined) return undefined;
	// `1.234.567` proves the comma although none is printed: the point can only group.
	return only;
}

function withSign(value: string, negative: boolean): string {
	return negative && !new Big(value).eq(0) ? `-${value}` : value;
}

const monthNames: Readonly<Record<string, number>> = Object.fromEntries(
	[
		'janvier janv jan january januar janner jan',
		'fevrier fevr fev february feb februar',
		'mars mar march marz mrz maerz',
		'avril avr april apr',
		'mai may',
		'juin june juni jun',
		'juillet juil july juli jul',
		'aout august aug',
		'septembre sept sep september',
		'octobre oct october oktober okt',
		'novembre nov november',
		'decembre dec december dezember dez',
	].flatMap((names, index) => names.split(' ').map((name) => [name, index + 1] as const)),
);
const month = Object.keys(monthNames)
	.sort((a, b) => b.length - a.length)
	.join('|');
const someDate =
	`(?:(?<isoYear>\\d{4})-(?<isoMonth>\\d{2})-(?<isoDay>\\d{2}))` +
	`|(?:(?<first>\\d{1,2})(?<mark>[/.-])(?<second>\\d{1,2})\\k<mark>(?<year>\\d{4}|\\d{2}))` +
	`|(?:(?<day>\\d{1,2})(?:er|st|nd|rd|th)?\\.?[ -]*(?:of )?(?<name>${month})\\.?,?[ -]*(?<nameYear>\\d{4}|\\d{2}(?! ?[a-z\\d€%:/])))` +
	`|(?:(?<usName>${month})\\.? (?<usDay>\\d{1,2})(?:st|nd|rd|th)?,? (?<usYear>\\d{4}))`;
const weekday =
	'lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag' +
	'|monday|tuesday|wednesday|thursday|friday|saturday|sunday';
const wholeDate = new RegExp(
	`^(?:le |du |au |vom |am |den |on )?(?:(?:${weekday}),? )?(?:le |den )?(?:${someDate})\\.?$`,
	'i',
);
const dateAnywhere = new RegExp(
	`(?<![\\p{L}\\d/.-])(?:(?:${weekday}),? )?(?:${someDate})(?![\\p{L}\\d]|[/-]\\d|[.,]\\d)`,
	'giu',
);

function plain(text: string): string {
	return folded(text).replace(/ +/g, ' ').trim();
}

function dateOf(match: RegExpMatchArray, order: DateOrder | undefined): DateReading | null {
	const g = match.groups ?? {};
	if (g['isoYear'] !== undefined) return only(isoDay(g['isoYear'], Number(g['isoMonth']), Number(g['isoDay'])));
	if (g['name'] !== undefined)
		return only(isoDay(fullYear(g['nameYear'] ?? ''), monthNames[g['name']] ?? 0, Number(g['day'])));
	if (g['usName'] !== undefined)
		return only(isoDay(g['usYear'] ?? '', monthNames[g['usName']] ?? 0, Number(g['usDay'])));
	const [first, second, year] = [Number(g['first']), Number(g['second']), fullYear(g['year'] ?? '')];
	const dayFirst = isoDay(year, second, first);
	if (g['mark'] === '.') return only(dayFirst);
	const monthFirst = isoDay(year, first, second);
	if (dayFirst === null || monthFirst === null || dayFirst === monthFirst) return only(dayFirst ?? monthFirst);
	if (order === undefined) return { kind: 'ambiguous', could: [dayFirst, monthFirst] };
	return only(order === 'day-first' ? dayFirst : monthFirst);
}

function only(value: string | null): DateReading | null {
	return value === null ? null : { kind: 'date', value };
}

function fullYear(printed: string): string {
	if (printed.length === 4) return printed;
	return Number(printed) < 80 ? `20${printed}` : `19${printed}`;
}
