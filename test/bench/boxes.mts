// A proof is worth as much as its box: every word's box is read again by another program, pdftotext, whose own boxes of
// words and characters come from the fonts themselves, and what stands there is compared with the word's quote.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Row } from '../../nodes/OllamaExtract/rows/layout.ts';
import type { Box } from '../../nodes/OllamaExtract/result.ts';
import { families, makeDocument } from '../support/documents.ts';

const corpus = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'shared', 'corpus', 'pdf', 'facturx');

interface OtherWord {
	readonly text: string;
	readonly box: Box;
}

interface Compared {
	words: number;
	/** The other program's words that lie mostly in the box are the quote. */
	same: number;
	/** The quote stands in a longer word of the other program, at least four fifths of the box in it. */
	within: number;
}

/** Title and one row a source, as test/bench/bench.mts prints them. */
export async function measure(): Promise<{ title: string; rows: Array<Record<string, string | number>> }> {
	if (spawnSync('pdftotext', ['-v']).error !== undefined) {
		return { title: 'Boxes read again: skipped, pdftotext (poppler-utils) is not installed', rows: [] };
	}
	const folder = mkdtempSync(join(tmpdir(), 'aurastack-boxes-'));
	try {
		const made = await Promise.all(families.map((family) => makeDocument(family)));
		const real = existsSync(corpus) ? readdirSync(corpus).filter((name) => name.endsWith('.pdf')) : [];
		const rows = [
			rowOf(
				'real',
				await comparedIn(
					real.map((name) => readFileSync(join(corpus, name))),
					folder,
				),
			),
			rowOf(
				'made',
				await comparedIn(
					made.map(({ bytes }) => bytes),
					folder,
				),
			),
		];
		return {
			title: `Boxes of words read again by pdftotext: ${real.length} real and ${made.length} made documents`,
			rows,
		};
	} finally {
		rmSync(folder, { recursive: true });
	}
}

function rowOf(documents: string, { words, same, within }: Compared) {
	const percent = (count: number) => (words === 0 ? 'no corpus' : Number(((100 * count) / words).toFixed(2)));
	return {
		documents,
		words,
		'same text %': percent(same),
		'part of a longer word %': percent(within),
		'other %': percent(words - same - within),
	};
}

async function comparedIn(documents: readonly Uint8Array[], folder: string): Promise<Compared> {
	const load = createRequire(import.meta.url);
	const { readPdf } = load(
		'../../dist/nodes/OllamaExtract/pdf/pdf.js',
	) as typeof import('../../nodes/OllamaExtract/pdf/pdf.ts');
	const { rowsOf } = load(
		'../../dist/nodes/OllamaExtract/rows/layout.js',
	) as typeof import('../../nodes/OllamaExtract/rows/layout.ts');
	const sum: Compared = { words: 0, same: 0, within: 0 };
	for (const bytes of documents) {
		const file = join(folder, 'document.pdf');
		writeFileSync(file, bytes);
		const others = otherWords(file);
		for (const page of (await readPdf(bytes)).pages) compare(rowsOf(page), others[page.number - 1] ?? [], sum);
	}
	return sum;
}

function compare(rows: readonly Row[], others: readonly OtherWord[], sum: Compared): void {
	for (const { place, text } of rows.flatMap(({ cells }) => cells.flatMap(({ words }) => words))) {
		if (!('box' in place)) continue;
		sum.words++;
		const inside = others.filter(({ box }) => shared(box, place.box) > 0.5 * (box[2] - box[0]));
		const read = inside.map((other) => other.text).join('');
		if (plain(read) === plain(text)) sum.same++;
		else if (
			others.some(
				(other) =>
					plain(other.text).includes(plain(text)) &&
					shared(other.box, place.box) >= 0.8 * (place.box[2] - place.box[0]),
			)
		) {
			sum.within++;
		}
	}
}

/** The width that two boxes share, 0 where they do not share half of a line. */
function shared(a: Box, b: Box): number {
	const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
	if (height < 0.5 * Math.min(a[3] - a[1], b[3] - b[1])) return 0;
	return Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0);
}

function plain(text: string): string {
	return text.normalize('NFKC').replace(/\s/g, '');
}

/** What pdftotext finds, by page. Boxes are in points from the top left, as ours. */
function otherWords(file: string): OtherWord[][] {
	const xml = execFileSync('pdftotext', ['-bbox', file, '-'], {
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'ignore'],
		maxBuffer: 1 << 28,
	});
	return xml
		.split(/<page /)
		.slice(1)
		.map((page) =>
			[
				...page.matchAll(/<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)<\/word>/g),
			].map(([, left, top, right, bottom, text]) => ({
				text: text!.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: keyof typeof entities) => entities[name]),
				box: [Number(left), Number(top), Number(right), Number(bottom)] as const,
			})),
		);
}

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" } as const;
