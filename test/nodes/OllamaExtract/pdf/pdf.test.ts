import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';

import PdfKit from 'pdfkit';
import { degrees, PDFDocument, PDFName, PDFNumber, PDFRef, StandardFonts, type PDFArray, type PDFPage } from 'pdf-lib';

import { readPdf } from '../../../../nodes/OllamaExtract/pdf/pdf';

test('text has its place from the top left of the page as it is displayed', async () => {
	const { pages } = await readPdf(await pdf((page) => page.drawText('Devis', { x: 50, y: 300, size: 10 })));
	const [run] = pages[0]!.runs;
	expect(run).toMatchObject({ text: 'Devis', fontSize: 10, from: 'text' });
	expect(pages[0]).toMatchObject({ number: 1, width: 400, height: 500 });
	const [left, top, right, bottom] = run!.box;
	expect(left).toBeCloseTo(50);
	expect(right - left).toBeGreaterThan(20);
	expect(right - left).toBeLessThan(30);
	expect(top).toBeGreaterThan(190);
	expect(bottom).toBeGreaterThan(200);
	expect(bottom).toBeLessThan(204);
});

test.each([90, 180, 270])('a page turned by %i degrees is read as it is displayed', async (angle) => {
	const { pages } = await readPdf(
		await pdf((page) => {
			page.setRotation(degrees(angle));
			page.drawText('up', { x: 100, y: 100, size: 10, rotate: degrees(angle) });
		}),
	);
	const { width, height, runs } = pages[0]!;
	expect([width, height]).toEqual(angle === 180 ? [400, 500] : [500, 400]);
	const [left, top, right, bottom] = runs[0]!.box;
	expect(right - left).toBeGreaterThan(5);
	expect(bottom - top).toBeCloseTo(10);
	const expected = { 90: [100, 100], 180: [300, 100], 270: [400, 300] }[angle]!;
	expect(left).toBeCloseTo(expected[0]!);
	expect(bottom).toBeCloseTo(expected[1]! + 2.2);
});

test('what a form holds and what is written over the page is text too', async () => {
	const document = await PDFDocument.create();
	const page = document.addPage([400, 500]);
	const field = document.getForm().createTextField('client');
	field.setText('Mme Martin');
	field.addToPage(page, { x: 50, y: 300, width: 120, height: 20 });
	const { pages } = await readPdf(await document.save());
	expect(pages[0]!.runs).toMatchObject([{ text: 'Mme Martin', from: 'form-field', box: [49.5, 179.5, 170.5, 200.5] }]);
});

test('attachments come with their names and bytes', async () => {
	const document = await PDFDocument.create();
	document.addPage();
	await document.attach(Buffer.from('<a/>'), 'factur-x.xml', { mimeType: 'text/xml' });
	const { attachments } = await readPdf(await document.save());
	expect(attachments.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()])).toEqual([
		['factur-x.xml', '<a/>'],
	]);
});

test('text beyond the page is not on it', async () => {
	const { pages } = await readPdf(
		await pdf((page) => {
			page.drawText('hors page', { x: 450, y: 300, size: 10 });
			page.drawText('visible', { x: 50, y: 300, size: 10 });
		}),
	);
	expect(pages[0]!.runs.map(({ text }) => text)).toEqual(['visible']);
});

test('bold drawn as the same text twice is read once', async () => {
	const { pages } = await readPdf(
		await pdf((page) => {
			page.drawText('Total', { x: 50, y: 300, size: 10 });
			page.drawText('Total', { x: 50.3, y: 300, size: 10 });
			page.drawText('Total', { x: 50, y: 250, size: 10 });
		}),
	);
	expect(pages[0]!.runs.map(({ text }) => text)).toEqual(['Total', 'Total']);
});

test('pages beyond the limit are left out, and that is said', async () => {
	const document = await PDFDocument.create();
	for (let number = 1; number <= 4; number++) document.addPage([400, 500]).drawText(`page ${number}`);
	const contents = await readPdf(await document.save(), { maxPages: 2 });
	expect(contents.pages.map(({ number }) => number)).toEqual([1, 2]);
	expect(contents.pageCount).toBe(4);
	expect(contents.warnings).toEqual(['Only the first 2 of 4 pages were read: no more than 2 pages are read.']);
});

test('a page that the page tree announces and does not have is reported, and those before it are read', async () => {
	const document = await PDFDocument.create();
	document.addPage([400, 500]).drawText('seule');
	const pages = document.catalog.Pages();
	(pages.get(PDFName.of('Kids')) as PDFArray).push(PDFRef.of(999));
	pages.set(PDFName.of('Count'), PDFNumber.of(2));
	const contents = await readPdf(await document.save({ useObjectStreams: false }));
	expect(contents.pages[0]!.runs.map(({ text }) => text)).toEqual(['seule']);
	expect(contents.warnings).toEqual(['Only the first 1 of 2 pages were read: the next one is damaged or missing.']);
});

