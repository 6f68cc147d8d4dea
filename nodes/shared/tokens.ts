/**
 * Tokens a text can cost, from above, for the byte-level tokenizers that models share: two letters of a word in a Latin
 * script make at least one token's worth, of codes and other scripts each byte may be one.
 */
export function estimateTokens(text: string): number {
	let tokens = 4;
	for (const [piece] of text.matchAll(/\p{L}+|\s+|[^\p{L}\s]+/gu)) {
		const bytes = Buffer.byteLength(piece);
		if (piece !== ' ')
			tokens +=
				/^\p{Lu}?\p{Ll}+$/u.test(piece) && latinWord.test(piece) ? Math.ceil((2 * bytes - piece.length) / 2) : bytes;
	}
	return tokens;
}

const latinWord = /^[a-zà-öø-ÿœ]+$/i;
