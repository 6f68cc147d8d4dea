import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PDFDocument, PDFString, StandardFonts, type PDFDict } from 'pdf-lib';

import { readPdf, type Run } from '../../../../nodes/OllamaExtract/pdf/pdf';

const signed = join(__dirname, '..', '..', '..', '..', '..', 'shared', 'corpus', 'pdf', 'signed');

test('the text of a stamp stands where the stamp draws it', async () => {
	const [run] = await drawn('BT /F 10 Tf 5 8 Td (BON POUR ACCORD) Tj ET');
	expect(run).toMatchObject({ text: 'BON POUR ACCORD', from: 'annotation', fontSize: 10 });
	expect(rounded(run!)).toEqual([105, 304.2, 204.5, 314.2]);
});

test('the text of a signature is a form field, and that of a note written on the page an annotation', async () => {
	const content = 'BT /F 10 Tf 5 8 Td (Lu et approuv\\351) Tj ET';
	expect(await drawn(content, { Subtype: 'Widget', FT: 'Sig', T: PDFString.of('signature') })).toMatchObject([
		{ text: 'Lu et approuvé', from: 'form-field' },
	]);
	expect(await drawn(content, { Subtype: 'FreeText', DA: PDFString.of('/F 10 Tf') })).toMatchObject([
		{ text: 'Lu et approuvé', from: 'annotation' },
	]);
});

test('what marks, links or is hidden gives no text', async () => {
	const content = 'BT /F 10 Tf (caché) Tj ET';
	for (const Subtype of ['Link', 'Highlight', 'Text', 'Popup']) expect(await drawn(content, { Subtype })).toEqual([]);
	expect(await drawn(content, { F: 2 })).toEqual([]);
	expect(await drawn(content, { F: 32 })).toEqual([]);
});

test('an appearance is fitted to its rectangle', async () => {
	const [run] = await drawn('BT /F 10 Tf 5 8 Td (Vu) Tj ET', {}, { BBox: [0, 0, 100, 20] });
	expect(run).toMatchObject({ text: 'Vu', fontSize: 20 });
	expect(rounded(run!).slice(0, 2)).toEqual([110, 288.4]);
});

test('a turned appearance is read along its own baseline', async () => {
	const [run] = await drawn(
		'BT /F 10 Tf 5 8 Td (Vu) Tj ET',
		{ Rect: [100, 100, 140, 300] },
		{ Matrix: [0, 1, -1, 0, 0, 0] },
	);
	expect(run!.text).toBe('Vu');
	const [left, top, right, bottom] = rounded(run!);
	expect(right! - left!).toBeCloseTo(10);
	expect(bottom! - top!).toBeGreaterThan(11);
	expect(bottom).toBe(295);
});

test.each([
	['letters drawn one by one', '5 8 Td (V) Tj 6.67 0 Td (u) Tj', ['Vu']],
	['kerning', '5 8 Td [(V) 40 (u)] TJ', ['Vu']],
	['a space made by kerning', '5 8 Td [(Bon) -300 (pour)] TJ', ['Bon pour']],
	['text that stands apart', '5 8 Td [(Bon) -5000 (42,00)] TJ', ['Bon', '42,00']],
	['lines by leading', "12 TL 5 20 Td (un) Tj T* (deux) Tj (trois) '", ['un', 'deux', 'trois']],
	['lines by moving', '5 25 Td (un) Tj 0 -11 TD (deux) Tj T* (trois) Tj', ['un', 'deux', 'trois']],
	['spacing set with the text', '12 TL 5 20 Td 3 0 (un deux) "', ['un deux']],
	['a matrix', '1 0 0 1 5 8 Tm (un) Tj', ['un']],
])('%s', async (_, operators, texts) => {
	expect((await drawn(`BT /F 10 Tf ${operators} ET`)).map(({ text }) => text)).toEqual(texts);
});

test('a form within an appearance keeps its own place, and nothing of it leaks out', async () => {
	const runs = await drawn(
		'q 1 0 0 1 50 0 cm /X Do Q BT /F 10 Tf 5 8 Td (dehors) Tj ET',
		{},
		{},
		'BT /F 8 Tf 2 Ts 5 8 Td (dedans) Tj ET',
	);
	expect(runs.map(({ text, fontSize, box }) => [text, fontSize, box[0]])).toEqual([
		['dedans', 8, 155],
		['dehors', 10, 105],
	]);
});

test('annotations that cannot be drawn leave the page its text', async () => {
	const document = await PDFDocument.create();
	const page = document.addPage([400, 400]);
	page.drawText('Devis', { x: 50, y: 350 });
	const appearance = document.context.register(
		document.context.stream('BT /F 10 Tf (', { Type: 'XObject', Subtype: 'Form' }),
	);
	page.node.addAnnot(
		document.context.register(
			document.context.obj({ Type: 'Annot', Subtype: 'Stamp', Rect: [0, 0, 50, 50], AP: { N: appearance } }),
		),
	);
	const { pages } = await readPdf(await document.save());
	expect(pages[0]!.runs.map(({ text }) => text)).toEqual(['Devis']);
});

describe('signed documents', () => {
	const files = existsSync(signed) ? readdirSync(signed) : [];
	if (files.length === 0) console.warn(`Skipped: no corpus of signed PDFs at ${signed}.`);
	const reference = spawnSync('pdftotext', ['-v']).error === undefined;
	if (!reference) console.warn('Skipped: pdftotext (poppler-utils) is not installed.');

	(files.length > 0 && reference ? test.each(files) : test.skip.each(['no corpus']))(
		'%s: what another program reads of its annotations is read',
		async (file) => {
			const { pages } = await readPdf(readFileSync(join(signed, file)));
			const words = pages.flatMap(({ runs }) => runs).flatMap(({ text }) => text.split(/\s+/));
			const others = execFileSync('pdftotext', [join(signed, file), '-'], { encoding: 'utf8', stdio: 'pipe' });
			const unread = others
				.match(/[\p{L}\p{N}][\p{L}\p{N}.:]{2,}/gu)
				?.filter((other) => !words.some((word) => word.includes(other)));
			expect(unread ?? []).toEqual([]);
		},
	);
});

type Entries = Record<string, string | number | number[] | PDFString>;

function rounded({ box }: Run): number[] {
	return box.map((side) => Math.round(side * 10) / 10);
}

/** The runs of a page of 400 by 400 that only has one annotation, at 100, 300, as wide as 200 and as high as 40. */
async function drawn(
	content: string,
	annotation: Entries = {},
	form: Entries = {},
	inner?: string,
): Promise<readonly Run[]> {
	const document = await PDFDocument.create();
	const { context } = document;
	const page = document.addPage([400, 400]);
	const font = (await document.embedFont(StandardFonts.Helvetica)).ref;
	const formOf = (text: string, more: object, XObject: PDFDict) =>
		context.register(
			context.stream(text, {
				Type: 'XObject',
				Subtype: 'Form',
				BBox: [0, 0, 200, 40],
				Resources: { Font: { F: font }, XObject },
				...more,
			}),
		);
	const empty = context.obj({});
	const nested = inner === undefined ? empty : context.obj({ X: formOf(inner, {}, empty) });
	const dictionary = {
		Type: 'Annot',
		Subtype: 'Stamp',
		Rect: [100, 80, 300, 120],
		F: 4,
		AP: { N: formOf(content, form, nested) },
		...annotation,
	};
	page.node.addAnnot(context.register(context.obj(dictionary)));
	const { pages } = await readPdf(await document.save());
	return pages[0]!.runs;
}
