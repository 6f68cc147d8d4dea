/**
 * A text in which everything shows: control and formatting characters, those that turn the direction of writing, lone
 * surrogates, unusual spaces and characters without a shape become `\u{…}`. Line breaks and tabs stay where `lines` is
 * set.
 */
export function visible(text: string, { lines = false } = {}): string {
	const kept = lines ? ' \n\t' : ' ';
	return text.replace(/[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu, (character) =>
		kept.includes(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
	);
}

/** Whether a text holds characters that a person would not see; spaces, line breaks and the form of an emoji are none. */
export function hidesCharacters(text: string): boolean {
	return /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u.test(
		text.replaceAll('\ufe0f', '').replace(/[\n\r\t]/g, ''),
	);
}

/** The beginning of a text of at most `maxLength` characters with a mark that says how much is not shown. */
export function shortened(text: string, maxLength: number): { readonly text: string; readonly truncated: boolean } {
	if (text.length <= maxLength) return { text, truncated: false };
	const shown = text.slice(0, maxLength).replace(/[\ud800-\udbff]$/, '');
	return {
		text: `${shown}\n[TRUNCATED: ${text.length - shown.length} of ${text.length} characters are not shown]`,
		truncated: true,
	};
}
