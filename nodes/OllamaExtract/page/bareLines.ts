import Big from 'big.js';
import { foundCell, foundIn, numbersIn, partOf, type Conventions, type Found } from './found';
import { folded, labelAt } from './labels';
import type { Cell, Row } from '../rows/layout';
import { isOptional, type TableLine } from './tableLine';

/**
 * Reads lines that no table head announces, as craftsmen print them: a text and, at the right, an amount, or a
 * quantity, a price and an amount. A row whose own product proves it is a line; rows with an amount alone are lines
 * only when all lines together add up to one of the totals.
 */
export function readLinesWithoutHead(
	rows: readonly Row[],
	totals: ReadonlyArray<Found | undefined>,
	conventions: Conventions,
): TableLine[] {
	const stacked = stackedLines(rows, conventions);
	const lines = rows.flatMap((row) => stacked.get(row) ?? lineOf(withoutLeader(row), conventions) ?? []);
	const sum = lines.reduce((sofar, { values }) => sofar.plus(values.total?.value ?? 0), new Big(0));
	const confirmed = totals.some((total) => total !== undefined && new Big(total.value).minus(sum).abs().lte('0.005'));
	return confirmed ? lines : lines.filter(({ values }) => values.quantity !== undefined);
}

/** In characters: longer than a line of print. */
const longestLine = 200;

/** `Traitement anti-mousse .......... 520,00 €` in one cell as two: what leads the eye to the amount is no text. */
function withoutLeader(row: Row): Row {
	const [cell, ...more] = row.cells;
	if (
		cell === undefined ||
		more.length > 0 ||
		cell.text.length > longestLine ||
		!/[._…]{2}|[._…] [._…]/.test(cell.text)
	)
		return row;
	const [whole, text = '', leader = ''] = /^(.*\p{L}.*?)(\s*(?:[._…] ?){4,}\s*)(?=\S)/u.exec(cell.text) ?? [];
	if (whole === undefined) return row;
	const from = text.length + leader.length;
	const [name, amount] = [partOf(cell, 0, text.length), partOf(cell, from, cell.text.length)];
	return name === null || amount === null ? row : { ...row, cells: [name, amount] };
}

/**
 * Lines set in two levels, a name above `64 m² × 6,50 €`, their product at the right, by the row of that product. The
 * product proves which name, quantity, price and amount belong together.
 */
function stackedLines(rows: readonly Row[], conventions: Conventions): ReadonlyMap<Row, TableLine> {
	const lines = new Map<Row, TableLine>();
	for (const [index, row] of rows.entries()) {
		const [factors] = row.cells;
		const [whole, unit = ''] = factors === undefined ? [] : (spokenFactors.exec(factors.text) ?? []);
		if (factors === undefined || whole === undefined) continue;
		const height = row.bottom - row.top;
		const near = rows
			.slice(Math.max(0, index - 2), index + 1)
			.filter(({ page, top }) => page === row.page && row.top - top <= 2.5 * height);
		const name = near
			.flatMap(({ cells }) => cells)
			.findLast(
				(cell) => cell !== factors && Math.abs(cell.left - factors.left) <= height && /\p{L}{3}/u.test(cell.text),
			);
		const amounts = near.flatMap((one) =>
			one.cells
				.filter((cell) => cell !== name && cell !== factors)
				.flatMap((cell) =>
					numbersIn(cell.text, conventions.decimalMark).map((printed) => ({ cell, ...printed, row: one })),
				),
		);
		const [quantity, price, rate] = numbersIn(factors.text, conventions.decimalMark).map((printed) => ({
			cell: factors,
			...printed,
		}));
		const [total, ...more] = amounts.filter(({ percent }) => !percent);
		if (name === undefined || labelAt(name.text) !== null || total === undefined || more.length > 0) continue;
		if (quantity === undefined || price === undefined) continue;
		const product = productOf([quantity, price, total]);
		if (product === null) continue;
		const place = (amount: Amount, value: string) => foundIn(amount.cell, amount.start, amount.end, value);
		const unitStart = factors.text.indexOf(unit, quantity.end);
		lines.set(total.row, {
			values: {
				description: foundCell(name),
				quantity: place(quantity, product.values.quantity),
				unitPrice: place(price, product.values.price),
				total: place(total, product.values.total),
				...(unit === '' ? {} : { unit: foundIn(factors, unitStart, unitStart + unit.length, unit) }),
				...(rate?.percent === true && /\b(?:tva|ust|mwst|vat)\b/.test(folded(factors.text))
					? { vatRate: place(rate, new Big(rate.could[0] ?? 0).toFixed()) }
					: {}),
			},
			figures: { adjustments: [], priceQuantity: null },
			position: null,
			optional: isOptional(name.text),
		});
	}
	return lines;
}

const spokenFactors = /^\d[\d .,]*\s?(\p{L}[\p{L}²³\d.]{0,14})?\s*[x×*]\s*\d/u;

interface Amount {
	readonly cell: Cell;
	readonly start: number;
	readonly end: number;
	readonly could: readonly string[];
}

