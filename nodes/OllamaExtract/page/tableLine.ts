import Big from 'big.js';
import { columned, describedBy, isFigure, strays } from './columns';
import { type Conventions, type Found, foundCell, foundIn, numbersIn, type Printed } from './found';
import type { Head } from './heads';
import { type Column, folded } from './labels';
import type { DocumentLine } from '../result';
import type { Cell, Row } from '../rows/layout';

/** What stands with one line of a document and takes part in its arithmetic. */
export interface LineFigures {
	/** Discounts (negative) and charges (positive) on the line. */
	readonly adjustments: readonly string[];
	/** The quantity that the unit price stands for, when that is not 1. */
	readonly priceQuantity: string | null;
	/** Discount on the line in percent: `10` takes a tenth off. */
	readonly discountPercent?: string | null;
	/** False for a line that the sum of lines leaves out: an option, a detail of another line. */
	readonly counted?: boolean;
	/** True for a line that calls itself an option, or stands under a title that does. */
	readonly optional?: boolean;
}

/** A line as its row prints it. */
export interface TableLine {
	readonly values: Partial<Record<keyof DocumentLine, Found>>;
	readonly figures: LineFigures;
	/** The printed position (`1.2`), when a column holds it. */
	readonly position: string | null;
	readonly optional: boolean;
}

/** True for a title or a line that the client may leave out: an option, a variant. */
export function isOptional(text: string): boolean {
	return /^(?:\W*|\d[\d.]* )(?:en )?(?:options?|variantes?|alternativ|optional|bedarfsposition|eventualposition)(?![\p{L}])/u.test(
		folded(text),
	);
}

interface Candidate {
	readonly cell: Cell;
	readonly printed: Printed;
	readonly value: string;
}

/** Reads a row under a head as a line: what its cells hold, settled by its own arithmetic where they leave a choice. */
export function lineOf(row: Row, head: Head, conventions: Conventions) {
	const cells = columned(row, head);
	const described = describedBy(row, cells);
	const numbers = (column: Column): Candidate[] =>
		(cells.get(column) ?? [])
			.filter(isFigure)
			.flatMap((cell) =>
				numbersIn(cell.text, conventions.decimalMark).flatMap((printed) =>
					printed.could.map((value) => ({ cell, printed, value })),
				),
			);
	const amounts = (column: Column) => numbers(column).filter(({ printed }) => !printed.percent);
	const headed = amounts('total').length > 0 ? amounts('total') : amounts('totalWithTax');
	// Without a head for totals the figure that the line's own product confirms is its total.
	const product = (total: Candidate) =>
		amounts('quantity').some((q) =>
			amounts('unitPrice').some((p) => holds(q.value, p.value, total.value, '1', discount)),
		);
	const inPercent = head.columns.some(({ column, head: title }) => column === 'discount' && title.includes('%'));
	const discount = discountOf(cells.get('discount') ?? [], inPercent, conventions);
	const totals = headed.length > 0 ? headed : amounts('other').filter(product);
	// So is the factor that its head does not name: quantity or price is what makes the other one the total.
	const factor = (column: 'quantity' | 'unitPrice') => {
		const named = amounts(column);
		const other = amounts(column === 'quantity' ? 'unitPrice' : 'quantity');
		if (named.length > 0 || head.columns.some((one) => one.column === column)) return named;
		return amounts('other').filter((candidate) =>
			other.some((one) => totals.some((total) => holds(candidate.value, one.value, total.value, '1', discount))),
		);
	};
	const [quantities, prices] = [factor('quantity'), factor('unitPrice')];
	const unitCell = cells.get('unit')?.[0];
	const perUnit = unitCell === undefined ? null : /^(\d+)\s*(\p{L}.*)$/u.exec(unitCell.text.trim());
	const per = perUnit?.[1] ?? amounts('per')[0]?.value ?? null;
	const [charged, chosen] = chargesOf(amounts('charge'), quantities, discount)
		.map((each) => [each, chooseByArithmetic(quantities, prices, totals, each, per)] as const)
		.toSorted(([, a], [, b]) => Number(b.holds) - Number(a.holds))[0]!;
	const values: Partial<Record<keyof DocumentLine, Found>> = {};
	const isOption = described !== undefined && isOptional(described.text);
	const unsure: Array<{ path: string; message: string; place: Found['place'] }> = [];
	const place = (candidate: Candidate) =>
		foundIn(candidate.cell, candidate.printed.start, candidate.printed.end, candidate.value);
	if (described !== undefined) values.description = descriptionIn(described);
	for (const key of ['quantity', 'unitPrice', 'total'] as const) {
		const { choice, among } = chosen[key];
		if (choice !== null) {
			values[key] = place(choice);
			// The amount of an option stands in brackets because it is not counted, not because it is negative.
			if (isOption && /^\(.*\)$/.test(choice.cell.text.trim()))
				values[key] = { ...place(choice), value: choice.value.replace('-', '') };
		} else if (among[0] !== undefined) {
			const message = `could be ${[...new Set(among.map(({ value }) => value))].join(' or ')}`;
			unsure.push({ path: key, message, place: place(among[0]).place });
		}
	}
	const stray = row.cells.find((cell) => cell !== described);
	if (strays(row, head) && stray !== undefined) {
		const message = 'lacks a value in one of its columns, and none of its figures stands under a head';
		const { place: seen } = foundCell(stray);
		for (const path of ['quantity', 'unitPrice', 'total']) unsure.push({ path, message, place: seen });
	}
	const unit = unitOf(unitCell, perUnit?.[2], chosen.quantity.choice);
	if (unit !== null) values.unit = unit;
	const rates = numbers('vatRate').filter(({ value }) => new Big(value).gte(0) && new Big(value).lte(100));
	if (rates.length === 1 && rates[0] !== undefined)
		values.vatRate = { ...place(rates[0]), value: decimal(rates[0].value) };
	const position = cells.get('position')?.[0]?.text.trim() ?? null;
	return {
		values,
		unsure,
		described,
		position: position !== null && /^\d+(?:\.\d+)*\.?$/.test(position) ? position.replace(/\.$/, '') : null,
		figures: {
			adjustments: charged.amounts,
			priceQuantity: chosen.priceQuantity,
			discountPercent: discount.percent,
		},
	};
}

