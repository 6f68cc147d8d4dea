import { dirname, join } from 'node:path';

import { LocalAiError } from '../../shared/errors';
import { annotationTexts, type DrawnText, type Matrix } from './appearances';
import type { Box } from '../result';

/** A run of glyphs drawn together: the smallest piece of text that keeps its own place. */
export interface Run {
	readonly text: string;
	readonly box: Box;
	/** Height of the font in points. */
	readonly fontSize: number;
	readonly from: 'text' | 'annotation' | 'form-field';
}

export interface Page {
	/** From 1. */
	readonly number: number;
	readonly width: number;
	readonly height: number;
	readonly runs: readonly Run[];
}

export interface PdfContents {
	readonly pages: readonly Page[];
	readonly pageCount: number;
	readonly attachments: ReadonlyArray<{ readonly name: string; readonly bytes: Uint8Array }>;
	/** Pages that were reached and yet hold more than was read: their content is damaged, or drawn without any text. */
	readonly unreadPages: readonly number[];
	/** What a person should know of how the file was read: recovered structure, pages left out, unreadable fonts. */
	readonly warnings: readonly string[];
}

export interface ReadPdfOptions {
	readonly password?: string;
	/** Pages after this one are left out, with a warning. Default 500. */
	readonly maxPages?: number;
	/**
	 * What pdf.js has complained of on the console since the last call. It says in no other way that it skipped damaged
	 * content or an image; without this such pages count as read.
	 */
	readonly complaints?: () => readonly string[];
}

const defaultMaxPages = 500;
const maxAttachmentBytes = 16 * 1024 * 1024;

/**
 * Text with its places, form values, annotation text and attachments of a PDF, read in this process without any network.
 * Rejects with LocalAiError `invalid-input`: not a PDF, damaged beyond reading, a password is needed or wrong, no pages.
 */
export async function readPdf(bytes: Uint8Array, options: ReadPdfOptions = {}): Promise<PdfContents> {
	const pages: Page[] = [];
	const rest = await readPdfPages(bytes, options, (page) => void pages.push(page));
	return { pages, ...rest };
}

/**
 * As `readPdf`, each page handed over as soon as it is read, so that a long document need not be held twice. `whyStop`
 * is asked before every page but the first: what it answers ends the reading there, and is the reason in the warning.
 */
export async function readPdfPages(
	bytes: Uint8Array,
	options: ReadPdfOptions,
	onPage: (page: Page) => void,
	whyStop: () => string | null = () => null,
): Promise<Omit<PdfContents, 'pages'>> {
	mustLookLikePdf(bytes);
	const { getDocument, PDFWorker, WorkerMessageHandler } = await loadPdfjs();
	const [near, far] = portPair();
	WorkerMessageHandler.initializeFromPort(far);
	const verbosity = options.complaints === undefined ? 0 : 1;
	const complaints = options.complaints ?? (() => []);
	const worker = new PDFWorker({ port: near as unknown as null, verbosity });
	const task = getDocument({
		// pdf.js takes the buffer over, so it gets a copy; `slice` of a Buffer would share it.
		data: new Uint8Array(bytes),
		password: options.password,
		worker,
		verbosity,
		useSystemFonts: false,
		disableFontFace: true,
		useWorkerFetch: false,
		maxImageSize: 0,
		...assetFolders(),
	});
	try {
		const document = await task.promise;
		const warnings: string[] = [];
		const unreadPages: number[] = [];
		const pageCount = document.numPages;
		if (pageCount === 0) throw unreadable('The PDF has no pages.');
		const maxPages = Math.max(options.maxPages ?? defaultMaxPages, 1);
		for (let number = 1; number <= pageCount; number++) {
			const reason = number > maxPages ? `no more than ${maxPages} pages are read` : number > 1 ? whyStop() : null;
			if (reason !== null) {
				warnings.push(`Only the first ${number - 1} of ${pageCount} pages were read: ${reason}.`);
				break;
			}
			const page = await pageAt(document, number);
			if (page === null) {
				// The count of the page tree is no more than a claim of the file.
				warnings.push(
					`Only the first ${number - 1} of ${pageCount} pages were read: the next one is damaged or missing.`,
				);
				break;
			}
			const { read, unread } = await readPage(page, number, warnings, complaints);
			if (unread !== null) {
				unreadPages.push(number);
				warnings.push(`Page ${number} could not be read: ${unread}`);
			}
			onPage(read);
		}
		return { pageCount, attachments: await attachmentsOf(document, warnings), unreadPages, warnings };
	} catch (error) {
		throw asLocalAiError(error, options.password !== undefined);
	} finally {
		await task.destroy();
		worker.destroy();
	}
}

