import Big from 'big.js';
import { PDFDocument, StandardFonts, type PDFFont } from 'pdf-lib';
import type { CommercialDocument, DocumentLine } from '../../nodes/OllamaExtract/result';

/** A PDF made here, with the data that its page prints. */
export interface MadeDocument {
	readonly family: Family;
	readonly kind: 'devis' | 'invoice';
	readonly language: 'fr' | 'de' | 'en';
	readonly bytes: Uint8Array;
	readonly truth: CommercialDocument;
}

export const families = [
	'artisan-without-head',
	'tax-by-rate',
	'centred-cells',
	'side-by-side',
	'carried-over',
	'lots-and-options',
	'captions',
	'signed',
	'facture-discounts',
	'rechnung',
	'invoice',
	'letter',
	'two-levels',
	'section-sums',
	'eco-and-tax-table',
] as const;
export type Family = (typeof families)[number];

/** Makes one document of a family; the same seed gives the same bytes. All names and numbers are invented. */
export async function makeDocument(family: Family, seed = 1): Promise<MadeDocument> {
	const chance = chanceFrom(seed * 7919 + families.indexOf(family) * 104_729);
	const { kind, language, truth, draw } = layouts[family](factsFrom(chance, languageOf(family)), chance);
	const pdf = await PDFDocument.create({ updateMetadata: false });
	const sheet = await sheetOn(pdf);
	draw(sheet);
	return { family, kind, language, truth, bytes: await pdf.save() };
}

/** One document of each family. */
export async function oneOfEach(seed = 1): Promise<MadeDocument[]> {
	return Promise.all(families.map((family) => makeDocument(family, seed)));
}

/** A devis as plain text, columns set with blanks, and the data that it holds. */
export function makeTextDevis(seed = 1): { text: string; truth: CommercialDocument } {
	const facts = factsFrom(chanceFrom(seed), 'fr');
	const columns = (...cells: string[]) =>
		cells.map((cell, index) => (index === 0 ? cell.padEnd(44) : cell.padStart(14))).join('');
	const text = [
		facts.seller.name,
		...facts.seller.address,
		`SIRET : ${spaced(facts.seller.siret)}`,
		'',
		`DEVIS N° ${facts.number}`,
		`Date : ${slashed(facts.date)}`,
		`Valable jusqu'au ${slashed(facts.until)}`,
		'',
		`Client : ${facts.buyer.name}`,
		...facts.buyer.address,
		`E-mail : ${facts.buyer.email}`,
		'',
		columns('Désignation', 'Qté', 'PU HT', 'TVA', 'Total HT'),
		...facts.lines.map((line) =>
			columns(line.name, french(line.quantity), french(line.price), `${french(line.rate)} %`, french(line.total)),
		),
		'',
		columns('Total HT', '', '', '', euros(facts.net)),
		columns('Total TVA', '', '', '', euros(facts.tax)),
		columns('Total TTC', '', '', '', euros(facts.gross)),
	].join('\n');
	return { text, truth: truthOf(facts, { units: false }) };
}

// ---- invented facts

interface Facts {
	number: string;
	date: string;
	until: string;
	seller: { name: string; address: string[]; siret: string; vat: string; email: string; phone: string };
	buyer: { name: string; address: string[]; email: string };
	lines: Work[];
	net: string;
	tax: string;
	gross: string;
}

interface Work {
	name: string;
	/** What is printed under the name, in the same cell. */
	detail: string;
	quantity: string;
	unit: string;
	price: string;
	rate: string;
	total: string;
}

type Chance = () => number;

function chanceFrom(seed: number): Chance {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}

const pick = <T>(chance: Chance, from: readonly T[]): T => from[Math.floor(chance() * from.length)]!;
const between = (chance: Chance, low: number, high: number) => low + Math.floor(chance() * (high - low + 1));

const words = {
	fr: {
		trades: ['Menuiserie', 'Plomberie', 'Couverture', 'Peinture', 'Électricité', 'Maçonnerie'],
		names: ['Valombre', 'Courtepierre', 'du Grand Tilleul', 'Abélise', 'Morvandeau & Fils', 'des Trois Ormes'],
		forms: [' SARL', ' EURL', '', ' SAS'],
		people: [
			'Mme Odile Ferrandon',
			'M. Lucien Barbotte',
			'M. et Mme Taillandreau',
			'SCI Les Hirondelles',
			'Mme Inès Pralognac',
		],
		streets: ['rue des Tanneurs', 'avenue du Vieux Moulin', 'chemin des Lavandières', 'place du Marché aux Grains'],
		towns: ['69004 LYON', '35000 Rennes', '44200 Nantes', '21000 Dijon', '63100 Clermont-Ferrand'],
		works: [
			['Dépose de la cuisine existante', 'y compris évacuation en déchetterie', 'forfait'],
			['Fourniture et pose de parquet chêne', 'lames contrecollées 14 mm, pose flottante', 'm²'],
			['Porte-fenêtre deux vantaux aluminium', 'double vitrage 4/16/4, volet intégré', 'u'],
			['Peinture mate deux couches', 'préparation des fonds comprise', 'm²'],
			["Main d'œuvre plombier", 'raccordement eau chaude et eau froide', 'h'],
			['Tableau électrique 3 rangées', 'conforme à la norme NF C 15-100', 'u'],
			['Gouttière zinc demi-ronde', 'développé 33, crochets tous les 50 cm', 'ml'],
			['Isolation des combles perdus', 'laine soufflée, R = 7', 'm²'],
		],
	},
	de: {
		trades: ['Schreinerei', 'Malerbetrieb', 'Elektro', 'Dachbau'],
		names: ['Birkenhain', 'Steinmark', 'Lindquell', 'Auerfeld'],
		forms: [' GmbH', ' e.K.', ' GmbH & Co. KG'],
		people: ['Hausverwaltung Rosenwinkel', 'Frau Gerlinde Osterkamp', 'Kurbad Silberbach AG'],
		streets: ['Am Mühlgraben', 'Lerchenweg', 'Alte Poststraße'],
		towns: ['04109 Leipzig', '79098 Freiburg', '50667 Köln'],
		works: [
			['Innentür Eiche furniert', 'inklusive Zarge und Beschlägen', 'Stk'],
			['Wandfläche streichen', 'zweimaliger Anstrich, weiß', 'm²'],
			['Arbeitsstunde Geselle', 'Montage vor Ort', 'Std'],
			['Dachrinne aus Kupfer', 'halbrund, 333 mm', 'm'],
		],
	},
	en: {
		trades: ['Harbour', 'Oakfield', 'Millbrook'],
		names: ['Joinery', 'Electrical', 'Roofing'],
		forms: [' Ltd', ' Limited'],
		people: ['Thornbury Estates plc', 'Marigold Hotels Ltd', 'Ms Alice Penhallow'],
		streets: ['Chandler Street', 'Weavers Lane', 'Station Road'],
		towns: ['Bristol BS1 4DJ', 'Leeds LS1 3AB', 'York YO1 7HH'],
		works: [
			['Oak staircase, made to measure', 'three flights, oiled', 'pcs'],
			['Rewiring of ground floor', 'materials included', 'job'],
			['Site labour', 'two joiners', 'hours'],
			['Slate roof repair', 'Welsh slate', 'sqm'],
		],
	},
} as const;

