// Prompt tokens of this package against n8n's own way to the same data: Extract From File, then Information Extractor.
// n8n's side runs n8n's own code from the installation that `npm start` makes; only its chat model is replaced, by one
// that keeps the messages. Both sides are counted with cl100k_base, the tokenizer that Qwen 2.5's derives from.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { getEncoding } from 'js-tiktoken';
import type * as Labels from '../../nodes/OllamaExtract/page/labels.ts';
import type * as PdfPool from '../../nodes/OllamaExtract/pdf/pdfPool.ts';
import type { Chat, ExtractOptions, Source } from '../../nodes/OllamaExtract/result.ts';
import { n8nFolder, n8nVersion } from '../../stack/n8nInstall.mts';
import { readSettings } from '../../stack/settings.mts';
import { oneOfEach } from '../support/documents.ts';

interface Sample {
	readonly name: string;
	readonly bytes: Uint8Array;
	readonly schema: 'devis' | 'invoice';
}

/** One row a document, a total for each source, and the share of n8n's tokens that ours are. */
export async function measure(): Promise<{ title: string; rows: Array<Record<string, string | number>> }> {
	const n8n = n8nModules();
	if (n8n === null) {
		return {
			title,
			rows: [{ document: `not measured: n8n ${n8nVersion} is not installed; run "npm start" once`, n8n: '', ours: '' }],
		};
	}
	const { extract } = (await import('../../dist/nodes/OllamaExtract/extract.js')) as {
		extract: (source: Source, options: ExtractOptions) => Promise<unknown>;
	};
	const asked = async (source: Source, schema: Sample['schema'], engine: ExtractOptions['engine']) => {
		let tokens = 0;
		const chat: Chat = ({ messages, schema }) => {
			const prompt = count(messages.map(({ content }) => content).join('\n'));
			tokens += prompt;
			return Promise.resolve({
				text: JSON.stringify(emptyAnswer(schema)),
				promptTokens: prompt,
				replyTokens: 0,
				durationMs: 0,
			});
		};
		await extract(source, { schema, engine, ignoreXml: true, chat, numCtx: 32_768 });
		return tokens;
	};
	const rows: Array<Record<string, string | number>> = [];
	for (const [source, samples] of [
		['made', await madeSamples()],
		['corpus', corpusSamples()],
	] as const) {
		const total = { n8n: 0, modelOnly: 0, automatic: 0, calls: 0 };
		for (const sample of samples) {
			const theirs = await n8nTokens(n8n, await n8nText(n8n, sample.bytes));
			const modelOnly = await asked(sample, sample.schema, 'model-only');
			const automatic = await asked(sample, sample.schema, 'automatic');
			rows.push(row(`${source}: ${sample.name}`, theirs, modelOnly, automatic));
			total.n8n += theirs;
			total.modelOnly += modelOnly;
			total.automatic += automatic;
		}
		if (samples.length > 0)
			rows.push(row(`${source}: all ${samples.length}`, total.n8n, total.modelOnly, total.automatic));
		const part = { n8n: 0, modelOnly: 0, automatic: 0, documents: 0 };
		for (const { bytes, schema } of samples) {
			const text = await withoutLabels(bytes);
			const automatic = await asked({ text }, schema, 'automatic');
			if (automatic === 0) continue;
			part.documents++;
			part.n8n += await n8nTokens(n8n, text);
			part.modelOnly += await asked({ text }, schema, 'model-only');
			part.automatic += automatic;
		}
		if (part.documents > 0) {
			const name = `${source}: ${part.documents} that need a model, labels of number and buyer hidden`;
			rows.push(row(name, part.n8n, part.modelOnly, part.automatic));
		}
	}
	return { title, rows };
}

const title =
	"Prompt tokens (cl100k_base): n8n's Extract From File + Information Extractor, ours; e-invoice XML ignored";

function row(document: string, theirs: number, modelOnly: number, automatic: number) {
	return {
		document,
		n8n: theirs,
		'model only': modelOnly,
		'share, model only': Number((modelOnly / theirs).toFixed(2)),
		automatic,
		'share, automatic': Number((automatic / theirs).toFixed(2)),
	};
}

async function madeSamples(): Promise<Sample[]> {
	return (await oneOfEach()).map(({ family, kind, bytes }) => ({ name: family, bytes, schema: kind }));
}

function corpusSamples(): Sample[] {
	const corpus = join(import.meta.dirname, '..', '..', '..', 'shared', 'corpus', 'pdf');
	if (!existsSync(corpus)) return [];
	const { entries } = JSON.parse(readFileSync(join(corpus, 'manifest.json'), 'utf8')) as {
		entries: { facturx: Array<{ file: string }> };
	};
	return entries.facturx.map(({ file }) => ({
		name: file.slice(file.indexOf('/') + 1, 40),
		bytes: readFileSync(join(corpus, file)),
		schema: 'invoice',
	}));
}

