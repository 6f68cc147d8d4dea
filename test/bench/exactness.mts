import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { extract } from '../../dist/nodes/OllamaExtract/extract.js';
import type { CommercialDocument, ExtractResult } from '../../nodes/OllamaExtract/result.ts';
import { families, makeDocument } from '../support/documents.ts';
import { isSameLine, isSameValue, type TrueLine } from './grading.ts';

/** One document with what it should say. `layout` groups documents made by the same hand, so that none weighs twice. */
interface Sample {
	readonly layout: string;
	readonly kind: 'devis' | 'invoice';
	readonly language: string;
	readonly bytes: Uint8Array;
	readonly truth: Truth;
	/** True for a credit note: its page may print negative what its XML has positive, and the other way round. */
	readonly anySign: boolean;
}

/** What is compared. */
interface Truth {
	/** Undefined is not asked; null is not printed, and a value that is read all the same is wrong. */
	readonly header: Readonly<Record<string, string | null | undefined>>;
	readonly lines: readonly TrueLine[];
}

interface Score {
	readonly layout: string;
	readonly language: string;
	readonly right: number;
	readonly wrong: number;
	readonly missing: number;
	readonly f1: number;
	readonly wrongLines: number;
	readonly calls: number;
	readonly milliseconds: number;
	readonly faults: readonly string[];
}

const seeds = [11, 12, 13, 14, 15];
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Exactness of everything but the model, against the embedded XML of real invoices (when the corpus is there) and
 * against self-made documents: header values right, wrong and missing, lines as tuples, model calls, time a document.
 * Values that the page does not print are not asked of the page.
 */
export async function measure(
	details = false,
): Promise<{ title: string; rows: Array<Record<string, string | number>> }> {
	const made = await Promise.all(families.flatMap((family) => seeds.map((seed) => sampleOf(family, seed))));
	const [withXml, pages] = [corpus(false), corpus(true)];
	const runs = [
		...(withXml.length === 0 ? [] : [['real, with XML', await scoresOf(withXml, false)] as const]),
		...(pages.length === 0 ? [] : [['real, page alone', await scoresOf(pages, true)] as const]),
		['self-made, page alone', await scoresOf(made, true)] as const,
	];
	const rows = runs.flatMap(([name, scores]) => [
		...[...new Set(scores.map(({ language }) => language))].map((language) =>
			summary(
				`${name}, ${language}`,
				scores.filter((score) => score.language === language),
			),
		),
		summary(`${name}, all`, scores),
	]);
	if (details) {
		for (const [name, scores] of runs) {
			for (const { layout, faults } of scores) {
				if (faults.length > 0) console.log(`${name} · ${layout} · ${faults.join(' · ')}`);
			}
		}
	}
	return { title: 'Exactness without a model (macro averages by layout)', rows };
}

async function sampleOf(family: (typeof families)[number], seed: number): Promise<Sample> {
	const { kind, language, bytes, truth } = await makeDocument(family, seed);
	const lines = truth.lines.map(({ description, quantity, unitPrice, total }) => ({
		description: description ?? '',
		whole: true,
		quantity,
		unitPrices: unitPrice === null ? [] : [unitPrice],
		total,
	}));
	return { layout: family, kind, language, bytes, truth: { header: headerOf(truth), lines }, anySign: false };
}

interface ManifestEntry {
	file: string;
	repo: string;
	path: string;
	lang: string;
	printed_on_page: Record<string, boolean | string>;
	ground_truth: {
		/** UNTDID 1001. */
		type_code: string;
		number: string;
		date: string;
		currency: string;
		seller: { name: string; vat: string | null };
		buyer: { name: string };
		totals: Record<'ht' | 'tva' | 'ttc', string | null>;
		lines: Array<Record<'name' | 'qty' | 'unit_price_net' | 'unit_price_gross' | 'line_total', string | null>>;
	};
}

function corpus(pageAlone: boolean): Sample[] {
	const folder = join(root, '..', 'shared', 'corpus', 'pdf');
	if (!existsSync(join(folder, 'manifest.json'))) return [];
	const { entries } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
		entries: { facturx: ManifestEntry[] };
	};
	return entries.facturx.map(({ file, repo, path, lang, printed_on_page: printed, ground_truth: truth }) => {
		const asked = (key: string, value: string | null) =>
			value === null || (pageAlone && printed[key] === false) ? undefined : value;
		return {
			layout: `${repo} ${dirname(path)}`,
			kind: 'invoice',
			language: lang,
			bytes: readFileSync(join(folder, file)),
			anySign: creditNotes.has(truth.type_code),
			truth: {
				header: {
					number: asked('number', truth.number),
					date: asked('date', truth.date),
					currency: truth.currency,
					'seller.name': asked('seller', truth.seller.name),
					'seller.vat': asked('seller', truth.seller.vat),
					'buyer.name': asked('buyer', truth.buyer.name),
					'totals.net': asked('ht', truth.totals.ht),
					'totals.tax': asked('tva', truth.totals.tva),
					'totals.gross': asked('ttc', truth.totals.ttc),
				},
				lines: truth.lines.flatMap(({ name, qty, unit_price_net: net, unit_price_gross: gross, line_total: total }) =>
					name === null || total === null
						? []
						: [
								{
									description: name,
									whole: false,
									quantity: qty,
									unitPrices: [net, gross].filter((price) => price !== null),
									total,
								},
							],
				),
			},
		};
	});
}

