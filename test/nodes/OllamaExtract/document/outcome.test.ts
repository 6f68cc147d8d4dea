import { extract } from '../../../../nodes/OllamaExtract/extract';
import { nameOf } from '../../../../nodes/OllamaExtract/model/schema';

test.each([
	['totals.gross', 'total with tax'],
	['lines.2.unitPrice', 'line 3, unit price'],
	['lines.0', 'line 1'],
	['taxes.0.base', 'taxes.0.base'],
])('the path %s is called %p', (path, name) => {
	expect(nameOf(path)).toBe(name);
});

const devis = (total: string, gross: string) =>
	[
		'Devis n° 884          Date : 04/05/2026',
		'Client : Mme Inès Vidal',
		'',
		'Désignation                Qté      PU HT      Total HT',
		'Pose de radiateur          2        150,00     300,00',
		`Purge du circuit           1        80,00      ${total}`,
		'',
		'Total HT 380,00 €',
		'TVA 10 % 38,00 €',
		`Total TTC ${gross} €`,
	].join('\n');

describe('every reason names its field and its line in the words of a person', () => {
	test.each([
		['a total that is false', devis('80,00', '428,00'), /^Total with tax is printed as 428\.00/],
		['a line that is false', devis('90,00', '418,00'), /^Line 2, total is printed as 90\.00/],
	])('%s', async (_, text, message) => {
		const { reasons } = await extract({ text }, { schema: 'devis', engine: 'without-model' });
		expect(reasons.map((reason) => reason.message)).toContainEqual(expect.stringMatching(message));
		for (const reason of reasons) expect(reason.message).not.toMatch(/lines\.\d|totals\.|unitPrice|vatRate/);
	});

	test('a value that the model read for a line', async () => {
		const line = { desc: 'Purge du circuit', qty: '1', price: '999,00', total: '80,00' };
		const { reasons } = await extract(
			{ text: devis('80,00', '418,00') },
			{
				schema: 'devis',
				engine: 'model-only',
				chat: () =>
					Promise.resolve({ text: JSON.stringify({ lines: [line] }), promptTokens: 1, replyTokens: 1, durationMs: 1 }),
			},
		);
		expect(reasons).toContainEqual(
			expect.objectContaining({
				path: 'lines.0.unitPrice',
				message: expect.stringMatching(/^The model read line 1, unit price as "999,00"/),
			}),
		);
	});
});
