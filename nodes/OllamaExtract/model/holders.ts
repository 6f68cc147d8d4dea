import { columnOf, isBareLabel, isDocumentTitle, labelAt, type Label } from '../page/labels';
import { sitesIn, slicesAfter, type Site } from '../page/labelled';
import { datesIn } from '../page/numbers';
import type { HeaderPath } from '../result';
import type { Cell, Row } from '../rows/layout';
import { amount, ballast, company, isAddress, isFigure, proseFrom, squeezed, withoutAsides } from './wording';

/** What is asked of a document: fields outside the lines, and whether its lines are. */
export interface Asked {
	readonly header: readonly HeaderPath[];
	readonly lines: boolean;
}

/** The cells outside the lines that can hold what is asked. */
export interface Holders {
	readonly cells: ReadonlySet<Cell>;
	/** Those of them that bear a total or its label. */
	readonly totals: ReadonlySet<Cell>;
	/** Cells that bear a figure which is asked of nobody. */
	readonly needless: ReadonlySet<Cell>;
	/** The fields for which there is such a cell; a total may also stand where no label names it. */
	readonly fields: ReadonlySet<HeaderPath>;
	/** Whether each total that is asked for stands with its label. */
	readonly totalsNamed: boolean;
}

/**
 * Finds the cells that can hold a field: where a label names it, those that it names; where none does, all that look
 * like it. A figure that a better one replaces is needless: a subtotal beside a net total, the rest due beside a gross.
 */
export function holdersOf(rows: readonly Row[], { header, lines }: Asked, bearing: readonly boolean[]): Holders {
	const bodyAt = rows.findIndex((row, at) => bearing[at] === true || isHead(row));
	const finder = new Finder(rows, bearing, bodyAt === -1 ? rows.length : bodyAt);
	const fields = new Set<HeaderPath>();
	const asked = new Set(header);
	const find = (path: HeaderPath, search: () => boolean) => {
		if (asked.has(path) && search()) fields.add(path);
	};
	find('number', () => finder.labelled(['number', 'title'], hasDigit) || finder.alike(looksLikeNumber));
	find('date', () => finder.dateNamed() || finder.alike(hasDate));
	find(
		'validUntil',
		() => finder.labelled(['valid-until'], ({ text }) => hasDate({ text }) || isPeriod(text)) || finder.ends(),
	);
	const totals = (['totals.net', 'totals.tax', 'totals.gross'] as const).filter((path) => asked.has(path));
	const asksAmounts = lines || totals.length > 0;
	const printsCurrency = ({ text }: Printed) => currencySign.test(text);
	find('currency', () => finder.labelled(['currency'], printsCurrency) || finder.currencies(asksAmounts));
	const named = {
		'seller.name': finder.party('seller'),
		'buyer.name': finder.party('buyer'),
	};
	const names = (['seller.name', 'buyer.name'] as const).filter((path) => asked.has(path));
	if (names.length > 0) {
		const found = finder.names(names.every((path) => named[path]));
		for (const path of names) if (found || named[path]) fields.add(path);
	}
	find('seller.vat', () => finder.alike(({ text }) => vatNumber.test(text), true));
	find('seller.siret', () => finder.alike(({ text }) => siret.test(text), true));
	find('buyer.email', () => finder.alike(({ text }) => text.includes('@'), true));
	const amounts = asksAmounts ? finder.totals() : new Set<HeaderPath>();
	for (const path of totals) fields.add(path);
	return {
		cells: finder.kept,
		totals: finder.totalCells,
		needless: finder.needless,
		fields,
		totalsNamed: totals.every((path) => amounts.has(path)),
	};
}

interface Printed {
	readonly text: string;
}

const hasDigit = ({ text }: Printed) => /\d/.test(text);
const isSum = ({ text }: Printed) => amount.test(text) || isFigure(squeezed(text.replace(/EUR|€|euros?/gi, ' ')));
const longCode = /\d(?:[ .]?\d){5}/;
const hasDate = ({ text }: Printed) => datesIn(text, 'day-first').length > 0;
/** The signs and codes by which amounts state their currency. */
export const currencySign = /[€£$]|(?<!\p{L})(?:euros?|EUR|CHF|USD|GBP)(?!\p{L})/u;
const siret = /(?<!\d[ .-]?)\d(?:[ .\u00a0\u202f-]?\d){13}(?![ .-]?\d)/;
const vatNumber =
	/(?<![A-Z\d])(?:AT|BE|BG|CHE|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|GR|HR|HU|IE|IT|LT|LU|LV|MT|NL|NO|PL|PT|RO|SE|SI|SK|XI)[ -]?[A-Z\d]{0,3}(?:[ .-]?\d){7,12}(?![ .-]?\d)|(?:t\.?v\.?a|ust|vat|steuer).{0,20}\d(?:[ .]?\d){7}/i;
