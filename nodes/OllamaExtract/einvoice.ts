import Big from 'big.js';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { excerpt } from '../shared/http';
import type { Figures } from './document/checks';
import { isoDay } from './page/numbers';
import type { CommercialDocument, DocumentLine } from './result';
import { emptyDocument } from './model/schema';

export interface EInvoice {
	readonly standard: string;
	readonly profile: string;
	/** Name of the attachment that holds the XML. */
	readonly attachment: string;
	readonly data: CommercialDocument;
	readonly figures: Figures;
	/** By path of a value in `data`: the path of its element and the element's text. */
	readonly elements: ReadonlyMap<string, { readonly element: string; readonly quote: string }>;
}

/**
 * Reads the e-invoice among a PDF's attachments: Factur-X and ZUGFeRD 2 (UN/CEFACT Cross Industry Invoice D16B),
 * ZUGFeRD 1, Order-X. The attachment is known by its name, else by its content. Null when there is none; a broken one
 * becomes a warning and the next is tried.
 */
export function readEInvoice(attachments: ReadonlyArray<{ readonly name: string; readonly bytes: Uint8Array }>): {
	readonly eInvoice: EInvoice | null;
	readonly warnings: readonly string[];
} {
	const warnings: string[] = [];
	const byName = attachments.filter(({ name }) => usualNames.includes(baseName(name)));
	const others = attachments.filter((one) => !byName.includes(one) && looksLikeCrossIndustry(one.bytes));
	for (const { name, bytes } of [...byName, ...others]) {
		try {
			return { eInvoice: readCrossIndustry(name, bytes), warnings };
		} catch (error) {
			if (!(error instanceof UnreadableXml)) throw error;
			warnings.push(
				`The e-invoice "${baseName(name)}" in this PDF was not used: ${error.message}. The page was read instead.`,
			);
		}
	}
	return { eInvoice: null, warnings };
}

class UnreadableXml extends Error {}

interface Dialect {
	readonly standard: (profile: string) => string;
	readonly namespace: RegExp;
	readonly context: string;
	readonly header: string;
	readonly transaction: string;
	readonly agreement: string;
	readonly settlement: string;
	readonly summation: string;
	readonly lineAgreement: string;
	readonly lineDelivery: string;
	readonly lineSettlement: string;
	readonly lineSummation: string;
	readonly quantity: string;
	readonly currency: string;
}

const modern = {
	context: 'ExchangedDocumentContext',
	header: 'ExchangedDocument',
	transaction: 'SupplyChainTradeTransaction',
	agreement: 'ApplicableHeaderTradeAgreement',
	settlement: 'ApplicableHeaderTradeSettlement',
	summation: 'SpecifiedTradeSettlementHeaderMonetarySummation',
	lineAgreement: 'SpecifiedLineTradeAgreement',
	lineDelivery: 'SpecifiedLineTradeDelivery',
	lineSettlement: 'SpecifiedLineTradeSettlement',
	lineSummation: 'SpecifiedTradeSettlementLineMonetarySummation',
};
const dialects: Readonly<Record<string, Dialect>> = {
	CrossIndustryInvoice: {
		...modern,
		standard: (profile) =>
			/zugferd/i.test(profile) ? 'ZUGFeRD 2' : /xrechnung|xeinkauf/i.test(profile) ? 'XRechnung' : 'Factur-X',
		namespace: /^urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:/,
		quantity: 'BilledQuantity',
		currency: 'InvoiceCurrencyCode',
	},
	SCRDMCCBDACIOMessageStructure: {
		...modern,
		standard: () => 'Order-X',
		namespace: /^urn:un:unece:uncefact:data:SCRDMCCBDACIOMessageStructure:/,
		quantity: 'RequestedQuantity',
		currency: 'OrderCurrencyCode',
	},
	CrossIndustryDocument: {
		standard: () => 'ZUGFeRD 1',
		namespace: /^urn:ferd:CrossIndustryDocument:/,
		context: 'SpecifiedExchangedDocumentContext',
		header: 'HeaderExchangedDocument',
		transaction: 'SpecifiedSupplyChainTradeTransaction',
		agreement: 'ApplicableSupplyChainTradeAgreement',
		settlement: 'ApplicableSupplyChainTradeSettlement',
		summation: 'SpecifiedTradeSettlementMonetarySummation',
		lineAgreement: 'SpecifiedSupplyChainTradeAgreement',
		lineDelivery: 'SpecifiedSupplyChainTradeDelivery',
		lineSettlement: 'SpecifiedSupplyChainTradeSettlement',
		lineSummation: 'SpecifiedTradeSettlementMonetarySummation',
		quantity: 'BilledQuantity',
		currency: 'InvoiceCurrencyCode',
	},
};
const usualNames = ['factur-x.xml', 'zugferd-invoice.xml', 'xrechnung.xml', 'order-x.xml', 'cii.xml'];
const maxBytes = 10 * 1024 * 1024;
const maxDepth = 40;

