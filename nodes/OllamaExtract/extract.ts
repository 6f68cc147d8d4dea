import { LocalAiError } from '../shared/errors';
import { estimateTokens } from '../shared/tokens';
import { ask, breathe, cancelled, Meter, modelOf, needsModel, orReason, roomFor } from './model/ask';
import { checkDocument, compareWithXml, figuresOf } from './document/checks';
import { Draft, type DraftLine, type Entry } from './document/draft';
import { readEInvoice, type EInvoice } from './einvoice';
import { numbersIn } from './page/found';
import { readDate, readNumber } from './page/numbers';
import { readFields, type PageReading } from './page/page';
import { messagesFor, messagesForImage, piecesOf } from './model/prompt';
import { valueAt } from './document/leaf';
import { remarksOn, rowsLeftOut, withoutUnread } from './document/remarks';
import {
	imageUnproven,
	modelChosen,
	partlyRead,
	severalReadings,
	unproven,
	unreadable,
	verdictOf,
} from './document/outcome';
import { parseCall } from './options';
import { extractOwnSchema } from './ownSchema';
import { indexOf, normal, samePlaces, type PageIndex } from './proof/pageIndex';
import { isLabelledAt, proveHeader, proveLine, UsedPlaces, type Proof } from './proof/proof';
import { supportOf } from './proof/support';
import type {
	Check,
	CommercialDocument,
	DocumentLine,
	ExtractOptions,
	ExtractResult,
	HeaderPath,
	Place,
	Reason,
	Source,
} from './result';
import {
	headerFields,
	lineFields,
	nameOf,
	questionFor,
	questionForSchema,
	type ModelAnswer,
	type ValueKind,
} from './model/schema';
import type { Cell, Row, SourcePlace } from './rows/layout';
import { open, type Opened } from './source';
import { tellingRows } from './model/telling';
import { validityIn } from './document/validity';

export { LocalAiError, type LocalAiErrorCode } from '../shared/errors';
export type * from './result';

/**
 * Reads a PDF, an image or a text into data that fits a schema, each value with its place in the source. Automatic takes
 * the embedded e-invoice first, then the page, then the model for what a complete document still lacks: number, date,
 * buyer, total with tax, lines with description and total, or the seller of an invoice. Rejects with LocalAiError when
 * an option is not allowed, when the source cannot be read at all, or when the model fails in Model Only; whatever else
 * is wrong is in `verdict` and `reasons`.
 */
export async function extract(
	source: Source,
	options: ExtractOptions & { readonly schema: 'devis' | 'invoice' },
	signal?: AbortSignal,
): Promise<ExtractResult<CommercialDocument>>;
export async function extract(source: Source, options: ExtractOptions, signal?: AbortSignal): Promise<ExtractResult>;
export async function extract(from: Source, wanted: ExtractOptions, stop?: AbortSignal): Promise<ExtractResult> {
	const { source, options, signal } = parseCall(from, wanted, stop);
	if (signal?.aborted) throw cancelled();
	const { schema } = options;
	const meter = new Meter();
	const question = typeof schema === 'string' ? null : questionForSchema(schema);
	if (options.engine === 'without-model' && question !== null) {
		throw new LocalAiError('configuration', 'Without a model only the schemas Devis and Invoice can be read', {
			hint: 'Choose Automatic or Model Only for a JSON Schema of your own.',
		});
	}
	if (options.engine === 'model-only') modelOf(options, 'text');
	const opened = await open(source, options, signal);
	return question === null
		? await extractCommercial(opened, { ...options, schema: schema as 'devis' | 'invoice' }, meter, signal)
		: await extractOwnSchema(opened, options, question, meter, signal);
}

type CommercialOptions = ExtractOptions & { readonly schema: 'devis' | 'invoice' };

/** One document on its way, and what every step of it shares. */
interface Run {
	readonly draft: Draft;
	readonly options: CommercialOptions;
	readonly meter: Meter;
	readonly reasons: Reason[];
	readonly signal: AbortSignal | undefined;
}

