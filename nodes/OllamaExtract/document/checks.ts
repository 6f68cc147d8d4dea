import Big from 'big.js';
import type { Found } from '../page/found';
import type { PageReading } from '../page/page';
import type { Check, CommercialDocument, DocumentLine, HeaderPath } from '../result';
import type { LineFigures } from '../page/tableLine';
import { valueAt } from './leaf';

/** What a check needs beside the data: figures that the two built-in schemas do not hold. Decimal strings, signed. */
export interface Figures {
	readonly taxes: ReadonlyArray<{ rate: string | null; base: string | null; amount: string | null }>;
	/** Discounts (negative) and charges (positive) on the whole document. */
	readonly adjustments: readonly string[];
	readonly lines: readonly LineFigures[];
}

/**
 * Recomputes what a document prints, in decimals: lines, their sum, tax by rate, tax, gross. A calculation with a value
 * missing gives no check. A difference above half a cent (one rounding of the printed result) is a fault; sums of
 * printed amounts round nothing, so a single cent is one. No value is changed.
 */
export function checkDocument(data: CommercialDocument, figures: Figures): Check[] {
	const sum = checkLinesSum(data, figures);
	const sumHolds = sum.length > 0 && sum.every(({ ok }) => ok);
	return [
		...data.lines.flatMap((line, index) => checkLine(data, line, index, figures.lines[index], sumHolds)),
		...sum,
		...checkTaxes(data, figures),
		...checkTaxSum(data, figures),
		...checkGross(data),
	];
}

/** The figures of a page that arithmetic needs, for `checkDocument`. */
export function figuresOf(page: PageReading): Figures {
	return {
		taxes: page.taxes.map(({ rate, base, amount }) => ({
			rate: rate?.value ?? null,
			base: base?.value ?? null,
			amount: amount?.value ?? null,
		})),
		adjustments: page.adjustments.map(({ value }) => value),
		lines: page.lineFigures,
	};
}

/**
 * Compares the embedded XML with the page, value by value where both have one. Lines are compared when both hold as
 * many. Units are left out (the XML has codes) and so are prices of lines with a discount on the page (gross there,
 * net in the XML). A credit note may be negative on one side only.
 */
export function compareWithXml(xmlData: CommercialDocument, page: PageReading): Check[] {
	const net = page.header['totals.net'] ?? page.header['totals.gross'];
	const xmlNet = page.header['totals.net'] === undefined ? xmlData.totals.gross : xmlData.totals.net;
	const signs: Signs = net !== undefined && xmlNet !== null && opposite(net.value, xmlNet) ? 'opposite' : 'same';
	const paths = Object.keys(headerValues) as HeaderPath[];
	const checks = paths.flatMap((path) =>
		compareValues(path, valueAt(xmlData, path), page.header[path], headerValues[path], signs),
	);
	if (page.lines.length !== xmlData.lines.length) return checks;
	const lines = xmlData.lines.flatMap((line, index) => {
		const printed = page.lines[index] ?? {};
		const { adjustments = [], discountPercent = null } = page.lineFigures[index] ?? {};
		const takenOff = isTakenOffBelow(line.total, printed.total, page.adjustments);
		const discounted = adjustments.length > 0 || discountPercent !== null || takenOff;
		return lineValues.flatMap(([key, compare]) =>
			(discounted && key === 'unitPrice') || (takenOff && key === 'total')
				? []
				: compareValues(`lines.${index}.${key}`, line[key], printed[key], compare, signs),
		);
	});
	return [...checks, ...lines];
}

/** A page may print a line before its discount and the discount in a row of its own, where the XML has the rest. */
function isTakenOffBelow(xml: string | null, printed: Found | undefined, adjustments: readonly Found[]): boolean {
	if (xml === null || printed === undefined) return false;
	const difference = new Big(xml).minus(printed.value);
	return !difference.eq(0) && adjustments.some(({ value }) => difference.eq(value));
}

const halfCent = new Big('0.005');

function equal(a: Big, b: Big): boolean {
	return a.minus(b).abs().lte(halfCent);
}

