import Big from 'big.js';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkDocument } from '../../../nodes/OllamaExtract/document/checks';
import { readEInvoice } from '../../../nodes/OllamaExtract/einvoice';
import { closeIdleReaders, readPdfInProcess } from '../../../nodes/OllamaExtract/pdf/pdfPool';

const attachment = (xml: string | Uint8Array, name = 'factur-x.xml') => [
	{ name, bytes: typeof xml === 'string' ? Buffer.from(xml) : xml },
];

const namespaces =
	'xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" ' +
	'xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100" ' +
	'xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"';

const invoice = `<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice ${namespaces}>
 <rsm:ExchangedDocumentContext><ram:GuidelineSpecifiedDocumentContextParameter><ram:ID>urn:cen.eu:en16931:2017</ram:ID></ram:GuidelineSpecifiedDocumentContextParameter></rsm:ExchangedDocumentContext>
 <rsm:ExchangedDocument><ram:ID>F-7 &amp; B</ram:ID><ram:IssueDateTime><udt:DateTimeString format="102">20260301</udt:DateTimeString></ram:IssueDateTime></rsm:ExchangedDocument>
 <rsm:SupplyChainTradeTransaction>
  <ram:IncludedSupplyChainTradeLineItem>
   <ram:AssociatedDocumentLineDocument><ram:LineID>1</ram:LineID></ram:AssociatedDocumentLineDocument>
   <ram:SpecifiedTradeProduct><ram:Name>Dépose &#233;lectrique</ram:Name></ram:SpecifiedTradeProduct>
   <ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice><ram:ChargeAmount>60.0000</ram:ChargeAmount><ram:BasisQuantity unitCode="C62">2.0000</ram:BasisQuantity></ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement>
   <ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="C62">4.0000</ram:BilledQuantity></ram:SpecifiedLineTradeDelivery>
   <ram:SpecifiedLineTradeSettlement><ram:ApplicableTradeTax><ram:RateApplicablePercent>20.00</ram:RateApplicablePercent></ram:ApplicableTradeTax>
    <ram:SpecifiedTradeAllowanceCharge><ram:ChargeIndicator><udt:Indicator>false</udt:Indicator></ram:ChargeIndicator><ram:ActualAmount>20.00</ram:ActualAmount></ram:SpecifiedTradeAllowanceCharge>
    <ram:SpecifiedTradeSettlementLineMonetarySummation><ram:LineTotalAmount>100.00</ram:LineTotalAmount></ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>
  </ram:IncludedSupplyChainTradeLineItem>
  <ram:ApplicableHeaderTradeAgreement>
   <ram:SellerTradeParty><ram:Name>Atelier Nord</ram:Name><ram:SpecifiedLegalOrganization><ram:ID schemeID="0002">12345678200010</ram:ID></ram:SpecifiedLegalOrganization><ram:SpecifiedTaxRegistration><ram:ID schemeID="FC">201/113</ram:ID></ram:SpecifiedTaxRegistration><ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">FR11123456782</ram:ID></ram:SpecifiedTaxRegistration></ram:SellerTradeParty>
   <ram:BuyerTradeParty><ram:Name>Mme Roy</ram:Name></ram:BuyerTradeParty>
  </ram:ApplicableHeaderTradeAgreement>
  <ram:ApplicableHeaderTradeSettlement>
   <ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>
   <ram:ApplicableTradeTax><ram:CalculatedAmount>20.00</ram:CalculatedAmount><ram:BasisAmount>100.00</ram:BasisAmount><ram:RateApplicablePercent>20.00</ram:RateApplicablePercent></ram:ApplicableTradeTax>
   <ram:SpecifiedTradeSettlementHeaderMonetarySummation><ram:TaxBasisTotalAmount>100.00</ram:TaxBasisTotalAmount><ram:TaxTotalAmount currencyID="USD">21.5</ram:TaxTotalAmount><ram:TaxTotalAmount currencyID="EUR">20.00</ram:TaxTotalAmount><ram:GrandTotalAmount>120.00</ram:GrandTotalAmount></ram:SpecifiedTradeSettlementHeaderMonetarySummation>
  </ram:ApplicableHeaderTradeSettlement>
 </rsm:SupplyChainTradeTransaction>
</rsm:CrossIndustryInvoice>`;

test('a cross industry invoice gives data, the figures of its arithmetic, and the element of each value', () => {
	const { eInvoice, warnings } = readEInvoice(attachment(invoice));
	expect(warnings).toEqual([]);
	expect(eInvoice?.data).toEqual({
		number: 'F-7 & B',
		date: '2026-03-01',
		validUntil: null,
		currency: 'EUR',
		seller: { name: 'Atelier Nord', vat: 'FR11123456782', siret: '12345678200010' },
		buyer: { name: 'Mme Roy', email: null },
		lines: [
			{
				description: 'Dépose électrique',
				quantity: '4',
				unit: 'C62',
				unitPrice: '60.00',
				vatRate: '20',
				total: '100.00',
			},
		],
		totals: { net: '100.00', tax: '20.00', gross: '120.00' },
	});
	expect(eInvoice?.figures.lines).toEqual([{ adjustments: ['-20'], priceQuantity: '2', counted: true }]);
	expect(eInvoice?.elements.get('lines.0.unitPrice')).toEqual({
		element:
			'CrossIndustryInvoice/SupplyChainTradeTransaction/IncludedSupplyChainTradeLineItem' +
			'/SpecifiedLineTradeAgreement/NetPriceProductTradePrice/ChargeAmount',
		quote: '60.0000',
	});
	expect(checkDocument(eInvoice!.data, eInvoice!.figures).filter(({ ok }) => !ok)).toEqual([]);
});