async function extractCommercial(
	opened: Opened,
	options: CommercialOptions,
	meter: Meter,
	signal: AbortSignal | undefined,
): Promise<ExtractResult<CommercialDocument>> {
	const draft = new Draft();
	const reasons: Reason[] = [];
	const run: Run = { draft, options, meter, reasons, signal };
	const checks: Check[] = [];
	const document = { ...opened.document, warnings: [...opened.document.warnings] };
	let page: PageReading | null = null;

	if (opened.kind === 'image') {
		if (options.engine === 'without-model') throw needsModel('An image', options);
		await fillFromImage(run, opened.bytes);
	} else {
		const eInvoice = opened.kind === 'pdf' ? eInvoiceOf(opened, options, document.warnings) : null;
		const unusable = opened.kind === 'pdf' ? opened.unusable : null;
		if (unusable !== null && eInvoice === null) throw unreadable(opened.document.fileName, unusable);
		await breathe(signal);
		const index = indexOf(opened.rows, opened.kind === 'text' ? opened.text : undefined);
		await breathe(signal);
		const printed = readFields(opened.rows, options.schema);
		page = options.engine === 'model-only' ? null : printed;
		await breathe(signal);

		if (eInvoice !== null) {
			await fillFromXml(draft, eInvoice, index, signal);
			if (page !== null) checks.push(...disagreements(compareWithXml(eInvoice.data, page), draft, page, index));
		}
		if (page !== null) fillFromPage(draft, page, eInvoice === null);
		const validity = options.schema === 'devis' ? validityIn(opened.rows) : null;
		draft.deriveEnd(validity);
		if (options.engine !== 'without-model') {
			const wanted = draft.missing();
			if (wanted.lines || wanted.header.some((path) => isRequired(path, options.schema)))
				await fillFromModel(run, wanted, opened.rows, index, printed);
			else if (page !== null && eInvoice === null && doubtful(draft, page, opened.rows))
				await askAgainForLines(run, opened.rows, index, printed);
		}
		await breathe(signal);
		draft.derive(exemption(index));
		draft.deriveEnd(validity);
		if (page !== null) {
			const untaxed = exemption(index) !== null;
			reasons.push(...ambiguities(page, draft));
			reasons.push(...remarksOn(page, draft.data(), draft.figures(), options.schema, untaxed));
			if (eInvoice === null) reasons.push(...rowsLeftOut(page));
		}
		reasons.push(...partlyRead(opened, eInvoice !== null));
		if (eInvoice !== null) {
			Object.assign(document, {
				eInvoice: { standard: eInvoice.standard, profile: eInvoice.profile, attachment: eInvoice.attachment },
			});
		}
	}
	const own = checkDocument(draft.printedData(), draft.figures());
	const { checks: fair, reasons: unread } = page === null ? { checks: own, reasons: [] } : withoutUnread(own, page);
	checks.push(...fair);
	reasons.push(...unread);
	const standing = reasons.filter((reason) => !settledSince(reason, draft));
	standing.push(...failures(checks), ...gaps(draft, options.schema, standing));
	const data = draft.data();
	return {
		data,
		fields: draft.fields(),
		checks,
		verdict: verdictOf(data.number !== null || data.totals.gross !== null || data.lines.length > 0, standing),
		reasons: standing,
		document,
		usage: meter.usage(),
	};
}

function eInvoiceOf(opened: Opened & { kind: 'pdf' }, options: CommercialOptions, warnings: string[]): EInvoice | null {
	if (options.engine === 'model-only' || options.ignoreXml === true) return null;
	const { eInvoice, warnings: found } = readEInvoice(opened.attachments);
	warnings.push(...found);
	return eInvoice;
}

/** An XML can hold thousands of lines. */
const linesBetweenBreaths = 50;

/** XML values keep their element as their place, unless the page prints them too. */
async function fillFromXml(
	draft: Draft,
	{ data, elements, figures, attachment }: EInvoice,
	index: PageIndex,
	signal: AbortSignal | undefined,
): Promise<void> {
	const entry = (path: string, value: string, proof: Proof | undefined): Entry => {
		const { element, quote } = elements.get(path)!;
		return { value, origin: 'xml', place: proof?.ok === true ? proof.place : { attachment, element, quote } };
	};
	for (const { path, kind } of headerFields) {
		const value = valueAt(data, path);
		if (value !== null) draft.settle(path, entry(path, value, proveHeader(index, path, value, kind)));
	}
	const used = new UsedPlaces();
	for (const [at, line] of data.lines.entries()) {
		if (at % linesBetweenBreaths === 0) await breathe(signal);
		const proofs = proveLine(index, present(line), used);
		const entries: DraftLine['entries'] = {};
		for (const { name } of lineFields) {
			const value = line[name];
			if (value !== null) entries[name] = entry(`lines.${at}.${name}`, value, proofs[name]);
		}
		draft.lines.push({ entries, figures: figures.lines[at]! });
	}
	draft.taxes = figures.taxes;
	draft.adjustments = figures.adjustments;
}

