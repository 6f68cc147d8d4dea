import type { Page, Run } from './pdf';
import type { Place } from './result';

/** Where a text stands in its source; never `model-only`. */
export type SourcePlace = Exclude<Place, 'model-only'>;

/** A word of a cell; `start` is its offset in the cell's text. */
export interface Word {
	readonly text: string;
	readonly start: number;
	readonly place: SourcePlace;
}

/** A piece of text that stands apart from its neighbours on the same row. Its words, joined as `text`, keep their places. */
export interface Cell {
	readonly text: string;
	readonly left: number;
	readonly right: number;
	readonly bold: boolean;
	readonly words: readonly Word[];
}

/** What a reader sees as one row: its cells from left to right. Wrapped text and stacked references stay in their cell. */
export interface Row {
	readonly page: number;
	readonly top: number;
	readonly bottom: number;
	readonly cells: readonly Cell[];
}

/** The rows of a page, from top to bottom. */
export function rowsOf(page: Page): Row[] {
	const runs = [...page.runs].sort((a, b) => a.box[3] - b.box[3]);
	const groups: Run[][] = [];
	for (const run of runs) {
		const last = groups.at(-1)?.[0];
		if (last && run.box[3] - last.box[3] < last.fontSize / 2) groups.at(-1)!.push(run);
		else groups.push([run]);
	}
	return groups.map((group) => ({
		page: page.number,
		top: Math.min(...group.map(({ box }) => box[1])),
		bottom: Math.max(...group.map(({ box }) => box[3])),
		cells: group
			.sort((a, b) => a.box[0] - b.box[0])
			.map(({ text, box, bold }) => ({
				text,
				left: box[0],
				right: box[2],
				bold,
				words: [{ text, start: 0, place: { page: page.number, box, quote: text } }],
			})),
	}));
}
