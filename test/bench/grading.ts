/** A line of a document as it should come out; null is not there, and a value that is read all the same is wrong. */
export interface TrueLine {
	readonly description: string;
	/** True where the whole description is known as printed, false where only its beginning is. */
	readonly whole: boolean;
	readonly quantity: string | null;
	/** Net, or before a discount on the line: a page may print either. Empty where none is printed. */
	readonly unitPrices: readonly string[];
	readonly total: string | null;
}

/** A line as it was read. */
export interface ReadLine {
	readonly description: string | null;
	readonly quantity: string | null;
	readonly unitPrice: string | null;
	readonly total: string | null;
}

/**
 * True where a read line is the wanted one: description, quantity, unit price and total. `anyPrice` for a price before a
 * discount that the line's own arithmetic confirms, `anySign` for a credit note, which a page may print either way.
 */
export function isSameLine(line: ReadLine, wanted: TrueLine, anyPrice: boolean, anySign: boolean): boolean {
	const read = letters(line.description ?? '');
	const told = letters(wanted.description);
	return (
		(wanted.whole ? read === told : read.startsWith(told.slice(0, 10)) && told !== '') &&
		isSameAmount(line.total, wanted.total, anySign) &&
		isSameAmount(line.quantity, wanted.quantity, anySign) &&
		(wanted.unitPrices.length === 0
			? line.unitPrice === null
			: anyPrice || wanted.unitPrices.some((price) => isSameAmount(line.unitPrice, price, anySign)))
	);
}

/** True where a value of the header is the wanted one: amounts by value, names but for a legal form, all else by letter. */
export function isSameValue(path: string, value: string, truth: string, anySign: boolean): boolean {
	if (path.startsWith('totals.')) return isSameAmount(value, truth, anySign);
	return path.endsWith('.name') ? isSameName(value, truth) : letters(value) === letters(truth);
}

/** True for equal values and for null where null is wanted; the sign may differ only where `anySign` says so. */
export function isSameAmount(value: string | null, truth: string | null, anySign: boolean): boolean {
	if (value === null || truth === null) return value === truth;
	const [read, wanted] = [Number(value), Number(truth)];
	return read === wanted || (anySign && read === -wanted);
}

/** True for equal names; a page may print the legal form before or behind a name, the XML may leave it out. */
function isSameName(value: string, truth: string): boolean {
	const [read, wanted] = [value, truth].map((name) => {
		const words = name
			.replaceAll('.', '')
			.toLowerCase()
			.match(/[\p{L}\p{N}]+/gu);
		const bare = [...(words ?? [])];
		while (bare.length > 1 && legalForms.has(bare.at(-1) ?? '')) bare.pop();
		while (bare.length > 1 && legalForms.has(bare[0] ?? '')) bare.shift();
		return { whole: letters(name), bare: letters(bare.join('')) };
	}) as [{ whole: string; bare: string }, { whole: string; bare: string }];
	// Of two different legal forms one is wrong: only a missing one is none.
	const oneIsBare = read.whole === read.bare || wanted.whole === wanted.bare;
	return read.whole === wanted.whole || (oneIsBare && read.bare === wanted.bare);
}

const legalForms = new Set([
	...['sarl', 'eurl', 'sas', 'sasu', 'sa', 'sci', 'snc', 'ei', 'eirl', 'scop', 'selarl', 'scp', 'earl'],
	...['gmbh', 'mbh', 'ag', 'ug', 'haftungsbeschränkt', 'kg', 'kgaa', 'ohg', 'ek', 'gbr', 'eg', 'ev', 'co', 'se'],
	...['ltd', 'limited', 'llc', 'inc', 'plc', 'llp', 'bv', 'nv', 'srl', 'spa'],
]);

/**
 * The share of a document's lines whose first ten characters and total stand on one row. The lines are those of the
 * truth, whatever a reader returns: what it loses, and a document that it fails on, count as not whole.
 */
export function intactShare(
	lines: ReadonlyArray<{ readonly name: string; readonly total: string }>,
	rows: readonly string[],
): number {
	if (lines.length === 0) throw new RangeError('A document without lines has no share of them.');
	const squashed = rows.map(squash);
	const whole = lines.filter(({ name, total }) => {
		const beginning = squash(name.slice(0, 10));
		return rows.some((row, at) => squashed[at]!.includes(beginning) && figure(total).test(row));
	});
	return whole.length / lines.length;
}

function squash(text: string): string {
	return text.normalize('NFKC').replace(/\s/g, '').toLowerCase();
}

/** The amount with either decimal sign and any grouping, not as a part of a longer figure. */
function figure(total: string): RegExp {
	const [whole, decimals] = Math.abs(Number(total)).toFixed(2).split('.') as [string, string];
	const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "[\\s.,'’]?");
	const cents = decimals === '00' ? '(?:[.,]0+)?' : `[.,]${decimals.replace(/0$/, '0?')}0*`;
	return new RegExp(`(?<![\\d.,])${grouped}${cents}(?![.,]?\\d)`, 'u');
}

function letters(text: string): string {
	return text
		.normalize('NFKD')
		.replace(/[^\p{L}\p{N}]/gu, '')
		.toLowerCase();
}