/**
 * Leaves out what the reader took for another field: the label of a field names the place of the XML's own value and not
 * that of what was read, or the page has all of the XML's line, and what was read is another line of the XML. A total
 * that is printed in two ways always stays.
 */
function disagreements(compared: readonly Check[], draft: Draft, page: PageReading, index: PageIndex): Check[] {
	const claimed = new Set(
		draft.lines.flatMap(({ entries }) => lineFields.flatMap(({ name }) => startOf(name, entries[name]?.place) ?? [])),
	);
	const isMisread = (path: string): boolean => {
		const [, at = '', name] = /^lines\.(\d+)\.(\w+)$/.exec(path) ?? [];
		const field = lineFields.find((one) => one.name === name)?.name;
		if (field !== undefined) {
			const rival = startOf(field, page.lines[Number(at)]?.[field]?.place);
			return rival !== null && claimed.has(rival) && isPrintedWhole(draft.lines[Number(at)]);
		}
		const header = headerFields.find((one) => one.path === path)?.path;
		if (header === undefined || header.startsWith('totals.')) return false;
		const [own, rival] = [draft.header.get(header)?.place, page.header[header]?.place];
		if (own == null || own === 'model-only' || rival === undefined) return false;
		return isLabelledAt(index, header, own) && !isLabelledAt(index, header, rival);
	};
	return compared.filter(({ ok, path }) => ok || !isMisread(path));
}

/** Where on the page a value of a line begins, as a text to compare; null for one that stands on no page. */
function startOf(name: keyof DocumentLine, place: Place | null | undefined): string | null {
	if (place == null || place === 'model-only' || !('box' in place)) return null;
	return `${name} ${place.page} ${place.box[0].toFixed(1)} ${place.box[1].toFixed(1)}`;
}

/** Whether each value of a line but its unit, which the XML has as a code, has its place on the page. */
function isPrintedWhole(line: DraftLine | undefined): boolean {
	return (
		line !== undefined &&
		lineFields.every(({ name }) => name === 'unit' || !line.entries[name] || startOf(name, line.entries[name].place))
	);
}

function fillFromPage(draft: Draft, page: PageReading, withFigures: boolean): void {
	for (const { path } of headerFields) {
		const found = page.header[path];
		if (found) draft.settle(path, { ...found, origin: 'page' });
	}
	for (const { path, message } of page.ambiguous) draft.leaveOpen(path, message);
	const { taxes, adjustments, lines } = figuresOf(page);
	if (withFigures) Object.assign(draft, { taxes, adjustments });
	if (draft.lines.length > 0) return;
	page.lines.forEach((line, at) => {
		const entries: DraftLine['entries'] = {};
		for (const { name } of lineFields) {
			const found = line[name];
			if (found) entries[name] = { ...found, origin: 'page' };
		}
		draft.lines.push({ entries, figures: lines[at] ?? plainLine });
	});
}

const plainLine = { adjustments: [], priceQuantity: null };

/** What the answers for the pieces of one document share. */
interface Sofar {
	readonly used: UsedPlaces;
	/** The lines by the parts of the source where they stand. */
	readonly near: Map<number, DraftLine[]>;
	readonly cut: ReadonlySet<Cell>;
	/** What the page itself says, which bears a model out or not. */
	readonly page: PageReading;
}