/** The text of a page on which the labels of number and buyer say nothing, so that the page reader lacks one or both. */
async function withoutLabels(bytes: Uint8Array): Promise<string> {
	const { readPdfInProcess } = (await import('../../dist/nodes/OllamaExtract/pdf/pdfPool.js')) as typeof PdfPool;
	const { labelAt } = (await import('../../dist/nodes/OllamaExtract/page/labels.js')) as typeof Labels;
	const { rows } = await readPdfInProcess(bytes, {});
	const hidden = (text: string) => {
		const label = labelAt(text);
		return label !== null && ['number', 'reference', 'buyer'].includes(label.label)
			? `Xyz ${text.slice(label.end)}`
			: text;
	};
	return rows
		.map(({ cells }) =>
			cells.reduce(
				(line, { left, text }) => `${line.padEnd(Math.round(left / 4))}${line === '' ? '' : '  '}${hidden(text)}`,
				'',
			),
		)
		.join('\n');
}

const encoding = getEncoding('cl100k_base');

function count(text: string): number {
	return encoding.encode(text).length;
}

/** What fits the schema that ours asked for and says nothing, so that no correction follows. */
function emptyAnswer(schema: object): object {
	const { properties = {} } = schema as { properties?: Record<string, { type: unknown }> };
	return Object.fromEntries(Object.entries(properties).map(([key, { type }]) => [key, type === 'array' ? [] : null]));
}

interface N8n {
	readonly extractDataFromPDF: (this: object, property: string) => Promise<{ text: string | string[] }>;
	readonly InformationExtractor: new () => { execute: (this: object) => Promise<unknown> };
	readonly SimpleChatModel: new (fields: object) => object;
}

function n8nModules(): N8n | null {
	const root = join(n8nFolder(readSettings(process.env).cache), 'node_modules');
	if (!existsSync(root)) return null;
	const require = createRequire(join(root, '@n8n', 'n8n-nodes-langchain', 'package.json'));
	return {
		...(require(join(root, 'n8n-nodes-base', 'dist', 'utils', 'binary.js')) as Pick<N8n, 'extractDataFromPDF'>),
		...(require('./dist/nodes/chains/InformationExtractor/InformationExtractor.node.js') as Pick<
			N8n,
			'InformationExtractor'
		>),
		...(require('@langchain/core/language_models/chat_models') as Pick<N8n, 'SimpleChatModel'>),
	};
}

async function n8nText({ extractDataFromPDF }: N8n, bytes: Uint8Array): Promise<string> {
	const host = {
		helpers: { assertBinaryData: () => ({ data: Buffer.from(bytes).toString('base64') }) },
		getNode: () => ({ name: 'Extract From File', typeVersion: 1.1 }),
	};
	const { text } = await extractDataFromPDF.call(host, 'data');
	return Array.isArray(text) ? text.join('\n') : text;
}

async function n8nTokens({ InformationExtractor, SimpleChatModel }: N8n, text: string): Promise<number> {
	let tokens = 0;
	class Keeper extends SimpleChatModel {
		_llmType() {
			return 'keeper';
		}
		_call(messages: Array<{ content: string }>) {
			tokens += count(messages.map(({ content }) => content).join('\n'));
			return Promise.resolve(`\`\`\`json\n${JSON.stringify({ output: { lines: [] } })}\n\`\`\``);
		}
	}
	const parameters: Record<string, unknown> = {
		text,
		schemaType: 'manual',
		inputSchema: JSON.stringify(sameSchema),
		options: {},
	};
	const host = {
		getInputData: () => [{ json: {} }],
		getInputConnectionData: () => Promise.resolve(new Keeper({})),
		getNodeParameter: (name: string, _: number, fallback: unknown) => parameters[name] ?? fallback,
		getNode: () => ({ name: 'Information Extractor', typeVersion: 1.2 }),
		getWorkflow: () => ({ name: 'bench' }),
		getExecutionId: () => '1',
		getParentCallbackManager: () => undefined,
		continueOnFail: () => true,
	};
	await new InformationExtractor().execute.call(host);
	if (tokens === 0) throw new Error('n8n asked nothing: the Information Extractor of this version works differently');
	return tokens;
}

const text = { type: 'string' };
const texts = (...names: string[]) => ({
	type: 'object',
	properties: Object.fromEntries(names.map((name) => [name, text])),
});
/** The data of the two built-in schemas as a person would write it for n8n, nothing required, no descriptions. */
const sameSchema = {
	type: 'object',
	properties: {
		...texts('number', 'date', 'validUntil', 'currency').properties,
		seller: texts('name', 'vat', 'siret'),
		buyer: texts('name', 'email'),
		lines: { type: 'array', items: texts('description', 'quantity', 'unit', 'unitPrice', 'vatRate', 'total') },
		totals: texts('net', 'tax', 'gross'),
	},
};

if (process.argv[1] === import.meta.filename) {
	const { title: heading, rows } = await measure();
	process.stdout.write(`${heading}\n`);
	console.table(rows);
	process.exit();
}
