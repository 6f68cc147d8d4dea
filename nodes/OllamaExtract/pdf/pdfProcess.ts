import { LocalAiError } from '../../shared/errors';
import { inflateInOneCall } from './inflate';
import { rowsOf } from '../rows/layout';
import { packedRows, type PackedRows } from '../rows/packed';
import { readPdfPages, type Page } from './pdf';
import type { ReadAnswer, ReadRequest } from './pdfPool';

// The reading process that `pdfPool` starts: one document at a time, its pages to the parent as they fill a message.
process.on('message', (request: ReadRequest) => void answer(request));
process.on('disconnect', () => process.exit());

inflateInOneCall();

/** Numbers of packed rows: some ten full pages. Each message wakes the parent, which is long beside a short document. */
const enoughToSend = 20_000;
const mostComplaints = 100;
const complaints: string[] = [];
// Nothing else writes here: the process has no terminal, and pdf.js tells of damage in no other way.
console.warn = console.log = (...parts: unknown[]) => {
	if (complaints.length < mostComplaints) complaints.push(parts.join(' ').slice(0, 300));
};

async function answer({ bytes, password, maxPages, stopAt, stopAboveBytes }: ReadRequest): Promise<void> {
	const whyStop = () => {
		if (Date.now() > stopAt) return 'the time allowed for reading is used up';
		if (process.memoryUsage.rss() > stopAboveBytes) return 'the memory allowed for reading is used up';
		return null;
	};
	try {
		const options = { password, maxPages, complaints: () => complaints.splice(0) };
		let pages: PackedRows[] = [];
		const onPage = (page: Page) => {
			pages.push(packedRows(rowsOf(page)));
			if (pages.reduce((sum, { numbers }) => sum + numbers.length, 0) < enoughToSend) return;
			send({ kind: 'pages', pages });
			pages = [];
		};
		const rest = await readPdfPages(bytes, options, onPage, whyStop);
		send({ kind: 'done', pages, ...rest }, tidy);
	} catch (error) {
		const { code, message, hint } =
			error instanceof LocalAiError
				? error
				: new LocalAiError('defect', `The reading process failed: ${String(error)}`, {
						hint: 'Report this with the file.',
					});
		send({ kind: 'error', code, message, hint }, tidy);
	}
}

function send(message: ReadAnswer, once?: () => void): void {
	process.send!(message, undefined, undefined, once);
}

/**
 * Once the answer is out, what the document left behind is dead and collected in no time; the next one then seldom has
 * to wait for that, half read, with all that it holds to be moved.
 */
function tidy(): void {
	globalThis.gc!({ type: 'minor' });
}
