import fc from 'fast-check';

import type { Run } from '../../../../nodes/OllamaExtract/pdf/pdf';
import { rowsOf } from '../../../../nodes/OllamaExtract/rows/layout';
import { packedRows, unpackedRows } from '../../../../nodes/OllamaExtract/rows/packed';

const page = (number: number, runs: readonly Run[]) => ({ number, width: 595, height: 842, runs });
/** Words of any script, parted by what a PDF may hold as white space: no-break spaces, line and page breaks, tabs. */
const texts = fc
	.array(
		fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(' ', '\u00a0', '\u202f', '\n', '\f', '\u2028', '12,50')),
	)
	.map((parts) => parts.join(''))
	.filter((text) => text.trim() !== '');
const runs = fc.record<Run>({
	text: texts,
	box: fc
		.tuple(
			fc.double({ min: 0, max: 500, noNaN: true }),
			fc.integer({ min: 0, max: 80 }),
			fc.double({ min: 0, max: 90, noNaN: true }),
		)
		.map(([left, line, width]) => [left, line * 10, left + width, line * 10 + 8] as const),
	fontSize: fc.constantFrom(0, 8, 10.5),
	from: fc.constant('text'),
});

test('rows that were packed, sent and unpacked are the rows that they were', () => {
	fc.assert(
		fc.property(fc.integer({ min: 1, max: 500 }), fc.array(runs), (number, drawn) => {
			const rows = rowsOf(page(number, drawn));
			expect(unpackedRows(structuredClone(packedRows(rows)))).toEqual(rows);
		}),
	);
});

test('a page without text has no rows', () => {
	expect(unpackedRows(packedRows([]))).toEqual([]);
});
