import { PDFDocument } from 'pdf-lib';

import { closeIdleReaders, readPdfInProcess } from '../../../nodes/OllamaExtract/pdfPool';

afterAll(closeIdleReaders);

test('a PDF is read in a process of its own, runs and rows alike', async () => {
	const reading = await readPdfInProcess(await pageWith('Devis 2026-001'));
	expect(reading.pages[0]!.runs.map(({ text }) => text)).toEqual(['Devis 2026-001']);
	expect(reading.rows.map(({ cells }) => cells.map(({ text }) => text))).toEqual([['Devis 2026-001']]);
});

async function pageWith(text: string): Promise<Uint8Array> {
	const document = await PDFDocument.create();
	document.addPage([400, 400]).drawText(text, { x: 50, y: 300, size: 12 });
	return document.save();
}