function languageOf(family: Family): 'fr' | 'de' | 'en' {
	return family === 'rechnung' ? 'de' : family === 'invoice' ? 'en' : 'fr';
}

function factsFrom(chance: Chance, language: 'fr' | 'de' | 'en'): Facts {
	const said = words[language];
	const trade = pick(chance, said.trades);
	const sellerName = `${trade} ${pick(chance, said.names)}${pick(chance, said.forms)}`;
	const mail = sellerName
		.normalize('NFD')
		.replace(/[^A-Za-z]/g, '')
		.toLowerCase();
	const address = () => [`${between(chance, 2, 98)} ${pick(chance, said.streets)}`, pick(chance, said.towns)];
	const siren = completed(String(between(chance, 10_000_000, 99_999_999)));
	const buyer = pick(chance, said.people);
	const rates = { fr: ['10', '20', '5.5'], de: ['19', '19', '7'], en: ['20'] }[language];
	const count = between(chance, 3, 6);
	const offset = between(chance, 0, said.works.length - 1);
	const lines = Array.from({ length: Math.min(count, said.works.length) }, (_, index): Work => {
		const [name, detail, unit] = said.works[(offset + index) % said.works.length]!;
		const whole = unit === 'forfait' || unit === 'u' || unit === 'job';
		const quantity =
			unit === 'forfait'
				? '1'
				: whole
					? String(between(chance, 1, 4))
					: new Big(between(chance, 15, 640)).div(10).toFixed(2);
		const price = new Big(between(chance, 1_200, 185_000)).div(100).toFixed(2);
		return {
			name,
			detail,
			quantity,
			unit,
			price,
			rate: pick(chance, rates),
			total: new Big(quantity).times(price).toFixed(2),
		};
	});
	const day = new Date(Date.UTC(2026, between(chance, 0, 10), between(chance, 1, 28)));
	const later = new Date(day.getTime() + between(chance, 15, 90) * 864e5);
	const facts = {
		number: pick(chance, [
			`D2026-${between(chance, 100, 999)}`,
			`DEV-26${between(chance, 1000, 9999)}`,
			String(between(chance, 20_000, 90_000)),
		]),
		date: day.toISOString().slice(0, 10),
		until: later.toISOString().slice(0, 10),
		seller: {
			name: sellerName,
			address: address(),
			siret: completed(`${siren}0001`),
			vat: {
				fr: `FR${String((12 + 3 * (Number(siren) % 97)) % 97).padStart(2, '0')}${siren}`,
				de: `DE${siren}`,
				en: `GB${siren}`,
			}[language],
			email: `contact@${mail}.example`,
			phone: `04 ${between(chance, 10, 99)} ${between(chance, 10, 99)} 00 ${between(chance, 10, 99)}`,
		},
		buyer: {
			name: buyer,
			address: address(),
			email: `${buyer
				.normalize('NFD')
				.replace(/[^A-Za-z]/g, '')
				.toLowerCase()
				.slice(-9)}@courrier.example`,
		},
		lines,
	};
	return { ...facts, ...totalsOf(lines) };
}

/** Appends the digit that makes the Luhn sum a multiple of ten. */
function completed(digits: string): string {
	const sum = [...digits].reverse().reduce((total, digit, index) => {
		const value = Number(digit) * (index % 2 === 0 ? 2 : 1);
		return total + (value > 9 ? value - 9 : value);
	}, 0);
	return `${digits}${(10 - (sum % 10)) % 10}`;
}

function taxesOf(lines: readonly Work[]) {
	return [...new Set(lines.map(({ rate }) => rate))].map((rate) => {
		const base = lines.filter((line) => line.rate === rate).reduce((sum, { total }) => sum.plus(total), new Big(0));
		return { rate, base: base.toFixed(2), amount: base.times(rate).div(100).round(2).toFixed(2) };
	});
}

function totalsOf(lines: readonly Work[]) {
	const taxes = taxesOf(lines);
	const net = taxes.reduce((sum, { base }) => sum.plus(base), new Big(0));
	const tax = taxes.reduce((sum, { amount }) => sum.plus(amount), new Big(0));
	return { net: net.toFixed(2), tax: tax.toFixed(2), gross: net.plus(tax).toFixed(2) };
}