/** The codes of UNTDID 1001 that EN 16931 takes for credit notes. */
const creditNotes = new Set(['81', '83', '261', '262', '296', '308', '381', '396', '420', '458', '532']);

async function scoresOf(samples: readonly Sample[], ignoreXml: boolean): Promise<Score[]> {
	const scores: Score[] = [];
	for (const sample of [...samples.slice(0, 1), ...samples]) scores.push(await scoreOf(sample, ignoreXml));
	return scores.slice(1);
}

async function scoreOf(sample: Sample, ignoreXml: boolean): Promise<Score> {
	let calls = 0;
	const started = performance.now();
	const result = await extract(
		{ bytes: sample.bytes },
		{
			schema: sample.kind,
			engine: ignoreXml ? 'without-model' : 'automatic',
			ignoreXml,
			chat: async () => {
				calls += 1;
				return { text: '{}', promptTokens: 0, replyTokens: 0, durationMs: 0 };
			},
		},
	);
	const milliseconds = performance.now() - started;
	const read = headerOf(result.data);
	const faults: string[] = [];
	const count = { right: 0, wrong: 0, missing: 0 };
	for (const [path, truth] of Object.entries(sample.truth.header)) {
		const value = read[path] ?? null;
		if (truth === undefined) continue;
		if (truth === null) {
			const derived = result.fields.some((field) => field.path === path && field.origin === 'derived');
			if (value === null || derived) continue;
			count.wrong += 1;
			faults.push(`${path} invented: ${value}`);
			continue;
		}
		const grade = value === null ? 'missing' : isSameValue(path, value, truth, sample.anySign) ? 'right' : 'wrong';
		count[grade] += 1;
		if (grade !== 'right') faults.push(`${path} ${grade}: ${value} for ${truth}`);
	}
	const lines = compareLines(result, sample);
	return {
		layout: sample.layout,
		language: sample.language,
		...count,
		f1: (2 * lines.hits) / (result.data.lines.length + sample.truth.lines.length || 1),
		wrongLines: result.data.lines.length - lines.hits,
		calls,
		milliseconds,
		faults: [...faults, ...lines.faults],
	};
}

/** Each line that should be read takes the first read one that is right and not yet taken. */
function compareLines({ data, checks }: ExtractResult<CommercialDocument>, { truth, anySign }: Sample) {
	const left = data.lines.map((line, index) => ({ ...line, index }));
	const faults: string[] = [];
	let hits = 0;
	for (const wanted of truth.lines) {
		const at = left.findIndex((line) => {
			// A price before a discount that the line's own arithmetic confirms is what the page prints.
			const anyPrice = checks.some(
				({ path, ok, detail }) => path === `lines.${line.index}.total` && ok && detail.includes('%'),
			);
			return isSameLine(line, wanted, anyPrice, anySign);
		});
		if (at === -1) faults.push(`line not read: ${wanted.description.slice(0, 30)} ${wanted.total}`);
		else {
			left.splice(at, 1);
			hits += 1;
		}
	}
	return { hits, faults };
}

function headerOf({
	number,
	date,
	validUntil,
	currency,
	seller,
	buyer,
	totals,
}: CommercialDocument): Record<string, string | null> {
	return {
		number,
		date,
		validUntil,
		currency,
		'seller.name': seller.name,
		'seller.vat': seller.vat,
		'seller.siret': seller.siret,
		'buyer.name': buyer.name,
		'buyer.email': buyer.email,
		'totals.net': totals.net,
		'totals.tax': totals.tax,
		'totals.gross': totals.gross,
	};
}

function summary(name: string, scores: readonly Score[]): Record<string, string | number> {
	const byLayout = (figure: (score: Score) => number) => {
		const layouts = [...new Set(scores.map(({ layout }) => layout))].map((layout) =>
			mean(scores.filter((score) => score.layout === layout).map(figure)),
		);
		return mean(layouts);
	};
	const times = scores.map(({ milliseconds }) => milliseconds).toSorted((a, b) => a - b);
	return {
		documents: name,
		n: scores.length,
		layouts: new Set(scores.map(({ layout }) => layout)).size,
		'header exact %': rounded(100 * byLayout(({ right, wrong, missing }) => right / (right + wrong + missing))),
		'values wrong': sum(scores.map(({ wrong }) => wrong)),
		'values missing': sum(scores.map(({ missing }) => missing)),
		'line tuples F1': rounded(
			byLayout(({ f1 }) => f1),
			3,
		),
		'lines wrong': sum(scores.map(({ wrongLines }) => wrongLines)),
		'model calls': sum(scores.map(({ calls }) => calls)),
		'p50 ms': rounded(times[Math.floor(times.length / 2)] ?? 0),
		'p95 ms': rounded(times[Math.min(times.length - 1, Math.floor(times.length * 0.95))] ?? 0),
	};
}

function sum(values: readonly number[]): number {
	return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
	return values.length === 0 ? 0 : sum(values) / values.length;
}

function rounded(value: number, decimals = 1): number {
	return Number(value.toFixed(decimals));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const { title, rows } = await measure(process.argv.includes('--details'));
	console.log(title);
	console.table(rows);
	process.exit(0);
}
