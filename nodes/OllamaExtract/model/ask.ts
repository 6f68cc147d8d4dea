import { setImmediate as turn } from 'node:timers/promises';
import { z } from 'zod';
import { LocalAiError } from '../../shared/errors';
import { excerpt } from '../../shared/http';
import { estimateTokens } from '../../shared/tokens';
import { parseReply } from '../../shared/reply';
import { calledWrongly } from '../options';
import { correction, messagesFor } from './prompt';
import type { Chat, ChatMessage, ExtractOptions, ExtractResult, Reason } from '../result';
import type { Question } from './schema';

/** What every call to the model shares. */
export interface Model {
	readonly chat: Chat;
	readonly name: string;
	/** What messages call it: a program that brings its own chat need not know of any name. */
	readonly called: string;
	readonly numCtx: number;
	readonly maxReplyTokens: number;
	/** Calls for one question about one piece, corrections included. */
	readonly maxCalls: number;
}

/** The models asked when none is named, of a text and of an image. */
const defaultModel = 'qwen2.5-coder:3b-instruct';
const defaultVisionModel = 'qwen2.5vl:3b';

/** The model of these options that reads a kind of source, with its defaults; without a chat a `configuration` error. */
export function modelOf(options: ExtractOptions, kind: 'text' | 'image'): Model {
	const { chat, model, visionModel, numCtx, maxReplyTokens, maxCalls } = options;
	if (chat === undefined) throw needsModel(kind === 'image' ? 'An image' : 'This engine', options);
	const named = kind === 'image' ? visionModel : model;
	return {
		chat,
		name: named ?? (kind === 'image' ? defaultVisionModel : defaultModel),
		called: named ?? 'The model',
		numCtx: numCtx ?? 8192,
		maxReplyTokens: maxReplyTokens ?? 2048,
		maxCalls: maxCalls ?? 3,
	};
}

/** Counts what the model was used for. */
export class Meter {
	model: string | null = null;
	calls = 0;
	promptTokens = 0;
	replyTokens = 0;
	modelDurationMs = 0;

	add(reply: { promptTokens: number; replyTokens: number; durationMs: number }): void {
		this.promptTokens += reply.promptTokens;
		this.replyTokens += reply.replyTokens;
		this.modelDurationMs += reply.durationMs;
	}

	usage(): ExtractResult['usage'] {
		const { model, calls, promptTokens, replyTokens, modelDurationMs } = this;
		return { model, calls, promptTokens, replyTokens, modelDurationMs };
	}
}

/** What a correction adds to the prompt at most: the beginning of the refused reply and the complaint. */
const correctionTokens = 400;

/** Tokens left for a piece of the document once instructions, a correction and the reply have their room. */
export function roomFor(question: Question<unknown>, { numCtx, maxReplyTokens }: Model): number {
	const instructions = messagesFor(question, '').reduce((sum, { content }) => sum + estimateTokens(content) + 8, 0);
	const room = numCtx - maxReplyTokens - instructions - correctionTokens;
	if (room < 128) {
		throw new LocalAiError('configuration', `A context of ${numCtx} tokens leaves no room for the document`, {
			hint: `Raise it to at least ${maxReplyTokens + instructions + correctionTokens + 1024}, or lower the longest reply.`,
		});
	}
	return room;
}

/**
 * Asks until the answer passes the question's own check; each complaint is fed back. Rejects with `bad-reply` once
 * `maxCalls` is spent, with `invalid-input` when the chat is none, and with what the chat rejects with: its LocalAiError,
 * or a `tool-failed` with the cause.
 */