/** An element with its path; absent children are elements without a value, so that paths can be walked freely. */
class Element {
	constructor(
		private readonly node: unknown,
		readonly path: string,
	) {}

	all(name: string): Element[] {
		const child = isRecord(this.node) ? this.node[name] : undefined;
		const children: unknown[] = child === undefined ? [] : Array.isArray(child) ? child : [child];
		return children.map(
			(one, at) => new Element(one, `${this.path}/${name}${children.length > 1 ? `[${at + 1}]` : ''}`),
		);
	}

	at(...names: string[]): Element {
		return names.reduce<Element>(
			(element, name) => element.all(name)[0] ?? new Element(undefined, `${element.path}/${name}`),
			this,
		);
	}

	get text(): string | null {
		const text = isRecord(this.node) ? this.node['#text'] : this.node;
		return typeof text === 'string' && text !== '' ? text : null;
	}

	attribute(name: string): string | null {
		const value = isRecord(this.node) ? this.node[`@_${name}`] : undefined;
		return typeof value === 'string' ? value : null;
	}
}

function readCrossIndustry(name: string, bytes: Uint8Array): EInvoice {
	const { root, dialect } = parse(bytes);
	const profile = root.at(dialect.context, 'GuidelineSpecifiedDocumentContextParameter', 'ID').text ?? '';
	const header = root.at(dialect.header);
	const trade = root.at(dialect.transaction);
	const agreement = trade.at(dialect.agreement);
	const settlement = trade.at(dialect.settlement);
	const summation = settlement.at(dialect.summation);
	const seller = agreement.at('SellerTradeParty');
	const buyer = agreement.at('BuyerTradeParty');
	const currency = settlement.at(dialect.currency);

	const elements = new Map<string, { element: string; quote: string }>();
	const take = (path: string, element: Element, read: (text: string) => string | null): string | null => {
		const value = element.text === null ? null : read(element.text);
		if (value !== null) elements.set(path, { element: element.path, quote: element.text! });
		return value;
	};
	const date = (path: string, element: Element) =>
		take(path, element, (text) => isoDate(text, element.attribute('format')));
	const taxTotals = summation.all('TaxTotalAmount');
	const taxTotal =
		taxTotals.find((one) => one.attribute('currencyID') === currency.text) ?? summation.at('TaxTotalAmount');
	const vat = seller
		.all('SpecifiedTaxRegistration')
		.map((one) => one.at('ID'))
		.find((id) => id.attribute('schemeID') === 'VA');

	const data = emptyDocument();
	data.number = take('number', header.at('ID'), words);
	data.date = date('date', header.at('IssueDateTime', 'DateTimeString'));
	data.validUntil =
		date('validUntil', settlement.at('SpecifiedTradePaymentTerms', 'DueDateDateTime', 'DateTimeString')) ??
		date('validUntil', header.at('EffectiveSpecifiedPeriod', 'EndDateTime', 'DateTimeString'));
	data.currency = take('currency', currency, words);
	data.seller.name = take('seller.name', seller.at('Name'), words);
	data.seller.vat = vat === undefined ? null : take('seller.vat', vat, words);
	data.seller.siret = siretOf(seller, (element) => take('seller.siret', element, siret));
	data.buyer.name = take('buyer.name', buyer.at('Name'), words);
	data.buyer.email =
		take('buyer.email', buyer.at('DefinedTradeContact', 'EmailURIUniversalCommunication', 'URIID'), email) ??
		take('buyer.email', buyer.at('URIUniversalCommunication', 'URIID'), email);
	data.totals.net = take('totals.net', summation.at('TaxBasisTotalAmount'), amount);
	data.totals.tax = take('totals.tax', taxTotal, amount);
	data.totals.gross = take('totals.gross', summation.at('GrandTotalAmount'), amount);

	const figures: Array<Figures['lines'][number]> = [];
	for (const item of trade.all('IncludedSupplyChainTradeLineItem')) {
		const path = `lines.${data.lines.length}`;
		const line = readLine(item, dialect, (field, element, read) => take(`${path}.${field}`, element, read));
		// An item without a product and without money is a note between the lines.
		if (line.description === null && line.total === null && line.quantity === null) continue;
		data.lines.push(line);
		figures.push(lineFigures(item, dialect));
	}
	return {
		standard: dialect.standard(profile),
		profile,
		attachment: baseName(name),
		data,
		elements,
		figures: {
			lines: figures,
			adjustments: [
				...settlement.all('SpecifiedTradeAllowanceCharge').flatMap(signedAmount),
				...settlement
					.all('SpecifiedLogisticsServiceCharge')
					.flatMap((one) => read(one.at('AppliedAmount'), amount) ?? []),
			],
			taxes: settlement.all('ApplicableTradeTax').map((tax) => ({
				rate: read(rateElement(tax), decimal),
				base: read(tax.at('BasisAmount'), amount),
				amount: read(tax.at('CalculatedAmount'), amount),
			})),
		},
	};
}

