import type { Place } from './result';

/** A piece of text that stands apart from its neighbours on the same row. */
export interface Cell {
	readonly text: string;
	readonly left: number;
	readonly right: number;
	readonly bold: boolean;
	readonly place: Exclude<Place, 'model-only'>;
}

/** What a reader sees as one row: its cells from left to right. Wrapped text and stacked references stay in their cell. */
export interface Row {
	readonly page: number;
	readonly top: number;
	readonly bottom: number;
	readonly cells: readonly Cell[];
}
