import { LocalAiError } from '../shared/errors';
import { excerpt } from '../shared/http';
import { estimateTokens } from '../shared/ollama';
import { parseReply } from '../shared/reply';
import { correction, messagesFor } from './prompt';
import type { Chat, ChatMessage, ExtractResult } from './result';
import type { Question } from './schema';

/** What every call to the model shares. */
export interface Model {
	readonly chat: Chat;
	readonly name: string;
	readonly numCtx: number;
	readonly maxReplyTokens: number;
	/** Calls for one question about one piece, corrections included. */
	readonly maxCalls: number;
}

/** Counts what the model was used for. */
export class Meter {
	calls = 0;
	promptTokens = 0;
	replyTokens = 0;
	modelDurationMs = 0;

	add(reply: { promptTokens: number; replyTokens: number; durationMs: number }): void {
		this.promptTokens += reply.promptTokens;
		this.replyTokens += reply.replyTokens;
		this.modelDurationMs += reply.durationMs;
	}

	usage(model: string): ExtractResult['usage'] {
		const { calls, promptTokens, replyTokens, modelDurationMs } = this;
		return { model: calls === 0 ? null : model, calls, promptTokens, replyTokens, modelDurationMs };
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
 * `maxCalls` is spent, and with whatever the chat rejects with.
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
		meter.calls++;
		const reply = await abortable(
			model.chat(
				{
					model: model.name,
					messages: current,
					schema: question.jsonSchema,
					numCtx: model.numCtx,
					maxReplyTokens: model.maxReplyTokens,
				},
				signal,
			),
			signal,
		);
		meter.add(reply);
		if (reply.promptTokens + reply.replyTokens > model.numCtx) {
			throw new LocalAiError('configuration', `The model used ${reply.promptTokens + reply.replyTokens} tokens of ${model.numCtx}`, {
				hint: 'The server did not keep to the context asked for and may have cut the document. Raise the context length.',
			});
		}
		const judged = parseReply(reply.text, question.check);
		if (judged.ok) return judged.value;
		complaint = judged.complaint;
		current = correction(messages, reply.text, complaint);
	}
	throw new LocalAiError('bad-reply', `${model.name} gave no usable answer in ${model.maxCalls} tries: ${excerpt(complaint)}`, {
		hint: 'Try a larger model, or raise the longest reply if answers are cut off.',
	});
}

/** The error for work that its caller gave up. */
export function cancelled(): LocalAiError {
	return new LocalAiError('cancelled', 'The extraction was cancelled', { hint: 'Run it again if it is still wanted.' });
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
