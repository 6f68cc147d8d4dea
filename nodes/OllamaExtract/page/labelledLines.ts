import { foundIn, numbersIn, type Conventions, type Found } from './found';
import { columnOf } from './labels';
import type { Cell, Row } from '../rows/layout';
import type { DocumentLine } from '../result';
import { isOptional, type TableLine } from './tableLine';

/**
 * Reads lines that are printed as a form: `Désignation : Tonte`, `Quantité : 2`, one under the other. A line begins with
 * its description and counts when its total, or quantity and unit price, follow before the next one.
 */
export function readLabelledLines(
	rows: readonly Row[],
	conventions: Conventions,
): { lines: TableLine[]; used: Set<Cell> } {
	const blocks: Entry[][] = [];
	for (const entry of rows.flatMap(({ cells }) => entriesOf(cells, conventions))) {
		if (entry.key === 'description') blocks.push([entry]);
		else if (blocks.at(-1)?.some(({ key }) => key === entry.key) === false) blocks.at(-1)?.push(entry);
	}
	const complete = blocks.filter((block) => {
		const has = (key: keyof DocumentLine) => block.some((entry) => entry.key === key);
		return has('quantity') && has('unitPrice');
	});
	return {
		lines: complete.map((block): TableLine => {
			const values = Object.fromEntries(block.map(({ key, found }) => [key, found]));
			return {
				values,
				figures: { adjustments: [], priceQuantity: null },
				position: null,
				optional: isOptional(block[0]?.found.value ?? ''),
			};
		}),
		used: new Set(complete.flat().flatMap(({ cells }) => cells)),
	};
}

interface Entry {
	readonly key: keyof DocumentLine;
	readonly found: Found;
	readonly cells: readonly Cell[];
}

const keys = {
	description: 'description',
	quantity: 'quantity',
	unit: 'unit',
	unitPrice: 'unitPrice',
	price: 'unitPrice',
	vatRate: 'vatRate',
	total: 'total',
} as const;

function entriesOf(cells: readonly Cell[], conventions: Conventions): Entry[] {
	return cells.flatMap((cell, index): Entry[] => {
		const [head, label] = /^([^:]{1,40}?)\s*:\s*/.exec(cell.text) ?? [];
		const column = label === undefined ? null : columnOf(label);
		if (head === undefined || column === null || !(column in keys)) return [];
		const key = keys[column as keyof typeof keys];
		const beside = cells[index + 1];
		const holder = cell.text.length > head.length ? cell : beside;
		if (holder === undefined) return [];
		const start = holder === cell ? head.length : 0;
		const found = valueOf(key, holder, start, conventions);
		return found === null ? [] : [{ key, found, cells: holder === cell ? [cell] : [cell, holder] }];
	});
}

function valueOf(key: keyof DocumentLine, cell: Cell, start: number, conventions: Conventions): Found | null {
	const text = cell.text.slice(start);
	if (key === 'description' || key === 'unit') {
		return /\p{L}/u.test(text) ? foundIn(cell, start, cell.text.length, text.trim()) : null;
	}
	const [only, ...more] = numbersIn(text, conventions.decimalMark);
	const [value, ...others] = only?.could ?? [];
	if (only === undefined || value === undefined || more.length > 0 || others.length > 0) return null;
	return foundIn(cell, start + only.start, start + only.end, value);
}