function readLine(
	item: Element,
	dialect: Dialect,
	take: (field: keyof DocumentLine, element: Element, read: (text: string) => string | null) => string | null,
): DocumentLine {
	const quantity = item.at(dialect.lineDelivery, dialect.quantity);
	const unit = quantity.attribute('unitCode');
	const settlement = item.at(dialect.lineSettlement);
	return {
		description: take('description', item.at('SpecifiedTradeProduct', 'Name'), words),
		quantity: take('quantity', quantity, decimal),
		unit: unit === null ? null : take('unit', new Element(unit, `${quantity.path}/@unitCode`), words),
		unitPrice: take('unitPrice', item.at(dialect.lineAgreement, 'NetPriceProductTradePrice', 'ChargeAmount'), amount),
		vatRate: take('vatRate', rateElement(settlement.at('ApplicableTradeTax')), decimal),
		total: take('total', settlement.at(dialect.lineSummation, 'LineTotalAmount'), amount),
	};
}

function lineFigures(item: Element, dialect: Dialect): Figures['lines'][number] {
	const basis = read(item.at(dialect.lineAgreement, 'NetPriceProductTradePrice', 'BasisQuantity'), decimal);
	const status = item.at('AssociatedDocumentLineDocument', 'LineStatusReasonCode').text;
	return {
		// A group repeats the sum of its details, and information has no part in the total.
		counted: status !== 'GROUP' && status !== 'INFORMATION',
		adjustments: item.at(dialect.lineSettlement).all('SpecifiedTradeAllowanceCharge').flatMap(signedAmount),
		priceQuantity: basis === null || new Big(basis).eq(1) ? null : basis,
	};
}

function parse(bytes: Uint8Array): { root: Element; dialect: Dialect } {
	if (bytes.length > maxBytes) throw new UnreadableXml(`it is larger than ${maxBytes} bytes`);
	const xml = decode(bytes);
	// These standards have no document type; with one, entities could swell without end.
	if (/<!DOCTYPE|<!ENTITY/i.test(xml)) throw new UnreadableXml('it declares a document type');
	const valid = XMLValidator.validate(xml);
	if (valid !== true) throw new UnreadableXml(`line ${valid.err.line}: ${excerpt(valid.err.msg, 120)}`);
	let document: unknown;
	try {
		document = new XMLParser({
			ignoreAttributes: false,
			removeNSPrefix: true,
			parseTagValue: false,
			parseAttributeValue: false,
			trimValues: true,
			htmlEntities: true,
			maxNestedTags: maxDepth,
		}).parse(xml);
	} catch (error) {
		throw new UnreadableXml(excerpt(error instanceof Error ? error.message : String(error), 120));
	}
	for (const [name, dialect] of Object.entries(dialects)) {
		const node = isRecord(document) ? document[name] : undefined;
		if (!isRecord(node)) continue;
		if (!namespaces(xml, name).some((uri) => dialect.namespace.test(uri)))
			throw new UnreadableXml(`its ${name} is of an unknown namespace`);
		return { root: new Element(node, name), dialect };
	}
	throw new UnreadableXml('it is of no known kind');
}

