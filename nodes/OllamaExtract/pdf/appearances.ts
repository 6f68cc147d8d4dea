/** A drawn piece of text, in the form of a text item of pdf.js: its matrix leads from its own em square to the page. */
export interface DrawnText {
	readonly str: string;
	readonly width: number;
	readonly height: number;
	readonly transform: Matrix;
}

/** a, b, c, d, e, f of ISO 32000-2, 8.3.4. */
export type Matrix = readonly [number, number, number, number, number, number];

/** What pdf.js says of a page's drawing: operators by number, and their operands. */
export interface Drawing {
	readonly fnArray: readonly number[];
	readonly argsArray: ReadonlyArray<readonly unknown[] | null>;
}

export type OperatorNumbers = Readonly<Record<OperatorName, number>>;

/** What one unit of a glyph's width is in its em square: 0.001 but for Type 3 fonts. */
export type UnitOf = (fontName: string) => number;

/**
 * The text that annotations draw on a page, by annotation id. pdf.js gives the text of a page's content and the values of
 * form fields; that of stamps and signatures exists only as drawing (ISO 32000-2, 12.5.5 and 9.4).
 */
export function annotationTexts(
	{ fnArray, argsArray }: Drawing,
	operators: OperatorNumbers,
	unitOf: UnitOf,
): Map<string, DrawnText[]> {
	const names = new Map(operatorNames.map((name) => [operators[name], name]));
	const texts = new Map<string, DrawnText[]>();
	let pen: Pen | null = null;
	for (const [index, fn] of fnArray.entries()) {
		const name = names.get(fn);
		const operands = argsArray[index] ?? [];
		if (name === 'beginAnnotation') {
			const [id, , toRect, matrix] = operands as [string, unknown, Matrix, Matrix];
			pen = new Pen(times(toRect, matrix), unitOf);
			texts.set(id, pen.texts);
		} else if (name === 'endAnnotation') {
			pen = null;
		} else if (name !== undefined) {
			pen?.take(name, operands);
		}
	}
	return texts;
}

const operatorNames = [
	'beginAnnotation',
	'endAnnotation',
	'save',
	'restore',
	'transform',
	'paintFormXObjectBegin',
	'paintFormXObjectEnd',
	'beginText',
	'setFont',
	'setCharSpacing',
	'setWordSpacing',
	'setHScale',
	'setLeading',
	'setTextRise',
	'setTextMatrix',
	'moveText',
	'setLeadingMoveText',
	'nextLine',
	'showText',
] as const;
type OperatorName = (typeof operatorNames)[number];

interface State {
	readonly toPage: Matrix;
	readonly fontName: string;
	readonly fontSize: number;
	readonly charSpacing: number;
	readonly wordSpacing: number;
	readonly horizontalScale: number;
	readonly leading: number;
	readonly rise: number;
}

interface Glyph {
	readonly unicode: string;
	readonly width: number;
	readonly isSpace: boolean;
}

/** Between letters of one word, between words, and where text stands apart, in em. */
const wordGap = 0.12;
const apart = 0.6;

/** Follows the text operators of one annotation, as ISO 32000-2, 9.4 describes them. */
class Pen {
	readonly texts: DrawnText[] = [];
	#state: State;
	readonly #saved: State[] = [];
	/** Where the line and the next glyph begin, in text space. */
	#line: Matrix = identity;
	#next: Matrix = identity;

