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