function checkLine(
	data: CommercialDocument,
	line: DocumentLine,
	index: number,
	figures: LineFigures | undefined,
	sumHolds: boolean,
): Check[] {
	if (line.quantity === null || line.unitPrice === null || line.total === null) return [];
	const [quantity, price, total] = [new Big(line.quantity), new Big(line.unitPrice), new Big(line.total)];
	const per = new Big(figures?.priceQuantity ?? 1);
	if (per.eq(0)) return [];
	const percent = new Big(figures?.discountPercent ?? 0);
	const adjustments = (figures?.adjustments ?? []).map((amount) => new Big(amount));
	const expectedAt = (unitPrice: Big) =>
		sumOf([quantity.times(unitPrice).div(per).times(new Big(100).minus(percent)).div(100), ...adjustments]);
	const expected = expectedAt(price);
	const detail = [
		`${line.quantity} x ${line.unitPrice}`,
		...(per.eq(1) ? [] : [`/ ${per.toFixed()}`]),
		...(percent.eq(0) ? [] : [`- ${percent.toFixed()} %`]),
		...adjustments.map((amount) => signed(amount)),
		`= ${expected.round(4).toFixed()}`,
	].join(' ');
	const base = { rule: 'line-total', path: `lines.${index}.total`, printed: line.total } as const;
	const check = { ...base, expected: money(expected) };
	if (equal(expected, total)) return [{ ...check, ok: true, detail }];
	if (isCreditNote(data) && equal(expected.abs(), total.abs())) {
		return [{ ...check, ok: true, detail: `${detail}, the credit note prints it as ${line.total}` }];
	}
	const unrounded = sumHolds ? unroundedPrice(quantity, price, total, expectedAt) : null;
	if (unrounded === null) return [{ ...check, ok: false, detail }];
	return [
		{
			...check,
			ok: true,
			detail: `${detail}; ${unrounded.toFixed()}, printed as ${line.unitPrice}, gives ${line.total}`,
		},
	];
}

/**
 * A price after discount is often printed rounded: 4.095 as 4.10, and 20 of them come to 81.90. The price to a tenth of
 * a cent that rounds to the printed one and gives the printed total, or null. Asked only where the sum of lines confirms
 * the total, and only where a quantity off by one in its last digit could not be explained away like this.
 */
function unroundedPrice(quantity: Big, price: Big, total: Big, expectedAt: (unitPrice: Big) => Big): Big | null {
	const lastPlace = new Big(10).pow(-decimalsOf(quantity));
	const sizeable = price.abs().times(lastPlace).gt(quantity.abs().times(halfCent).plus(halfCent));
	if (quantity.abs().lt(2) || decimalsOf(price) > 2 || !sizeable) return null;
	for (let thousandths = -5; thousandths < 5; thousandths += 1) {
		const candidate = price.plus(new Big(thousandths).div(1000));
		if (expectedAt(candidate).round(2).eq(total)) return candidate;
	}
	return null;
}

function checkLinesSum(data: CommercialDocument, figures: Figures): Check[] {
	const counted = countedLines(data, figures);
	const totals = counted.map((line) => line.total);
	if (data.totals.net === null || totals.length === 0 || !totals.every((total) => total !== null)) return [];
	const parts = [...totals, ...figures.adjustments].map((amount) => new Big(amount));
	const expected = sumOf(parts);
	const detail = `${parts.map((part, index) => (index === 0 ? part.toFixed() : signed(part))).join(' ')} = ${expected.toFixed()}`;
	const check = {
		rule: 'lines-sum',
		path: 'totals.net',
		printed: data.totals.net,
		expected: money(expected),
	} as const;
	if (equal(expected, new Big(data.totals.net))) return [{ ...check, ok: true, detail }];
	if (linesIncludeTax(data, expected))
		return [{ ...check, ok: true, detail: `${detail}, the gross total: lines include tax` }];
	return [{ ...check, ok: false, detail }];
}

function countedLines(data: CommercialDocument, figures: Figures): DocumentLine[] {
	return data.lines.filter((_, index) => figures.lines[index]?.counted !== false);
}

function linesIncludeTax(data: CommercialDocument, linesSum: Big): boolean {
	const { net, tax, gross } = data.totals;
	if (net === null || tax === null || gross === null) return false;
	return equal(linesSum, new Big(gross)) && equal(new Big(net).plus(tax), new Big(gross));
}