type Pdfjs = typeof import('pdfjs-dist/legacy/build/pdf.mjs');
type PdfjsWorker = typeof import('pdfjs-dist/legacy/build/pdf.worker.mjs');
type PdfDocument = Awaited<ReturnType<Pdfjs['getDocument']>['promise']>;
type PdfPage = Awaited<ReturnType<PdfDocument['getPage']>>;
type Annotation = Awaited<ReturnType<PdfPage['getAnnotations']>>[number];

let pdfjs: Promise<Pdfjs & PdfjsWorker> | undefined;

function loadPdfjs(): Promise<Pdfjs & PdfjsWorker> {
	// A top-level import would make every start of n8n pay for a library that a document may never need.
	return (pdfjs ??= Promise.all([
		import('pdfjs-dist/legacy/build/pdf.mjs'),
		import('pdfjs-dist/legacy/build/pdf.worker.mjs'),
	]).then(([api, worker]) => ({ ...api, ...worker })));
}

type Listener = (event: { data: unknown }) => void;

/**
 * The two ends between pdf.js and its worker, both in this process. Its own loopback clones every message deeply, which
 * is a tenth of the time; a chunk of text or operators is all that the worker goes on to change after sending it.
 */
function portPair() {
	const ends = [new Set<Listener>(), new Set<Listener>()] as const;
	const port = (own: Set<Listener>, other: Set<Listener>) => ({
		postMessage(message: { chunk?: object }) {
			const data = message.chunk ? { ...message, chunk: copyOf(message.chunk) } : message;
			queueMicrotask(() => other.forEach((listener) => listener({ data })));
		},
		addEventListener(_: string, listener: Listener, options?: { signal?: AbortSignal }) {
			own.add(listener);
			options?.signal?.addEventListener('abort', () => own.delete(listener));
		},
		removeEventListener: (_: string, listener: Listener) => void own.delete(listener),
	});
	return [port(ends[0], ends[1]), port(ends[1], ends[0])] as const;
}

function copyOf(chunk: object): object {
	return Object.fromEntries(
		Object.entries(chunk).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]),
	);
}

/** No outlines of the standard fonts: reading needs widths and letters alone, which pdf.js knows by itself. */
function assetFolders() {
	const root = dirname(require.resolve('pdfjs-dist/package.json'));
	const folder = (name: string) => `${join(root, name)}/`;
	return {
		cMapUrl: folder('cmaps'),
		cMapPacked: true,
		wasmUrl: folder('wasm'),
		iccUrl: folder('iccs'),
	};
}

/** Null for a page that the page tree announces but does not have; the first one must be there. */
async function pageAt(document: PdfDocument, number: number): Promise<PdfPage | null> {
	try {
		return await document.getPage(number);
	} catch (error) {
		if (number === 1) throw error;
		return null;
	}
}

async function readPage(
	page: PdfPage,
	number: number,
	warnings: string[],
	complaints: () => readonly string[],
): Promise<{ readonly read: Page; readonly unread: string | null }> {
	try {
		const { width, height, transform } = page.getViewport({ scale: 1 });
		const toDisplay = transform as unknown as Matrix;
		complaints();
		const printed = await textRuns(page, toDisplay);
		const lost = complaints().find((complaint) => contentLost.test(complaint));
		const written = await annotationRuns(page, toDisplay).catch((error: unknown): Run[] => {
			warnings.push(`The annotations of page ${number} could not be read: ${messageOf(error)}`);
			return [];
		});
		const runs = drawnOnce([...printed, ...written].filter((run) => isOnPage(run, width, height)));
		const pictured = printed.length === 0 && lost === undefined && (await isDrawnOn(page, complaints));
		const unread = lost ?? (pictured ? 'it is drawn without any text, as a scanner or a drawing program does.' : null);
		return { read: { number, width, height, runs }, unread };
	} catch (error) {
		return { read: { number, width: 0, height: 0, runs: [] }, unread: messageOf(error) };
	} finally {
		page.cleanup();
	}
}

const contentLost =
	/Invalid stream|Filter ".*" is not supported|ignoring errors during|flate stream|Unknown command "[^"]{40}/;
const imageSkipped = /Image exceeded/;
/** A page that is blank to the eye may hold a white background, or a ruler at its head and its foot. */
const mostPathsOfBlank = 4;

