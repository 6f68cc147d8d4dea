import Big from 'big.js';
import fc from 'fast-check';
import {
	dateOrderOf,
	datesIn,
	decimalMarkOf,
	readCurrency,
	readDate,
	readNumber,
} from '../../../../nodes/OllamaExtract/page/numbers';

const number = (text: string, mark?: ',' | '.') => {
	const reading = readNumber(text, mark);
	return reading?.kind === 'number' ? reading.value : (reading?.could ?? null);
};
const date = (text: string, order?: 'day-first' | 'month-first') => {
	const reading = readDate(text, order);
	return reading?.kind === 'date' ? reading.value : (reading?.could ?? null);
};

describe('numbers as printed', () => {
	test.each([
		['1 234,56', '1234.56'],
		['1\u00a0234,56', '1234.56'],
		['1\u202f234\u202f567,8', '1234567.8'],
		['1.234,56', '1234.56'],
		['1,234.56', '1234.56'],
		["1'234.50", '1234.50'],
		['7340 €', '7340'],
		['35.00 €', '35.00'],
		['30,00€', '30.00'],
		['€135.00', '135.00'],
		['EUR 12,5', '12.5'],
		['(12,00)', '-12.00'],
		['12,00-', '-12.00'],
		['-20,48 €', '-20.48'],
		['−20,48 €', '-20.48'],
		['- €14.00', '-14.00'],
		['+ €1.00', '1.00'],
		['-0,00', '0.00'],
		['12 %', '12'],
		['(20%)', '20'],
		['5,5%', '5.5'],
		['0.025 €', '0.025'],
		['1.234.567', '1234567'],
		['1234,567', '1234.567'],
		['60,00', '60.00'],
	])('%s is %s', (text, value) => expect(number(text)).toBe(value));

	test.each([
		'',
		'€',
		'abc',
		'12 34',
		'1 23,45',
		'1.23.45',
		'01 02 03 04 05',
		'12,',
		',5',
		'3 PCE',
		'(12',
		'-(12)',
		'1,2,3',
	])('%j is no number', (text) => expect(number(text)).toBeNull());

	test('a single mark before three digits is ambiguous until the document settles it', () => {
		expect(number('1.234')).toEqual(['1.234', '1234']);
		expect(number('1.234', ',')).toBe('1234');
		expect(number('1.234', '.')).toBe('1.234');
	});

	test('the document settles it only with unmistakable numbers of one kind', () => {
		expect(decimalMarkOf(['1.234', '12,50', '7340'])).toBe(',');
		expect(decimalMarkOf(['1.234.567'])).toBe(',');
		expect(decimalMarkOf(['35.00 €', '30,00 €'])).toBeUndefined();
		expect(decimalMarkOf(['1.234', '7340'])).toBeUndefined();
	});

	test('currency and percent are read with the number', () => {
		expect(readNumber('12,00 CHF')).toMatchObject({ currency: 'CHF', percent: false });
		expect(readNumber('20 %')).toMatchObject({ currency: null, percent: true });
		expect(readCurrency(' Euro ')).toBe('EUR');
		expect(readCurrency('Stk')).toBeNull();
	});

	const conventions = [
		{ group: ' ', mark: ',' },
		{ group: '\u00a0', mark: ',' },
		{ group: '\u202f', mark: ',' },
		{ group: '.', mark: ',' },
		{ group: '', mark: ',' },
		{ group: ',', mark: '.' },
		{ group: "'", mark: '.' },
		{ group: '', mark: '.' },
	] as const;

	test('every number written in a known convention is read back exactly, and never wrongly without it', () => {
		const printed = fc.record({
			integer: fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 99_999_999 })),
			decimals: fc.option(fc.stringMatching(/^\d{1,4}$/), { nil: undefined }),
			convention: fc.constantFrom(...conventions),
			sign: fc.constantFrom('', '-', '()', 'after'),
			unit: fc.constantFrom('', ' €', '€', '\u00a0€', ' EUR', ' %'),
		});
		fc.assert(
			fc.property(printed, ({ integer, decimals, convention, sign, unit }) => {
				const digits = String(integer).replace(/\B(?=(\d{3})+$)/g, convention.group);
				const unsigned = decimals === undefined ? digits : `${digits}${convention.mark}${decimals}`;
				const signed = { '': unsigned, '-': `-${unsigned}`, '()': `(${unsigned})`, after: `${unsigned}-` }[sign];
				const text = sign === '()' || sign === 'after' ? signed : `${signed}${unit}`;
				const value = decimals === undefined ? String(integer) : `${integer}.${decimals}`;
				const expected = sign === '' || new Big(value).eq(0) ? value : `-${value}`;
				expect(number(text, convention.mark)).toBe(expected);
				const blind = readNumber(text);
				expect(blind?.kind === 'number' ? [blind.value] : (blind?.could ?? [])).toContain(expected);
			}),
			{ numRuns: 6_000 },
		);
	});
});

