import { foundIn, type Ambiguous, type Found } from './found';
import { folded, isDocumentTitle, labelAt, type Language } from './labels';
import { slicesAfter, type Site } from './labelled';
import type { Cell, Row } from '../rows/layout';

export interface PartiesReading {
	readonly parties: Parties;
	readonly ambiguous: readonly Ambiguous[];
}

export interface Parties {
	readonly 'seller.name'?: Found;
	readonly 'seller.vat'?: Found;
	readonly 'seller.siret'?: Found;
	readonly 'buyer.name'?: Found;
	readonly 'buyer.email'?: Found;
}

/**
 * Tells who sells and who buys: by headings (`Client`, `Verkäufer`), by address blocks, by the identifiers that only a
 * seller prints. `body` is where the table begins; addresses without a heading are looked for above it.
 */
export function readParties(
	rows: readonly Row[],
	sites: readonly Site[],
	body: Row | undefined,
	language: Language | null,
): PartiesReading {
	const zones = zonesOf(rows, sites);
	const first = rows.filter((row) => row.page === 1);
	const line = senderLine(first);
	const inZones = new Set(zones.filter(({ party }) => party !== 'seller').flatMap(({ cells }) => cells));
	const above = first.filter((row) => isAbove(row, body));
	const sender =
		line?.name ??
		imprintName(rows, above, inZones) ??
		repeatedName(rows, above, inZones) ??
		mailName(rows, above, inZones);
	const taken = new Set([...zones.flatMap(({ cells }) => cells), ...(line?.row.cells ?? [])]);
	const headed = zones.some(({ party, cells }) => party === 'buyer' && cells.some(({ text }) => postcode.test(text)));
	const blocks = sidesOf(blocksOf(above, taken), sender, headed, language);
	const sellerZones = zones.filter(({ party }) => party === 'seller');
	const buyerZones = clientsFirst(zones.filter(({ party }) => party === 'buyer'));
	const addressee = buyerZones.length > 0 ? undefined : (blocks.buyer ?? addresseeIn(above, taken));
	const sides = { ...blocks, ...(addressee === undefined ? {} : { buyer: addressee }) };
	const sellerName =
		firstName(rows, sellerZones) ??
		(sides.seller === undefined ? undefined : blockName(rows, sides.seller)) ??
		sender ??
		(addressee === undefined ? undefined : letterHeadName(first, new Set([...taken, ...addressee])));
	const buyerName =
		firstName(rows, buyerZones) ??
		(sides.buyer === undefined ? undefined : blockName(rows, sides.buyer)) ??
		namedClient(rows, sites);
	const sellerCells = new Set([...sellerZones.flatMap(({ cells }) => cells), ...(sides.seller ?? [])]);
	const foreign = new Set([
		...zones.filter(({ party }) => party !== 'seller').flatMap(({ cells }) => cells),
		...(sides.buyer ?? []),
	]);
	const buyerCells = [
		...buyerZones.flatMap(({ cells }) => cells),
		...(buyerZones.length === 0 ? (sides.buyer ?? []) : []),
	];
	const emails = emailsIn(rows, buyerCells);
	return {
		parties: {
			...present('seller.name', sellerName),
			...present('seller.vat', identifierIn(rows, vatIn, sellerCells, foreign)),
			...present('seller.siret', identifierIn(rows, siretIn, sellerCells, foreign)),
			...present('buyer.name', buyerName),
			...present('buyer.email', emails.length === 1 ? emails[0] : undefined),
		},
		ambiguous:
			emails.length < 2
				? []
				: emails.slice(0, 1).map(({ place }) => ({
						path: 'buyer.email',
						message: `could be ${emails.map(({ value }) => value).join(' or ')}`,
						place,
					})),
	};
}

/** Where several headings name a buyer, who is called the client comes before the owner of the site. */
function clientsFirst(zones: readonly Zone[]): Zone[] {
	const isClient = ({ site }: Zone) =>
		/client|factur|customer|bill|kunde|rechnung/.test(folded(site.cell.text.slice(site.start, site.end)));
	return zones.toSorted((a, b) => Number(isClient(b)) - Number(isClient(a)));
}