test("the caller's bytes are left as they were", async () => {
	const bytes = Buffer.from(await pdf((page) => page.drawText('Devis')));
	const before = Buffer.from(bytes);
	await readPdf(bytes);
	expect(bytes.equals(before)).toBe(true);
});

describe('what cannot be read', () => {
	const html = Buffer.from('<!doctype html><title>Connexion</title>');
	const cases: Array<[string, () => Promise<Uint8Array> | Uint8Array, RegExp]> = [
		['an empty file', () => new Uint8Array(), /empty/],
		['zeros', () => new Uint8Array(1_000_000), /not a PDF/],
		['a page of HTML', () => html, /not a PDF/],
		['a PDF cut off after its header', () => Buffer.from('%PDF-1.7\n1 0 obj\n'), /damaged/],
		['a PDF without pages', withoutPages, /no pages|damaged/],
		['noise behind a PDF header', () => Buffer.concat([Buffer.from('%PDF-1.4\n'), deflateSync(html)]), /damaged/],
	];
	test.each(cases)('%s', async (_, bytes, message) => {
		await expect(readPdf(await bytes())).rejects.toMatchObject({
			name: 'LocalAiError',
			code: 'invalid-input',
			message: expect.stringMatching(message),
			hint: expect.any(String),
		});
	});
});

describe('an encrypted PDF', () => {
	const needed = {
		name: 'LocalAiError',
		code: 'invalid-input',
		message: expect.stringMatching(/only with a password/),
	};
	const wrong = {
		name: 'LocalAiError',
		code: 'invalid-input',
		message: expect.stringMatching(/password does not open/),
	};

	test.each([
		['40 bits', '1.3'],
		['128 bits', '1.4'],
		['AES, 128 bits', '1.6'],
		['AES, 256 bits', '1.7ext3'],
	] as const)('%s: the password is asked for, and only the right one opens it', async (_, pdfVersion) => {
		const bytes = await encrypted({ pdfVersion, userPassword: 'sésame', ownerPassword: 'maître' });
		await expect(readPdf(bytes)).rejects.toMatchObject(needed);
		await expect(readPdf(bytes, { password: 'sesame' })).rejects.toMatchObject(wrong);
		for (const password of ['sésame', 'maître']) {
			const { pages } = await readPdf(bytes, { password });
			expect(pages[0]!.runs.map(({ text }) => text)).toEqual(['Devis secret']);
		}
	});

	test('one that only forbids changes opens without a password', async () => {
		const { pages } = await readPdf(await encrypted({ pdfVersion: '1.7ext3', ownerPassword: 'maître' }));
		expect(pages[0]!.runs.map(({ text }) => text)).toEqual(['Devis secret']);
	});

	test('no message tells the password that was tried', async () => {
		const bytes = await encrypted({ pdfVersion: '1.7ext3', userPassword: 'sésame' });
		const error: unknown = await readPdf(bytes, { password: 'hunter2' }).catch((reason: unknown) => reason);
		expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('hunter2');
	});

	const real = join(__dirname, '..', '..', '..', '..', '..', 'shared', 'corpus', 'pdf', 'nasty', 'aes-256.pdf');
	if (!existsSync(real)) console.warn(`Skipped: no encrypted PDF at ${real}.`);
	(existsSync(real) ? test : test.skip)('one that another program made', async () => {
		const bytes = readFileSync(real);
		await expect(readPdf(bytes)).rejects.toMatchObject(needed);
		await expect(readPdf(bytes, { password: 'bar' })).rejects.toMatchObject(wrong);
		await expect(readPdf(bytes, { password: 'foo' })).resolves.toMatchObject({ pageCount: 1, warnings: [] });
	});
});

async function pdf(draw: (page: PDFPage) => void): Promise<Uint8Array> {
	const document = await PDFDocument.create();
	const page = document.addPage([400, 500]);
	page.setFont(await document.embedFont(StandardFonts.Helvetica));
	draw(page);
	return document.save();
}

async function encrypted(options: PDFKit.PDFDocumentOptions): Promise<Uint8Array> {
	const document = new PdfKit(options);
	const chunks: Buffer[] = [];
	document.on('data', (chunk: Buffer) => chunks.push(chunk));
	document.text('Devis secret').end();
	await once(document, 'end');
	return Buffer.concat(chunks);
}

async function withoutPages(): Promise<Uint8Array> {
	const document = await PDFDocument.create();
	const kids = document.catalog.Pages().get(PDFName.of('Kids')) as unknown as { asArray(): unknown[] };
	kids.asArray().length = 0;
	return document.save({ addDefaultPage: false });
}
