import { extract, type Chat, type ExtractOptions } from '../../../nodes/OllamaExtract/extract';

const schema = {
	type: 'object',
	properties: {
		reference: { type: 'string' },
		deposit: { type: ['number', 'null'] },
		signed: { type: ['boolean', 'null'] },
		works: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
	},
	required: ['reference', 'works'],
};
const text = 'Référence : CH-12\nAcompte    350,00 €\nDépose de la cuisine\nPose du parquet';

function answering(...answers: object[]) {
	const asked: Array<Parameters<Chat>[0]> = [];
	const chat: Chat = (request) => {
		asked.push(request);
		const answer = answers[Math.min(asked.length, answers.length) - 1];
		return Promise.resolve({ text: JSON.stringify(answer), promptTokens: 10, replyTokens: 5, durationMs: 1 });
	};
	const read = (source: { text: string } | { bytes: Uint8Array }, more: Partial<ExtractOptions> = {}) =>
		extract(source, { schema, engine: 'automatic', chat, ...more });
	return { asked, read };
}

test('each leaf is proven where it stands, the schema itself constrains the reply', async () => {
	const works = [{ name: 'Dépose de la cuisine' }, { name: 'Pose du parquet' }];
	const { asked, read } = answering({ reference: 'CH-12', deposit: 350, signed: null, works });
	const { data, fields, verdict } = await read({ text });
	expect({ data, verdict }).toEqual({
		data: { reference: 'CH-12', deposit: 350, signed: null, works },
		verdict: 'complete',
	});
	expect(asked[0]!.schema).toEqual(schema);
	expect(fields.find(({ path }) => path === 'works.1.name')).toMatchObject({
		origin: 'model',
		place: { offset: text.indexOf('Pose du'), quote: 'Pose du parquet' },
	});
});

test('what is not on the page becomes null, and data that then does not fit says so', async () => {
	const { read } = answering({ reference: 'CH-99', deposit: null, signed: true, works: [] });
	const { data, verdict, reasons } = await read({ text });
	expect([data, verdict]).toEqual([{ reference: null, deposit: null, signed: null, works: [] }, 'failed']);
	expect(reasons.map(({ code, path }) => [code, path])).toEqual([
		['unproven-value', 'reference'],
		['unproven-value', 'signed'],
		['schema', undefined],
	]);
});

test('pieces of a long text answer in part: lists follow each other, the first value stays', async () => {
	const long = `${text}\n${Array.from({ length: 400 }, (_, at) => `Fourniture de la menuiserie numéro ${at}`).join('\n')}`;
	const first = { reference: 'CH-12', works: [{ name: 'Dépose de la cuisine' }] };
	const { asked, read } = answering(first, { works: [{ name: 'Fourniture de la menuiserie numéro 399' }] });
	const { data } = await read({ text: long }, { numCtx: 4096, maxReplyTokens: 1024 });
	expect(asked.length).toBeGreaterThan(1);
	expect(data).toMatchObject({
		reference: 'CH-12',
		works: [
			{ name: 'Dépose de la cuisine' },
			{ name: 'Fourniture de la menuiserie numéro 399' },
			...asked.slice(2).map(() => ({})),
		],
	});
});

test('a value that two pieces give differently stays as it was first, and goes to review', async () => {
	const long = `${text}\n${'Fourniture de la menuiserie\n'.repeat(400)}Référence : CH-13`;
	const { asked, read } = answering(
		{ reference: 'CH-12', deposit: 350, works: [] },
		{ reference: 'CH-13', deposit: 350, works: [] },
	);
	const { data, verdict, reasons } = await read({ text: long }, { numCtx: 4096, maxReplyTokens: 1024 });
	expect(asked.length).toBeGreaterThan(1);
	expect(data).toMatchObject({ reference: 'CH-12', deposit: 350 });
	expect([verdict, reasons]).toEqual([
		'review',
		[
			{
				code: 'ambiguous',
				message: 'One part of the document gives reference as "CH-12", another as "CH-13". Check which one holds.',
				path: 'reference',
			},
		],
	]);
});

test('of an image nothing is proven: at most review', async () => {
	const { read } = answering({ reference: 'CH-12', deposit: null, signed: null, works: [] });
	const png = Buffer.from('\x89PNG\r\n\x1a\n rest', 'latin1');
	const { fields, verdict } = await read({ bytes: png });
	expect([fields[0], verdict]).toEqual([
		{ path: 'reference', value: 'CH-12', origin: 'model', place: 'model-only' },
		'review',
	]);
});
