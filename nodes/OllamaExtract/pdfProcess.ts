import { brotliDecompressSync, inflateRawSync, inflateSync } from 'node:zlib';

import { LocalAiError } from '../shared/errors';
import { rowsOf } from './layout';
import { readPdfPages, type Page } from './pdf';
import type { ReadAnswer, ReadRequest } from './pdfPool';

// The reading process that `pdfPool` starts: one document at a time, page by page to the parent.
process.on('message', (request: ReadRequest) => void answer(request));
process.on('disconnect', () => process.exit());

const largestStream = 128 * 1024 * 1024;

/**
 * In place of the platform's: pdf.js hands over one whole buffer and waits, so threads only cost time here. What does not
 * decompress, or swells beyond reason, throws, and pdf.js then reads what it can by itself.
 */
class WholeDecompressionStream {
	readonly #decompress: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
	#input: Uint8Array | null = null;

	constructor(format: string) {
		this.#decompress = format === 'deflate' ? inflateSync : format === 'deflate-raw' ? inflateRawSync : brotliDecompressSync;
	}

	readonly writable = {
		getWriter: () => ({
			write: async (bytes: Uint8Array) => void (this.#input = bytes),
			close: async () => {},
		}),
	};

	readonly readable = {
		getReader: () => ({
			read: async () => {
				const input = this.#input;
				this.#input = null;
				if (input === null) return { done: true };
				return { done: false, value: this.#decompress(input, { maxOutputLength: largestStream }) };
			},
		}),
	};
}

globalThis.DecompressionStream = WholeDecompressionStream as unknown as typeof DecompressionStream;

async function answer({ bytes, password, maxPages, stopAfterMs, stopAboveBytes }: ReadRequest): Promise<void> {
	const start = performance.now();
	const whyStop = () => {
		if (performance.now() - start > stopAfterMs) return 'the time allowed for reading is used up';
		if (process.memoryUsage.rss() > stopAboveBytes) return 'the memory allowed for reading is used up';
		return null;
	};
	try {
		const onPage = (page: Page) => send({ kind: 'page', page, rows: rowsOf(page) });
		send({ kind: 'done', ...(await readPdfPages(bytes, { password, maxPages }, onPage, whyStop)) });
	} catch (error) {
		const { code, message, hint } =
			error instanceof LocalAiError
				? error
				: new LocalAiError('defect', `The reading process failed: ${String(error)}`, { hint: 'Report this with the file.' });
		send({ kind: 'error', code, message, hint });
	}
}

function send(message: ReadAnswer): void {
	process.send!(message);
}
