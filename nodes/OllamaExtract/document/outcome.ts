import { LocalAiError } from '../../shared/errors';
import type { ExtractOptions, Reason, Verdict } from '../result';
import type { Opened } from '../source';
import type { Entry } from './draft';

/** Applies the user's choice for a value that the source does not bear out; `fail` throws `bad-reply`. */
export function unproven(
	path: string,
	label: string,
	printed: string,
	value: string | null,
	why: string,
	options: ExtractOptions,
	reasons: Reason[],
): Entry {
	const policy = options.unproven ?? 'null';
	const message = `The model read ${label} as "${printed}", but ${why}`;
	switch (policy) {
		case 'fail':
			throw new LocalAiError('bad-reply', message, {
				hint: 'Check the document, or choose to keep or to drop unproven values.',
			});
		case 'null':
			reasons.push({ code: 'unproven-value', message: `${message}. It was left out; fill it in by hand.`, path });
			return { value: null, origin: null, place: null, reason: why };
		case 'keep':
			reasons.push({ code: 'unproven-value', message: `${message}. It was kept; check it by hand.`, path });
			return { value, origin: 'model', place: null, reason: why };
		default:
			return policy satisfies never;
	}
}

/** The reason for review where only the model says that a printed value is this field. */
export function modelChosen(
	path: string,
	label: string,
	value: string,
	place: Exclude<Entry['place'], null | 'model-only'>,
): Reason {
	const where = 'page' in place ? `"${place.quote}" on page ${place.page}` : `"${place.quote}"`;
	return {
		code: 'model-chosen',
		message: `The model alone took "${value}" for the ${label}: nothing beside ${where} says so. Compare it with the document, and correct it where it is wrong.`,
		path,
	};
}

/** Why a printed value that can be read in several ways proves none of them. */
export function severalReadings(place: Exclude<Entry['place'], null | 'model-only'>): string {
	return `"${place.quote}" can be read in more than one way`;
}

/** An image bears nothing out: whatever was read from it is for a person to compare. */
export const imageUnproven: Reason = {
	code: 'image-unproven',
	message: 'An image has no text to prove values against: compare each value with the picture.',
};

/**
 * The reasons for review when something of the document was not read. With an e-invoice the data is in its XML, and a
 * page that is a picture of it takes nothing away.
 */
export function partlyRead(opened: Exclude<Opened, { kind: 'image' }>, hasEInvoice: boolean): Reason[] {
	const messages: string[] = [];
	if (opened.kind === 'pdf' && opened.pagesLeftOut > 0) {
		const { document, pagesLeftOut } = opened;
		messages.push(
			`${pagesLeftOut} of ${document.pages} pages were not read. Raise the page limit, or check the rest by hand.`,
		);
	}
	if (opened.kind === 'pdf' && opened.unreadPages.length > 0 && !hasEInvoice) {
		const [first, ...others] = opened.unreadPages;
		const named = others.length === 0 ? `Page ${first} was` : `Pages ${opened.unreadPages.join(', ')} were`;
		messages.push(`${named} not read: damaged, or drawn without text. Check by hand what stands there.`);
	}
	if (opened.rowsLeftOut) {
		messages.push('The document is longer than what is looked through. Split it, or check the rest by hand.');
	}
	return messages.map((message) => ({ code: 'partly-read', message }));
}

/** `failed` where nothing usable was found, `review` where there is any reason for it. */
export function verdictOf(usable: boolean, reasons: readonly Reason[]): Verdict {
	if (!usable) return 'failed';
	return reasons.length === 0 ? 'complete' : 'review';
}

/** The error for a PDF whose text cannot be read; `why` completes "cannot be read: …". */
export function unreadable(fileName: string | undefined, why: string): LocalAiError {
	return new LocalAiError('invalid-input', `${fileName ?? 'This PDF'} cannot be read: ${why}`, {
		hint: 'Ask for the original PDF, run it through OCR first, or give its pages as images to a vision model.',
	});
}
