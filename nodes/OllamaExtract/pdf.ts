import type { Box } from './result';

/** A run of glyphs drawn together: the smallest piece of text that keeps its own place. */
export interface Run {
	readonly text: string;
	readonly box: Box;
	/** Height of the font in points. */
	readonly fontSize: number;
	readonly bold: boolean;
	readonly from: 'text' | 'annotation' | 'form-field';
}

export interface Page {
	/** From 1. */
	readonly number: number;
	readonly width: number;
	readonly height: number;
	readonly runs: readonly Run[];
}

export interface PdfContents {
	readonly pages: readonly Page[];
	readonly pageCount: number;
	readonly attachments: ReadonlyArray<{ readonly name: string; readonly bytes: Uint8Array }>;
	/** What a person should know of how the file was read: recovered structure, pages left out, unreadable fonts. */
	readonly warnings: readonly string[];
}
