import { LocalAiError } from '../../shared/errors';
import { inflateInOneCall } from './inflate';
import { rowsOf } from '../rows/layout';
import { readPdfPages, type Page } from './pdf';
import type { ReadAnswer, ReadRequest } from './pdfPool';

// The reading process that `pdfPool` starts: one document at a time, page by page to the parent.
process.on('message', (request: ReadRequest) => void answer(request));
process.on('disconnect', () => process.exit());

inflateInOneCall();

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
		const onPage = (page: Page) => send({ kind: 'page', rows: rowsOf(page) });
		send({ kind: 'done', ...(await readPdfPages(bytes, options, onPage, whyStop)) });
	} catch (error) {
		const { code, message, hint } =
			error instanceof LocalAiError
				? error
				: new LocalAiError('defect', `The reading process failed: ${String(error)}`, {
						hint: 'Report this with the file.',
					});
		send({ kind: 'error', code, message, hint });
	}
}

function send(message: ReadAnswer): void {
	process.send!(message);
}