/** What a document prints of its facts; what a layout leaves out is null. */
function truthOf(
	facts: Facts,
	prints: { units?: boolean; rates?: boolean; details?: boolean; vat?: boolean; email?: boolean } = {},
): CommercialDocument {
	const { units = true, rates = true, details = false, vat = false, email = true } = prints;
	const lines = facts.lines.map(
		(line): DocumentLine => ({
			description: details ? `${line.name} ${line.detail}` : line.name,
			quantity: line.quantity,
			unit: units ? line.unit : null,
			unitPrice: line.price,
			vatRate: rates ? line.rate : null,
			total: line.total,
		}),
	);
	return {
		number: facts.number,
		date: facts.date,
		validUntil: facts.until,
		currency: 'EUR',
		seller: { name: facts.seller.name, vat: vat ? facts.seller.vat : null, siret: facts.seller.siret },
		buyer: { name: facts.buyer.name, email: email ? facts.buyer.email : null },
		lines,
		totals: { net: facts.net, tax: facts.tax, gross: facts.gross },
	};
}

// ---- how they are printed

const french = (value: string) => {
	const [whole = '', decimals] = value.split('.');
	return `${whole.replace(/\B(?=(\d{3})+$)/g, ' ')}${decimals === undefined ? '' : `,${decimals}`}`;
};
const german = (value: string) => french(value).replace(/ /g, '.');
const english = (value: string) => {
	const [whole = '', decimals] = value.split('.');
	return `${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${decimals === undefined ? '' : `.${decimals}`}`;
};
const euros = (value: string) => `${french(value)}\u00a0€`;
const slashed = (iso: string) => iso.split('-').reverse().join('/');
const dotted = (iso: string) => iso.split('-').reverse().join('.');
const inWords = (iso: string) => {
	const months = [
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
	];
	const [year, month, day] = iso.split('-').map(Number) as [number, number, number];
	return `${day === 1 ? '1er' : day} ${months[month - 1]} ${year}`;
};
const spaced = (siret: string) => siret.replace(/^(\d{3})(\d{3})(\d{3})(\d{5})$/, '$1 $2 $3 $4');

interface Sheet {
	/** Draws a text with its top left corner at x, y in points; with `right`, its right edge stands there instead. */
	text(
		x: number,
		y: number,
		text: string,
		style?: { size?: number; bold?: boolean; right?: boolean; centre?: boolean },
	): void;
	/** The lines that a text takes in a column. */
	wrapped(text: string, width: number, size?: number): string[];
	nextPage(): void;
}

async function sheetOn(pdf: PDFDocument): Promise<Sheet> {
	const [regular, bold] = [
		await pdf.embedFont(StandardFonts.Helvetica),
		await pdf.embedFont(StandardFonts.HelveticaBold),
	];
	let page = pdf.addPage([595, 842]);
	const widthOf = (font: PDFFont, text: string, size: number) => font.widthOfTextAtSize(text, size);
	return {
		text(x, y, text, style = {}) {
			const { size = 10 } = style;
			const font = style.bold === true ? bold : regular;
			const width = widthOf(font, text, size);
			const left = style.right === true ? x - width : style.centre === true ? x - width / 2 : x;
			page.drawText(text, { x: left, y: 842 - y - size, size, font });
		},
		wrapped(text, width, size = 10) {
			const lines = [''];
			for (const word of text.split(' ')) {
				const longer = `${lines.at(-1)} ${word}`.trim();
				if (widthOf(regular, longer, size) <= width) lines[lines.length - 1] = longer;
				else lines.push(word);
			}
			return lines;
		},
		nextPage() {
			page = pdf.addPage([595, 842]);
		},
	};
}

const column = (sheet: Sheet, x: number, y: number, lines: readonly string[], style = {}) =>
	lines.forEach((line, index) => sheet.text(x, y + index * 13, line, style));

/** Totals at the right edge, one under the other. Gives the height below them. */
function totalsAt(sheet: Sheet, y: number, rows: ReadonlyArray<readonly [string, string]>): number {
	rows.forEach(([label, value], index) => {
		sheet.text(380, y + index * 16, label, { bold: index === rows.length - 1 });
		sheet.text(550, y + index * 16, value, { right: true, bold: index === rows.length - 1 });
	});
	return y + rows.length * 16;
}

interface Drawn {
	kind: 'devis' | 'invoice';
	language: 'fr' | 'de' | 'en';
	truth: CommercialDocument;
	draw(sheet: Sheet): void;
}