const iban = /^[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){3,}/;
const duration =
	/\d|\b(?:un|une|deux|trois|six|quinze|trente|soixante|quatre-vingt|one|two|three|thirty|sixty|ninety|ein|zwei|drei)/i;
const ending =
	/valable|validit|valide|[ée]ch[ée]ance|payable|payer|r[ée]gler|exp\b|expir|f[äa]llig|zahlbar|[üu]berweisen|\bbis\b|g[üu]ltig|bindefrist|due|valid|until|remit|jusqu/i;
const lasting = /\b(?:jours?|mois|semaines?|tagen?|wochen?|monaten?|days?|weeks?|months?)\b/i;
const isPeriod = (text: string) => lasting.test(text) && duration.test(text);
const title = /^(?:m\.|mr\.?|mme|mlle|monsieur|madame|ma[îi]tre|herrn?|frau|mrs\.?|ms\.?|dr\.?)(?!\p{L})/iu;

function looksLikeNumber({ text }: Printed): boolean {
	if (
		!/\d/.test(text) ||
		text.includes('@') ||
		siret.test(text) ||
		iban.test(text) ||
		isAddress(text) ||
		ballast.test(text)
	)
		return false;
	const rest = datesIn(text, 'day-first').reduceRight(
		(left, { start, end }) => left.slice(0, start) + left.slice(end),
		text,
	);
	return /(?<![\p{L}\d])[\p{L}\d/_#-]*\d[\p{L}\d/_.#-]*/u.test(
		rest.replace(/\d[\d .,'’]*[.,]\d{1,3}(?!\d)|\d+ ?[%€$£]/g, ' '),
	);
}

/** Cells longer than this are prose, in which labels are not looked for. */
const longestLabelled = 400;
/** Rows of more cells are no reader's: neighbours are not looked for in them. */
const widest = 64;

type Test = (printed: Printed) => boolean;

class Finder {
	readonly kept = new Set<Cell>();
	readonly totalCells = new Set<Cell>();
	readonly needless = new Set<Cell>();
	private readonly short: readonly Row[];
	private readonly sites: readonly Site[];
	private readonly texts = new Map<Cell, string>();
	private readonly taken = new Set<Cell>();

	constructor(
		private readonly rows: readonly Row[],
		private readonly bearing: readonly boolean[],
		private readonly bodyAt: number,
	) {
		this.short = rows.map((row) => {
			const cells = row.cells.length > widest ? [] : row.cells.filter(({ text }) => text.length <= longestLabelled);
			return cells.length === row.cells.length ? row : { ...row, cells };
		});
		this.sites = sitesIn(this.short);
		for (const site of this.sites) {
			if (!otherLabels.has(site.label)) continue;
			this.taken.add(site.cell);
			const [value] = slicesAfter(this.short, site);
			if (value !== undefined && labelAt(value.text) === null) this.taken.add(value.cell);
		}
	}

	/** Keeps what these labels name, where that is a value of the kind; tells whether there is one. */
	labelled(labels: readonly Label[], test: Test): boolean {
		let found = false;
		for (const site of this.sites) {
			if (!labels.includes(site.label)) continue;
			const value = slicesAfter(this.short, site).find(test);
			if (value === undefined) continue;
			found = true;
			this.kept.add(site.cell).add(value.cell);
		}
		return found;
	}

	/** A date behind its label, or behind the number in the document's title. */
	dateNamed(): boolean {
		const behind = this.labelled(['date'], hasDate);
		return this.labelled(['number', 'title'], hasDate) || behind;
	}

	/** Keeps every cell that looks like a value of the kind, but what another label names. */
	alike(test: Test, evenNamed = false): boolean {
		let found = false;
		for (const row of this.rows) {
			row.cells.forEach((cell, at) => {
				if ((!evenNamed && this.taken.has(cell)) || !test({ text: this.textOf(cell) })) return;
				found = true;
				this.keepWithLabel(row, at);
			});
		}
		return found;
	}

	/** Keeps what may say until when a document stands: dates that nothing names, and periods. */
	ends(): boolean {
		const ends = this.alike(({ text }) => ending.test(text) && hasDate({ text }));
		const lasts = this.alike(({ text }) => ending.test(text) && duration.test(text));
		return ends || this.alike(({ text }) => hasDate({ text }) && labelAt(text)?.label !== 'date') || lasts;
	}

	/** Keeps the first cell that bears each sign of a currency, unless a row of amounts that is sent bears it. */
	currencies(withAmounts: boolean): boolean {
		const seen = new Set<string>();
		const rows = this.rows.map((row, at) => ({ row, amounts: withAmounts && this.bearing[at] === true }));
		for (const { row, amounts } of rows.toSorted((a, b) => Number(b.amounts) - Number(a.amounts))) {
			for (const cell of row.cells) {
				const printed = currencySign.exec(withoutAsides(this.textOf(cell)))?.[0];
				if (printed === undefined || seen.has(printed)) continue;
				seen.add(printed);
				if (!amounts) this.kept.add(cell);
			}
		}
		return seen.size > 0;
	}

	/** Whether a label names this party: the name then stands behind, beside or below it. */
	party(label: 'seller' | 'buyer'): boolean {
		return this.sites.some((site) => site.label === label && this.namesAfter(site).length > 0);
	}

	/** Keeps the names that labels name, those over an address and those with a title or a legal form; else all. */
	names(all: boolean): boolean {
		let found = false;
		const seen = new Set<string>();
		const keep = (cells: readonly Cell[]) => {
			for (const cell of cells) this.kept.add(cell);
			found ||= cells.length > 0;
		};
		for (const site of this.sites) {
			if (site.label !== 'seller' && site.label !== 'buyer' && site.label !== 'name') continue;
			const values = this.namesAfter(site);
			if (values.length > 0) keep([site.cell, ...values]);
		}
		this.rows.forEach((row, at) => {
			row.cells.forEach((cell, cellAt) => {
				const text = this.textOf(cell);
				if (isAddress(text)) keep(this.above(at, cell));
				else if ((company.test(text) || title.test(text)) && this.isName(cell)) {
					if (seen.has(text)) return;
					seen.add(text);
					this.keepWithLabel(row, cellAt);
					found = true;
				}
			});
		});
		if (all) return found;
		for (const region of [this.rows.slice(0, this.bodyAt), this.rows]) {
			for (const { cells } of region) keep(cells.filter((cell) => this.isName(cell)));
			if (found) break;
		}
		return found;
	}

	/** Keeps the totals with their labels, and marks what stands there besides; the totals that a label names. */
	totals(): Set<HeaderPath> {
		const named = new Set<HeaderPath>();
		const figures = this.sites.flatMap((site) => {
			const figuresOfRow = site.row.cells.filter(({ text }) => isFigure(squeezed(text)) || amount.test(text));
			if (!totalLabels.has(site.label) || isHead(site.row) || isTaxHead(site.row)) return [];
			const values = slicesAfter(this.short, site).filter(isSum);
			const below = values.every(({ cell }) => !site.row.cells.includes(cell));
			if (values.length === 0 || (!below && figuresOfRow.length > 2)) return [];
			if (below && (isColumns(site.row) || !this.ofFigures(values[0]!.cell))) return [];
			return [
				{ site, values: below ? values.slice(0, 1) : values.filter(({ cell }) => site.row.cells.includes(cell)) },
			];
		});
		const taxes = figures.filter(({ site }) => site.label === 'tax');
		const ofOneRate = ({ label, cell }: Site) => label === 'tax' && cell.text.includes('%');
		const has = (...labels: Label[]) => figures.some(({ site }) => labels.includes(site.label));
		if (has('net')) named.add('totals.net');
		if (has('tax')) named.add('totals.tax');
		if (has('gross', 'total')) named.add('totals.gross');
		for (const { site, values } of figures) {
			const needless =
				site.label === 'other-amount' ||
				(site.label === 'subtotal' && has('net')) ||
				(ofOneRate(site) && this.ratesOfLines() && taxes.some((one) => !ofOneRate(one.site))) ||
				(site.label === 'due' && has('gross', 'total'));
			const into = needless ? this.needless : this.kept;
			for (const { cell } of [site, ...values]) {
				into.add(cell);
				if (!needless) this.totalCells.add(cell);
			}
		}
		for (const cell of this.kept) this.needless.delete(cell);
		return named;
	}

	private ratesOfLines(): boolean {
		return this.rows.some((row) => isHead(row) && row.cells.some(({ text }) => columnOf(text) === 'vatRate'));
	}

	private namesAfter(site: Site): Cell[] {
		const behind = site.cell.text.slice(site.end, site.until).trim();
		if (behind !== '' && looksLikeName(behind)) return [site.cell];
		const cells: Cell[] = [];
		const next = site.row.cells[site.cellIndex + 1];
		if (next !== undefined && this.isName(next)) cells.push(next);
		for (let at = site.rowIndex + 1; at <= site.rowIndex + 4 && cells.length < 3; at++) {
			const row = this.short[at];
			if (row === undefined || row.page !== site.row.page) break;
			const under = row.cells.filter((cell) => cell.left < site.cell.right + 1 && site.cell.left < cell.right + 1);
			if (under.some(({ text }) => blockEnds.has(labelAt(text)?.label))) break;
			for (const cell of under) {
				const value = labelAt(cell.text)?.label === 'name' ? row.cells[row.cells.indexOf(cell) + 1] : undefined;
				if (value !== undefined && this.isName(value)) cells.push(cell, value);
				else if (this.isName(cell)) cells.push(cell);
			}
		}
		return cells;
	}

	/** The names that stand over an address, nearest first, and the label over them. */
	private above(at: number, cell: Cell): Cell[] {
		const found: Cell[] = [];
		for (let above = at - 1; above >= Math.max(0, at - 4) && found.length < 3; above--) {
			const row = this.short[above]!;
			if (row.page !== this.rows[at]!.page) break;
			const over = row.cells.find(({ left, right }) => left < cell.right && cell.left < right);
			if (over === undefined) continue;
			const label = labelAt(over.text);
			if (label !== null && isBareLabel(over.text)) {
				if (label.label === 'seller' || label.label === 'buyer' || label.label === 'other-party') found.push(over);
				break;
			}
			if (this.isName(over)) found.push(over);
		}
		return found;
	}

	private ofFigures(cell: Cell): boolean {
		const row = this.rows.find(({ cells }) => cells.includes(cell));
		return row !== undefined && row.cells.every(({ text }) => !/\p{L}{4}/u.test(text) || labelAt(text) !== null);
	}

	private isName(cell: Cell): boolean {
		return !this.taken.has(cell) && looksLikeName(this.textOf(cell));
	}

	private keepWithLabel({ cells }: Row, at: number): void {
		this.kept.add(cells[at]!);
		const before = cells[at - 1];
		if (before === undefined || before.text.length > 40 || /\d/.test(before.text)) return;
		if (/[:°#]\s*$/.test(before.text) || labelAt(before.text) !== null || before.text.split(' ').length <= 3)
			this.kept.add(before);
	}

	private textOf(cell: Cell): string {
		let text = this.texts.get(cell);
		if (text === undefined) this.texts.set(cell, (text = squeezed(cell.text)));
		return text;
	}
}

const otherLabels: ReadonlySet<Label> = new Set<Label>(['other-number', 'other-date']);
const blockEnds: ReadonlySet<Label | undefined> = new Set<Label>(['seller', 'buyer', 'other-party']);
const totalLabels: ReadonlySet<Label> = new Set<Label>([
	'net',
	'tax',
	'gross',
	'total',
	'due',
	'subtotal',
	'other-amount',
]);

/** A row of more cells heads no table that a person could read. */
const columnsOfAHead = 64;

/** Whether a row holds the titles of the lines' columns. */
export function isHead({ cells }: Row): boolean {
	if (cells.length > columnsOfAHead) return false;
	const columns = cells.map(({ text }) => columnOf(text));
	return columns.includes('description') && columns.filter((column) => column !== null).length >= 3;
}

/** Whether a row names what only a line has. */
function isColumns({ cells }: Row): boolean {
	return cells.some(({ text }) => ['description', 'quantity', 'unitPrice', 'unit'].includes(columnOf(text) ?? ''));
}

/** Whether a row holds the titles of a table of taxes. */
export function isTaxHead({ cells }: Row): boolean {
	if (cells.length > columnsOfAHead || cells.length < 3 || cells.some(({ text }) => /\d/.test(text))) return false;
	const columns = cells.map(({ text }) => columnOf(text));
	if (columns.includes('description')) return false;
	return (
		columns.includes('base') ||
		(columns.includes('vatAmount') && !cells.some(({ text }) => labelAt(text)?.label === 'gross'))
	);
}

/** Whether a text may be a party's name: a few words, no address, date, figure or label. */
function looksLikeName(text: string): boolean {
	if (!/\p{L}{2}/u.test(text) || /@|[:;]$/.test(text)) return false;
	if (company.test(text)) return text.length <= longestLabelled;
	if (text.split(' ').length > proseFrom) return false;
	if (ballast.test(text) || isFigure(text) || isBareLabel(text) || isDocumentTitle(text) || hasDate({ text }))
		return false;
	const value = text.replace(/^[^:]{1,40}: ?/, '');
	return /\p{L}{2}/u.test(value) && !longCode.test(value) && !isAddress(value);
}
