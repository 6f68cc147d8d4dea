import { extract, type Chat } from '../../../nodes/OllamaExtract/extract';
import { closeIdleReaders } from '../../../nodes/OllamaExtract/pdfPool';

afterAll(closeIdleReaders);

/** A chat that gives these answers in turn, and keeps what it was asked. */
function scripted(...answers: Array<object | string>) {
	const asked: Array<Parameters<Chat>[0]> = [];
	const chat: Chat = (request) => {
		asked.push(request);
		const answer = answers[Math.min(asked.length, answers.length) - 1]!;
		const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
		return Promise.resolve({ text, promptTokens: 100, replyTokens: 50, durationMs: 5 });
	};
	return { chat, asked };
}

const devis = `Menuiserie Valmont                      Client
12 rue des Lilas                        Mme Roy
SIRET 123 456 782 00010                 roy@example.org
TVA FR 11 123456782

DEVIS n° D-2026-014                     Date : 22/11/2026

Désignation                 Qté    P.U. HT    TVA     Total HT
Porte en chêne massif       2      450,00     20 %    900,00
Pose et réglage             3,5    60,00      10 %    210,00

Total HT      1 110,00 €
TVA           201,00 €
Total TTC     1 311,00 €
`;

const answer = {
	number: 'D-2026-014',
	date: '22/11/2026',
	validUntil: null,
	currency: '€',
	seller: 'Menuiserie Valmont',
	sellerVat: 'FR11123456782',
	sellerSiret: '12345678200010',
	buyer: 'Mme Roy',
	buyerEmail: 'roy@example.org',
	net: '1110.00',
	tax: '201,00',
	gross: '1 311,00 €',
	lines: [
		{ desc: 'Porte en chêne massif', qty: '2', unit: null, price: '450,00', vat: '20 %', total: '900,00' },
		{ desc: 'Pose et réglage', qty: '3,5', unit: null, price: '60,00', vat: '10 %', total: '210,00' },
	],
};

test('a text becomes data through the model, each value with its offset and quote', async () => {
	const { chat, asked } = scripted(answer);
	const { data, fields, verdict, reasons, usage } = await extract({ text: devis }, { schema: 'devis', engine: 'model-only', chat });
	expect(data).toEqual({
		number: 'D-2026-014',
		date: '2026-11-22',
		validUntil: null,
		currency: 'EUR',
		seller: { name: 'Menuiserie Valmont', vat: 'FR11123456782', siret: '12345678200010' },
		buyer: { name: 'Mme Roy', email: 'roy@example.org' },
		lines: [
			{ description: 'Porte en chêne massif', quantity: '2', unit: null, unitPrice: '450.00', vatRate: '20', total: '900.00' },
			{ description: 'Pose et réglage', quantity: '3.5', unit: null, unitPrice: '60.00', vatRate: '10', total: '210.00' },
		],
		totals: { net: '1110.00', tax: '201.00', gross: '1311.00' },
	});
	expect({ verdict, reasons }).toEqual({ verdict: 'complete', reasons: [] });
	expect(asked).toHaveLength(1);
	expect(usage).toEqual({ model: 'qwen2.5-coder:3b-instruct', calls: 1, promptTokens: 100, replyTokens: 50, modelDurationMs: 5 });
	for (const { value, place } of fields) {
		if (value === null) continue;
		expect(place).toEqual({ offset: expect.any(Number), quote: expect.any(String) });
		if (place !== null && place !== 'model-only' && 'offset' in place) {
			expect(devis.slice(place.offset, place.offset + place.quote.length)).toBe(place.quote);
		}
	}
});