	constructor(
		toPage: Matrix,
		readonly unitOf: UnitOf,
	) {
		this.#state = {
			toPage,
			fontName: '',
			fontSize: 0,
			charSpacing: 0,
			wordSpacing: 0,
			horizontalScale: 1,
			leading: 0,
			rise: 0,
		};
	}

	take(name: OperatorName, operands: readonly unknown[]): void {
		const [first, second] = operands as readonly number[];
		switch (name) {
			case 'save':
			case 'paintFormXObjectBegin':
				this.#saved.push(this.#state);
				if (operands[0]) this.#set({ toPage: times(this.#state.toPage, operands[0] as Matrix) });
				return;
			case 'restore':
			case 'paintFormXObjectEnd':
				this.#state = this.#saved.pop() ?? this.#state;
				return;
			case 'transform':
				return this.#set({ toPage: times(this.#state.toPage, operands as unknown as Matrix) });
			case 'beginText':
				return this.#begin(identity);
			case 'setTextMatrix':
				return this.#begin(operands[0] as Matrix);
			case 'setFont':
				return this.#set({ fontName: String(first), fontSize: second! });
			case 'setCharSpacing':
				return this.#set({ charSpacing: first! });
			case 'setWordSpacing':
				return this.#set({ wordSpacing: first! });
			case 'setHScale':
				return this.#set({ horizontalScale: first! / 100 });
			case 'setLeading':
				return this.#set({ leading: first! });
			case 'setTextRise':
				return this.#set({ rise: first! });
			case 'setLeadingMoveText':
				this.#set({ leading: -second! });
				return this.#begin(moved(this.#line, first!, second!));
			case 'moveText':
				return this.#begin(moved(this.#line, first!, second!));
			case 'nextLine':
				return this.#begin(moved(this.#line, 0, -this.#state.leading));
			case 'showText':
				return this.#show(operands[0] as ReadonlyArray<Glyph | number>);
			case 'beginAnnotation':
			case 'endAnnotation':
				return;
			default:
				return name satisfies never;
		}
	}

	#set(change: Partial<State>): void {
		this.#state = { ...this.#state, ...change };
	}

	#begin(line: Matrix): void {
		this.#line = line;
		this.#next = line;
	}

	#show(glyphs: ReadonlyArray<Glyph | number>): void {
		const { fontName, fontSize, charSpacing, wordSpacing, horizontalScale } = this.#state;
		const unit = this.unitOf(fontName);
		for (const glyph of glyphs) {
			if (typeof glyph === 'number') {
				this.#advance((-glyph / 1000) * fontSize * horizontalScale);
				continue;
			}
			const width = glyph.width * unit * fontSize * horizontalScale;
			if (glyph.unicode.trim() !== '') this.#draw(glyph.unicode, width);
			this.#advance(width + (charSpacing + (glyph.isSpace ? wordSpacing : 0)) * horizontalScale);
		}
	}

	#advance(distance: number): void {
		this.#next = moved(this.#next, distance, 0);
	}

	/** Joins what reads on from the glyph before, however the file cuts its strings. */
	#draw(str: string, advance: number): void {
		const { toPage, fontSize, horizontalScale, rise } = this.#state;
		const transform = times(times(toPage, this.#next), [fontSize * horizontalScale, 0, 0, fontSize, 0, rise]);
		const [a, b, c, d, e, f] = transform;
		const em = Math.hypot(c, d);
		if (!(em > 0)) return;
		const width = Math.abs(advance) * (Math.hypot(a, b) / Math.abs(fontSize * horizontalScale));
		const last = this.texts.at(-1);
		const same =
			last !== undefined && last.transform.every((entry, at) => at > 3 || Math.abs(entry - transform[at]!) < em / 100);
		if (same) {
			const [x, y] = [e - last.transform[4], f - last.transform[5]];
			const scale = Math.hypot(a, b);
			const along = (x * a + y * b) / scale;
			const across = (x * b - y * a) / scale;
			const gap = along - last.width;
			if (Math.abs(across) < em / 5 && gap > -em / 2 && gap < apart * em) {
				const blank = gap > wordGap * em ? ' ' : '';
				this.texts[this.texts.length - 1] = { ...last, str: last.str + blank + str, width: along + width };
				return;
			}
		}
		this.texts.push({ str, width, height: em, transform });
	}
}

const identity: Matrix = [1, 0, 0, 1, 0, 0];

/** The matrix that applies `inner` first. */
function times(outer: Matrix, inner: Matrix): Matrix {
	const [a, b, c, d, e, f] = outer;
	return [
		a * inner[0] + c * inner[1],
		b * inner[0] + d * inner[1],
		a * inner[2] + c * inner[3],
		b * inner[2] + d * inner[3],
		a * inner[4] + c * inner[5] + e,
		b * inner[4] + d * inner[5] + f,
	];
}

function moved(matrix: Matrix, x: number, y: number): Matrix {
	return times(matrix, [1, 0, 0, 1, x, y]);
}