export async function ask<Answer>(
	question: Question<Answer>,
	messages: readonly ChatMessage[],
	model: Model,
	meter: Meter,
	signal: AbortSignal | undefined,
): Promise<Answer> {
	let current = [...messages];
	let complaint = '';
	for (let call = 1; call <= model.maxCalls; call++) {
		meter.model = model.name;
		meter.calls++;
		const reply = await replyOf(
			model.chat,
			{
				model: model.name,
				messages: current,
				schema: question.jsonSchema,
				numCtx: model.numCtx,
				maxReplyTokens: model.maxReplyTokens,
			},
			signal,
		);
		meter.add(reply);
		if (reply.promptTokens + reply.replyTokens > model.numCtx) {
			throw new LocalAiError(
				'configuration',
				`The model used ${reply.promptTokens + reply.replyTokens} tokens of ${model.numCtx}`,
				{
					hint: 'The server did not keep to the context asked for and may have cut the document. Raise the context length.',
				},
			);
		}
		const judged = parseReply(reply.text, question.check);
		if (judged.ok) return judged.value;
		complaint = judged.complaint;
		current = correction(messages, reply.text, complaint);
	}
	throw new LocalAiError(
		'bad-reply',
		`${model.called} gave no usable answer in ${model.maxCalls} tries: ${excerpt(complaint)}`,
		{
			hint: 'Try a larger model, or raise the longest reply if answers are cut off.',
		},
	);
}

type Reply = Awaited<ReturnType<Chat>>;

/** One call of a chat that may be anybody's. */
async function replyOf(chat: Chat, request: Parameters<Chat>[0], signal: AbortSignal | undefined): Promise<Reply> {
	let reply: unknown;
	try {
		reply = await abortable(
			Promise.resolve().then(() => chat(request, signal)),
			signal,
		);
	} catch (error) {
		if (error instanceof LocalAiError) throw error;
		if (signal?.aborted) throw cancelled();
		throw new LocalAiError('tool-failed', 'The function "chat" of this call failed', {
			hint: 'Its own error is the cause of this one; see there.',
			cause: error,
		});
	}
	const parsed = replies.safeParse(reply);
	if (parsed.success) return parsed.data;
	throw calledWrongly(
		parsed.error.issues.map(({ path, message }) => `${['options.chat() gave', ...path].join(' ')}: ${message}`),
	);
}

const count = z.number().nonnegative();
const replies = z.object(
	{ text: z.string(), promptTokens: count, replyTokens: count, durationMs: count },
	{ error: 'expected { text, promptTokens, replyTokens, durationMs }' },
) satisfies z.ZodType<Reply>;

/**
 * In Automatic a model that fails, or has no room for the document, is a reason for review, and what the other engines
 * gave is kept.
 */
export async function orReason<Answer>(
	work: () => Answer | Promise<Answer>,
	{ engine }: ExtractOptions,
	reasons: Reason[],
): Promise<Answer | null> {
	try {
		return await work();
	} catch (error) {
		if (
			engine === 'model-only' ||
			!(error instanceof LocalAiError) ||
			error.code === 'cancelled' ||
			error.reason === 'called-wrongly' ||
			error.code === 'defect'
		)
			throw error;
		reasons.push({
			code: error.code === 'bad-reply' ? 'model-reply-refused' : 'model-unavailable',
			message: `${error.message}. ${error.hint}`,
		});
		return null;
	}
}

/** The error for something that only a model can read, where there is none or the engine does without it. */
export function needsModel(what: string, { chat }: ExtractOptions): LocalAiError {
	return new LocalAiError('configuration', `${what} can only be read with a model`, {
		hint:
			chat === undefined
				? 'Choose an Ollama credential (in a program: give a chat) and the engine Automatic or Model Only.'
				: 'Choose the engine Automatic or Model Only.',
	});
}

/** The error for work that its caller gave up. */
export function cancelled(): LocalAiError {
	return new LocalAiError('cancelled', 'The extraction was cancelled', { hint: 'Run it again if it is still wanted.' });
}

/** Between two long steps: lets the process's other work go first, and rejects when this one was cancelled. */
export async function breathe(signal: AbortSignal | undefined): Promise<void> {
	await turn();
	if (signal?.aborted) throw cancelled();
}

/** A chat may be slow to notice that it was cancelled, or never notice. */
async function abortable<Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
	if (signal === undefined) return await work;
	let leave = () => {};
	const aborted = new Promise<never>((_, reject) => {
		leave = () => reject(cancelled());
		if (signal.aborted) leave();
		else signal.addEventListener('abort', leave, { once: true });
	});
	try {
		return await Promise.race([work, aborted]);
	} finally {
		signal.removeEventListener('abort', leave);
	}
}