/** The namespace of the root element, whatever prefix it is bound to. */
function namespaces(xml: string, rootName: string): string[] {
	const tag = new RegExp(`<(?:([\\w.-]+):)?${rootName}\\b([^>]*)>`).exec(xml);
	const prefix = tag?.[1];
	const binding = prefix === undefined ? 'xmlns' : `xmlns:${prefix}`;
	return [...(tag?.[2] ?? '').matchAll(/([\w:.-]+)\s*=\s*(["'])(.*?)\2/g)].flatMap(([, name, , uri]) =>
		name === binding ? [uri!] : [],
	);
}

function looksLikeCrossIndustry(bytes: Uint8Array): boolean {
	const head = decode(bytes.subarray(0, 4096));
	return Object.keys(dialects).some((name) => head.includes(name));
}

function decode(bytes: Uint8Array): string {
	const utf16 =
		bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : null;
	const declared = /^<\?xml[^>]*encoding=["']([\w-]+)["']/.exec(
		Buffer.from(bytes.subarray(0, 200)).toString('latin1').replace(/^ï»¿/, ''),
	)?.[1];
	return decoder(utf16 ?? (declared && !/^utf-?16/i.test(declared) ? declared : 'utf-8')).decode(Buffer.from(bytes));
}

function decoder(encoding: string) {
	try {
		return new TextDecoder(encoding);
	} catch {
		throw new UnreadableXml(`its encoding "${encoding}" is unknown`);
	}
}

function rateElement(tax: Element): Element {
	const modernRate = tax.at('RateApplicablePercent');
	return modernRate.text === null ? tax.at('ApplicablePercent') : modernRate;
}

function signedAmount(charge: Element): string[] {
	const value = read(charge.at('ActualAmount'), amount);
	if (value === null) return [];
	const isCharge = charge.at('ChargeIndicator', 'Indicator').text === 'true';
	return [new Big(value).times(isCharge ? 1 : -1).toFixed()];
}

function siretOf(seller: Element, take: (element: Element) => string | null): string | null {
	for (const id of [seller.at('SpecifiedLegalOrganization', 'ID'), ...seller.all('GlobalID'), ...seller.all('ID')]) {
		const scheme = id.attribute('schemeID');
		if (scheme !== null && scheme !== '0002' && scheme !== '0009') continue;
		const value = take(id);
		if (value !== null) return value;
	}
	return null;
}

function read(element: Element, as: (text: string) => string | null): string | null {
	return element.text === null ? null : as(element.text);
}

function words(text: string): string | null {
	return text.replace(/\s+/g, ' ').trim() || null;
}

function email(text: string): string | null {
	return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text.trim()) ? text.trim() : null;
}

function siret(text: string): string | null {
	const digits = text.replace(/\s/g, '');
	return /^\d{14}$/.test(digits) ? digits : null;
}

/** `60.0000` and `60.00` are one amount: zeros beyond the second decimal say nothing. */
function amount(text: string): string | null {
	return decimal(text) === null
		? null
		: text
				.trim()
				.replace(/^\+/, '')
				.replace(/(\.\d\d(?:\d*[1-9])?)0+$/, '$1');
}

function decimal(text: string): string | null {
	return /^[+-]?\d+(?:\.\d+)?$/.test(text.trim()) ? new Big(text.trim().replace(/^\+/, '')).toFixed() : null;
}

/** UN/CEFACT 2379: 102 is CCYYMMDD. */
function isoDate(text: string, format: string | null): string | null {
	const [, year, month, day] = /^(\d{4})-?(\d{2})-?(\d{2})/.exec(text.trim()) ?? [];
	if (year === undefined || (format !== null && format !== '102')) return null;
	return isoDay(year, Number(month), Number(day));
}

function baseName(name: string): string {
	return name.split(/[\\/]/).at(-1)!.toLowerCase();
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