/** True when the digits of a SIREN (9) or SIRET (14) add up: Luhn, and for La Poste's establishments the plain sum. */
export function isFrenchCompanyNumber(digits: string): boolean {
	if (!/^(?:\d{9}|\d{14})$/.test(digits)) return false;
	const each = [...digits].reverse().map(Number);
	const luhn = each.reduce(
		(sum, digit, index) => sum + (index % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2),
		0,
	);
	const plain = each.reduce((sum, digit) => sum + digit, 0);
	return luhn % 10 === 0 || (digits.startsWith('356000000') && plain % 5 === 0);
}

/** True when the two digits after `FR` are the key of the SIREN that follows. A key with letters has no public rule. */
export function isFrenchVatNumber(vat: string): boolean {
	const [, key, siren] = /^FR([0-9A-Z]{2})(\d{9})$/.exec(vat) ?? [];
	if (key === undefined || siren === undefined) return false;
	return !/^\d+$/.test(key) || Number(key) === (12 + 3 * (Number(siren) % 97)) % 97;
}

function present<K extends keyof Parties>(key: K, found: Found | undefined): Pick<Parties, K> | object {
	return found === undefined ? {} : { [key]: found };
}

// ---- zones: what stands under a heading

interface Zone {
	readonly party: 'seller' | 'buyer' | 'other';
	readonly site: Site;
	readonly cells: readonly Cell[];
}

const parties = { seller: 'seller', buyer: 'buyer', 'other-party': 'other' } as const;

function zonesOf(rows: readonly Row[], sites: readonly Site[]): Zone[] {
	const headings = sites.filter((site) => site.label in parties && isHeading(site));
	return headings.map((site) => ({
		party: parties[site.label as keyof typeof parties],
		site,
		cells: cellsUnder(rows, site, headings),
	}));
}

/** A heading stands alone in its cell, or has its value behind a colon. */
function isHeading({ cell, start, end, until }: Site): boolean {
	const rest = cell.text.slice(end, until).trim();
	return rest === '' || cell.text.slice(start, end).includes(':') || /^\(.*\)$/.test(rest);
}

/** True for one of several captions over boxes of codes: `Numéro | Date | Client`. What stands below is no address. */
function isOverBox({ row, cell }: Site): boolean {
	if (!/^(?:client|kunde|customer)$/.test(folded(cell.text).trim())) return false;
	const ofParties = row.cells.filter(({ text }) => (labelAt(text)?.label ?? '') in parties);
	return row.cells.length >= 3 && ofParties.length < 2 && row.cells.every(({ text }) => /^[^\d:]{1,30}$/.test(text));
}

function cellsUnder(rows: readonly Row[], site: Site, headings: readonly Site[]): Cell[] {
	const width = charWidth(site.cell);
	if (isOverBox(site)) {
		const under = rows[site.rowIndex + 1]?.cells.filter(
			({ left, right }) => left < site.cell.right && right > site.cell.left,
		);
		return [site.cell, ...(under ?? [])];
	}
	const cells: Cell[] = [
		site.cell,
		...site.row.cells
			.slice(site.cellIndex + 1, site.cellIndex + 2)
			.filter((next) => site.cell.text.trim().endsWith(':') && labelAt(next.text) === null),
	];
	let bottom = site.row.bottom;
	for (const row of rows.slice(site.rowIndex + 1)) {
		if (row.page !== site.row.page || row.top - bottom > 2.6 * (site.row.bottom - site.row.top)) break;
		const at = row.cells.findIndex(
			({ left }) => left >= site.cell.left - 2 * width && left <= site.cell.left + 16 * width,
		);
		const cell = row.cells[at];
		if (cell === undefined) continue;
		if (headings.some((heading) => heading.cell === cell)) break;
		if (
			/^(?:number|date|valid-until|net|gross|tax|total)$/.test(labelAt(cell.text)?.label ?? '') &&
			!/tva|ust|vat/i.test(cell.text)
		)
			break;
		cells.push(cell, ...(/:\s*$/.test(cell.text) ? row.cells.slice(at + 1, at + 2) : []));
		bottom = Math.max(bottom, row.bottom);
	}
	return cells;
}