async function isDrawnOn(page: PdfPage, complaints: () => readonly string[]): Promise<boolean> {
	const { OPS } = await loadPdfjs();
	complaints();
	const { fnArray } = await page.getOperatorList();
	const paths = fnArray.filter((operator) => operator === OPS.constructPath || operator === OPS.shadingFill).length;
	return (
		paths > mostPathsOfBlank ||
		fnArray.includes(OPS.showText) ||
		complaints().some((complaint) => imageSkipped.test(complaint))
	);
}

async function textRuns(page: PdfPage, toDisplay: Matrix): Promise<Run[]> {
	const { items, styles } = await page.getTextContent();
	const runs: Run[] = [];
	for (const item of items) {
		if (!('str' in item) || item.str.trim() === '') continue;
		const matrix = item.transform as unknown as Matrix;
		const size = Math.hypot(matrix[2], matrix[3]);
		if (!(size > 0)) continue;
		const vertical = styles[item.fontName]?.vertical === true;
		runs.push({ text: item.str, box: glyphBox(item, vertical, toDisplay), fontSize: size, from: 'text' });
	}
	return runs;
}

type TextItem = Pick<DrawnText, 'str' | 'width' | 'height'> & { readonly transform: readonly unknown[] };

// Fonts declare anything as their ascent; in print, letters reach from about here to here.
const descent = -0.22;
const ascent = 0.78;

function glyphBox(item: Omit<TextItem, 'str'>, vertical: boolean, toDisplay: Matrix): Box {
	const [a, b, c, d, e, f] = item.transform as unknown as Matrix;
	const size = Math.hypot(c, d);
	const advance = Math.hypot(a, b) || size;
	const along = [a / advance, b / advance] as const;
	const up = [c / size, d / size] as const;
	const [low, high] = vertical ? [-item.height, 0] : [descent * size, ascent * size];
	const [left, right] = vertical ? [-item.width / 2, item.width / 2] : [0, item.width];
	const corner = (x: number, y: number) => [e + along[0] * x + up[0] * y, f + along[1] * x + up[1] * y] as const;
	return displayed([corner(left, low), corner(right, low), corner(left, high), corner(right, high)], toDisplay);
}

function displayed(points: ReadonlyArray<readonly [number, number]>, [a, b, c, d, e, f]: Matrix): Box {
	let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
	for (const [x, y] of points) {
		const across = a * x + c * y + e;
		const down = b * x + d * y + f;
		left = Math.min(left, across);
		top = Math.min(top, down);
		right = Math.max(right, across);
		bottom = Math.max(bottom, down);
	}
	return [left, top, right, bottom];
}

function isOnPage({ box: [left, top, right, bottom] }: Run, width: number, height: number): boolean {
	return right > 0 && bottom > 0 && left < width && top < height && [left, top, right, bottom].every(Number.isFinite);
}

/** Leaves out text drawn a second time at the same place, which is how some programs print bold or shadows. */
function drawnOnce(runs: readonly Run[]): Run[] {
	const kept = new Map<string, Run[]>();
	return runs.filter((run) => {
		const alike = kept.get(run.text);
		if (alike === undefined) kept.set(run.text, [run]);
		else if (alike.some((other) => standsOn(run, other))) return false;
		else alike.push(run);
		return true;
	});
}

function standsOn({ box, fontSize }: Run, { box: other }: Run): boolean {
	return box.every((side, index) => Math.abs(side - other[index]!) < 0.15 * fontSize);
}

async function annotationRuns(page: PdfPage, toDisplay: Matrix): Promise<Run[]> {
	const annotations = (await page.getAnnotations()).filter(
		({ annotationFlags }) => (annotationFlags & hiddenFlag) === 0,
	);
	const drawn = annotations.some(isDrawing) ? await drawnTexts(page) : new Map<string, DrawnText[]>();
	return annotations.flatMap((annotation): Run[] => {
		const from = annotation.subtype === 'Widget' ? 'form-field' : 'annotation';
		if (isDrawing(annotation)) {
			const texts = drawn.get(annotation.id) ?? [];
			return texts.map((item) => ({
				text: item.str,
				box: glyphBox(item, false, toDisplay),
				fontSize: item.height,
				from,
			}));
		}
		return valueLines(annotation, toDisplay).map((line) => ({ ...line, from }));
	});
}

/** ISO 32000-2, 12.5.3. */
const hiddenFlag = 2;
const drawingKinds = new Set(['FreeText', 'Line', 'Stamp', 'Watermark']);

