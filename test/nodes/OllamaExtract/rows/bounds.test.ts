import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';

import { transformFileSync } from '@swc/core';
import { PDFDocument } from 'pdf-lib';

import { boundedRows } from '../../../../nodes/OllamaExtract/rows/bounds';
import { rowsOfText } from '../../../../nodes/OllamaExtract/rows/text';

const root = join(__dirname, '..', '..', '..', '..');

test('ordinary rows stay the objects that they are', () => {
	const rows = rowsOfText('Porte    2    450,00\nPose    1    60,00');
	const bounded = boundedRows(rows);
	expect(bounded.leftOut).toBeNull();
	expect(bounded.rows.every((row, at) => row === rows[at])).toBe(true);
});

test('a cell that is too long is cut at its words, and nothing of it is lost', () => {
	const source = `Conditions   ${'mot '.repeat(1500)}fin   12,00`;
	const { rows, leftOut } = boundedRows(rowsOfText(source));
	const cells = rows.flatMap((row) => row.cells);
	expect(leftOut).toBeNull();
	expect(cells.every((cell) => cell.text.length <= 2000)).toBe(true);
	expect(cells.filter(({ isPiece }) => isPiece === true)).toHaveLength(4);
	expect(rows[0]!.cells.map((cell) => cell.text.slice(0, 10))).toEqual(['Conditions', 'mot mot mo', '12,00']);
	expect(cells.flatMap(({ words }) => words).filter((word) => word.text === 'mot')).toHaveLength(1500);
	for (const cell of cells) {
		for (const word of cell.words) {
			expect(cell.text.slice(word.start, word.start + word.text.length)).toBe(word.text);
			const { place } = word;
			expect('offset' in place && source.slice(place.offset, place.offset + place.quote.length)).toBe(word.text);
		}
	}
});

test('a word that is longer than a cell may be is cut too, each part at its own place', () => {
	const source = `IBAN ${'x'.repeat(4500)}`;
	const words = boundedRows(rowsOfText(source)).rows.flatMap(({ cells }) => cells.flatMap((cell) => cell.words));
	expect(words.map((word) => word.text).join('')).toBe(`IBAN${'x'.repeat(4500)}`);
	expect(words.map(({ place }) => ('offset' in place ? place.offset : null))).toEqual([0, 5, 2005, 4005]);
});