function checkTaxes(data: CommercialDocument, figures: Figures): Check[] {
	const fromLines = taxFromLines(data, figures);
	if (figures.taxes.length === 0) {
		if (fromLines === null || data.totals.tax === null) return [];
		const rates = [...fromLines.values()];
		const byRate = sumOf(rates.map(({ base, rate }) => base.times(rate).div(100).round(2)));
		const byLine = sumOf(rates.map(({ taxByLine }) => taxByLine));
		const printed = new Big(data.totals.tax);
		const agrees = (sum: Big) => equal(sum, printed) || (isCreditNote(data) && equal(sum.abs(), printed.abs()));
		return [
			{
				rule: 'tax-rate',
				path: 'totals.tax',
				printed: data.totals.tax,
				expected: money(byRate),
				ok: agrees(byRate) || agrees(byLine),
				detail: `${rates.map(({ base, rate }) => `${base.toFixed()} x ${rate.toFixed()} %`).join(' + ')} = ${byRate.toFixed()}`,
			},
		];
	}
	return figures.taxes.flatMap(({ rate, base: printedBase, amount }, index): Check[] => {
		const path = `taxes.${index}`;
		const lines = rate === null ? undefined : fromLines?.get(new Big(rate).toFixed());
		const base = printedBase ?? (rate === null || amount === null ? null : baseOf(rate, amount, data, figures));
		const checks: Check[] = [];
		if (rate !== null && base !== null && amount !== null) {
			const expected = new Big(base).times(rate).div(100);
			const agrees = (tax: Big) =>
				equal(tax, new Big(amount)) || (isCreditNote(data) && equal(tax.abs(), new Big(amount).abs()));
			const rounded = agrees(expected);
			const roundedByLine = agrees(taxLineByLine(data, figures, rate, base));
			checks.push({
				rule: 'tax-rate',
				path: printedBase === null ? 'totals.tax' : `${path}.amount`,
				printed: amount,
				expected: money(expected),
				ok: rounded || roundedByLine,
				detail: `${base} x ${rate} % = ${expected.toFixed()}${roundedByLine && !rounded ? ', rounded line by line' : ''}`,
			});
		}
		if (lines !== undefined && printedBase !== null) {
			checks.push({
				rule: 'tax-rate',
				path: `${path}.base`,
				printed: printedBase,
				expected: money(lines.base),
				ok: equal(lines.base, new Big(printedBase)),
				detail: `lines at ${rate} %: ${lines.totals.join(' + ')} = ${lines.base.toFixed()}`,
			});
		}
		return checks;
	});
}

/** What a rate printed without its base is charged on: the whole net, where no other rate and nothing else adds to it. */
function baseOf(rate: string, amount: string, data: CommercialDocument, { taxes }: Figures): string | null {
	const { net, gross } = data.totals;
	const others = [...taxes.map((tax) => tax.rate), ...data.lines.map(({ vatRate }) => vatRate)];
	const alone = taxes.length === 1 && others.every((other) => other === null || new Big(other).eq(rate));
	const whole = net !== null && (gross === null || equal(new Big(net).plus(amount), new Big(gross)));
	return alone && whole ? net : null;
}

/** The tax at a rate rounded on each line that has it; the exact tax where those lines do not come to the base. */
function taxLineByLine(data: CommercialDocument, figures: Figures, rate: string, base: string): Big {
	const totals = countedLines(data, figures)
		.filter(({ vatRate }) => vatRate === null || new Big(vatRate).eq(rate))
		.flatMap(({ total }) => (total === null ? [] : new Big(total)));
	const tax = (amount: Big) => amount.times(rate).div(100);
	return sumOf(totals).eq(base) ? sumOf(totals.map((total) => tax(total).round(2))) : tax(new Big(base));
}

/** Base and tax by rate when the lines alone settle them: all have a rate, nothing is discounted as a whole. */
function taxFromLines(data: CommercialDocument, figures: Figures) {
	const lines = countedLines(data, figures);
	if (figures.adjustments.some((amount) => !new Big(amount).eq(0)) || lines.length === 0) return null;
	const rates = new Map<string, { rate: Big; base: Big; taxByLine: Big; totals: string[] }>();
	for (const { vatRate, total } of lines) {
		if (vatRate === null || total === null) return null;
		const rate = new Big(vatRate);
		const soFar = rates.get(rate.toFixed()) ?? { rate, base: new Big(0), taxByLine: new Big(0), totals: [] };
		rates.set(rate.toFixed(), {
			rate,
			base: soFar.base.plus(total),
			taxByLine: soFar.taxByLine.plus(new Big(total).times(rate).div(100).round(2)),
			totals: [...soFar.totals, total],
		});
	}
	const sum = sumOf([...rates.values()].map(({ base }) => base));
	return linesIncludeTax(data, sum) && !(data.totals.tax !== null && new Big(data.totals.tax).eq(0)) ? null : rates;
}

