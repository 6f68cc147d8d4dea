import { LocalAiError } from '../../shared/errors';
import { columnOf } from '../page/labels';
import type { ChatMessage } from '../result';
import type { Question } from './schema';
import type { PromptRow } from './telling';

/** A part of the document that fits one call. */
export interface Piece {
	readonly text: string;
}

export interface PieceLimits {
	/** Most tokens that a piece may cost, by `count`. */
	readonly maxTokens: number;
	/** Most rows that look like a line: what a capped reply can hold. */
	readonly maxAmountRows: number;
	/** Tokens that a text costs at most. */
	readonly count: (text: string) => number;
}

/**
 * Cuts rows into pieces that fit, in order, each row in exactly one piece; the row of column titles is repeated at the
 * head of each further piece. A single row that is too long is an `invalid-input` error.
 */
export function piecesOf(rows: readonly PromptRow[], limits: PieceLimits): Piece[] {
	const lines = rows.map((row) => ({ row, text: row.cells.join('|'), amounts: row.amounts }));
	const pieces: Piece[] = [];
	let headings = '';
	let headingsCost = limits.count(headings);
	let current: typeof lines = [];
	let tokens = 0;
	let amountRows = 0;
	const close = () => {
		if (current.length === 0) return;
		pieces.push({
			text: [...(pieces.length > 0 && headings !== '' ? [headings] : []), ...current.map(({ text }) => text)].join(
				'\n',
			),
		});
		current = [];
		tokens = 0;
		amountRows = 0;
	};
	for (const line of lines) {
		const cost = limits.count(line.text) + 1;
		const room = limits.maxTokens - headingsCost;
		if (cost > room) {
			throw new LocalAiError(
				'invalid-input',
				`A row on page ${line.row.page} is longer than the model's context allows`,
				{
					hint: 'Raise the context length of the model.',
				},
			);
		}
		if (tokens + cost > room || (line.amounts && amountRows >= limits.maxAmountRows)) close();
		current.push(line);
		tokens += cost;
		if (line.amounts) amountRows++;
		if (headings === '' && isHeadings(line.row)) {
			headings = line.text;
			headingsCost = limits.count(headings);
		}
	}
	close();
	return pieces;
}

/**
 * The messages that ask `question` of one piece. The piece is a message of its own and cannot leave it: the marks by
 * which chat templates part messages are broken up in it.
 */
export function messagesFor(question: Question<unknown>, text: string): ChatMessage[] {
	return [
		{ role: 'system', content: instructions(question) },
		{ role: 'user', content: text.replace(/<(?=[\p{L}/|!?])/gu, '‹').replace(/\[(?=\/?INST\])/gi, '(') },
	];
}

/** The messages that ask `question` of an image. */
export function messagesForImage(question: Question<unknown>, image: Uint8Array): ChatMessage[] {
	return [
		{ role: 'system', content: instructions(question) },
		{ role: 'user', content: 'Read this image.', images: [image] },
	];
}

/** The messages of a further try: what was answered, and what is wrong with it. */
export function correction(messages: readonly ChatMessage[], reply: string, complaint: string): ChatMessage[] {
	return [...messages, { role: 'assistant', content: reply.slice(0, 400) }, { role: 'user', content: complaint }];
}

function instructions({ keys }: Question<unknown>): string {
	return `Copy from this data as printed, else null. JSON: ${keys}`;
}

const amount = /\d[.,]\d{2}(?!\d)/;

function isHeadings({ cells }: PromptRow): boolean {
	return cells.length >= 3 && cells.filter((text) => columnOf(text) !== null && !amount.test(text)).length >= 2;
}