/** The description in its cell, without a position or a mark of a list before it. */
export function descriptionIn(cell: Cell): Found {
	const [prefix = ''] = /^(?:\d{1,3}(?:\.\d{1,3})+\.?|[-•*▪–])\s+(?=\p{L})/u.exec(cell.text) ?? [];
	return foundIn(cell, prefix.length, cell.text.length, cell.text.slice(prefix.length).trim());
}

function unitOf(cell: Cell | undefined, afterNumber: string | undefined, quantity: Candidate | null): Found | null {
	if (cell !== undefined) {
		const text = afterNumber ?? cell.text.trim();
		if (!/\p{L}/u.test(text) || text.length > 20) return null;
		return foundIn(cell, cell.text.indexOf(text), cell.text.indexOf(text) + text.length, text);
	}
	if (quantity === null) return null;
	const rest = quantity.cell.text.slice(quantity.printed.end);
	const unit = /^\s*(\p{L}[\p{L}²³\d.()/ ]{0,14})\s*$/u.exec(rest)?.[1]?.trim();
	if (unit === undefined || unit.toLowerCase() === 'x') return null;
	const start = quantity.printed.end + rest.indexOf(unit);
	return foundIn(quantity.cell, start, start + unit.length, unit);
}

interface Discount {
	readonly percent: string | null;
	readonly amounts: readonly string[];
}

function discountOf(cells: readonly Cell[], inPercent: boolean, conventions: Conventions): Discount {
	const numbers = cells.flatMap((cell) => numbersIn(cell.text, conventions.decimalMark));
	const percents = numbers.filter(({ percent }) => percent || inPercent).flatMap(({ could }) => could);
	const amounts = numbers.filter(({ percent, could }) => !percent && could.length === 1).flatMap(({ could }) => could);
	const [percent] = percents;
	if (percent !== undefined && percents.length === 1) return { percent: new Big(percent).abs().toFixed(), amounts: [] };
	return { percent: null, amounts };
}

/**
 * What a charge beside the price (an eco-contribution) adds to the discount: nothing where the price holds it, itself,
 * or itself for each piece.
 */
function chargesOf(charges: readonly Candidate[], quantities: readonly Candidate[], discount: Discount): Discount[] {
	const [charge, ...more] = charges;
	const [quantity, ...others] = quantities;
	if (charge === undefined || more.length > 0) return [discount];
	const each = (amount: string) => ({ ...discount, amounts: [...discount.amounts, amount] });
	const pieces =
		quantity === undefined || others.length > 0 ? [] : [new Big(charge.value).times(quantity.value).toFixed()];
	return [discount, each(charge.value), ...pieces.map(each)];
}

/** Of all that a line's cells could say, what its arithmetic confirms; a cell with a single reading stands by itself. */
function chooseByArithmetic(
	quantities: readonly Candidate[],
	prices: readonly Candidate[],
	totals: readonly Candidate[],
	discount: Discount,
	per: string | null,
) {
	const pers = per === null ? ['1'] : ['1', per];
	const fits: Array<{ quantity: Candidate; price: Candidate; total: Candidate; per: string }> = [];
	for (const quantity of quantities) {
		for (const price of prices) {
			for (const total of totals) {
				for (const divisor of pers) {
					if (holds(quantity.value, price.value, total.value, divisor, discount)) {
						fits.push({ quantity, price, total, per: divisor });
					}
				}
			}
		}
	}
	const choose = (among: readonly Candidate[], key: 'quantity' | 'price' | 'total') => {
		const values = new Set(fits.map((fit) => fit[key].value));
		const confirmed = fits[0];
		if (confirmed !== undefined && values.size === 1) return { choice: confirmed[key], among };
		const single = new Set(among.map(({ value }) => value)).size === 1;
		return { choice: single ? (among[0] ?? null) : null, among };
	};
	return {
		quantity: choose(quantities, 'quantity'),
		unitPrice: choose(prices, 'price'),
		total: choose(totals, 'total'),
		priceQuantity: fits[0] !== undefined && fits[0].per !== '1' ? fits[0].per : null,
		holds: fits.length > 0,
	};
}

function holds(quantity: string, price: string, total: string, per: string, discount: Discount): boolean {
	if (new Big(per).eq(0)) return false;
	const gross = new Big(quantity).times(price).div(per);
	const net = discount.percent === null ? gross : gross.times(new Big(100).minus(discount.percent)).div(100);
	const adjusted = discount.amounts.reduce((sum, amount) => sum.plus(amount), net);
	return [gross, adjusted].some((expected) => expected.abs().minus(new Big(total).abs()).abs().lte('0.005'));
}

/** A rate without the zeros that pad it: `20.00` is `20`, `5.50` is `5.5`. */
export function decimal(value: string): string {
	return new Big(value).toFixed();
}
