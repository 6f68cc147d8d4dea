import fc from 'fast-check';

import { hidesCharacters, shortened, visible } from '../../../../nodes/McpExecute/task/text';

test('what does not show, or turns what does, is written out', () => {
	expect(visible('a\u202eb\u200bc\u0000d\u00a0e\ufefff\u{e0041}\ud800\u3164')).toBe(
		'a\\u{202e}b\\u{200b}c\\u{0}d\\u{a0}e\\u{feff}f\\u{e0041}\\u{d800}\\u{3164}',
	);
	expect(visible('a\n\tb')).toBe('a\\u{a}\\u{9}b');
	expect(visible('a\n\tb', { lines: true })).toBe('a\n\tb');
	expect(visible('Élodie, 日本, 👍 €')).toBe('Élodie, 日本, 👍 €');
});

test('nothing hidden is left in any text', () => {
	fc.assert(
		fc.property(fc.string({ unit: 'binary' }), (text) => !hidesCharacters(visible(text))),
		{ numRuns: 2000 },
	);
});

test('a text that is cut says so, and is never cut in the middle of a character', () => {
	expect(shortened('abc', 3)).toEqual({ text: 'abc', truncated: false });
	expect(shortened('abcdef', 3)).toEqual({
		text: 'abc\n[TRUNCATED: 3 of 6 characters are not shown]',
		truncated: true,
	});
	expect(shortened('ab👍cd', 3).text.isWellFormed()).toBe(true);
});