function firstName(rows: readonly Row[], zones: readonly Zone[]): Found | undefined {
	for (const { site, cells } of zones) {
		const named = cells.find((cell) => cell !== site.cell && labelAt(cell.text)?.label === 'name');
		if (named !== undefined) return behindLabel(rows, named);
		const inline = nameBefore(site.cell.text.slice(site.end, site.until));
		if (inline !== '' && !isAccount(inline)) {
			if (!isName(inline)) continue;
			const start = site.cell.text.indexOf(inline, site.end);
			const whole = start + inline.length === site.cell.text.trimEnd().length;
			const next = cells[cells.indexOf(site.cell) + 1];
			const own = foundIn(site.cell, start, start + inline.length, inline);
			return whole && next !== undefined ? readOn(own, next) : own;
		}
		const line = cells.find((cell) => cell !== site.cell && isName(cell.text));
		const next = line === undefined ? undefined : cells[cells.indexOf(line) + 1];
		if (line !== undefined) return next === undefined ? nameIn(line) : readOn(nameIn(line), next);
	}
	return undefined;
}

/** `Nom : Vidal` in a form whose line above speaks of the client: `Type de client : Particulier`. */
function namedClient(rows: readonly Row[], sites: readonly Site[]): Found | undefined {
	const named = sites.filter(({ label, start, cell, row, rowIndex }) => {
		const above = rows[rowIndex - 1];
		if (label !== 'name' || start > 0 || above === undefined || above.page !== row.page) return false;
		const caption = above.cells.find((one) => Math.abs(one.left - cell.left) <= 2 * charWidth(cell));
		const near = row.top - above.bottom <= row.bottom - row.top;
		return near && caption !== undefined && /^[^:]*\bclient(?:e)?\b[^:]*:/.test(folded(caption.text));
	});
	const [only, ...more] = named;
	return only === undefined || more.length > 0 ? undefined : behindLabel(rows, only.cell);
}

/** A customer's code of the books, `411VIDAL` or `CL00412`: one word with digits and no name. */
function isAccount(text: string): boolean {
	return /^(?=\S*\d{2})[\p{Lu}\d][\p{Lu}\d/_.-]*$/u.test(text);
}

/** A name that ends in the middle of a phrase with the line below, where it goes on: `Société d'exploitation des`. */
function readOn(name: Found, next: Cell): Found {
	const open = /(?:[\s'’](?:de|des|du|d|la|le|les|l|et|en|pour|of|and|the|für|und|der)['’]?|&|-)$/iu.test(name.value);
	if (!open || !isName(next.text)) return name;
	const more = nameIn(next);
	const quote = `${name.place.quote} ${more.place.quote}`;
	const value = `${name.value} ${more.value}`;
	if (!('box' in name.place) || !('box' in more.place)) return { value, place: { ...name.place, quote } };
	const [a, b] = [name.place.box, more.place.box];
	const box = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])] as const;
	return { value, place: { ...name.place, box, quote } };
}