test('what is too long to be looked through is left out, and that is said', () => {
	const words = boundedRows(rowsOfText(`${'a '.repeat(50)}\n`.repeat(2001)));
	expect(words.rows).toHaveLength(2000);
	expect(words.leftOut).toMatch(/^1 of 2001 rows were left out, from page 1 on/);
	const rows = boundedRows(rowsOfText('a\n'.repeat(5002)));
	expect(rows.rows).toHaveLength(5000);
	expect(rows.leftOut).toMatch(/^2 of 5002 rows/);
	const cells = boundedRows(rowsOfText(`${'a|'.repeat(89)}a\n`.repeat(400)));
	expect(cells.rows).toHaveLength(222);
	expect(cells.leftOut).toMatch(/^178 of 400 rows were left out, from page 1 on: .* 20000 cells/);
	const figures = boundedRows(rowsOfText(`${'1 234 '.repeat(50)}\n`.repeat(301)));
	expect(figures.rows).toHaveLength(300);
	expect(figures.leftOut).toMatch(/^1 of 301 rows .* \(30000 with a digit/);
});

describe('measured from outside', () => {
	const built = mkdtempSync(join(tmpdir(), 'aurastack-bounds-'));

	beforeAll(() => {
		for (const folder of ['OllamaExtract', 'shared']) {
			for (const name of readdirSync(join(root, 'nodes', folder), { encoding: 'utf8', recursive: true })) {
				if (!name.endsWith('.ts') || name.endsWith('.d.ts')) continue;
				const file = join(built, folder, name.replace(/ts$/, 'js'));
				const { code } = transformFileSync(join(root, 'nodes', folder, name), {
					jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
					module: { type: 'commonjs', ignoreDynamic: true },
				});
				mkdirSync(dirname(file), { recursive: true });
				writeFileSync(file, code);
			}
		}
		symlinkSync(join(root, 'node_modules'), join(built, 'node_modules'));
		writeFileSync(join(built, 'host.js'), hostProgram);
	});
	afterAll(() => rmSync(built, { recursive: true }));

	const amount = (cents: number) => `${Math.floor(cents / 100)},${String(cents % 100).padStart(2, '0')} €`;
	const triples = Array.from({ length: 240 }, (_, at) => [
		`Total HT   ${amount(10_000 + at * 100)}`,
		`TVA 20 %   ${amount(2000 + at * 37)}`,
		`Total TTC   ${amount(15_000 + at * 113)}`,
	]);
	const lines = Array.from({ length: 3000 }, (_, at) =>
		['Article', at, '    2    ', amount(1000 + at), '    20 %    ', amount(2000 + 2 * at)].join(' '),
	);
	/** With what a model would answer to every question; without it, one that finds nothing. */
	const sources: Array<[name: string, make: () => Promise<Uint8Array> | string, answer?: object]> = [
		['an e-invoice of 1,000 equal lines, 500 of them printed', () => eInvoiceOf(1000, 500)],
		[
			'3,000 equal rows of which a model tells 20 at a time',
			() => `DEVIS N° D-1\n\n${'Vis inox            10,00\n'.repeat(3000)}Total TTC 1,00\n`,
			{ lines: Array.from({ length: 20 }, () => ({ desc: 'Vis inox', total: '10,00' })) },
		],
		['240 triples of totals on 12 pages', () => pdfOf(triples)],
		['240 triples of totals in a text', () => triples.flat().join('\n')],
		[
			'a table of 3,000 rows',
			() =>
				`Désignation    Qté    P.U. HT    TVA    Total HT\n${lines.join('\n')}\nTotal HT    1,00 €\nTotal TTC    1,20 €`,
		],
		['a line of 20,000 words', () => Array.from({ length: 20_000 }, (_, at) => `mot${at % 977}`).join(' ')],
		['a word and 50,000 colons', () => `IBAN${':'.repeat(50_000)}`],
		['a bracket and 50,000 digits', () => `(${'1'.repeat(50_000)}`],
		['a telephone number of 50,000 digits', () => `tel ${'1 '.repeat(50_000)}`],
		['1,000 rows of 90 cells', () => `${Array.from({ length: 90 }, (_, at) => at).join('|')}\n`.repeat(1000)],
		['480 rows of thousands', () => `${'1 234 '.repeat(330)}\n`.repeat(480)],
		[
			'as many lines of figures as are looked through',
			() => 'Porte    2    1 450,00 €    20 %    2 900,00 €\n'.repeat(20_000),
		],
	];
	const onLinux = process.platform === 'linux' ? test : test.skip;
	onLinux.each(
		sources.flatMap(([name, make, answer = { lines: [] }]) =>
			(['without-model', 'automatic'] as const).map((engine) => ({ name, engine, make, answer })),
		),
	)(
		'$name, $engine: read or refused within 5 s and 400 MB',
		async ({ engine, make, answer }) => {
			const file = join(built, 'source');
			writeFileSync(file, await make());
			const host = spawn(process.execPath, [join(built, 'host.js'), file, engine, JSON.stringify(answer)], {
				stdio: ['ignore', 'pipe', 'inherit'],
			});
			const [printed] = await Promise.all([text(host.stdout), once(host, 'exit')]);
			const { outcome, wallMs, peakBytes } = JSON.parse(printed) as {
				outcome: string;
				wallMs: number;
				peakBytes: number;
			};
			expect(outcome).toMatch(/^(?:review|failed|invalid-input)$/);
			expect(wallMs).toBeLessThan(5000);
			expect(peakBytes).toBeLessThan(400_000_000);
		},
		60_000,
	);
});

/** Extracts one source with a model that always answers the same, and says what came of it. */
const hostProgram = `
const { readFileSync } = require('node:fs');
const { extract } = require('./OllamaExtract/extract.js');
const bytes = readFileSync(process.argv[2]);
const chat = () => Promise.resolve({ text: process.argv[4], promptTokens: 1, replyTokens: 1, durationMs: 1 });
const start = performance.now();
extract(
	bytes.subarray(0, 5).toString() === '%PDF-' ? { bytes } : { text: bytes.toString() },
	{ schema: 'devis', engine: process.argv[3], chat },
)
	.then(({ verdict }) => verdict, (error) => error.code ?? String(error.stack))
	.then((outcome) => {
		const wallMs = performance.now() - start;
		process.stdout.write(JSON.stringify({ outcome, wallMs, peakBytes: process.resourceUsage().maxRSS * 1024 }));
	});
`;

/** An e-invoice whose XML and page hold the same line again and again, in no column and with no total. */
async function eInvoiceOf(lines: number, rows: number): Promise<Uint8Array> {
	const line =
		'<i:IncludedSupplyChainTradeLineItem><i:SpecifiedTradeProduct><i:Name>Vis</i:Name></i:SpecifiedTradeProduct>' +
		'<i:SpecifiedLineTradeDelivery><i:BilledQuantity unitCode="C62">2</i:BilledQuantity></i:SpecifiedLineTradeDelivery>' +
		'<i:SpecifiedLineTradeSettlement><i:ApplicableTradeTax><i:RateApplicablePercent>20</i:RateApplicablePercent></i:ApplicableTradeTax>' +
		'<i:SpecifiedTradeSettlementLineMonetarySummation><i:LineTotalAmount>10.00</i:LineTotalAmount></i:SpecifiedTradeSettlementLineMonetarySummation>' +
		'</i:SpecifiedLineTradeSettlement></i:IncludedSupplyChainTradeLineItem>';
	const xml =
		'<i:CrossIndustryInvoice xmlns:i="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"><i:ExchangedDocument><i:ID>F-1</i:ID></i:ExchangedDocument>' +
		`<i:SupplyChainTradeTransaction>${line.repeat(lines)}</i:SupplyChainTradeTransaction></i:CrossIndustryInvoice>`;
	const document = await PDFDocument.create();
	for (let at = 0; at < rows; at += 50) {
		const sheet = document.addPage([595, 842]);
		for (let nth = 0; nth < 50; nth++) {
			for (const [cell, x] of [['Vis', 40] as const, ['2', 300] as const, ['10,00', 450] as const])
				sheet.drawText(cell, { x, y: 800 - nth * 14, size: 9 });
		}
	}
	await document.attach(Buffer.from(xml), 'factur-x.xml', { mimeType: 'text/xml' });
	return document.save();
}

async function pdfOf(triples: readonly string[][]): Promise<Uint8Array> {
	const document = await PDFDocument.create();
	for (let page = 0; page < 12; page++) {
		const sheet = document.addPage([595, 842]);
		for (const [nth, line] of triples
			.slice(page * 20, page * 20 + 20)
			.flat()
			.entries()) {
			const [label, figure] = line.split('   ');
			sheet.drawText(label!, { x: 50, y: 810 - nth * 13, size: 9 });
			sheet.drawText(figure!, { x: 400, y: 810 - nth * 13, size: 9 });
		}
	}
	return document.save();
}
