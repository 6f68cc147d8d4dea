import { fromWire, toWire } from '../../../../nodes/McpExecute/connection/failure';
import { LocalAiError } from '../../../../nodes/shared/errors';

test('a failure behind a gateway arrives as it was', () => {
	const busy = new LocalAiError('overloaded', 'busy', { hint: 'later', reason: 'BUSY', retryAfterMs: 250 });
	const arrived = fromWire(busy.message, JSON.parse(JSON.stringify(toWire(busy))));
	expect(arrived).toMatchObject({
		code: 'overloaded',
		message: 'busy',
		hint: 'later',
		reason: 'BUSY',
		retryAfterMs: 250,
	});
});

test('what a failure says shows every character', () => {
	const data = { 'aurastack/failure': { code: 'timeout', hint: 'wait\u001b[31m' } };
	expect(fromWire('late\u202e', data)).toMatchObject({ message: 'late\\u{202e}', hint: 'wait\\u{1b}[31m' });
});

test.each([
	['nothing', undefined],
	['something else', { other: 1 }],
	['a code that no server may claim', { 'aurastack/failure': { code: 'refused', hint: 'x' } }],
	['a wait without end', { 'aurastack/failure': { code: 'overloaded', hint: 'x', retryAfterMs: 1e12 } }],
])('%s tells of no failure', (_, data) => expect(fromWire('m', data)).toBeUndefined());
