import fc from 'fast-check';

import { redactor } from '../../../nodes/McpExecute/redact';

test('a secret is gone from every text, key and encoding, and the rest is as it was', () => {
	const secret = 'p@ss "word"/é';
	const value = {
		plain: `a ${secret} b`,
		list: [encodeURIComponent(secret), Buffer.from(secret).toString('base64'), JSON.stringify({ secret })],
		[secret]: { n: 1, nothing: null, bytes: Buffer.from('x') },
	};
	expect(redactor([secret])(value)).toEqual({
		plain: 'a [redacted] b',
		list: ['[redacted]', '[redacted]=', '{"secret":"[redacted]"}'],
		'[redacted]': { n: 1, nothing: null, bytes: Buffer.from('x') },
	});
});

test('of two secrets the longer one goes first, and short ones stay', () => {
	expect(redactor(['secret', 'secret-longer', 'ab'])('secret-longer secret ab')).toBe('[redacted] [redacted] ab');
});

test('no text still holds the secret', () => {
	fc.assert(
		fc.property(fc.string({ minLength: 6 }), fc.array(fc.string()), (secret, around) => {
			const redacted = redactor([secret])(around.join(secret));
			expect(around.length < 2 || !redacted.replaceAll('[redacted]', '').includes(secret)).toBe(true);
		}),
	);
});