async function fillFromModel(
	run: Run,
	wanted: ReturnType<Draft['missing']>,
	rows: readonly Row[],
	index: PageIndex,
	page: PageReading,
): Promise<void> {
	const { draft, options, meter, reasons, signal } = run;
	if (options.chat === undefined) return void reasons.push(noModel());
	const model = modelOf(options, 'text');
	const told = tellingRows(wanted.lines ? rows : withoutLines(rows, draft), wanted);
	const asked = told.header;
	const first = questionFor(asked, wanted.lines);
	const cut = new Set(told.rows.flatMap((row) => row.cut ?? []));
	const sofar: Sofar = { used: new UsedPlaces(), near: new Map(), cut, page };
	for (const line of draft.lines) enter(line, sofar.near);
	const cutUp = () =>
		piecesOf(told.rows, {
			maxTokens: roomFor(first, model),
			maxAmountRows: Math.max(1, Math.floor(model.maxReplyTokens / tokensPerLine)),
			count: estimateTokens,
		});
	for (const piece of (await orReason(cutUp, options, reasons)) ?? []) {
		await breathe(signal);
		const missing = draft.missing().header.filter((path) => asked.includes(path));
		if (!wanted.lines && !missing.some((path) => isRequired(path, options.schema))) break;
		const question = missing.length === asked.length ? first : questionFor(missing, wanted.lines);
		const answer = await orReason(
			() => ask(question, messagesFor(question, piece.text), model, meter, signal),
			options,
			reasons,
		);
		if (answer === null) break;
		acceptAnswer(run, answer, index, sofar, piece.text);
	}
	inPageOrder(draft, reasons);
}

/** Whether the lines do not add up to the total, and rows among them were left out or could be several things. */
function doubtful(draft: Draft, page: PageReading, rows: readonly Row[]): boolean {
	if (checkDocument(draft.printedData(), draft.figures()).every(({ rule, ok }) => ok || rule !== 'lines-sum'))
		return false;
	if (page.ambiguous.some(({ path }) => path.startsWith('lines'))) return true;
	const holdsLine = holderOf(draft.lines.flatMap(({ entries }) => Object.values(entries)));
	const holdsTotal = holderOf(
		[...draft.header].flatMap(([path, entry]) => (path.startsWith('totals.') ? [entry] : [])),
	);
	const from = rows.findIndex(holdsLine);
	const to = rows.findIndex((row, at) => at > from && holdsTotal(row));
	return rows
		.slice(from, to === -1 ? undefined : to)
		.some((row) => !holdsLine(row) && row.cells.some(({ text }) => /\d[.,]\d{2}(?!\d)/.test(text)));
}

/** A second opinion on lines that do not add up: it replaces them only if all of it is proven and every sum holds. */
async function askAgainForLines(run: Run, rows: readonly Row[], index: PageIndex, page: PageReading): Promise<void> {
	const { draft, options } = run;
	if (options.chat === undefined) return;
	const doubts: Reason[] = [];
	const trial = draft.withoutLines();
	const trialRun: Run = { ...run, draft: trial, options: { ...options, unproven: 'null' }, reasons: doubts };
	await fillFromModel(trialRun, { header: [], lines: true }, rows, index, page);
	const checks = checkDocument(trial.printedData(), trial.figures());
	const adds = checks.some(({ rule }) => rule === 'lines-sum') && checks.every(({ ok }) => ok);
	if (adds && doubts.length === 0 && !trial.missing().lines) draft.lines.splice(0, Infinity, ...trial.lines);
}

/** Puts lines where the page has them, and what is said of them with them; one without a place follows its neighbour. */
function inPageOrder(draft: Draft, reasons: Reason[]): void {
	let last = [0, 0];
	const placed = draft.lines.map((line, at) => {
		const places = Object.values(line.entries).flatMap(({ place }) =>
			place === null || place === 'model-only' || 'attachment' in place ? [] : [place],
		);
		const [first] = places
			.map((place) => ('box' in place ? [place.page, place.box[1]] : [0, place.offset]))
			.sort(inOrder);
		last = first ?? last;
		return { line, at, position: last };
	});
	placed.sort((a, b) => inOrder(a.position, b.position));
	const now = new Map(placed.map(({ at }, index) => [at, index]));
	draft.lines.splice(0, Infinity, ...placed.map(({ line }) => line));
	reasons.forEach((reason, at) => {
		const path = reason.path?.replace(/^lines\.(\d+)/, (whole, index) => {
			const moved = now.get(Number(index));
			return moved === undefined ? whole : `lines.${moved}`;
		});
		if (path === undefined) return;
		const message = reason.message.replace(nameOf(reason.path!), nameOf(path));
		reasons[at] = { ...reason, message, path };
	});
}

