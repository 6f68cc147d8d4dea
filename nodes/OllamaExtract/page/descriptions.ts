import { type Found, foundIn, letterWidth } from './found';
import type { Box } from '../result';
import type { Cell } from '../rows/layout';
import type { TableLine } from './tableLine';

/** Where the words of a description stand beside the figures of their line; null without boxes. */
function levels({ values }: TableLine, described: Cell | undefined) {
	const figures = [values.total, values.unitPrice, values.quantity]
		.map((found) => boxOf(found?.place))
		.filter((box) => box !== undefined);
	const [figure] = figures.toSorted((a, b) => a[1] - b[1]);
	const from = values.description?.value.split(' ', 1)[0] ?? '';
	if (described === undefined || figure === undefined) return null;
	const words = described.words.filter(({ start }) => start >= described.text.indexOf(from));
	const slack = 0.3 * (figure[3] - figure[1]);
	const above = words.filter(({ place }) => (boxOf(place)?.[3] ?? Infinity) <= figure[1] + slack);
	const below = words.filter(({ place }) => (boxOf(place)?.[1] ?? -Infinity) >= figure[3] - slack);
	const level = words.filter((word) => !above.includes(word) && !below.includes(word));
	return { top: figure[1], above, level, below };
}

function boxOf(place: Found['place'] | undefined): Box | undefined {
	return place !== undefined && 'box' in place ? place.box : undefined;
}

/**
 * A title in the column of descriptions is no part of the description below it: where rows begin level with their
 * figures, as other rows of two lines show, or where it is in capitals and stands as far above as a row of its own.
 */
export function withoutTitles(lines: readonly TableLine[], described: ReadonlyArray<Cell | undefined>): TableLine[] {
	const set = lines.map((line, index) => levels(line, described[index]));
	const single = set.flatMap((one, index) => {
		const next = set[index + 1];
		const plain = one?.above.length === 0 && one.below.length === 0 && next?.above.length === 0;
		return plain && next.top > one.top ? [next.top - one.top] : [];
	});
	const pitch = Math.min(...single);
	const isTitled = (one: (typeof set)[number]) => one !== null && one.above.length > 0 && one.level.length > 0;
	const beginsLevel =
		set.some((one) => one?.above.length === 0 && one.below.length > 0) &&
		set.every((one) => one === null || one.above.length === 0 || one.level.length > 0) &&
		set.filter(isTitled).length < set.filter((one) => one?.above.length === 0 && one.below.length > 0).length;
	return lines.map((line, index) => {
		const [one, cell] = [set[index] ?? null, described[index]];
		const [title, first] = [one?.above[0], one?.level[0]];
		const [titleBox, box] = [boxOf(title?.place), boxOf(first?.place)];
		if (one === null || cell === undefined || first === undefined || titleBox === undefined || box === undefined)
			return line;
		const text = one.above.map((word) => word.text).join(' ');
		const capitals = /\p{Lu}{2}/u.test(text) && !/\p{Ll}/u.test(text) && /\p{Ll}{2}/u.test(cell.text);
		const last = boxOf(one.above.at(-1)?.place) ?? titleBox;
		const apart = box[1] - last[1] >= 0.9 * pitch;
		// Lines of one text stand closer together than rows that have white between them.
		const white = box[1] - last[1] >= 1.4 * (box[3] - box[1]) && last[1] - titleBox[1] < 0.3 * (box[3] - box[1]);
		if (!beginsLevel && !(apart && (capitals || white))) return line;
		const rest = cell.text.slice(first.start).trim();
		const description = foundIn(cell, first.start, cell.text.length, rest);
		return { ...line, values: { ...line.values, description } };
	});
}

/**
 * A code that fills its column and so runs into the description is no part of it: the description begins where those
 * of the other lines begin, which have no code in theirs.
 */
export function withoutReferences(
	lines: readonly TableLine[],
	described: ReadonlyArray<Cell | undefined>,
): TableLine[] {
	const begins = lines.map(({ values }) => boxOf(values.description?.place)?.[0]);
	const most = Math.max(...begins.map((left) => left ?? -Infinity));
	return lines.map((line, index) => {
		const [cell, left] = [described[index], begins[index]];
		if (cell === undefined || left === undefined || most - left < letterWidth(cell)) return line;
		const at = cell.words.findIndex(({ place }) => Math.abs((boxOf(place)?.[0] ?? 0) - most) <= letterWidth(cell) / 2);
		const word = cell.words[at];
		const code = cell.words[0]?.text ?? '';
		if (at !== 1 || word === undefined || !/\d/.test(code) || /\p{Ll}/u.test(code)) return line;
		const rest = cell.text.slice(word.start).trim();
		return { ...line, values: { ...line.values, description: foundIn(cell, word.start, cell.text.length, rest) } };
	});
}

/** `1 Dépose`, `2 Pose`: what counts the lines from the first to the last is their position, not their text. */
export function withoutPositions(lines: readonly TableLine[], described: ReadonlyArray<Cell | undefined>): TableLine[] {
	const counted = lines.map(({ values }) => /^(\d{1,3})[.)]? +(?=\S)/.exec(values.description?.value ?? ''));
	const all = counted.every((match, index) => match !== null && Number(match[1]) === index + 1);
	if (lines.length < 2 || !all) return [...lines];
	return lines.map((line, index) => {
		const [text, cell] = [line.values.description?.value ?? '', described[index]];
		const rest = text.slice(counted[index]?.[0].length ?? 0);
		if (cell === undefined || !cell.text.includes(rest)) return line;
		const start = cell.text.indexOf(rest);
		const description = foundIn(cell, start, start + rest.length, rest);
		return { ...line, position: line.position ?? String(index + 1), values: { ...line.values, description } };
	});
}