function checkTaxSum(data: CommercialDocument, figures: Figures): Check[] {
	const checks: Check[] = [];
	const { net, tax } = data.totals;
	const amounts = figures.taxes.map(({ amount }) => amount);
	if (tax !== null && amounts.length > 0 && amounts.every((amount) => amount !== null)) {
		checks.push(sumCheck('tax-sum', 'totals.tax', tax, amounts, isCreditNote(data)));
	}
	const bases = figures.taxes.map(({ base }) => base);
	if (net !== null && bases.length > 0 && bases.every((base) => base !== null)) {
		const check = sumCheck('tax-sum', 'totals.net', net, bases, isCreditNote(data));
		const leftOut = new Big(net).minus(check.expected).abs();
		// A table without a row at 0 % may leave untaxed parts out; those are worth more than a slip in a last digit.
		const listsAll = figures.taxes.some(({ rate }) => rate !== null && new Big(rate).eq(0));
		if (listsAll || leftOut.lt(1)) checks.push(check);
	}
	return checks;
}

function checkGross(data: CommercialDocument): Check[] {
	const { net, tax, gross } = data.totals;
	if (net === null || tax === null || gross === null) return [];
	return [sumCheck('gross', 'totals.gross', gross, [net, tax], isCreditNote(data))];
}

/** A credit note may print minus signs on some of its amounts only; its amounts are then compared without them. */
function sumCheck(
	rule: Check['rule'],
	path: string,
	printed: string,
	parts: readonly string[],
	creditNote: boolean,
): Check {
	const expected = sumOf(parts.map((part) => new Big(part)));
	const detail = `${parts.map((part, index) => (index === 0 ? part : signed(new Big(part)))).join(' ')} = ${expected.toFixed()}`;
	const check = { rule, path, printed, expected: money(expected), detail };
	if (equal(expected, new Big(printed))) return { ...check, ok: true };
	const unsigned = sumOf(parts.map((part) => new Big(part).abs()));
	if (!creditNote || !equal(unsigned, new Big(printed).abs())) return { ...check, ok: false };
	return {
		...check,
		ok: true,
		detail: `${detail}; without signs ${unsigned.toFixed()}, as the credit note prints it`,
	};
}

function isCreditNote(data: CommercialDocument): boolean {
	const total = data.totals.net ?? data.totals.gross;
	return total !== null && new Big(total).lt(0);
}

function sumOf(amounts: readonly Big[]): Big {
	return amounts.reduce((sum, amount) => sum.plus(amount), new Big(0));
}

function signed(amount: Big): string {
	return amount.lt(0) ? `- ${amount.abs().toFixed()}` : `+ ${amount.toFixed()}`;
}

function money(amount: Big): string {
	return amount.round(2).toFixed(2);
}

function decimalsOf(amount: Big): number {
	return amount.toFixed().split('.')[1]?.length ?? 0;
}

type Signs = 'same' | 'opposite';
type Compare = (xml: string, printed: string, signs: Signs) => boolean;

const sameAmount: Compare = (xml, printed, signs) =>
	signs === 'opposite' ? new Big(xml).abs().eq(new Big(printed).abs()) : new Big(xml).eq(printed);
const sameText: Compare = (xml, printed) => letters(xml) === letters(printed);
const sameName: Compare = (xml, printed) => {
	const [a, b] = [letters(xml), letters(printed)];
	return a.includes(b) || b.includes(a);
};

const lineValues = [
	['description', sameName],
	['quantity', sameAmount],
	['unitPrice', sameAmount],
	['vatRate', sameAmount],
	['total', sameAmount],
] as const satisfies ReadonlyArray<readonly [keyof DocumentLine, Compare]>;

/** How a value of the header is compared. */
const headerValues: Readonly<Record<HeaderPath, Compare>> = {
	number: sameText,
	date: sameText,
	validUntil: sameText,
	currency: sameText,
	'seller.name': sameName,
	'seller.vat': sameText,
	'seller.siret': sameText,
	'buyer.name': sameName,
	'buyer.email': sameText,
	'totals.net': sameAmount,
	'totals.tax': sameAmount,
	'totals.gross': sameAmount,
};

function compareValues(
	path: string,
	xml: string | null,
	page: Found | undefined,
	compare: Compare,
	signs: Signs,
): Check[] {
	if (xml === null || page === undefined) return [];
	const ok = compare(xml, page.value, signs);
	const detail = `the page prints "${page.place.quote}", the XML says "${xml}"`;
	return [{ rule: 'xml-against-page', path, printed: page.value, expected: xml, ok, detail }];
}

function opposite(a: string, b: string): boolean {
	return !new Big(a).eq(0) && new Big(a).eq(new Big(b).times(-1));
}

/** Letters and digits alone, without case and accents: what is left when layout is taken away. */
function letters(text: string): string {
	return text
		.normalize('NFKD')
		.replace(/[^\p{L}\p{N}@]/gu, '')
		.toLowerCase();
}