function inOrder(a: readonly number[], b: readonly number[]): number {
	return a[0]! - b[0]! || a[1]! - b[1]!;
}

/** What a line costs in a reply, from above: its keys and six values. */
const tokensPerLine = 100;

function acceptAnswer(
	{ draft, options, reasons }: Run,
	answer: ModelAnswer,
	index: PageIndex,
	{ used, near, cut, page }: Sofar,
	sent: string,
): void {
	const accept = (path: string, label: string, printed: string, kind: ValueKind, proof: Proof): Entry => {
		if (proof.ok && proof.sure) return { value: proof.value, origin: 'model', place: proof.place };
		const why = proof.ok ? severalReadings(proof.place) : proof.reason;
		return unproven(path, label, printed, normalised(printed, kind), why, options, reasons);
	};
	const name = (path: HeaderPath) => draft.value(path) ?? answer.header.get(path);
	const parties = { seller: name('seller.name'), buyer: name('buyer.name') };
	for (const { path, kind, label } of headerFields) {
		const printed = answer.header.get(path);
		if (printed === undefined) continue;
		const proof: Proof =
			path === 'buyer.name' && printed === parties.seller
				? { ok: false, reason: 'that is the seller' }
				: proveHeader(index, path, printed, kind, parties);
		const judged = judgedByPage(proof, path, kind, index, page, sent);
		const isNew = draft.value(path) === null;
		draft.settle(path, accept(path, label, printed, kind, judged));
		if (isNew && judged.ok && judged.sure && !judged.supported)
			reasons.push(modelChosen(path, label, judged.value, judged.place));
	}
	for (const line of answer.lines) {
		// A text without a figure heads the lines below it.
		if (line.total === undefined && line.unitPrice === undefined && line.quantity === undefined) continue;
		const proofs = proveLine(index, line, used, cut);
		const anchored = Object.values(proofs).some(({ ok }) => ok);
		const partial = lineAt(proofs, near);
		if (!anchored && options.unproven !== 'keep') {
			const path = `lines.${draft.lines.length}`;
			const text = line.description ?? line.total ?? '';
			unproven(
				path,
				nameOf(path),
				text,
				null,
				Object.values(proofs)[0]?.ok === false ? 'no such line is left on the page' : '',
				options,
				reasons,
			);
			continue;
		}
		const at = partial === undefined ? draft.lines.length : draft.lines.indexOf(partial);
		const entries: DraftLine['entries'] = partial?.entries ?? {};
		for (const { name, kind } of lineFields) {
			const [printed, proof] = [line[name], proofs[name]];
			if (printed === undefined || proof === undefined || entries[name]?.value != null) continue;
			entries[name] = accept(`lines.${at}.${name}`, nameOf(`lines.${at}.${name}`), printed, kind, proof);
		}
		if (partial !== undefined) continue;
		const added: DraftLine = { entries, figures: plainLine };
		draft.lines.push(added);
		enter(added, near);
	}
}

/** A model points at a value; whether it is the field, the page says: by its own reading, a label, or its only one. */
function judgedByPage(
	proof: Proof,
	path: HeaderPath,
	kind: ValueKind,
	index: PageIndex,
	page: PageReading,
	sent: string,
): (Extract<Proof, { ok: true }> & { readonly supported: boolean }) | Extract<Proof, { ok: false }> {
	if (!proof.ok) return proof;
	const { value, place } = proof;
	if (page.header[path]?.value === value) return { ...proof, supported: true };
	if (!wasSent(sent, value, place, kind, index)) return { ok: false, reason: `"${place.quote}" was not shown to it` };
	const support = supportOf(index, path, value, place);
	if (support.kind === 'other')
		return { ok: false, reason: `"${place.quote}" stands on the page as something else: ${support.as}` };
	const open = page.ambiguous.some((one) => one.path === path);
	return { ...proof, supported: support.kind === 'own' && !open };
}

