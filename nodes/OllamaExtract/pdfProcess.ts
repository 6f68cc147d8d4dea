import { LocalAiError } from '../shared/errors';
import { rowsOf } from './layout';
import { readPdfPages } from './pdf';
import type { ReadAnswer, ReadRequest } from './pdfPool';

// The reading process that `pdfPool` starts: one document at a time, page by page to the parent.
process.on('message', (request: ReadRequest) => void answer(request));
process.on('disconnect', () => process.exit());

async function answer({ bytes, password, maxPages }: ReadRequest): Promise<void> {
	try {
		const rest = await readPdfPages(bytes, { password, maxPages }, (page) => send({ kind: 'page', page, rows: rowsOf(page) }));
		send({ kind: 'done', ...rest });
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