describe('dates as printed', () => {
	test.each([
		['22/11/2026', '2026-11-22'],
		['22.11.26', '2026-11-22'],
		['22-11-2026', '2026-11-22'],
		['le 22/11/2026', '2026-11-22'],
		['22 novembre 2026', '2026-11-22'],
		['22 nov. 2026', '2026-11-22'],
		['1er mars 2026', '2026-03-01'],
		['Le 1er Août 2026', '2026-08-01'],
		['dimanche 22 novembre 2026', '2026-11-22'],
		['5 FÉVRIER 2026', '2026-02-05'],
		['2026-11-22', '2026-11-22'],
		['22. November 2026', '2026-11-22'],
		['3. März 2026', '2026-03-03'],
		['vom 13.06.2018', '2018-06-13'],
		['October 1, 2023', '2023-10-01'],
		['1st of March 2026', '2026-03-01'],
		['11/17/2017', '2017-11-17'],
		['05/05/2026', '2026-05-05'],
	])('%s is %s', (text, value) => expect(date(text)).toBe(value));

	test.each([
		'31/02/2026',
		'2026-13-01',
		'32 mars 2026',
		'30 février 2026',
		'22/11',
		'mars 2026',
		'1.0',
		'le 5',
		'99/99/99',
	])('%s is no date', (text) => expect(date(text)).toBeNull());

	test('day and month that could be swapped need proof', () => {
		expect(date('03/04/2026')).toEqual(['2026-04-03', '2026-03-04']);
		expect(date('03/04/2026', dateOrderOf([], 'fr'))).toBe('2026-04-03');
		expect(date('03/04/2026', dateOrderOf(['Due 30/04/2026'], 'en'))).toBe('2026-04-03');
		expect(date('03/04/2026', dateOrderOf(['Due 04/30/2026'], 'en'))).toBe('2026-03-04');
		expect(dateOrderOf(['03/04/2026'], 'en')).toBeUndefined();
		expect(dateOrderOf(['04/30/2026', '30/04/2026'], 'en')).toBeUndefined();
		expect(dateOrderOf(['04/30/2026'], 'fr')).toBeUndefined();
	});

	test('a year of two digits behind the name of a month is one only where nothing else is counted', () => {
		expect(date('3 mars 26')).toBe('2026-03-03');
		expect(datesIn('le 3 mars 26 à Rennes', 'day-first')).toEqual([]);
		expect(datesIn('du 12 mai 10 h au soir', 'day-first')).toEqual([]);
	});

	test('dates are found inside a sentence, and not inside references', () => {
		const text = 'Devis n° D-2026-11-221 du 1er mars 2026, valable jusqu’au 31/03/2026. Réf 2018-471331';
		expect(datesIn(text, 'day-first').map(({ start, end }) => text.slice(start, end))).toEqual([
			'1er mars 2026',
			'31/03/2026',
		]);
	});

	test('every day written in each style is read back', () => {
		const names = {
			fr: [
				'janvier',
				'février',
				'mars',
				'avril',
				'mai',
				'juin',
				'juillet',
				'août',
				'septembre',
				'octobre',
				'novembre',
				'décembre',
			],
			de: [
				'Januar',
				'Februar',
				'März',
				'April',
				'Mai',
				'Juni',
				'Juli',
				'August',
				'September',
				'Oktober',
				'November',
				'Dezember',
			],
			en: [
				'January',
				'February',
				'March',
				'April',
				'May',
				'June',
				'July',
				'August',
				'September',
				'October',
				'November',
				'December',
			],
		};
		const styles: ReadonlyArray<(iso: string) => string> = [
			(iso) => iso,
			(iso) => iso.split('-').reverse().join('/'),
			(iso) => iso.split('-').reverse().join('.'),
			(iso) =>
				iso
					.split('-')
					.reverse()
					.map((part) => part.slice(-2))
					.join('/'),
			(iso) =>
				`${Number(iso.slice(8))}${iso.endsWith('-01') ? 'er' : ''} ${names.fr[Number(iso.slice(5, 7)) - 1]} ${iso.slice(0, 4)}`,
			(iso) => `${Number(iso.slice(8))}. ${names.de[Number(iso.slice(5, 7)) - 1]} ${iso.slice(0, 4)}`,
			(iso) => `${names.en[Number(iso.slice(5, 7)) - 1]} ${Number(iso.slice(8))}, ${iso.slice(0, 4)}`,
		];
		const day = fc.integer({ min: Date.UTC(2000, 0, 1) / 864e5, max: Date.UTC(2079, 11, 31) / 864e5 });
		fc.assert(
			fc.property(day, fc.constantFrom(...styles), (days, style) => {
				const iso = new Date(days * 864e5).toISOString().slice(0, 10);
				expect(date(style(iso), 'day-first')).toBe(iso);
				const blind = readDate(style(iso));
				expect(blind?.kind === 'date' ? [blind.value] : (blind?.could ?? [])).toContain(iso);
			}),
			{ numRuns: 5_000 },
		);
	});
});
