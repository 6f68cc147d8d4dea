import { createHash } from 'node:crypto';
import { closeIdleReaders } from '../../../nodes/OllamaExtract/pdf/pdfPool';
import { open } from '../../../nodes/OllamaExtract/source';
import { makeDocument } from '../../support/documents';

afterAll(closeIdleReaders);

const options = { schema: 'devis', engine: 'without-model' } as const;

test('a text has its rows, its own words and its digest', async () => {
	const text = 'Devis n° 7\nTotal TTC    12,00 €';
	const opened = await open({ text }, options);
	expect(opened).toMatchObject({
		kind: 'text',
		text,
		rowsLeftOut: false,
		document: { kind: 'text', bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') },
	});
	expect(opened.kind === 'text' && opened.rows.map(({ cells }) => cells.map((cell) => cell.text))).toEqual([
		['Devis n° 7'],
		['Total TTC', '12,00 €'],
	]);
});

test('a PDF has its rows and its pages, whatever its name', async () => {
	const { bytes, truth } = await makeDocument('tax-by-rate', 1);
	const opened = await open({ bytes, fileName: 'devis.txt' }, options);
	expect(opened).toMatchObject({ kind: 'pdf', unusable: null, pagesLeftOut: 0, document: { fileName: 'devis.txt' } });
	const text =
		opened.kind === 'pdf' ? opened.rows.flatMap(({ cells }) => cells.map((cell) => cell.text)).join(' ') : '';
	expect(text).toContain(truth.number);
});

test.each([
	['a PNG', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0]],
	['a JPEG', [0xff, 0xd8, 0xff, 0xe0]],
	['a WebP', [...Buffer.from('RIFF'), 1, 0, 0, 0, ...Buffer.from('WEBP')]],
])('%s is known by its first bytes', async (_, bytes) => {
	expect(await open({ bytes: Uint8Array.from(bytes) }, options)).toMatchObject({ kind: 'image' });
});

test.each([
	['an empty text', { text: ' \n\t' }, /text is empty/],
	['an empty file', { bytes: new Uint8Array(), fileName: 'a.pdf' }, /a\.pdf is empty/],
	['bytes that are nothing known', { bytes: Buffer.from('hello') }, /PDF/],
])('%s is refused', async (_, source, message) => {
	await expect(open(source, options)).rejects.toMatchObject({
		code: 'invalid-input',
		message: expect.stringMatching(message),
	});
});

test('a source of more than 100 MiB is refused before it is looked at, whoever gives it', async () => {
	const limit = 100 * 1024 * 1024;
	for (const source of [
		{ bytes: new Uint8Array(limit + 1), fileName: 'plan.pdf' },
		{ text: 'é'.repeat(limit / 2 + 1) },
	])
		await expect(open(source, options)).rejects.toMatchObject({
			code: 'invalid-input',
			message: expect.stringContaining(`more than the ${limit} that can be read`),
		});
});

test('a text beyond the bounds says what was left out', async () => {
	const opened = await open({ text: Array<string>(6_000).fill('Porte    2').join('\n') }, options);
	expect(opened).toMatchObject({ kind: 'text', rowsLeftOut: true });
	expect(opened.document.warnings).toEqual([expect.stringContaining('were left out')]);
});
