import fc from 'fast-check';
import { extract, type Chat } from '../../../../nodes/OllamaExtract/extract';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';
import { endOf, validityIn } from '../../../../nodes/OllamaExtract/document/validity';

const read = (text: string) => {
	const found = validityIn(rowsOfText(text));
	return found === null ? null : [found.count, found.unit];
};

test.each([
	['Devis valable 30 jours.', [30, 'day']],
	['Validité : 3 mois', [3, 'month']],
	['Validité    3 mois', [3, 'month']],
	['Validité du devis : 90 jours', [90, 'day']],
	['Notre offre est valable pendant une durée de 2 mois à compter de sa date', [2, 'month']],
	['Ce devis est valable trente jours à compter de sa date et doit nous être retourné signé.', [30, 'day']],
	['Offre valable 30 (trente) jours', [30, 'day']],
	['Devis valable pendant\n30 jours', [30, 'day']],
	['30 jours de validité', [30, 'day']],
	['Angebot gültig 30 Tage', [30, 'day']],
	['Dieses Angebot ist 6 Wochen gültig', [42, 'day']],
	['This quote is valid for 30 days', [30, 'day']],
	['Quotation valid for one month from the date above', [1, 'month']],
])('"%s" is a period', (text, expected) => {
	expect(read(text)).toEqual(expected);
});

test.each([
	'Devis valable jusqu’au 12/03/2026',
	'Garantie décennale valable 10 ans',
	'La garantie est valable 24 mois',
	'Escompte valable 8 jours',
	'Devis valable 30 jours à compter de sa réception',
	'Devis valable 15 jours ouvrés',
	'Devis valable 30 jours. Prix valables 2 mois.',
	'Paiement à 30 jours',
	'Validité    Échéance\n30 jours    45 jours',
	'This quote is valid for 30 days from receipt',
])('"%s" is none that counts from the date', (text) => {
	expect(read(text)).toBeNull();
});

test.each([
	['2026-01-31', 1, 'month', '2026-02-28'],
	['2028-01-31', 1, 'month', '2028-02-29'],
	['2026-11-30', 3, 'month', '2027-02-28'],
	['2026-12-15', 1, 'month', '2027-01-15'],
	['2026-03-03', 30, 'day', '2026-04-02'],
	['2026-12-31', 1, 'day', '2027-01-01'],
] as const)('from %s %i %s(s) last until %s', (from, count, unit, until) => {
	expect(endOf({ quote: '', count, unit }, from)).toBe(until);
});

test('a period ends after it begins, in a real day, and months in the month that they lead to', () => {
	const day = fc.date({ min: new Date('2000-01-01'), max: new Date('2099-12-31'), noInvalidDate: true });
	fc.assert(
		fc.property(day, fc.integer({ min: 1, max: 36 }), fc.constantFrom('day', 'month'), (date, count, unit) => {
			const from = date.toISOString().slice(0, 10);
			const until = endOf({ quote: '', count, unit }, from);
			expect(until > from).toBe(true);
			expect(new Date(until).toISOString().slice(0, 10)).toBe(until);
			const months = (text: string) => Number(text.slice(0, 4)) * 12 + Number(text.slice(5, 7));
			if (unit === 'month') expect(months(until) - months(from)).toBe(count);
		}),
	);
});

const devis = 'Jean Durand\nDevis n° 12    Date : 02/03/2026\nClient : Mme Roy\nDevis valable 30 jours.';

test('a devis that says how long it stands has an end, marked as derived', async () => {
	const { data, fields } = await extract({ text: devis }, { schema: 'devis', engine: 'without-model' });
	expect(data.validUntil).toBe('2026-04-01');
	expect(fields.find(({ path }) => path === 'validUntil')).toEqual({
		path: 'validUntil',
		value: '2026-04-01',
		origin: 'derived',
		place: null,
		reason: '2026-03-02 + "Devis valable 30 jours"',
	});
});

test.each([
	['no date', devis.replace('Date : 02/03/2026', ''), 'devis'],
	['a date that can be read in two ways', 'Invoice number 12    Date: 03/04/2026\nOffer valid for 30 days', 'devis'],
	['an invoice', devis.replace('Devis n°', 'Facture n°'), 'invoice'],
] as const)('%s derives none', async (_, text, schema) => {
	const { data } = await extract({ text }, { schema, engine: 'without-model' });
	expect(data.validUntil).toBeNull();
});

test('a model that gives the period where the end was asked is no reason for review', async () => {
	const answer = { number: '12', date: '02/03/2026', validUntil: '30 jours', seller: 'Jean Durand', buyer: 'Mme Roy' };
	const chat: Chat = () =>
		Promise.resolve({ text: JSON.stringify({ ...answer, lines: [] }), promptTokens: 1, replyTokens: 1, durationMs: 1 });
	const { data, reasons } = await extract({ text: devis }, { schema: 'devis', engine: 'model-only', chat });
	expect(data.validUntil).toBe('2026-04-01');
	expect(reasons.map(({ path }) => path)).not.toContain('validUntil');
});

test('a text that is full of periods is read in time', async () => {
	expect(read('Devis valable 30 jours '.repeat(20_000))).toEqual([30, 'day']);
	// A test that held the thread beyond its deadline fails here.
	await new Promise(setImmediate);
});