function wasSent(sent: string, value: string, place: SourcePlace, kind: ValueKind, index: PageIndex): boolean {
	if (kind === 'number')
		return numbersIn(sent, index.decimalMark).some(({ could }) => could.some((one) => Number(one) === Number(value)));
	const solid = (text: string) => normal(text).replace(/[ .]/g, '').toLowerCase();
	return solid(sent).includes(solid(place.quote)) || solid(sent).includes(solid(value));
}

async function fillFromImage({ draft, options, meter, reasons, signal }: Run, image: Uint8Array): Promise<void> {
	const model = modelOf(options, 'image');
	const question = questionFor(
		headerFields.map(({ path }) => path),
		true,
	);
	const answer = await ask(question, messagesForImage(question, image), model, meter, signal);
	reasons.push(imageUnproven);
	const entry = (path: string, label: string, printed: string, kind: ValueKind): Entry => {
		const value = normalised(printed, kind);
		if (value !== null) return { value, origin: 'model', place: 'model-only' };
		reasons.push({
			code: 'ambiguous',
			message: `The model read ${label} as "${printed}", which is no clear ${kind}. Fill it in by hand.`,
			path,
		});
		return { value: null, origin: null, place: null, reason: `"${printed}" is no clear ${kind}` };
	};
	for (const { path, kind, label } of headerFields) {
		const printed = answer.header.get(path);
		if (printed !== undefined) draft.settle(path, entry(path, label, printed, kind));
	}
	answer.lines.forEach((line, at) => {
		const entries: DraftLine['entries'] = {};
		for (const { name, kind } of lineFields) {
			const printed = line[name];
			if (printed !== undefined)
				entries[name] = entry(`lines.${at}.${name}`, nameOf(`lines.${at}.${name}`), printed, kind);
		}
		draft.lines.push({ entries, figures: plainLine });
	});
}

/** A value that no page bears out, in the form that the schema promises; null when it has none. */
function normalised(printed: string, kind: ValueKind): string | null {
	if (kind === 'date') {
		const reading = readDate(printed, 'day-first');
		return reading?.kind === 'date' ? reading.value : null;
	}
	if (kind === 'number') {
		const reading = readNumber(printed);
		return reading?.kind === 'number' ? reading.value : null;
	}
	return printed;
}

function isRequired(path: HeaderPath, schema: 'devis' | 'invoice'): boolean {
	return headerFields.some((field) => field.path === path && field.requiredIn.includes(schema));
}

function present(line: DocumentLine): Partial<Record<keyof DocumentLine, string>> {
	return Object.fromEntries(Object.entries(line).filter(([, value]) => value !== null));
}

/** Rows that hold a line already read tell nothing of the header. */
function withoutLines(rows: readonly Row[], { lines }: Draft): Row[] {
	const holdsLine = holderOf(lines.flatMap(({ entries }) => Object.values(entries)));
	return rows.filter((row) => !holdsLine(row));
}

/** Tells whether a row holds one of these values; places are looked up by where they stand, documents being long. */
function holderOf(entries: readonly Entry[]): (row: Row) => boolean {
	const near = new Map<number, SourcePlace[]>();
	for (const { place } of entries) {
		if (place === null || place === 'model-only') continue;
		for (const part of partsOf(place)) {
			const there = near.get(part);
			if (there === undefined) near.set(part, [place]);
			else there.push(place);
		}
	}
	return ({ cells }) =>
		cells.some(({ words }) =>
			words.some(({ place }) =>
				partsOf(place).some((part) => near.get(part)?.some((other) => samePlaces(other, place)) === true),
			),
		);
}

