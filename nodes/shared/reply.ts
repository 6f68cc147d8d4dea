import { jsonrepair } from 'jsonrepair';
import { excerpt } from './http';

/** A value that passed its check, or a complaint that a model can act on. */
export type Judged<Value> =
	| { readonly ok: true; readonly value: Value }
	| { readonly ok: false; readonly complaint: string };

/**
 * Finds the one JSON object in a model's text and checks it. Reasoning, prose and code fences around it are passed
 * over and slips of syntax mended; a reply that was cut off, or that holds two different valid objects, is never accepted.
 */
export function parseReply<Value>(text: string, check: (value: unknown) => Judged<Value>): Judged<Value> {
	const answer = withoutReasoning(text);
	const { objects, unfinished } = jsonObjects(answer);
	if (unfinished)
		return complain('Your reply was cut off before its JSON was complete. Answer shorter, with complete JSON.');
	if (objects.length === 0) {
		return complain(
			answer.trim() === ''
				? 'Your reply was empty. Answer with one JSON object.'
				: 'Your reply held no JSON object. Answer with one JSON object only.',
		);
	}
	const judged = objects.map((object) => parseObject(object, check));
	const accepted = judged.filter((one) => one.ok);
	const different = new Set(accepted.map(({ value }) => JSON.stringify(value)));
	if (different.size > 1)
		return complain('Your reply held several different JSON objects. Answer with one JSON object only.');
	return accepted[0] ?? judged.at(-1)!;
}

/** A failed check as a complaint; `issues` name the path and what is wrong with it. */
export function complain(...issues: string[]): { readonly ok: false; readonly complaint: string } {
	return { ok: false, complaint: issues.slice(0, 5).join('\n') };
}

function parseObject<Value>(object: string, check: (value: unknown) => Judged<Value>): Judged<Value> {
	const parsed = parseJson(object);
	return parsed.ok ? check(parsed.value) : parsed;
}

function parseJson(text: string): Judged<unknown> {
	try {
		return { ok: true, value: JSON.parse(text) };
	} catch (strict) {
		try {
			return { ok: true, value: JSON.parse(jsonrepair(text)) };
		} catch {
			return complain(
				`Your JSON does not parse (${excerpt(strict instanceof Error ? strict.message : String(strict), 120)}).`,
			);
		}
	}
}

function withoutReasoning(text: string): string {
	const closed = text.replace(/<think(?:ing)?>[\s\S]*?<\/think(?:ing)?>/gi, ' ');
	// Some templates put the opening tag into the prompt, so that only the closing one comes back.
	const tail = closed.split(/<\/think(?:ing)?>/i).at(-1)!;
	return tail.replace(/<think(?:ing)?>[\s\S]*$/i, ' ');
}

/** The outermost `{…}` of a text, braces inside strings not counted; `unfinished` when the last one never closes. */
function jsonObjects(text: string): { objects: string[]; unfinished: boolean } {
	const objects: string[] = [];
	let depth = 0;
	let start = 0;
	let inString = false;
	for (let at = 0; at < text.length; at++) {
		const char = text[at]!;
		if (inString) {
			if (char === '\\') at++;
			else if (char === '"') inString = false;
		} else if (char === '"' && depth > 0) inString = true;
		else if (char === '{' || (char === '[' && depth > 0)) {
			if (depth === 0) start = at;
			depth++;
		} else if ((char === '}' || char === ']') && depth > 0) {
			depth--;
			if (depth === 0) objects.push(text.slice(start, at + 1));
		}
	}
	return { objects, unfinished: depth > 0 };
}