function lineOf(row: Row, conventions: Conventions): TableLine | null {
	const described = row.cells.find(({ text }) => (text.match(/\p{L}/gu)?.length ?? 0) >= 3);
	if (described === undefined) return null;
	const before = row.cells.slice(0, row.cells.indexOf(described));
	const others = row.cells.filter((cell) => cell !== described);
	if (before.length > 1 || before.some(({ text }) => !/^\d/.test(text))) return null;
	if (labelAt(described.text) !== null) return null;
	const amounts = others.flatMap((cell): Amount[] =>
		numbersIn(cell.text, conventions.decimalMark)
			.filter(({ percent }) => !percent)
			.map(({ start, end, could }) => ({ cell, start, end, could })),
	);
	const total = amounts.at(-1);
	if (total === undefined || others.some(({ text }) => (text.match(/\p{L}/gu)?.length ?? 0) > 12)) return null;
	const spoken = spokenProduct(described, total, conventions);
	if (spoken !== null)
		return {
			...spoken,
			figures: { adjustments: [], priceQuantity: null },
			position: null,
			optional: isOptional(described.text),
		};
	const product = productOf(amounts) ?? productOf(amounts.flatMap(apart));
	const [alone] = total.could;
	if (product === null && (amounts.length > 1 || total.could.length > 1 || alone === undefined)) return null;
	const place = (amount: Amount, value: string) => foundIn(amount.cell, amount.start, amount.end, value);
	const unit = product === null ? undefined : unitBetween(product.quantity, row);
	return {
		values: {
			description: foundCell(described),
			...(product === null
				? { total: place(total, alone ?? '') }
				: {
						quantity: place(product.quantity, product.values.quantity),
						unitPrice: place(product.price, product.values.price),
						total: place(total, product.values.total),
					}),
			...(unit === undefined ? {} : { unit }),
		},
		figures: { adjustments: [], priceQuantity: null },
		position: null,
		optional: isOptional(described.text),
	};
}

/** `Pose de bardage 32,5 m² à 48,00` beside its product: quantity and price stand in the text itself. */
function spokenProduct(described: Cell, total: Amount, conventions: Conventions): Pick<TableLine, 'values'> | null {
	const [quantity, price, ...more] = numbersIn(described.text, conventions.decimalMark)
		.filter(({ percent }) => !percent)
		.slice(-2)
		.map(({ start, end, could }): Amount => ({ cell: described, start, end, could }));
	if (quantity === undefined || price === undefined || more.length > 0) return null;
	const between = /^\s*(\p{L}[\p{L}²³\d.]{0,9})?\s*(?:[x×*à]|de|au prix de|,)\s*$/iu.exec(
		described.text.slice(quantity.end, price.start),
	);
	const name = described.text.slice(0, quantity.start).replace(/[\s:(–-]+$/, '');
	const product = productOf([quantity, price, total]);
	if (between === null || product === null || (name.match(/\p{L}/gu)?.length ?? 0) < 3) return null;
	const place = (amount: Amount, value: string) => foundIn(amount.cell, amount.start, amount.end, value);
	const unit = between[1];
	const unitStart = quantity.end + described.text.slice(quantity.end).indexOf(unit ?? '');
	return {
		values: {
			description: foundIn(described, 0, name.length, name),
			quantity: place(quantity, product.values.quantity),
			unitPrice: place(price, product.values.price),
			total: place(total, product.values.total),
			...(unit === undefined || unit === 'x'
				? {}
				: { unit: foundIn(described, unitStart, unitStart + unit.length, unit) }),
		},
	};
}

/** `1 450 €` as the 1 and the 450 € that it is in a tight table, where their product proves it. */
function apart(amount: Amount): Amount[] {
	const text = amount.cell.text.slice(amount.start, amount.end);
	const [head] = /^\d{1,3}(?= \d{3}(?!\d))/.exec(text) ?? [];
	if (head === undefined) return [amount];
	const middle = amount.start + head.length + 1;
	const [rest, ...more] = numbersIn(amount.cell.text.slice(middle, amount.end), undefined);
	if (rest === undefined || more.length > 0) return [amount];
	return [
		{ ...amount, end: middle - 1, could: [head] },
		{ ...amount, start: middle, could: rest.could },
	];
}

/** The quantity and price among a row's amounts whose product is its last one; null unless exactly one pair fits. */
function productOf(amounts: readonly Amount[]) {
	const total = amounts.at(-1);
	const fits = [];
	for (const [at, quantity] of amounts.slice(0, -1).entries()) {
		for (const price of amounts.slice(at + 1, -1)) {
			for (const q of quantity.could) {
				for (const p of price.could) {
					for (const t of total?.could ?? []) {
						if (new Big(q).times(p).minus(t).abs().lte('0.005'))
							fits.push({ quantity, price, values: { quantity: q, price: p, total: t } });
					}
				}
			}
		}
	}
	const [only] = fits;
	return fits.length === 1 && only !== undefined ? only : null;
}

function unitBetween(quantity: Amount, row: Row): Found | undefined {
	const rest = quantity.cell.text.slice(quantity.end);
	const inside = /^\s*(\p{L}[\p{L}²³\d.]{0,9})\s*(?:[x×à].*)?$/u.exec(rest)?.[1];
	if (inside !== undefined && !/^[x×à]$/i.test(inside)) {
		const start = quantity.end + rest.indexOf(inside);
		return foundIn(quantity.cell, start, start + inside.length, inside);
	}
	const next = row.cells[row.cells.indexOf(quantity.cell) + 1];
	return next !== undefined && /^\p{L}[\p{L}²³\d.]{0,9}$/u.test(next.text) ? foundCell(next) : undefined;
}
