import fc from 'fast-check';

/** A devis as a model should read it, and the page that prints it: plain text in columns. */
export interface PrintedDevis {
	readonly text: string;
	readonly answer: DevisAnswer;
	readonly buyerVat: string;
}

/** The keys and shapes that the model is asked for. */
export interface DevisAnswer {
	number: string;
	date: string;
	validUntil: string | null;
	currency: string;
	seller: string;
	sellerVat: string;
	sellerSiret: string;
	buyer: string;
	buyerEmail: string;
	net: string;
	tax: string;
	gross: string;
	lines: Array<{ desc: string; qty: string; unit: string; price: string; vat: string; total: string }>;
}

const syllables = ['ba', 'cor', 'dé', 'fi', 'gru', 'lan', 'mo', 'né', 'pla', 'ros', 'sta', 'ti', 'val', 'zin'];
const word = fc.array(fc.constantFrom(...syllables), { minLength: 2, maxLength: 4 }).map((parts) => parts.join(''));
const name = fc.tuple(word, word).map((words) => words.map((one) => one[0]!.toUpperCase() + one.slice(1)).join(' '));
const digits = (length: number) =>
	fc.array(fc.integer({ min: 0, max: 9 }), { minLength: length, maxLength: length }).map((all) => all.join(''));
const line = fc.record({
	desc: fc.tuple(word, word, word).map((words) => words.join(' ')),
	hundredths: fc.integer({ min: 100, max: 9900 }).map((one) => one - (one % 50)),
	unit: fc.constantFrom('h', 'u', 'm²', 'forfait'),
	cents: fc.integer({ min: 101, max: 250_000 }),
	vat: fc.constantFrom('20', '10', '5,5'),
});

/** Devis of one to eight lines with consistent arithmetic, both parties with their VAT numbers. */
export const printedDevis: fc.Arbitrary<PrintedDevis> = fc
	.record({
		serial: digits(4),
		date: fc.date({ min: new Date('2020-01-01'), max: new Date('2029-12-31'), noInvalidDate: true }),
		seller: name,
		buyer: name,
		sellerVat: digits(11),
		buyerVat: digits(11),
		siret: digits(14),
		lines: fc.uniqueArray(line, { minLength: 1, maxLength: 8, selector: ({ desc }) => desc }),
	})
	.filter(({ seller, buyer, sellerVat, buyerVat }) => seller !== buyer && sellerVat !== buyerVat)
	.map(({ serial, date, seller, buyer, sellerVat, buyerVat, siret, lines }) => {
		const rows = lines.map((one) => ({ ...one, total: Math.round((one.cents * one.hundredths) / 100) }));
		const net = rows.reduce((sum, { total }) => sum + total, 0);
		const rates = [...new Set(rows.map(({ vat }) => vat))];
		const tax = rates.reduce(
			(sum, rate) =>
				sum +
				Math.round(
					(rows.filter(({ vat }) => vat === rate).reduce((base, { total }) => base + total, 0) *
						Number(rate.replace(',', '.'))) /
						100,
				),
			0,
		);
		const [day, month, year] = [date.getUTCDate(), date.getUTCMonth() + 1, date.getUTCFullYear()].map((part) =>
			String(part).padStart(2, '0'),
		);
		const answer: DevisAnswer = {
			number: `D-${year}-${serial}`,
			date: `${day}/${month}/${year}`,
			validUntil: null,
			currency: '€',
			seller,
			sellerVat: `FR${sellerVat}`,
			sellerSiret: siret,
			buyer,
			buyerEmail: `${buyer.split(' ')[0]!.toLowerCase()}@exemple.fr`,
			net: amount(net),
			tax: amount(tax),
			gross: amount(net + tax),
			lines: rows.map(({ desc, hundredths, unit, cents, vat, total }) => ({
				desc,
				qty: String(hundredths / 100).replace('.', ','),
				unit,
				price: amount(cents),
				vat: `${vat} %`,
				total: amount(total),
			})),
		};
		const text = [
			columns(answer.seller, 'Client'),
			columns('12 rue des Lilas', answer.buyer),
			columns(`SIRET ${siret}`, '3 place du Marché'),
			columns(`TVA FR${sellerVat}`, answer.buyerEmail),
			columns('', `N° TVA FR${buyerVat}`),
			'',
			columns(`DEVIS n° ${answer.number}`, `Date : ${answer.date}`),
			'',
			tableRow('Désignation', 'Qté', 'Unité', 'P.U. HT', 'TVA', 'Total HT'),
			...answer.lines.map((one) => tableRow(one.desc, one.qty, one.unit, one.price, one.vat, one.total)),
			'',
			columns('Total HT', `${answer.net} €`),
			columns('Total TVA', `${answer.tax} €`),
			columns('Total TTC', `${answer.gross} €`),
		].join('\n');
		return { text, answer, buyerVat: `FR${buyerVat}` };
	});

function amount(cents: number): string {
	const [whole, decimals] = (cents / 100).toFixed(2).split('.');
	return `${whole!.replace(/\B(?=(\d{3})+$)/g, ' ')},${decimals}`;
}

function columns(left: string, right: string): string {
	return `${left.padEnd(48)}${right}`.trimEnd();
}

function tableRow(desc: string, ...figures: string[]): string {
	return `${desc.padEnd(44)}${figures.map((one) => one.padStart(14)).join('')}`;
}