const layouts: Readonly<Record<Family, (facts: Facts, chance: Chance) => Drawn>> = {
	/** A craftsman's page: no head over the lines, no tax, amounts written as they come. */
	'artisan-without-head'(facts) {
		const styles = [(value: string) => `${value} €`, (value: string) => `${french(value).replace(/ /g, '')} €`];
		const lines = facts.lines.map((line, index) => {
			const whole = index === 2;
			const price = whole ? new Big(line.price).round(0).toFixed() : line.price;
			return {
				...line,
				price,
				total: new Big(line.quantity).times(price).toFixed(whole && !line.quantity.includes('.') ? 0 : 2),
			};
		});
		const net = lines.reduce((sum, { total }) => sum.plus(total), new Big(0)).toFixed(2);
		const free = { ...facts, lines, net, gross: net };
		const truth = truthOf(free, { rates: false, email: false });
		return {
			kind: 'devis',
			language: 'fr',
			truth: { ...truth, validUntil: null, totals: { net, tax: null, gross: net } },
			draw(sheet) {
				sheet.text(40, 40, facts.seller.name, { size: 14, bold: true });
				column(sheet, 40, 62, [...facts.seller.address, `Tél. ${facts.seller.phone}`, `SIRET ${facts.seller.siret}`]);
				column(sheet, 340, 130, [facts.buyer.name, ...facts.buyer.address]);
				sheet.text(40, 200, `Devis n° ${facts.number} du ${slashed(facts.date)}`, { size: 13, bold: true });
				lines.forEach((line, index) => {
					const y = 245 + index * 22;
					const print = styles[index % 2]!;
					sheet.text(40, y, line.name);
					sheet.text(340, y, `${french(line.quantity)} ${line.unit}`, { right: true });
					sheet.text(440, y, print(line.price), { right: true });
					sheet.text(550, y, print(line.total), { right: true });
				});
				const y = 275 + lines.length * 22;
				sheet.text(380, y, 'Net à payer', { bold: true });
				sheet.text(550, y, euros(net), { right: true, bold: true });
				sheet.text(40, y + 40, 'TVA non applicable, art. 293 B du CGI');
				sheet.text(40, y + 60, 'Devis valable 30 jours.');
			},
		};
	},

	/** The common French quote: heads, a column of rates, the tax rate by rate. */
	'tax-by-rate'(facts) {
		return {
			kind: 'devis',
			language: 'fr',
			truth: truthOf(facts, { vat: true }),
			draw(sheet) {
				sheet.text(40, 36, facts.seller.name, { size: 15, bold: true });
				column(sheet, 40, 58, [
					...facts.seller.address,
					`SIRET : ${spaced(facts.seller.siret)}`,
					`N° TVA : ${facts.seller.vat}`,
					facts.seller.email,
				]);
				sheet.text(320, 110, 'Client :', { bold: true });
				column(sheet, 320, 124, [facts.buyer.name, ...facts.buyer.address, facts.buyer.email]);
				sheet.text(40, 200, 'DEVIS', { size: 18, bold: true });
				column(sheet, 40, 226, [
					`Devis n° : ${facts.number}`,
					`Date : ${slashed(facts.date)}`,
					`Date de validité : ${slashed(facts.until)}`,
				]);
				const end = table(sheet, 285, facts.lines, french, [
					'Désignation',
					'Qté',
					'Unité',
					'P.U. HT',
					'TVA',
					'Total HT',
				]);
				const taxes = taxesOf(facts.lines);
				totalsAt(sheet, end + 14, [
					['Total HT', euros(facts.net)],
					...taxes.map(({ rate, amount }) => [`TVA ${french(rate)} %`, euros(amount)] as const),
					['Total TVA', euros(facts.tax)],
					['Total TTC', euros(facts.gross)],
				]);
			},
		};
	},

	/** Descriptions wrap over several lines and every figure stands at the middle of its row. */
	'centred-cells'(facts) {
		return {
			kind: 'devis',
			language: 'fr',
			truth: truthOf(facts, { details: true }),
			draw(sheet) {
				column(sheet, 40, 40, [facts.seller.name, ...facts.seller.address, `Siret : ${facts.seller.siret}`]);
				column(sheet, 330, 40, ['Destinataire', facts.buyer.name, ...facts.buyer.address, facts.buyer.email]);
				sheet.text(297, 130, `PROPOSITION COMMERCIALE N° ${facts.number}`, { size: 13, bold: true, centre: true });
				sheet.text(40, 160, `${facts.buyer.address[1]!.slice(6)}, le ${inWords(facts.date)}`);
				sheet.text(40, 175, `Offre valable jusqu'au ${inWords(facts.until)}`);
				const heads = ['Description', 'Quantité', 'Unité', 'Prix unitaire', 'Taux TVA', 'Montant HT'];
				const centres = [0, 265, 320, 385, 450, 520];
				heads.forEach((head, index) =>
					index === 0
						? sheet.text(40, 210, head, { bold: true })
						: sheet.text(centres[index]!, 210, head, { bold: true, centre: true, size: 9 }),
				);
				let y = 232;
				for (const line of facts.lines) {
					const cell = sheet.wrapped(`${line.name} ${line.detail}`, 170);
					cell.forEach((text, index) => sheet.text(40, y + index * 12, text));
					const middle = y + ((cell.length - 1) * 12) / 2;
					[french(line.quantity), line.unit, euros(line.price), `${french(line.rate)} %`, euros(line.total)].forEach(
						(value, index) => sheet.text(centres[index + 1]!, middle, value, { centre: true }),
					);
					y += cell.length * 12 + 14;
				}
				totalsAt(sheet, y + 10, [
					['Montant total HT', euros(facts.net)],
					['Montant TVA', euros(facts.tax)],
					['Montant total TTC', euros(facts.gross)],
				]);
			},
		};
	},

	/** Two addresses side by side under their headings, facts of the document in a band between rules. */
	'side-by-side'(facts) {
		return {
			kind: 'devis',
			language: 'fr',
			truth: truthOf(facts, { units: false, rates: false, vat: true }),
			draw(sheet) {
				sheet.text(40, 36, 'Devis', { size: 22, bold: true });
				column(sheet, 40, 80, ['Émetteur :'], { bold: true });
				column(sheet, 40, 95, [
					facts.seller.name,
					...facts.seller.address,
					`Tél : ${facts.seller.phone}`,
					`Email : ${facts.seller.email}`,
				]);
				column(sheet, 310, 80, ['Adressé à :'], { bold: true });
				column(sheet, 310, 95, [facts.buyer.name, ...facts.buyer.address, facts.buyer.email]);
				['Référence devis', 'Date', 'Échéance'].forEach((head, index) =>
					sheet.text(40 + index * 170, 190, head, { bold: true, size: 9 }),
				);
				[facts.number, slashed(facts.date), slashed(facts.until)].forEach((value, index) =>
					sheet.text(40 + index * 170, 204, value),
				);
				const end = plainTable(sheet, 240, facts.lines, ['Libellé', 'Quantité', 'PU HT', 'Total HT']);
				totalsAt(sheet, end + 10, [
					['Total HT', euros(facts.net)],
					['TVA', euros(facts.tax)],
					['Total TTC', euros(facts.gross)],
				]);
				sheet.text(
					297,
					800,
					`${facts.seller.name} - SIRET ${facts.seller.siret} - TVA intracommunautaire ${facts.seller.vat}`,
					{ size: 8, centre: true },
				);
			},
		};
	},

	/** A table over two pages; the sum so far is carried over and is no line. */
	'carried-over'(facts) {
		const lines = [...facts.lines, ...facts.lines.map((line) => ({ ...line, name: `${line.name} (étage)` }))];
		const whole = { ...facts, lines, ...totalsOf(lines) };
		const first = lines.slice(0, Math.ceil(lines.length / 2));
		const carried = first.reduce((sum, { total }) => sum.plus(total), new Big(0)).toFixed(2);
		const heads = ['Désignation', 'Qté', 'Unité', 'Prix U. HT', 'TVA', 'Montant HT'];
		return {
			kind: 'devis',
			language: 'fr',
			truth: truthOf(whole, { email: false }),
			draw(sheet) {
				sheet.text(40, 40, facts.seller.name, { bold: true, size: 12 });
				column(sheet, 40, 58, [...facts.seller.address, `N° SIRET : ${spaced(facts.seller.siret)}`]);
				column(sheet, 330, 100, ['À l’attention de', facts.buyer.name, ...facts.buyer.address]);
				column(sheet, 40, 170, [
					`Numéro de devis : ${facts.number}`,
					`Date d'émission : ${slashed(facts.date)}`,
					`Valable jusqu'au : ${slashed(facts.until)}`,
				]);
				const end = table(sheet, 230, first, french, heads);
				sheet.text(300, end + 6, 'À reporter');
				sheet.text(550, end + 6, french(carried), { right: true });
				sheet.text(550, 810, 'Page 1/2', { right: true, size: 8 });
				sheet.nextPage();
				sheet.text(40, 40, `Devis ${facts.number} (suite)`, { size: 9 });
				headsAt(sheet, 70, heads);
				sheet.text(300, 92, 'Report');
				sheet.text(550, 92, french(carried), { right: true });
				const below = rowsAt(sheet, 114, lines.slice(first.length), french);
				totalsAt(sheet, below + 14, [
					['Total HT', euros(whole.net)],
					['Total TVA', euros(whole.tax)],
					['Total TTC', euros(whole.gross)],
				]);
				sheet.text(550, 810, 'Page 2/2', { right: true, size: 8 });
			},
		};
	},

	/** Lots with a title and a subtotal each, and an option that no total contains. */
	'lots-and-options'(facts) {
		const half = Math.ceil(facts.lines.length / 2);
		const lots = [facts.lines.slice(0, half), facts.lines.slice(half)];
		const option: Work = {
			...facts.lines[0]!,
			name: 'Option : garantie étendue dix ans',
			quantity: '1',
			unit: 'u',
			price: '390.00',
			total: '390.00',
		};
		return {
			kind: 'devis',
			language: 'fr',
			truth: truthOf({ ...facts, lines: [...facts.lines, option] }, { email: false }),
			draw(sheet) {
				column(sheet, 40, 40, [facts.seller.name, ...facts.seller.address, `SIRET : ${spaced(facts.seller.siret)}`]);
				column(sheet, 340, 90, ["Maître d'ouvrage :", facts.buyer.name, ...facts.buyer.address]);
				sheet.text(40, 160, `DEVIS N° ${facts.number}`, { bold: true, size: 14 });
				sheet.text(40, 180, `Date du devis : ${slashed(facts.date)}`);
				sheet.text(40, 193, `Fin de validité : ${slashed(facts.until)}`);
				headsAt(sheet, 225, ['Ouvrage', 'Qté', 'U', 'PU HT', 'TVA', 'Montant HT']);
				let y = 247;
				lots.forEach((lot, index) => {
					sheet.text(40, y, `LOT ${index + 1} - ${index === 0 ? 'GROS ŒUVRE' : 'FINITIONS'}`, { bold: true });
					y = rowsAt(sheet, y + 20, lot, french);
					sheet.text(300, y, `Sous-total lot ${index + 1}`, { bold: true });
					sheet.text(550, y, french(lot.reduce((sum, { total }) => sum.plus(total), new Big(0)).toFixed(2)), {
						right: true,
						bold: true,
					});
					y += 24;
				});
				y = rowsAt(sheet, y, [option], french);
				totalsAt(sheet, y + 14, [
					['Total HT', euros(facts.net)],
					['Total TVA', euros(facts.tax)],
					['Total TTC', euros(facts.gross)],
				]);
			},
		};
	},

	/** A form: a small caption over each value, totals in boxes next to each other. */
	captions(facts) {
		return {
			kind: 'invoice',
			language: 'fr',
			truth: truthOf(facts, { units: false }),
			draw(sheet) {
				const box = (x: number, y: number, caption: string, value: string) => {
					sheet.text(x, y, caption, { size: 7 });
					sheet.text(x, y + 10, value);
				};
				sheet.text(40, 40, 'FACTURE', { size: 20, bold: true });
				box(320, 36, 'Numéro de facture', facts.number);
				box(440, 36, 'Date de facture', dotted(facts.date));
				box(320, 66, "Date d'échéance", dotted(facts.until));
				box(440, 66, 'Devise', 'EUR');
				box(40, 100, 'Vendeur', facts.seller.name);
				column(sheet, 40, 123, facts.seller.address);
				box(40, 152, 'SIRET', facts.seller.siret);
				box(320, 100, 'Client', facts.buyer.name);
				column(sheet, 320, 123, [...facts.buyer.address, facts.buyer.email]);
				const heads = ['Prestation', 'Quantité', 'Prix unitaire HT', '% TVA', 'Total HT'];
				const rights = [0, 310, 400, 460, 550];
				heads.forEach((head, index) =>
					sheet.text(index === 0 ? 40 : rights[index]!, 210, head, { bold: true, size: 9, right: index > 0 }),
				);
				facts.lines.forEach((line, row) => {
					sheet.text(40, 230 + row * 18, line.name);
					[line.quantity, line.price, line.rate, line.total].forEach((value, index) =>
						sheet.text(rights[index + 1]!, 230 + row * 18, french(value), { right: true }),
					);
				});
				const y = 260 + facts.lines.length * 18;
				(['TOTAL HT', 'TOTAL TVA', 'TOTAL TTC'] as const).forEach((label, index) => {
					sheet.text(300 + index * 95, y, label, { bold: true, size: 9 });
					sheet.text(300 + index * 95, y + 16, french([facts.net, facts.tax, facts.gross][index]!));
				});
			},
		};
	},

	/** A quote that came back signed: an agreement with another date and a hand-written mention. */
	signed(facts, chance) {
		return {
			kind: 'devis',
			language: 'fr',
			truth: truthOf(facts, { vat: true }),
			draw(sheet) {
				sheet.text(40, 36, facts.seller.name, { size: 15, bold: true });
				column(sheet, 40, 58, [
					...facts.seller.address,
					facts.seller.email,
					`SIRET ${spaced(facts.seller.siret)} - TVA ${facts.seller.vat}`,
				]);
				column(sheet, 340, 58, ['Facturé à', facts.buyer.name, ...facts.buyer.address, facts.buyer.email]);
				sheet.text(40, 150, `Devis ${facts.number}`, { size: 16, bold: true });
				sheet.text(40, 172, `Établi le ${slashed(facts.date)}, valable jusqu'au ${slashed(facts.until)}`);
				const end = table(sheet, 205, facts.lines, french, [
					'Désignation des travaux',
					'Quantité',
					'Unité',
					'Prix unit. HT',
					'TVA',
					'Prix total HT',
				]);
				const below = totalsAt(sheet, end + 14, [
					['Total H.T.', euros(facts.net)],
					['Total T.V.A.', euros(facts.tax)],
					['Total T.T.C.', euros(facts.gross)],
				]);
				const signed = new Date(Date.parse(facts.date) + between(chance, 2, 14) * 864e5).toISOString().slice(0, 10);
				column(sheet, 320, below + 30, [
					'Bon pour accord',
					`Fait à ${facts.buyer.address[1]!.slice(6)}, le ${slashed(signed)}`,
					'Signature du client :',
				]);
				sheet.text(340, below + 80, facts.buyer.name, { size: 14 });
			},
		};
	},

	/** An invoice with a discount in percent on a line and one on the whole. */
	'facture-discounts'(facts) {
		const lines = facts.lines.map((line) => ({ ...line, rate: '20' }));
		const before = lines.reduce((sum, { total }) => sum.plus(total), new Big(0));
		const discount = before.times('0.05').round(2);
		const net = before.minus(discount);
		const tax = net.times('0.2').round(2);
		const totals = { net: net.toFixed(2), tax: tax.toFixed(2), gross: net.plus(tax).toFixed(2) };
		return {
			kind: 'invoice',
			language: 'fr',
			truth: truthOf({ ...facts, ...totals, lines }, { email: false, vat: true }),
			draw(sheet) {
				column(sheet, 40, 40, [
					facts.seller.name,
					...facts.seller.address,
					`RCS Dijon - SIRET ${facts.seller.siret}`,
					`TVA : ${facts.seller.vat}`,
				]);
				column(sheet, 340, 110, [facts.buyer.name, ...facts.buyer.address]);
				sheet.text(40, 190, `Facture n° ${facts.number} du ${slashed(facts.date)}`, { bold: true, size: 13 });
				sheet.text(40, 208, `À régler avant le ${slashed(facts.until)}`);
				const end = table(sheet, 240, lines, french, ['Article', 'Qté', 'Unité', 'Prix unitaire', 'TVA', 'Montant']);
				totalsAt(sheet, end + 10, [
					['Sous-total', euros(before.toFixed(2))],
					['Remise 5 %', `-${euros(discount.toFixed(2))}`],
					['Total HT', euros(totals.net)],
					['TVA 20 %', euros(totals.tax)],
					['Total TTC', euros(totals.gross)],
					['Acompte versé', euros('100.00')],
					['Net à payer', euros(new Big(totals.gross).minus(100).toFixed(2))],
				]);
			},
		};
	},

	rechnung(facts) {
		return {
			kind: 'invoice',
			language: 'de',
			truth: {
				...truthOf(facts, { email: false, vat: true }),
				seller: { name: facts.seller.name, vat: facts.seller.vat, siret: null },
			},
			draw(sheet) {
				sheet.text(40, 60, `${facts.seller.name} · ${facts.seller.address.join(' · ')}`, { size: 7 });
				column(sheet, 40, 80, [facts.buyer.name, ...facts.buyer.address]);
				column(sheet, 360, 80, ['Rechnungsnummer:', 'Rechnungsdatum:', 'Fällig am:']);
				column(sheet, 470, 80, [facts.number, dotted(facts.date), dotted(facts.until)]);
				sheet.text(40, 170, 'Rechnung', { size: 18, bold: true });
				const end = table(sheet, 210, facts.lines, german, [
					'Bezeichnung',
					'Menge',
					'Einheit',
					'Einzelpreis',
					'MwSt.',
					'Gesamtpreis',
				]);
				totalsAt(sheet, end + 14, [
					['Nettobetrag', `${german(facts.net)} €`],
					...taxesOf(facts.lines).map(({ rate, amount }) => [`zzgl. MwSt. ${rate} %`, `${german(amount)} €`] as const),
					...(taxesOf(facts.lines).length > 1 ? [['Summe Umsatzsteuer', `${german(facts.tax)} €`] as const] : []),
					['Rechnungsbetrag', `${german(facts.gross)} €`],
				]);
				sheet.text(297, 800, `${facts.seller.name} - USt-IdNr. ${facts.seller.vat} - Sparkasse`, {
					size: 8,
					centre: true,
				});
			},
		};
	},

	invoice(facts) {
		const months = [
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
		];
		const long = (iso: string) => `${Number(iso.slice(8))} ${months[Number(iso.slice(5, 7)) - 1]} ${iso.slice(0, 4)}`;
		return {
			kind: 'invoice',
			language: 'en',
			truth: {
				...truthOf(facts, { vat: true }),
				currency: 'GBP',
				seller: { name: facts.seller.name, vat: facts.seller.vat, siret: null },
			},
			draw(sheet) {
				sheet.text(40, 40, 'INVOICE', { size: 20, bold: true });
				column(sheet, 340, 40, ['From:'], { bold: true });
				column(sheet, 340, 54, [facts.seller.name, ...facts.seller.address, `VAT number: ${facts.seller.vat}`]);
				column(sheet, 40, 80, ['Bill to:'], { bold: true });
				column(sheet, 40, 94, [facts.buyer.name, ...facts.buyer.address, facts.buyer.email]);
				column(sheet, 340, 130, [
					`Invoice number: ${facts.number}`,
					`Invoice date: ${long(facts.date)}`,
					`Due date: ${long(facts.until)}`,
				]);
				const end = table(sheet, 200, facts.lines, english, [
					'Description',
					'Qty',
					'Unit',
					'Unit price',
					'VAT',
					'Amount',
				]);
				totalsAt(sheet, end + 14, [
					['Subtotal', `£${english(facts.net)}`],
					['VAT 20%', `£${english(facts.tax)}`],
					['Total', `£${english(facts.gross)}`],
				]);
			},
		};
	},

	/** A letter without a single heading: the sender in large letters, the recipient by how he is addressed. */
	letter(facts) {
		const buyer = { ...facts.buyer, name: `Mme ${facts.buyer.name.replace(/^(?:Mme|M\.|SCI|M\. et Mme) /, '')}` };
		const letter = { ...facts, buyer };
		return {
			kind: 'devis',
			language: 'fr',
			truth: {
				...truthOf(letter, { units: false, rates: false }),
				validUntil: null,
				seller: { name: facts.seller.name, vat: null, siret: null },
			},
			draw(sheet) {
				sheet.text(40, 40, facts.seller.name, { size: 16, bold: true });
				sheet.text(40, 80, `${facts.buyer.address[1]!.slice(6)}, ${inWords(facts.date)}`);
				sheet.text(40, 105, `DEVIS : ${facts.number}`);
				column(sheet, 40, 130, [buyer.name, buyer.email, ...buyer.address]);
				const end = plainTable(sheet, 215, facts.lines, ['Libellé', 'Qté', 'P.U.', 'Total']);
				sheet.text(
					40,
					end + 16,
					`Total HT ${euros(facts.net)}  -  TVA ${euros(facts.tax)}  -  Total TTC ${euros(facts.gross)}`,
				);
			},
		};
	},

	/** No table: a name, below it what its price is made of, the product at the right between the two. */
	'two-levels'(facts) {
		return {
			kind: 'devis',
			language: 'fr',
			truth: truthOf(facts),
			draw(sheet) {
				sheet.text(40, 36, `DEVIS n° ${facts.number}`, { size: 14, bold: true });
				sheet.text(550, 36, `Émis le ${slashed(facts.date)}`, { right: true });
				sheet.text(550, 50, `Valable jusqu'au ${slashed(facts.until)}`, { right: true });
				column(sheet, 40, 85, ['De', facts.seller.name, ...facts.seller.address, `SIRET ${facts.seller.siret}`]);
				column(sheet, 320, 85, ['Pour', facts.buyer.name, ...facts.buyer.address, facts.buyer.email]);
				facts.lines.forEach(({ name, quantity, unit, price, rate, total }, index) => {
					const y = 175 + index * 34;
					sheet.text(40, y, name, { bold: true });
					sheet.text(40, y + 12, `${french(quantity)} ${unit} × ${euros(price)} · TVA ${french(rate)} %`, { size: 9 });
					sheet.text(550, y + 6, euros(total), { right: true });
				});
				totalsAt(sheet, 190 + facts.lines.length * 34, [
					['Total HT', euros(facts.net)],
					['Total TVA', euros(facts.tax)],
					['Total TTC', euros(facts.gross)],
				]);
			},
		};
	},

	/** Numbered sections, the sum of each beside its title; number and date in boxes; a number behind the subject. */
	'section-sums'(facts) {
		const half = Math.ceil(facts.lines.length / 2);
		const sections = [facts.lines.slice(0, half), facts.lines.slice(half)];
		return {
			kind: 'devis',
			language: 'fr',
			truth: truthOf(facts, { units: false, email: false }),
			draw(sheet) {
				column(sheet, 40, 40, [facts.seller.name, ...facts.seller.address, `SIRET : ${spaced(facts.seller.siret)}`]);
				column(sheet, 330, 90, ['Client', facts.buyer.name, ...facts.buyer.address]);
				sheet.text(40, 160, `Objet : devis n° ${facts.number} — travaux de rénovation`, { bold: true });
				['Code client', 'Date', 'Validité'].forEach((caption, index) =>
					sheet.text(90 + index * 160, 185, caption, { size: 9, centre: true, bold: true }),
				);
				['CL00412', slashed(facts.date), slashed(facts.until)].forEach((value, index) =>
					sheet.text(40 + index * 160, 198, value),
				);
				const rights = { quantity: 330, price: 410, rate: 470, total: 550 };
				sheet.text(40, 230, 'N°', { size: 9, bold: true });
				sheet.text(75, 230, 'Désignation', { size: 9, bold: true });
				(['quantity', 'price', 'rate', 'total'] as const).forEach((key, index) =>
					sheet.text(rights[key], 230, ['Qté', 'Prix unit. HT', 'TVA', 'Total HT'][index]!, {
						size: 9,
						bold: true,
						right: true,
					}),
				);
				let y = 252;
				sections.forEach((lines, index) => {
					const sum = lines.reduce((sofar, { total }) => sofar.plus(total), new Big(0)).toFixed(2);
					sheet.text(40, y, `${index + 1}`, { bold: true });
					sheet.text(75, y, index === 0 ? 'Préparation du chantier' : 'Mise en œuvre', { bold: true });
					sheet.text(rights.total, y, french(sum), { bold: true, right: true });
					lines.forEach((line, row) => {
						y += 20;
						sheet.text(40, y, `${index + 1}.${row + 1}`);
						sheet.text(75, y, line.name);
						(['quantity', 'price', 'rate', 'total'] as const).forEach((key) =>
							sheet.text(rights[key], y, `${french(line[key])}${key === 'rate' ? ' %' : ''}`, { right: true }),
						);
					});
					y += 24;
				});
				totalsAt(sheet, y + 10, [
					['Total HT', euros(facts.net)],
					['Total TVA', euros(facts.tax)],
					['Total TTC', euros(facts.gross)],
				]);
			},
		};
	},

	/** A charge for each piece in a column of its own; the taxes by rate in a table right above the totals. */
	'eco-and-tax-table'(facts) {
		const eco = '1.50';
		const lines = facts.lines.map((line) => ({
			...line,
			total: new Big(line.price).plus(eco).times(line.quantity).round(2).toFixed(2),
		}));
		const whole = { ...facts, lines, ...totalsOf(lines) };
		return {
			kind: 'devis',
			language: 'fr',
			truth: {
				...truthOf(whole, { units: false, email: false }),
				validUntil: null,
				seller: { name: facts.seller.name, vat: null, siret: facts.seller.siret },
			},
			draw(sheet) {
				column(sheet, 40, 40, [facts.seller.name, ...facts.seller.address, `SIRET ${facts.seller.siret}`]);
				sheet.text(550, 40, 'DEVIS', { size: 14, bold: true, right: true });
				sheet.text(550, 58, `n° ${facts.number}`, { right: true });
				sheet.text(550, 71, `du ${inWords(facts.date)}`, { right: true });
				column(sheet, 330, 110, ['Destinataire', facts.buyer.name, ...facts.buyer.address]);
				const rights = [0, 300, 370, 430, 480, 550];
				['Article', 'Qté', 'PU HT', 'Éco-part.', 'TVA', 'Montant HT'].forEach((head, index) =>
					sheet.text(index === 0 ? 40 : rights[index]!, 190, head, { size: 9, bold: true, right: index > 0 }),
				);
				lines.forEach((line, row) => {
					sheet.text(40, 210 + row * 18, line.name);
					[line.quantity, line.price, eco, `${line.rate} %`, line.total].forEach((value, index) =>
						sheet.text(rights[index + 1]!, 210 + row * 18, french(value), { right: true }),
					);
				});
				const y = 225 + lines.length * 18;
				['Taux', 'Base', 'Montant TVA'].forEach((head, index) =>
					sheet.text(330 + index * 70, y, head, { size: 9, bold: true }),
				);
				const taxes = taxesOf(lines);
				taxes.forEach(({ rate, base, amount }, row) =>
					[`${french(rate)} %`, french(base), french(amount)].forEach((value, index) =>
						sheet.text(330 + index * 70, y + 16 + row * 16, value),
					),
				);
				[
					`Total HT : ${euros(whole.net)}`,
					`Total TVA : ${euros(whole.tax)}`,
					`Total TTC : ${euros(whole.gross)}`,
				].forEach((text, index) => sheet.text(550, y + 30 + taxes.length * 16 + index * 13, text, { right: true }));
			},
		};
	},
};

