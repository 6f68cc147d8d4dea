import { setAt, valueAt } from '../../../../nodes/OllamaExtract/document/leaf';
import { emptyDocument, headerFields } from '../../../../nodes/OllamaExtract/model/schema';

test('what is put at a path of the header is found there, and nowhere else', () => {
	for (const { path } of headerFields) {
		const data = emptyDocument();
		setAt(data, path, '7');
		expect(headerFields.filter((other) => valueAt(data, other.path) !== null)).toEqual([
			expect.objectContaining({ path }),
		]);
	}
});
