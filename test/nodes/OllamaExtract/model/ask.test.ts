import { LocalAiError } from '../../../../nodes/OllamaExtract/extract';
import { ask, breathe, Meter, modelOf, orReason, roomFor } from '../../../../nodes/OllamaExtract/model/ask';
import { messagesFor } from '../../../../nodes/OllamaExtract/model/prompt';
import { questionFor } from '../../../../nodes/OllamaExtract/model/schema';
import type { Chat, ExtractOptions, Reason } from '../../../../nodes/OllamaExtract/result';

const question = questionFor(['number'], false);
const messages = messagesFor(question, 'Devis n° D-7');

/** Gives these texts in turn, and keeps what it was asked. */
function scripted(texts: readonly string[], tokens = { promptTokens: 10, replyTokens: 3 }) {
	const asked: Array<Parameters<Chat>[0]> = [];
	const chat: Chat = (request) => {
		asked.push(request);
		return Promise.resolve({ text: texts[asked.length - 1]!, durationMs: 2, ...tokens });
	};
	const options: ExtractOptions = { schema: 'devis', engine: 'model-only', chat };
	return { asked, options, model: modelOf(options, 'text') };
}

test('a refused answer goes back with its complaint until one passes, each call counted', async () => {
	const { asked, model } = scripted(['no JSON', '{"number":"D-7"}']);
	const meter = new Meter();
	const answer = await ask(question, messages, model, meter, undefined);
	expect(answer.header.get('number')).toBe('D-7');
	expect(asked[1]!.messages).toHaveLength(4);
	expect(asked[1]!.messages.at(-1)!.content).toMatch(/no JSON object/);
	expect(meter.usage()).toEqual({
		model: 'qwen2.5-coder:3b-instruct',
		calls: 2,
		promptTokens: 20,
		replyTokens: 6,
		modelDurationMs: 4,
	});
});

test('the number of calls is bounded', async () => {
	const { asked, model } = scripted(['a', 'b', 'c', '{"number":"D-7"}']);
	await expect(ask(question, messages, model, new Meter(), undefined)).rejects.toMatchObject({ code: 'bad-reply' });
	expect(asked).toHaveLength(3);
});

test('a server that does not keep to the context asked for is no longer trusted', async () => {
	const { model } = scripted(['{"number":"D-7"}'], { promptTokens: 9000, replyTokens: 10 });
	await expect(ask(question, messages, model, new Meter(), undefined)).rejects.toMatchObject({ code: 'configuration' });
});

test('a context without room for the document is refused before any call', () => {
	const { model, asked } = scripted([]);
	expect(roomFor(question, model)).toBeGreaterThan(1024);
	expect(() => roomFor(question, { ...model, numCtx: 2500 })).toThrow(/leaves no room/);
	expect(asked).toEqual([]);
});

describe('a failing model', () => {
	const fails = (code: ConstructorParameters<typeof LocalAiError>[0]) =>
		Promise.reject(new LocalAiError(code, 'It failed', { hint: 'Try again.' }));
	const automatic: ExtractOptions = { schema: 'devis', engine: 'automatic' };

	test.each([
		['bad-reply', 'model-reply-refused'],
		['unreachable', 'model-unavailable'],
	] as const)('is a reason for review in Automatic: %s', async (code, reason) => {
		const reasons: Reason[] = [];
		expect(await orReason(() => fails(code), automatic, reasons)).toBeNull();
		expect(reasons).toEqual([{ code: reason, message: 'It failed. Try again.' }]);
	});

	test.each(['cancelled', 'defect'] as const)('is never swallowed: %s', async (code) => {
		await expect(orReason(() => fails(code), automatic, [])).rejects.toMatchObject({ code });
	});

	test('is an error in Model Only', async () => {
		const work = orReason(() => fails('unreachable'), { ...automatic, engine: 'model-only' }, []);
		await expect(work).rejects.toMatchObject({ code: 'unreachable' });
	});
});

test('between two steps other work goes first, and a cancelled one ends', async () => {
	const giveUp = new AbortController();
	setImmediate(() => giveUp.abort());
	await expect(breathe(undefined)).resolves.toBeUndefined();
	await expect(breathe(giveUp.signal)).rejects.toMatchObject({ code: 'cancelled' });
});
