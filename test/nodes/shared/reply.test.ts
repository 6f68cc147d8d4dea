import fc from 'fast-check';
import { complain, parseReply, type Judged } from '../../../nodes/shared/reply';

const isDevis = (value: unknown): Judged<{ number: string }> =>
	typeof value === 'object' && value !== null && 'number' in value && typeof value.number === 'string'
		? { ok: true, value: { number: value.number } }
		: complain('number: expected string.');

test.each([
	['alone', '{"number":"D-7"}'],
	['in prose', 'Sure! Here is the JSON: {"number":"D-7"} Let me know.'],
	['in a fence', '```json\n{"number": "D-7"}\n```'],
	['after reasoning', '<think>The {number} might be {"number":"wrong"}.</think>{"number":"D-7"}'],
	['after reasoning whose opening tag the template swallowed', 'It could be {"number":"X"}.</think>\n{"number":"D-7"}'],
	['with a trailing comma', '{"number":"D-7",}'],
	['with single quotes', "{'number':'D-7'}"],
	['with unquoted keys', '{number: "D-7"}'],
	['beside an object of another shape', '{"note":"copied"} {"number":"D-7"}'],
	['said twice the same', '{"number":"D-7"}\n{"number": "D-7"}'],
	['padded with white space', `{"number":"D-7"}${' \n'.repeat(500)}`],
])('one JSON object %s is found', (_, text) => {
	expect(parseReply(text, isDevis)).toEqual({ ok: true, value: { number: 'D-7' } });
});

test.each([
	['empty', '', /empty/],
	['prose only', 'I cannot read this document.', /no JSON object/],
	['reasoning only', '<think>Let me see {"number":"D-7"}', /empty/],
	['a list', '["D-7"]', /no JSON object/],
	['cut off', '{"number":"D-7","lines":[{"desc":"a"', /cut off/],
	['cut off in a string', '{"number":"D-', /cut off/],
	['cut off after an object', '{"number":"D-7"} {"number":"D', /cut off/],
	['another shape', '{"invoice":"D-7"}', /number: expected string/],
	['two answers', '{"number":"D-7"} {"number":"D-8"}', /several different/],
	['beyond repair', '{"number" "a" : [} ]}', /./],
])('a reply that is %s is a complaint', (_, text, complaint) => {
	expect(parseReply(text, isDevis)).toEqual({ ok: false, complaint: expect.stringMatching(complaint) });
});

test('no prefix of a JSON reply is ever accepted', () => {
	const anything = (value: unknown): Judged<unknown> => ({ ok: true, value });
	fc.assert(
		fc.property(
			fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
			fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
			(object, cut) => {
				const text = JSON.stringify(object);
				expect(parseReply(text, anything)).toEqual({ ok: true, value: JSON.parse(text) });
				expect(parseReply(text.slice(0, Math.floor(text.length * cut)), anything).ok).toBe(false);
			},
		),
		{ numRuns: 1000 },
	);
});

test('a check that throws is a defect of ours, and no complaint to the model', () => {
	const broken = () => {
		throw new TypeError('of our own');
	};
	expect(() => parseReply('{"number":"D-7"}', broken)).toThrow('of our own');
});

test('what does not parse even when mended is said to the model', () => {
	expect(parseReply('{"number":"D-7" :: }', isDevis)).toMatchObject({
		ok: false,
		complaint: expect.stringMatching(/does not parse/),
	});
});
