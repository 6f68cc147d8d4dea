import fc from 'fast-check';
import {
	extract,
	type Chat,
	type CommercialDocument,
	type ExtractResult,
} from '../../../../nodes/OllamaExtract/extract';
import { valueAt } from '../../../../nodes/OllamaExtract/document/leaf';
import { headerFields } from '../../../../nodes/OllamaExtract/model/schema';
import { closeIdleReaders } from '../../../../nodes/OllamaExtract/pdf/pdfPool';
import { families, makeDocument } from '../../../support/documents';

afterAll(closeIdleReaders);

const saying =
	(answer: object): Chat =>
	() =>
		Promise.resolve({ text: JSON.stringify(answer), promptTokens: 1, replyTokens: 1, durationMs: 1 });

/** What becomes of a model's answer on a devis whose page leaves open what is asked. */
const read = (head: readonly string[], answer: object): Promise<ExtractResult<CommercialDocument>> =>
	extract(
		{
			text: [
				...head,
				'',
				'Désignation                Qté      PU HT      Total HT',
				'Pose de radiateur          2        150,00     300,00',
				'Purge du circuit           1        80,00      80,00',
				'',
				'Total HT 380,00 €',
				'TVA 10 % 38,00 €',
				'Total TTC 418,00 €',
			].join('\n'),
		},
		{ schema: 'devis', engine: 'automatic', chat: saying(answer) },
	);

const seller = ['Chauffage Dumas SARL', '5 rue du Four, 15000 Aurillac', 'SIRET 409 409 409 00012', ''];
const undated = [...seller, 'Client : Mme Inès Vidal', '', 'Devis n° 884'];

describe('a place that is another field is refused', () => {
	test.each([
		['a delivery', 'Livraison souhaitée le 20/05/2026'],
		['a visit', 'Visite du 20/05/2026'],
		['a request', 'Suite à votre demande du 20/05/2026'],
	])('the date of %s', async (_, row) => {
		const { data, verdict, reasons } = await read([...undated, row], { date: '20/05/2026' });
		expect([data.date, verdict]).toEqual([null, 'review']);
		expect(reasons.map(({ path }) => path)).toContain('date');
	});

	test.each(['15000', '409 409 409 00012', '00012'])('%s is no number of a devis', async (number) => {
		const { data, verdict } = await read([...seller, 'Client : Mme Inès Vidal', '', 'Devis', 'Date : 04/05/2026'], {
			number,
		});
		expect([data.number, verdict]).toEqual([null, 'review']);
	});

	test.each(['15000 Aurillac', 'Aurillac', 'SIRET', 'Luigi Costa'])('%s is no buyer', async (buyer) => {
		const head = [...seller, 'Votre interlocuteur : Luigi Costa', '', 'Devis n° 884', 'Date : 04/05/2026'];
		const { data, verdict } = await read(head, { buyer });
		expect([data.buyer.name, verdict]).toEqual([null, 'review']);
	});

	test("the seller's employee has not the buyer's e-mail address", async () => {
		const head = [
			...seller,
			'Votre interlocuteur : Luigi Costa',
			'luigi.costa@dumas.example',
			'',
			'Devis n° 884',
			'Date : 04/05/2026',
		];
		const { data, verdict } = await read(head, { buyer: null, buyerEmail: 'luigi.costa@dumas.example' });
		expect([data.buyer.email, verdict]).toEqual([null, 'review']);
	});
});

test('a value that nothing on the page calls so is kept, and a person is told what to compare', async () => {
	const head = [...seller, 'Villa Médicis SCI', '', 'Devis n° 884', 'Date : 04/05/2026'];
	const { data, verdict, reasons } = await read(head, { buyer: 'Villa Médicis SCI' });
	expect([data.buyer.name, verdict]).toEqual(['Villa Médicis SCI', 'review']);
	expect(reasons).toContainEqual({
		code: 'model-chosen',
		path: 'buyer.name',
		message: expect.stringMatching(/"Villa Médicis SCI" for the name of the buyer.*Compare it with the document/),
	});
});

test('a model that lies never makes a document complete with a wrong header value', async () => {
	const made = await Promise.all(families.map((family) => makeDocument(family, 3)));
	const honest = await Promise.all(
		made.map(({ bytes, kind }) => extract({ bytes }, { schema: kind, engine: 'without-model' })),
	);
	// What stands on these pages, whatever it is: the quotes of all values that were read, and what people say.
	const things = honest.map(({ fields }) =>
		fields.flatMap(({ place, value }) =>
			place !== null && place !== 'model-only' && typeof value === 'string' ? [place.quote, value] : [],
		),
	);
	let complete = 0;
	await fc.assert(
		fc.asyncProperty(
			fc.nat(made.length - 1),
			fc.infiniteStream(fc.nat()),
			fc.constantFrom('automatic' as const, 'model-only' as const),
			async (at, choices, engine) => {
				const { bytes, kind, truth } = made[at]!;
				const next = () => choices.next().value!;
				const lie = Object.fromEntries(
					headerFields.map(({ key, path }) => [
						key,
						next() % 4 === 0 ? things[at]![next() % things[at]!.length]! : valueAt(truth, path),
					]),
				);
				const lines = truth.lines.map((line) => ({
					desc: line.description,
					qty: line.quantity,
					price: line.unitPrice,
					vat: line.vatRate,
					total: line.total,
				}));
				const { data, verdict } = await extract(
					{ bytes },
					{ schema: kind, engine, chat: saying({ ...lie, lines }), maxCalls: 1 },
				).catch(() => ({ data: null, verdict: 'failed' }));
				if (data === null || verdict !== 'complete') return;
				complete++;
				for (const { path } of headerFields) {
					const value = valueAt(data, path);
					// What the page proves by itself is no model's doing: an end that it derives from a period.
					const allowed = [null, valueAt(truth, path), valueAt(honest[at]!.data, path)];
					expect([path, allowed]).toEqual([path, expect.arrayContaining([value])]);
				}
			},
		),
		{ numRuns: 120 },
	);
	expect(complete).toBeGreaterThan(0);
}, 120_000);
