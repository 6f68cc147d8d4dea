import { createHash } from 'node:crypto';
import { LocalAiError } from '../shared/errors';
import { excerpt } from '../shared/http';
import { boundedRows } from './rows/bounds';
import type { Row } from './rows/layout';
import { readPdfInProcess } from './pdf/pdfPool';
import type { ExtractOptions, ExtractResult, Source } from './result';
import { rowsOfText } from './rows/text';

/** A source that was opened: its rows with their places, or an image that only a model can read. */
export type Opened =
	| {
			readonly kind: 'pdf';
			readonly document: ExtractResult['document'];
			readonly rows: readonly Row[];
			readonly attachments: ReadonlyArray<{ readonly name: string; readonly bytes: Uint8Array }>;
			readonly pagesLeftOut: number;
			/** Pages that were reached and yet hold more than was read. */
			readonly unreadPages: readonly number[];
			/** Whether the rows end before the document does. */
			readonly rowsLeftOut: boolean;
			/** Why the rows cannot be used, when they cannot. */
			readonly unusable: string | null;
	  }
	| {
			readonly kind: 'text';
			readonly document: ExtractResult['document'];
			readonly rows: readonly Row[];
			readonly rowsLeftOut: boolean;
			readonly text: string;
	  }
	| { readonly kind: 'image'; readonly document: ExtractResult['document']; readonly bytes: Uint8Array };

/** Opens a PDF, an image (PNG, JPEG or WebP, known by its first bytes) or a text. Rejects with LocalAiError. */
export async function open(source: Source, options: ExtractOptions, signal?: AbortSignal): Promise<Opened> {
	if ('text' in source) {
		mustFit(Buffer.byteLength(source.text), 'the text');
		const bytes = Buffer.from(source.text);
		if (source.text.trim() === '') {
			throw new LocalAiError('invalid-input', 'The text is empty', {
				hint: 'Check the field or expression that gives the text.',
			});
		}
		const { rows, leftOut } = boundedRows(rowsOfText(source.text));
		return {
			kind: 'text',
			document: { kind: 'text', ...identity(bytes), warnings: leftOut === null ? [] : [leftOut] },
			rows,
			rowsLeftOut: leftOut !== null,
			text: source.text,
		};
	}
	const { bytes, fileName, password } = source;
	if (bytes.length === 0) {
		throw new LocalAiError('invalid-input', `${fileName ?? 'The file'} is empty`, {
			hint: 'Check that it was copied whole.',
		});
	}
	mustFit(bytes.length, fileName ?? 'the file');
	const named = { ...identity(bytes), ...(fileName === undefined ? {} : { fileName }) };
	if (isImage(bytes)) return { kind: 'image', document: { kind: 'image', ...named, warnings: [] }, bytes };

	const { readTimeoutMs, readMemoryMiB, maxPages } = options;
	const pdf = await readPdfInProcess(
		bytes,
		{
			...(password === undefined ? {} : { password }),
			...(maxPages === undefined ? {} : { maxPages }),
			...(readTimeoutMs === undefined ? {} : { timeoutMs: readTimeoutMs }),
			...(readMemoryMiB === undefined ? {} : { memoryMiB: readMemoryMiB }),
		},
		signal,
	);
	const { rows, leftOut } = boundedRows(pdf.rows);
	const warnings = [...pdf.warnings, ...(leftOut === null ? [] : [leftOut])];
	return {
		kind: 'pdf',
		document: { kind: 'pdf', ...named, pages: pdf.pageCount, warnings },
		rows,
		rowsLeftOut: leftOut !== null,
		attachments: pdf.attachments,
		pagesLeftOut: pdf.pageCount - pdf.pagesRead,
		unreadPages: pdf.unreadPages,
		unusable: whyUnusable(rows),
	};
}

/** Throws LocalAiError `invalid-input` for a source of more than 100 MiB; `name` is what the message calls it. */
export function mustFit(bytes: number, name: string): void {
	if (bytes <= maxSourceBytes) return;
	throw new LocalAiError(
		'invalid-input',
		`"${name}" has ${bytes} bytes, more than the ${maxSourceBytes} that can be read`,
		{
			hint: 'Split the document, or make its images smaller.',
		},
	);
}

/** A source is held in memory whole, here and in the process that reads it. */
const maxSourceBytes = 100 * 1024 * 1024;

/** What a page without a text layer leaves: nothing, a stamp, or glyph numbers that stand for no letters. */
function whyUnusable(rows: readonly Row[]): string | null {
	const text = rows.flatMap(({ cells }) => cells.map((cell) => cell.text)).join('');
	const readable = text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
	if (readable === 0) return 'it has no text layer: its pages are pictures, as a scanner makes them, or empty';
	if (readable < 20)
		return `it holds hardly any text ("${excerpt(text, 40)}"): its pages are pictures, as a scanner makes them, or empty`;
	const garbage = text.match(/[\p{Co}\p{Cn}\p{Cc}\ufffd]/gu)?.length ?? 0;
	return garbage > readable / 4 ? 'its fonts do not say which letters they draw' : null;
}

function isImage(bytes: Uint8Array): boolean {
	const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
	return (
		head.startsWith('\x89PNG\r\n\x1a\n') ||
		head.startsWith('\xff\xd8\xff') ||
		(head.startsWith('RIFF') && head.endsWith('WEBP'))
	);
}

function identity(bytes: Uint8Array) {
	return { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
}