/** The parts of a source in which a place lies: its page, or stretches of a text. */
function partsOf(place: SourcePlace): number[] {
	if ('box' in place) return [place.page];
	if (!('offset' in place)) return [];
	const first = Math.floor(place.offset / 256);
	const last = Math.floor((place.offset + place.quote.length) / 256);
	return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

/** What a line is known by. */
const anchors = ['description', 'total'] as const;

/** Enters a line where its description and its total stand. */
function enter(line: DraftLine, near: Map<number, DraftLine[]>): void {
	const places = anchors.flatMap((name) => line.entries[name]?.place ?? []).filter((place) => place !== 'model-only');
	for (const part of new Set(places.flatMap(partsOf))) {
		const there = near.get(part);
		if (there === undefined) near.set(part, [line]);
		else there.push(line);
	}
}

/** The line whose description or total stands where these proofs found theirs. */
function lineAt(proofs: ReturnType<typeof proveLine>, near: ReadonlyMap<number, DraftLine[]>): DraftLine | undefined {
	for (const name of anchors) {
		const proof = proofs[name];
		if (proof?.ok !== true) continue;
		for (const line of partsOf(proof.place).flatMap((part) => near.get(part) ?? [])) {
			const place = line.entries[name]?.place;
			if (place != null && place !== 'model-only' && samePlaces(place, proof.place)) return line;
		}
	}
	return undefined;
}

const exemptionWords = /T\.?V\.?A\.? non applicable.{0,40}?293\s?[- ]?B/i;

/** The words by which a French seller under the franchise en base must say that no tax is charged. */
function exemption({ rows }: PageIndex): string | null {
	for (const { row } of rows) {
		const match = exemptionWords.exec(row.cells.map(({ text }) => text).join(' '));
		if (match) return match[0];
	}
	return null;
}

function noModel(): Reason {
	return {
		code: 'model-unavailable',
		message:
			'The page alone does not give everything, and no model is connected. Choose an Ollama credential, or fill in what is missing by hand.',
	};
}

function ambiguities(page: PageReading, draft: Draft): Reason[] {
	const settled = new Set(draft.fields().flatMap(({ path, value }) => (value === null ? [] : [path])));
	return page.ambiguous
		.filter(({ path }) => !settled.has(path))
		.map(({ path, message }) => ({
			code: 'ambiguous' as const,
			message: `${capital(nameOf(path))}: ${message}. Check it by hand.`,
			path,
		}));
}

function failures(checks: readonly Check[]): Reason[] {
	return checks
		.filter(({ ok }) => !ok)
		.map(
			({ rule, path, printed, expected, detail }): Reason =>
				rule === 'xml-against-page'
					? {
							code: 'xml-differs-from-page',
							message: `${capital(nameOf(path))}: ${detail}. Ask the sender which one holds.`,
							path,
						}
					: {
							code: 'arithmetic',
							message: `${inTaxTable(path) ?? capital(nameOf(path))} is printed as ${printed}, but ${detail} (expected ${expected}). Check it with the sender.`,
							...(inTaxTable(path) === null ? { path } : {}),
						},
		);
}

function capital(name: string): string {
	return name.slice(0, 1).toUpperCase() + name.slice(1);
}

/** The words for a check of the printed tax table, whose rows are no fields; null for any other. */
function inTaxTable(path: string): string | null {
	const [, row, column] = /^taxes\.(\d+)\.(base|amount)$/.exec(path) ?? [];
	return row === undefined ? null : `The ${column} in row ${Number(row) + 1} of the tax table`;
}

/** A later piece of a long document can prove what an earlier one could not; a period stands for the end it leads to. */
function settledSince({ code, path }: Reason, { header }: Draft): boolean {
	const entry = [...header].find(([one]) => one === path)?.[1];
	if (code !== 'unproven-value' || entry === undefined || entry.value === null) return false;
	return entry.place !== null || (path === 'validUntil' && entry.origin === 'derived');
}

/** What a complete document lacks and no other reason speaks of yet. */
function gaps(draft: Draft, schema: 'devis' | 'invoice', reasons: readonly Reason[]): Reason[] {
	const named = new Set(reasons.map(({ path }) => path));
	const missing = headerFields
		.filter(({ path }) => isRequired(path, schema) && draft.value(path) === null && !named.has(path))
		.map(
			({ path, label }): Reason => ({
				code: 'missing-field',
				message: `The ${label} was not found. Fill it in by hand.`,
				path,
			}),
		);
	if (draft.lines.length === 0)
		return [...missing, { code: 'no-lines', message: 'No line was found. Enter the lines by hand.' }];
	const holes = draft.lines.flatMap(({ entries }, at) =>
		lineFields
			.filter(({ name, required }) => required && entries[name]?.value == null && !named.has(`lines.${at}.${name}`))
			.map(
				({ name, label }): Reason => ({
					code: 'missing-field',
					message: `Line ${at + 1} has no ${label}. Fill it in by hand.`,
					path: `lines.${at}.${name}`,
				}),
			),
	);
	return [...missing, ...holes];
}