const edges = { name: 40, quantity: 285, unit: 300, price: 410, rate: 465, total: 550 };

function headsAt(sheet: Sheet, y: number, heads: readonly string[]): void {
	const [name = '', quantity = '', unit = '', price = '', rate = '', total = ''] = heads;
	const style = { bold: true, size: 9 };
	sheet.text(edges.name, y, name, style);
	sheet.text(edges.quantity, y, quantity, { ...style, right: true });
	sheet.text(edges.unit, y, unit, style);
	sheet.text(edges.price, y, price, { ...style, right: true });
	sheet.text(edges.rate, y, rate, { ...style, right: true });
	sheet.text(edges.total, y, total, { ...style, right: true });
}

function rowsAt(sheet: Sheet, top: number, lines: readonly Work[], print: (value: string) => string): number {
	lines.forEach((line, index) => {
		const y = top + index * 20;
		sheet.text(edges.name, y, line.name);
		sheet.text(edges.quantity, y, print(line.quantity), { right: true });
		sheet.text(edges.unit, y, line.unit);
		sheet.text(edges.price, y, print(line.price), { right: true });
		sheet.text(edges.rate, y, `${print(line.rate)} %`, { right: true });
		sheet.text(edges.total, y, print(line.total), { right: true });
	});
	return top + lines.length * 20;
}

function table(
	sheet: Sheet,
	y: number,
	lines: readonly Work[],
	print: (value: string) => string,
	heads: readonly string[],
): number {
	headsAt(sheet, y, heads);
	return rowsAt(sheet, y + 22, lines, print);
}

/** Four columns, no rates and no units. */
function plainTable(sheet: Sheet, y: number, lines: readonly Work[], heads: readonly string[]): number {
	const rights = [0, 350, 450, 550];
	heads.forEach((head, index) =>
		sheet.text(index === 0 ? 40 : rights[index]!, y, head, { bold: true, size: 9, right: index > 0 }),
	);
	lines.forEach((line, row) => {
		sheet.text(40, y + 20 + row * 18, line.name);
		sheet.text(350, y + 20 + row * 18, french(line.quantity), { right: true });
		sheet.text(450, y + 20 + row * 18, euros(line.price), { right: true });
		sheet.text(550, y + 20 + row * 18, euros(line.total), { right: true });
	});
	return y + 20 + lines.length * 18;
}