/** Whether the text of an annotation is only in its appearance. What marks, links or pops up has none of its own. */
function isDrawing({ subtype, fieldType, hasAppearance }: Annotation): boolean {
	return hasAppearance === true && (drawingKinds.has(subtype) || (subtype === 'Widget' && fieldType === 'Sig'));
}

/** Costs about as much as drawing the page; only few pages have such annotations. */
async function drawnTexts(page: PdfPage): Promise<Map<string, DrawnText[]>> {
	const { OPS } = await loadPdfjs();
	const drawing = await page.getOperatorList({ intent: 'any' });
	const unitOf = (fontName: string) => {
		const font: unknown = page.commonObjs.has(fontName) ? page.commonObjs.get(fontName) : null;
		return (font as { fontMatrix?: Matrix } | null)?.fontMatrix?.[0] ?? 0.001;
	};
	return annotationTexts(drawing, OPS, unitOf);
}

/** The lines of a field's value or of a note written on the page, spread over the annotation's rectangle. */
function valueLines(annotation: Annotation, toDisplay: Matrix): Array<Pick<Run, 'text' | 'box' | 'fontSize'>> {
	const lines =
		annotationText(annotation)
			?.split(/\r\n|\r|\n/)
			.filter((line) => line.trim() !== '') ?? [];
	const [x1, y1, x2, y2] = annotation.rect as [number, number, number, number];
	const [left, top, right, bottom] = displayed(
		[
			[x1, y1],
			[x2, y2],
		],
		toDisplay,
	);
	const height = (bottom - top) / Math.max(lines.length, 1);
	const declared = Number(annotation.defaultAppearanceData?.fontSize) || 0;
	const fontSize = declared > 0 ? Math.min(declared, height) : Math.min(height, 12);
	return lines.map((text, index) => ({
		text,
		box: [left, top + index * height, right, top + (index + 1) * height],
		fontSize,
	}));
}

/** What a person sees of an annotation as text; null where there is none to see. */
function annotationText(annotation: Annotation): string | null {
	switch (annotation.subtype) {
		case 'Widget': {
			const value: unknown = annotation.fieldValue;
			if (annotation.fieldType === 'Btn' || annotation.password) return null;
			return Array.isArray(value) ? value.join('\n') : typeof value === 'string' ? value : null;
		}
		case 'FreeText':
			return annotation.textContent?.join('\n') ?? annotation.contentsObj?.str ?? null;
		default:
			return null;
	}
}

async function attachmentsOf(document: PdfDocument, warnings: string[]): Promise<PdfContents['attachments']> {
	const listed: unknown = await document.getAttachments();
	const entries = listed instanceof Map ? [...listed] : Object.entries(listed ?? {});
	const attachments: Array<{ name: string; bytes: Uint8Array }> = [];
	let total = 0;
	for (const [id, file] of entries) {
		const name = String(file?.filename || id);
		const content: unknown = file?.content ?? (await document.getAttachmentContent(id));
		if (!(content instanceof Uint8Array)) {
			warnings.push(`The attachment "${name}" could not be read.`);
			continue;
		}
		total += content.byteLength;
		if (total > maxAttachmentBytes) {
			warnings.push(`The attachment "${name}" was left out: attachments exceed ${maxAttachmentBytes} bytes.`);
			break;
		}
		attachments.push({ name, bytes: content });
	}
	return attachments;
}

function mustLookLikePdf(bytes: Uint8Array): void {
	if (bytes.byteLength === 0) throw unreadable('The file is empty.');
	// Readers accept a header within the first 1024 bytes (ISO 32000-2, annex I).
	if (!Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 1024)).includes('%PDF-')) {
		throw unreadable('The file is not a PDF: it does not begin with "%PDF-".');
	}
}

function unreadable(message: string, cause?: unknown): LocalAiError {
	return new LocalAiError('invalid-input', message, {
		hint: 'Open the file in a PDF viewer; if that fails too, ask its sender for it again.',
		cause,
	});
}

function asLocalAiError(error: unknown, passwordGiven: boolean): LocalAiError {
	if (error instanceof LocalAiError) return error;
	const name = error instanceof Error ? error.name : '';
	if (name === 'PasswordException') {
		return passwordGiven
			? new LocalAiError('invalid-input', 'The password does not open this PDF.', {
					hint: 'Correct the password of the document.',
					cause: error,
				})
			: new LocalAiError('invalid-input', 'The PDF is encrypted and opens only with a password.', {
					hint: 'Give the password of the document.',
					cause: error,
				});
	}
	return unreadable(`The PDF is damaged beyond reading: ${messageOf(error)}`, error);
}

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