/** The name that a text begins with, without the address, e-mail or number behind it. */
function nameBefore(text: string): string {
	const [name = ''] = text.split(/\s*,\s*(?=\d|.*\d{5})|\s+[-–—|·•]\s+|\s\(|\s*[,;/]?\s+(?=\S+@)/u);
	return name.trim();
}

function behindLabel(rows: readonly Row[], cell: Cell): Found | undefined {
	const rowIndex = rows.findIndex(({ cells }) => cells.includes(cell));
	const row = rows[rowIndex];
	const labelled = labelAt(cell.text);
	if (row === undefined || labelled === null) return undefined;
	const cellIndex = row.cells.indexOf(cell);
	const site = { ...labelled, start: 0, until: cell.text.length, row, rowIndex, cell, cellIndex };
	const [first] = slicesAfter(rows, site);
	return first === undefined || !/\p{L}{2}/u.test(first.text)
		? undefined
		: foundIn(first.cell, first.start, first.cell.text.length, first.text.trim());
}

// ---- address blocks without a heading

type Block = readonly Cell[];

const postcode =
	/(?:^|[\s,–-])(?:[A-Z]{1,2}[- ])?\d{5} \p{Lu}|(?:^|\s)(?:A|AT|B|BE|CH|L|LU)[- ]\d{4} \p{Lu}|(?:^|\s)[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}(?=\s|$)|, (?:[A-Z]{2}|\p{Lu}[\p{L} ]+) \d{5}(?:-\d{4})?$/u;
const street =
	/^\d+(?: ?(?:bis|ter))?[ ,]|(?:^|\s)(?:rue|avenue|av\.|bd|boulevard|chemin|allees?|place|impasse|route|quai|cours|lotissement|zone|za|zi|bp)\s|str(?:asse|aße|\.)|\b(?:street|road|drive|lane|avenue|weg|platz)\b/;
const contact =
	/^service\b|\b(?:contact|attn|att\.|a l'attention|ansprechpartner|z\.? ?hd\.?|phone|tel|fon|fax|mobile|portable)\b|\+\d\d|(?![©®™])\p{Extended_Pictographic}|@|www\.|https?:/u;
const identifiers =
	/\b(?:siret|siren|rcs|r\.c\.s|ape|naf|capital|iban|rm \d|n° ?tva|tva intra|ust-?id(?:-?nr)?|vat (?:no|reg\w*|number)|steuer-?(?:nr|nummer)|decennale|rge)\b/;

function isAbove(row: Row, body: Row | undefined): boolean {
	return row.page === 1 && (body === undefined || body.page > 1 || row.top < body.top);
}

const left = (cell: Cell) => cell.left;

/**
 * How the lines of an address are set below each other, likeliest first: the slack in widths of a letter, the white
 * between two of them in lines.
 */
const alignments = [
	{ edge: left, slack: 2.5, white: 2.3 },
	{ edge: (cell: Cell) => cell.right, slack: 0.75, white: 1.3 },
	{ edge: (cell: Cell) => (cell.left + cell.right) / 2, slack: 0.75, white: 1.3 },
];

/** More than a page has; a text without page breaks is all one page. */
const mostRowsOfPage = 300;

function blocksOf(rows: readonly Row[], taken: ReadonlySet<Cell>): Block[] {
	const open: Array<{ cells: Cell[]; bottom: number; height: number }> = [];
	for (const row of rows.slice(0, mostRowsOfPage)) {
		for (const cell of row.cells) {
			if (taken.has(cell)) continue;
			const height = row.bottom - row.top;
			const block = alignments
				.map(({ edge, slack, white }) =>
					open.findLast(
						({ cells, bottom, height: line }) =>
							row.top - bottom <= white * line &&
							row.bottom > bottom &&
							cells
								.slice(edge === left ? -1 : 0)
								.every((one) => Math.abs(edge(one) - edge(cell)) <= slack * charWidth(cell)),
					),
				)
				.find((found) => found !== undefined);
			if (block === undefined) open.push({ cells: [cell], bottom: row.bottom, height });
			else {
				block.cells.push(cell);
				block.bottom = row.bottom;
			}
		}
	}
	return open.map(({ cells }) => cells);
}

/** `headed` when a heading names the buyer already: then the one other address is the seller's. */
function sidesOf(
	blocks: readonly Block[],
	sender: Found | undefined,
	headed: boolean,
	language: Language | null,
): { seller?: Block; buyer?: Block } {
	const addressed = blocks.filter(
		(block) =>
			block.length >= 2 &&
			block.some(({ text }) => postcode.test(text) || /\b(?:siret|siren|rcs)\b/.test(folded(text))) &&
			namesIn(block).length > 0,
	);
	const sellers = addressed.filter(
		(block) =>
			block.some(({ text }) => identifiers.test(folded(text)) || /^(?:fon|phone|fax|tel)\b/.test(folded(text))) ||
			(sender !== undefined && namesIn(block).some(({ text }) => sameLetters(text, sender.value))),
	);
	const others = addressed.filter((block) => !sellers.includes(block));
	const [seller, ...moreSellers] = sellers;
	const [buyer, second, ...more] = others;
	if (headed && sellers.length === 0 && buyer !== undefined && second === undefined) return { seller: buyer };
	if (seller !== undefined && moreSellers.length === 0 && second === undefined) {
		return { seller, ...(buyer === undefined ? {} : { buyer }) };
	}
	if (sender !== undefined && sellers.length === 0 && buyer !== undefined && second === undefined) return { buyer };
	// Without any other sign, French practice: the seller stands first, the client right of it in the envelope's window.
	if (
		language === 'fr' &&
		sellers.length === 0 &&
		sender === undefined &&
		buyer !== undefined &&
		second !== undefined &&
		more.length === 0
	) {
		const [left, right] = [buyer, second].toSorted((a, b) => (a[0]?.left ?? 0) - (b[0]?.left ?? 0));
		if (left === buyer && right !== undefined && (right[0]?.left ?? 0) > (left[0]?.right ?? 0))
			return { seller: left, buyer: right };
	}
	return { ...(seller !== undefined && moreSellers.length === 0 ? { seller } : {}) };
}

function namesIn(block: Block): Cell[] {
	const end = block.findIndex(
		({ text }) => postcode.test(text) || street.test(folded(text)) || /\b(?:siret|siren|rcs)\b/.test(folded(text)),
	);
	return block.slice(0, end === -1 ? block.length : end).filter(({ text }) => isName(text));
}

/** The name of a block: of several lines above the address the one that the document repeats, or that names a company. */
function blockName(rows: readonly Row[], block: Block): Found | undefined {
	const names = namesIn(block).filter(({ text }) => !isTown(text, rows));
	const texts = rows.flatMap(({ cells }) =>
		cells.filter((cell) => !names.includes(cell)).map(({ text }) => letters(text)),
	);
	const repeated = names.filter(
		({ text }) => letters(text).length >= 4 && texts.some((other) => other.includes(letters(text))),
	);
	const company = names.filter(({ text }) => legalForm.test(text));
	const held = names.filter(({ text }) => !office.test(folded(text)));
	const [name] = [
		...(company.length === 1 ? company : []),
		...(repeated.length === 1 ? repeated : []),
		...held,
		...names,
	];
	return name === undefined ? undefined : nameIn(name);
}

/** `Monsieur le Maire`, `Madame la Directrice`: whom a letter goes to in the house that the next line names. */
const office = /^(?:monsieur|madame|m\.|mme) (?:le |la |l')/;

/** True for the name of a town that an address on the page gives with its postcode. */
function isTown(text: string, rows: readonly Row[]): boolean {
	return rows.some(({ cells }) =>
		cells.some((cell) => sameLetters(/\b\d{5} (\p{Lu}[\p{L}' -]+)$/u.exec(cell.text)?.[1] ?? '-', text)),
	);
}

const civility =
	/^(?:(?:m\.|mm\.|mme|mlle|mr|monsieur|madame|mademoiselle|maitre|me|dr|docteur|herrn?|frau|mrs|ms)(?![\p{L}])|(?:famille|consorts|indivision|commune|mairie|syndicat|association|copropriete) ).*\p{L}{2}/u;

/**
 * The only address of the page's head that begins with how a person or a body that buys is addressed (`Mme …`,
 * `Commune de …`), an address or an e-mail below
 * it: a letter's recipient. The page's first words are the sender's, and so is what a SIRET stands with.
 */
function addresseeIn(head: readonly Row[], taken: ReadonlySet<Cell>): Block | undefined {
	const found = head.slice(1).flatMap((row) =>
		row.cells.flatMap((cell): Block[] => {
			if (taken.has(cell) || !civility.test(folded(cell.text)) || !isName(cell.text)) return [];
			// Below the page's first name it is a contact of that party, whichever of the two that is.
			const isOwner = (one: Cell) => isName(one.text) && isBelow(one, cell);
			if (row === head[1] && row.top - head[0]!.bottom < row.bottom - row.top && head[0]!.cells.some(isOwner))
				return [];
			const block = [cell];
			let bottom = row.bottom;
			for (const next of head.slice(head.indexOf(row) + 1)) {
				if (next.top - bottom > 1.3 * (row.bottom - row.top)) break;
				const under = next.cells.find((one) => !taken.has(one) && isBelow(cell, one));
				if (under === undefined) continue;
				if (labelAt(under.text) !== null || isDocumentTitle(under.text)) break;
				block.push(under);
				bottom = next.bottom;
			}
			const addressed = block.slice(1).some(({ text }) => postcode.test(text) || email.test(text));
			return addressed && !block.some(({ text }) => identifiers.test(folded(text))) ? [block] : [];
		}),
	);
	return found.length === 1 ? found[0] : undefined;
}

function isBelow(above: Cell, cell: Cell): boolean {
	const slack = 2 * charWidth(above);
	return alignments.some(({ edge }) => Math.abs(edge(above) - edge(cell)) <= slack);
}

/** The name in larger letters at the very top of the first page, where the recipient is known. */
function letterHeadName(first: readonly Row[], taken: ReadonlySet<Cell>): Found | undefined {
	const heights = first.map(({ top, bottom }) => bottom - top).toSorted((a, b) => a - b);
	const usual = heights[Math.floor(heights.length / 2)] ?? 0;
	const row = first.find(({ cells }) => cells.some((cell) => !isDocumentTitle(cell.text)));
	const [cell] = row?.cells.filter((one) => !isDocumentTitle(one.text)) ?? [];
	if (row === undefined || cell === undefined || taken.has(cell) || !isName(cell.text)) return undefined;
	return row.bottom - row.top >= 1.15 * usual ? nameIn(cell) : undefined;
}

const mailHosts =
	/^(?:gmail|orange|wanadoo|free|sfr|laposte|hotmail|outlook|live|yahoo|icloud|gmx|web|t-?online|bbox|neuf|aol|example|contact|info|infos|compta|comptabilite|devis|accueil|commercial|direction|hello|bonjour|office|sales|accounts|admin|facturation|billing)$/;

/** The seller by the first name of the page, where an e-mail on it spells that name: `Électro Caradec`, `caradec@…`. */
function mailName(rows: readonly Row[], head: readonly Row[], taken: ReadonlySet<Cell>): Found | undefined {
	const parts = rows.flatMap(({ cells }) =>
		cells
			.filter((cell) => !taken.has(cell) && cell.text.length < 200 && cell.text.includes('@'))
			.flatMap(({ text }) => (email.exec(folded(text))?.[0] ?? '').split(/[@.]/).slice(0, -1))
			.map(letters),
	);
	const spelt = parts.filter((part) => part.length >= 5 && !mailHosts.test(part));
	const top = head.flatMap(({ cells }) => cells).filter(({ text }) => !isDocumentTitle(text))[0];
	if (top === undefined || taken.has(top) || !isName(top.text) || civility.test(folded(top.text))) return undefined;
	const owners = new Set(
		head.flatMap(({ cells }) =>
			cells
				.filter(({ text }) => isName(text))
				.flatMap(({ text }) => spelt.filter((part) => letters(text).includes(part))),
		),
	);
	// Two parties with an e-mail of their own each: the e-mail tells nothing.
	return owners.size === 1 && spelt.some((part) => letters(top.text).includes(part)) ? nameIn(top) : undefined;
}

const legalForm =
	/(?:^|\s)(?:SARL|SAS|SASU|EURL|SA|EI|EIRL|SCOP|SNC|SCI|GmbH|AG|KG|UG|OHG|Ltd\.?|Inc\.?|LLC|Corp\.?|PLC)(?=$|[\s,&])/;

/** `Bei Spiel GmbH · Ecke 12 · 12345 Stadthausen`: the sender in one line, as above an envelope's window. */
function senderLine(rows: readonly Row[]): { row: Row; name: Found } | undefined {
	for (const row of rows) {
		const text = row.cells.map((cell) => cell.text).join('  ');
		const parts = text.split(/\s+[·●•|–-]\s+|\s{2,}/u);
		const marked = /\s[·●•|–-]\s/u.test(text) || street.test(folded(parts[1] ?? ''));
		if (!marked || parts.length < 3 || parts.length > 6 || !parts.slice(1).some((part) => postcode.test(` ${part}`)))
			continue;
		const [name = ''] = parts;
		const [cell] = row.cells;
		if (cell !== undefined && isName(name) && cell.text.startsWith(name))
			return { row, name: foundIn(cell, 0, name.length, name) };
	}
	return undefined;
}

/**
 * The seller by the imprint that the law asks for: `Toits Durand, SARL au capital de … - SIRET …`, its name first. Where
 * the page's head has the same name shorter or longer, it is taken from there.
 */
function imprintName(rows: readonly Row[], head: readonly Row[], taken: ReadonlySet<Cell>): Found | undefined {
	const found = rows.flatMap(({ cells }) =>
		cells.flatMap((cell): Found[] => {
			if (taken.has(cell) || !identifiers.test(folded(cell.text))) return [];
			const parts = cell.text.split(/\s+[·●•|–—-]\s+|,\s+(?=\p{Lu}|\d)|\s{2,}/u);
			const [name = ''] = parts;
			return parts.length < 2 || !isName(name) ? [] : [foundIn(cell, 0, name.length, name)];
		}),
	);
	const [first] = found;
	if (first === undefined || !found.every(({ value }) => sameLetters(value, first.value))) return undefined;
	const own = letters(first.value);
	const titles = head.flatMap(({ cells }) =>
		cells.filter((cell) => {
			const title = letters(cell.text);
			return isName(cell.text) && title.length >= 4 && (title.includes(own) || own.includes(title));
		}),
	);
	const [title] = titles;
	return title === undefined ? first : nameIn(title);
}

/** The seller by the name at the head of the first page that stands again at its foot, in a signature or an imprint. */
function repeatedName(rows: readonly Row[], head: readonly Row[], taken: ReadonlySet<Cell>): Found | undefined {
	const top = head.slice(0, 3).flatMap(({ cells }) => cells.filter((cell) => !taken.has(cell) && isName(cell.text)));
	const below = rows.filter((row) => !head.includes(row)).flatMap(({ cells }) => cells);
	const found = top.filter((cell) => {
		const own = letters(cell.text);
		return own.length >= 5 && below.some(({ text }) => text.length < 120 && letters(text).includes(own));
	});
	const [only] = found;
	return only !== undefined && found.every(({ text }) => sameLetters(text, only.text)) ? nameIn(only) : undefined;
}

function isName(text: string): boolean {
	const plain = folded(text).trim();
	if (
		(plain.match(/\p{L}/gu)?.length ?? 0) < 3 ||
		plain.length > 70 ||
		plain.split(' ').length > 9 ||
		/[:;?!]|\d{4}|€/.test(plain)
	)
		return false;
	if (isDocumentTitle(text)) return false;
	if (
		/^(?:page|date|objet|ref|logo|bonjour|madame,|monsieur,|pour|de|a|to|from)(?![\p{L}'])/u.test(plain) &&
		!/^(?:de|a) /.test(plain)
	)
		return false;
	if (
		/^(?:france|deutschland|germany|belgique|suisse|luxembourg|espagne|spain|osterreich|herrn?|frau|firma|madame|monsieur|m\.|mme|united kingdom|united states.*)$/.test(
			plain,
		)
	)
		return false;
	return (
		!street.test(plain) &&
		!postcode.test(text) &&
		!contact.test(plain) &&
		!identifiers.test(plain) &&
		labelAt(text) === null
	);
}

function nameIn(cell: Cell): Found {
	return foundIn(cell, 0, cell.text.length, cell.text.trim());
}

// ---- identifiers

/** Reads an identifier from a cell; `label` is all that announces it, beside or above it or in the cell itself. */
type Read = (cell: Cell, label: string) => Found | undefined;

/** An identifier of the seller: one that stands with the seller, else the only one that stands with nobody else. */
function identifierIn(
	rows: readonly Row[],
	read: Read,
	seller: ReadonlySet<Cell>,
	foreign: ReadonlySet<Cell>,
): Found | undefined {
	const found = rows.flatMap(({ cells }, rowIndex) =>
		cells.flatMap((cell, index) => {
			const captions = [cells[index - 1], captionAbove(rows, rowIndex, cell)].filter(
				(caption) => caption !== undefined && isIdentifierLabel(caption),
			);
			if (foreign.has(cell) || captions.some((caption) => caption !== undefined && foreign.has(caption))) return [];
			const value = read(cell, folded([...captions.map((caption) => caption?.text), cell.text].join(' ')));
			return value === undefined ? [] : [{ value, own: seller.has(cell) }];
		}),
	);
	const own = found.filter((one) => one.own);
	const among = (own.length > 0 ? own : found).map(({ value }) => value);
	return new Set(among.map(({ value }) => value)).size === 1 ? among[0] : undefined;
}

function isIdentifierLabel(cell: Cell): boolean {
	return (
		cell.text.length < 40 && /siret|siren|tva|ust|vat|mwst|uid/.test(folded(cell.text)) && !/\d{4}/.test(cell.text)
	);
}

function captionAbove(rows: readonly Row[], rowIndex: number, cell: Cell): Cell | undefined {
	const row = rows[rowIndex];
	if (row === undefined) return undefined;
	// Columns of a foot are often set off by half a line, so that rows of other columns stand between.
	return rows
		.slice(Math.max(0, rowIndex - 3), rowIndex)
		.filter(({ page, top }) => page === row.page && row.top - top <= 1.6 * (row.bottom - row.top))
		.flatMap(({ cells }) => cells)
		.findLast((one) => Math.abs(one.left - cell.left) <= 2 * charWidth(cell));
}

const vatLabel = /tva|intracom|t\.v\.a|ust|u\.st|vat|mwst|uid/;
const ofTheBuyer = /client|customer|kunde|buyer|acheteur|ihre|votre|your/;

function vatIn(cell: Cell, label: string): Found | undefined {
	if (ofTheBuyer.test(label)) return undefined;
	const match =
		/(?<![\p{L}\d])(?:FR ?[0-9A-Z]{2} ?\d{3} ?\d{3} ?\d{3}|GB ?\d{3} ?\d{4} ?\d{2}|DE ?\d{3} ?\d{3} ?\d{3}|(?:ATU|[A-Z]{2})[ ]?\d[\dA-Z.]{6,11})(?![\p{L}\d])/u.exec(
			cell.text,
		);
	if (match === null) return undefined;
	const value = match[0].replace(/[ .]/g, '');
	const iban = /iban/.test(folded(cell.text.slice(0, match.index)));
	if (iban || (!vatLabel.test(label) && !isFrenchVatNumber(value))) return undefined;
	return foundIn(cell, match.index, match.index + match[0].length, value);
}

function siretIn(cell: Cell, label: string): Found | undefined {
	if (ofTheBuyer.test(label)) return undefined;
	const match = /(?<!\d)\d{3}[ .\u00a0\u202f]?\d{3}[ .\u00a0\u202f]?\d{3}[ .\u00a0\u202f]?\d{2}[ ]?\d{3}(?!\d)/.exec(
		cell.text,
	);
	if (match === null) return undefined;
	const value = match[0].replace(/\D/g, '');
	if (!/siret/.test(label) && !(isFrenchCompanyNumber(value) && /siren|rcs|rm\b/.test(label))) return undefined;
	return foundIn(cell, match.index, match.index + match[0].length, value);
}

const email = /[\p{L}\d._%+-]+@[\p{L}\d.-]+\.\p{L}{2,}/u;

/** The e-mails of the buyer by the strongest sign that gives any: more than one where that sign does not tell. */
function emailsIn(rows: readonly Row[], buyer: readonly Cell[]): Found[] {
	const labelled = rows.flatMap(({ cells }) =>
		cells.filter((cell, index) =>
			/(?:e-?mail|courriel)[^:@]*client|client[^:@]*(?:e-?mail|courriel)|^ (?:contact |votre |notre )?client\b.*@/.test(
				folded(`${cells[index - 1]?.text ?? ''} ${cell.text}`),
			),
		),
	);
	for (const cells of [labelled, buyer.filter(({ text }) => !contact.test(folded(text).replace(email, ''))), buyer]) {
		const found = cells.flatMap((cell) => {
			const match = email.exec(cell.text);
			return match === null ? [] : [foundIn(cell, match.index, match.index + match[0].length, match[0])];
		});
		const different = new Map(found.map((one) => [one.value.toLowerCase(), one]));
		if (different.size > 0) return [...different.values()];
	}
	return [];
}

function charWidth(cell: Cell): number {
	return Math.max(1, (cell.right - cell.left) / Math.max(1, cell.text.length));
}

function letters(text: string): string {
	return folded(text).replace(/[^\p{L}\d]/gu, '');
}

function sameLetters(a: string, b: string): boolean {
	return letters(a) === letters(b);
}
