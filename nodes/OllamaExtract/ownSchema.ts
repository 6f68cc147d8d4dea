import { ask, breathe, modelOf, orReason, roomFor, type Meter } from './model/ask';
import { estimateTokens } from '../shared/tokens';
import { readNumber } from './page/numbers';
import { imageUnproven, partlyRead, severalReadings, unproven, unreadable, verdictOf } from './document/outcome';
import { indexOf, normal, type PageIndex } from './proof/pageIndex';
import { messagesFor, messagesForImage, piecesOf } from './model/prompt';
import { prove } from './proof/proof';
import type { ExtractOptions, ExtractResult, Field, Reason } from './result';
import { questionForPiece, type Question, type ValueKind } from './model/schema';
import type { Opened } from './source';
import { wholeRows } from './model/telling';

/** Reads a document into a person's own JSON Schema: the model answers, each leaf of its answer is proven. */
export async function extractOwnSchema(
	opened: Opened,
	options: ExtractOptions,
	question: Question<unknown>,
	meter: Meter,
	signal: AbortSignal | undefined,
): Promise<ExtractResult> {
	const model = modelOf(options, opened.kind === 'image' ? 'image' : 'text');
	const reasons: Reason[] = [];
	const fields: Field[] = [];
	let data: unknown;
	if (opened.kind === 'image') {
		data = await ask(question, messagesForImage(question, opened.bytes), model, meter, signal);
		reasons.push(imageUnproven);
		data = proveLeaves(data, '', (value, path) => {
			fields.push({
				path,
				value,
				origin: value === null ? null : 'model',
				place: value === null ? null : 'model-only',
			});
			return value;
		});
	} else {
		if (opened.kind === 'pdf' && opened.unusable !== null) throw unreadable(opened.document.fileName, opened.unusable);
		await breathe(signal);
		const index = indexOf(opened.rows, opened.kind === 'text' ? opened.text : undefined);
		const cutUp = () =>
			piecesOf(wholeRows(opened.rows), {
				maxTokens: roomFor(question, model),
				maxAmountRows: Number.POSITIVE_INFINITY,
				count: estimateTokens,
			});
		const pieces = (await orReason(cutUp, options, reasons)) ?? [];
		const disputed = new Map<string, readonly [Leaf, Leaf]>();
		const asked = pieces.length > 1 ? questionForPiece(question.jsonSchema) : question;
		for (const { text } of pieces) {
			await breathe(signal);
			const answer = await orReason(() => ask(asked, messagesFor(asked, text), model, meter, signal), options, reasons);
			if (answer === null) break;
			data = data === undefined ? answer : merged(data, answer, '', disputed);
		}
		await breathe(signal);
		data = proveLeaves(data ?? null, '', (value, path) => {
			const { field, kept } = proveLeaf(value, path, index, options, reasons);
			fields.push(field);
			return kept;
		});
		for (const [path, [first, other]] of disputed) {
			reasons.push({
				code: 'ambiguous',
				message: `One part of the document gives ${path} as "${first}", another as "${other}". Check which one holds.`,
				path,
			});
		}
		reasons.push(...partlyRead(opened, false));
	}
	const judged = question.check(data);
	if (!judged.ok) {
		reasons.push({
			code: 'schema',
			message: `What could be proven does not fit the schema: ${judged.complaint} Complete it by hand.`,
		});
	}
	return {
		data,
		fields,
		checks: [],
		verdict: verdictOf(
			fields.some(({ value }) => value !== null),
			reasons,
		),
		reasons,
		document: opened.document,
		usage: meter.usage(),
	};
}

type Leaf = string | number | boolean | null;

function proveLeaf(
	value: Leaf,
	path: string,
	index: PageIndex,
	options: ExtractOptions,
	reasons: Reason[],
): { field: Field; kept: Leaf } {
	if (value === null)
		return { field: { path, value, origin: null, place: null, reason: 'not found in the document' }, kept: null };
	const proof =
		typeof value === 'boolean'
			? ({ ok: false, reason: 'a yes or no stands nowhere on the page' } as const)
			: kindsOf(value)
					.map((kind) => prove(index, String(value), kind))
					.reduce((a, b) => (a.ok ? a : b));
	if (proof.ok && proof.sure) return { field: { path, value, origin: 'model', place: proof.place }, kept: value };
	const why = proof.ok ? severalReadings(proof.place) : proof.reason;
	const entry = unproven(path, path, String(value), String(value), why, options, reasons);
	const kept = entry.value === null ? null : value;
	return { field: { path, ...entry, value: kept }, kept };
}

function kindsOf(value: string | number): ValueKind[] {
	if (typeof value === 'number') return ['number'];
	if (/^\d{4}-\d{2}-\d{2}$/.test(value)) return ['date', 'text'];
	return ['text', 'identifier', ...(readNumber(value) === null ? [] : (['number'] as const))];
}

/** Walks data and replaces each leaf by what `leaf` returns for it and its dotted path. */
function proveLeaves(data: unknown, path: string, leaf: (value: Leaf, path: string) => Leaf): unknown {
	if (Array.isArray(data)) return data.map((one, at) => proveLeaves(one, below(path, at), leaf));
	if (isRecord(data)) {
		return Object.fromEntries(
			Object.entries(data).map(([name, one]) => [name, proveLeaves(one, below(path, name), leaf)]),
		);
	}
	return leaf(data as Leaf, path);
}

function below(path: string, name: string | number): string {
	return path === '' ? String(name) : `${path}.${name}`;
}

/**
 * Answers for consecutive pieces: lists follow each other, and the first value found stays. Where a later piece gives
 * another value both are entered in `disputed` by their path.
 */
function merged(first: unknown, next: unknown, path: string, disputed: Map<string, readonly [Leaf, Leaf]>): unknown {
	if (Array.isArray(first) && Array.isArray(next)) return [...(first as unknown[]), ...(next as unknown[])];
	if (isRecord(first) && isRecord(next)) {
		return Object.fromEntries(
			[...new Set([...Object.keys(first), ...Object.keys(next)])].map((name) => [
				name,
				merged(first[name], next[name], below(path, name), disputed),
			]),
		);
	}
	if (isNothing(first)) return next;
	if (isLeaf(first) && isLeaf(next) && !isNothing(next) && !saysTheSame(first, next) && !disputed.has(path))
		disputed.set(path, [first, next]);
	return first;
}

function isNothing(value: unknown): boolean {
	return value === null || value === undefined || value === '';
}

function isLeaf(value: unknown): value is Leaf {
	return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function saysTheSame(a: Leaf, b: Leaf): boolean {
	const [one, other] = [a, b].map((value) => normal(String(value)).trim().toLowerCase());
	return one === other;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