test('a service charge that is no amount has no part in the arithmetic', () => {
	const charged = (amount: string) =>
		invoice.replace(
			'<ram:InvoiceCurrencyCode>',
			`<ram:SpecifiedLogisticsServiceCharge><ram:AppliedAmount>${amount}</ram:AppliedAmount></ram:SpecifiedLogisticsServiceCharge><ram:InvoiceCurrencyCode>`,
		);
	const adjustmentsWith = (amount: string) => readEInvoice(attachment(charged(amount))).eInvoice?.figures.adjustments;
	expect(adjustmentsWith('12.50')).toEqual(['12.50']);
	for (const broken of ['12,50', 'offert', '1e3', '']) expect(adjustmentsWith(broken)).toEqual([]);
});

test.each(['20260231', '20260631', '20261301', '20260229', '00000000'])('%s is no date', (day) => {
	const { eInvoice } = readEInvoice(attachment(invoice.replace('20260301', day)));
	expect([eInvoice?.data.date, eInvoice?.elements.has('date')]).toEqual([null, false]);
});

test('prefixes are free: the namespace decides', () => {
	const renamed = invoice.replaceAll('rsm:', 'a:').replaceAll('xmlns:rsm', 'xmlns:a').replaceAll('ram:', 'b:');
	expect(readEInvoice(attachment(renamed)).eInvoice?.data.number).toBe('F-7 & B');
	const foreign = invoice.replace('standard:CrossIndustryInvoice:100', 'standard:Other:100');
	expect(readEInvoice(attachment(foreign))).toMatchObject({
		eInvoice: null,
		warnings: [expect.stringContaining('unknown namespace')],
	});
});

test('an e-invoice under an unusual name is known by its content', () => {
	expect(readEInvoice(attachment(invoice, 'daten.bin')).eInvoice?.attachment).toBe('daten.bin');
	expect(readEInvoice(attachment('<notes/>', 'notes.xml'))).toEqual({ eInvoice: null, warnings: [] });
});

test.each([
	['cut off', invoice.slice(0, 900)],
	['no XML', 'facture'],
	['an entity bomb', invoice.replace('<rsm:', '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><rsm:')],
	['too deep', `${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`],
	['another kind', '<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>'],
	['unknown encoding', invoice.replace('UTF-8', 'klingon')],
])('broken XML (%s) is a warning that says why, and no e-invoice', (_, xml) => {
	expect(readEInvoice(attachment(xml))).toEqual({
		eInvoice: null,
		warnings: [
			expect.stringMatching(
				/^The e-invoice "factur-x.xml" in this PDF was not used: .+\. The page was read instead\.$/,
			),
		],
	});
});

test('a second, sound attachment stands in for a broken one', () => {
	const { eInvoice, warnings } = readEInvoice([...attachment('<broken'), ...attachment(invoice, 'order-x.xml')]);
	expect(eInvoice?.data.number).toBe('F-7 & B');
	expect(warnings).toHaveLength(1);
});

afterAll(closeIdleReaders);

describe('the e-invoices of the corpus', () => {
	const corpus = join(__dirname, '..', '..', '..', '..', 'shared', 'corpus', 'pdf');
	if (!existsSync(corpus)) {
		test.skip('skipped: ../shared/corpus/pdf is not here', () => undefined);
		return;
	}
	interface Truth {
		number: string;
		date: string;
		currency: string;
		seller: { name: string; vat: string | null };
		buyer: { name: string };
		lines: Array<Record<'name' | 'qty' | 'unit' | 'unit_price_net' | 'vat_rate' | 'line_total', string | null>>;
		totals: Record<'ht' | 'tva' | 'ttc', string | null>;
	}
	const { entries } = JSON.parse(readFileSync(join(corpus, 'manifest.json'), 'utf8')) as {
		entries: { facturx: Array<{ file: string; ground_truth: Truth }> };
	};
	const decimal = (value: string | null | undefined) => (value == null ? null : new Big(value).toFixed());
	const words = (text: string | null) => text?.replace(/\s+/g, ' ').trim() ?? null;

	test.each(entries.facturx.map(({ file, ground_truth }) => [file, ground_truth] as const))(
		'%s is read exactly, and its arithmetic holds',
		async (file, truth) => {
			const { attachments } = await readPdfInProcess(readFileSync(join(corpus, file)), { timeoutMs: 60_000 });
			const { eInvoice, warnings } = readEInvoice(attachments);
			expect(warnings).toEqual([]);
			const { data, figures } = eInvoice!;
			expect({
				...data,
				lines: data.lines.map((line) => [
					line.description,
					decimal(line.quantity),
					line.unit,
					decimal(line.unitPrice),
					decimal(line.vatRate),
					decimal(line.total),
				]),
				totals: Object.values(data.totals).map(decimal),
			}).toMatchObject({
				number: truth.number,
				date: truth.date,
				currency: truth.currency,
				seller: { name: words(truth.seller.name), vat: truth.seller.vat },
				buyer: { name: words(truth.buyer.name) },
				lines: truth.lines
					.filter(({ name, line_total }) => name !== null || line_total !== null)
					.map((line) => [
						words(line.name),
						decimal(line.qty),
						line.unit,
						decimal(line.unit_price_net),
						decimal(line.vat_rate),
						decimal(line.line_total),
					]),
				totals: [truth.totals.ht, truth.totals.tva, truth.totals.ttc].map(decimal),
			});
			expect(checkDocument(data, figures).filter(({ ok }) => !ok)).toEqual([]);
		},
	);
});
