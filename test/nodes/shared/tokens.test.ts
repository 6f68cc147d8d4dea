import fc from 'fast-check';
import { getEncoding } from 'js-tiktoken';
import { estimateTokens } from '../../../nodes/shared/tokens';
import { printedDevis } from '../../support/devis';

test('the estimate is never below what common tokenizers count', () => {
	const encodings = (['cl100k_base', 'o200k_base', 'p50k_base'] as const).map((name) => getEncoding(name));
	const text = fc.oneof(
		printedDevis.map((devis) => devis.text),
		fc.string({
			unit: fc.constantFrom(..."aàéœßÜñxyz ABC 0123456789 ,.;:|-_/%€$()[]{}<>\n\t'’«»°²№".split('')),
			maxLength: 300,
		}),
		fc.string({ unit: 'grapheme', maxLength: 100 }),
	);
	fc.assert(
		fc.property(text, (sample) => {
			const estimate = estimateTokens(sample);
			for (const encoding of encodings) expect(encoding.encode(sample).length).toBeLessThanOrEqual(estimate);
		}),
		{ numRuns: 300 },
	);
});
