import Big from 'big.js';
import type { Figures } from './checks';
import type { CommercialDocument, DocumentLine, Field, HeaderPath, Place } from '../result';
import { setAt } from './leaf';
import { endOf, type Validity } from './validity';
import { emptyDocument, headerFields, lineFields } from '../model/schema';

/** A value that was settled, or the reason why it is null. */
export interface Entry {
	readonly value: string | null;
	readonly origin: Field['origin'];
	readonly place: Place | null;
	readonly reason?: string;
}

export interface DraftLine {
	readonly entries: Partial<Record<keyof DocumentLine, Entry>>;
	readonly figures: Figures['lines'][number];
}

/** A commercial document on its way: what each engine settled so far. The first to settle a value keeps it. */
export class Draft {
	readonly header = new Map<HeaderPath, Entry>();
	readonly lines: DraftLine[] = [];
	taxes: Figures['taxes'] = [];
	adjustments: Figures['adjustments'] = [];

	/** The same document before its lines were read. */
	withoutLines(): Draft {
		const draft = new Draft();
		for (const [path, entry] of this.header) draft.header.set(path, entry);
		return Object.assign(draft, { taxes: this.taxes, adjustments: this.adjustments });
	}

	settle(path: HeaderPath, entry: Entry): void {
		if (this.value(path) === null) this.header.set(path, entry);
	}

	/** Notes why a value was not settled, for as long as it is not. */
	leaveOpen(path: string, reason: string): void {
		const field = headerFields.find((one) => one.path === path);
		if (field !== undefined) this.settle(field.path, { value: null, origin: null, place: null, reason });
	}

	value(path: HeaderPath): string | null {
		return this.header.get(path)?.value ?? null;
	}

	/** Header fields without a value, and whether the lines are wanting. */
	missing(): { readonly header: HeaderPath[]; readonly lines: boolean } {
		const whole = this.lines.every(({ entries }) =>
			lineFields.every(({ name, required }) => !required || entries[name]?.value != null),
		);
		return {
			header: headerFields.filter(({ path }) => this.value(path) === null).map(({ path }) => path),
			lines: this.lines.length === 0 || !whole,
		};
	}

	data(): CommercialDocument {
		const data = emptyDocument();
		for (const { path } of headerFields) setAt(data, path, this.value(path));
		data.lines = this.lines.map(({ entries }) => ({
			description: entries.description?.value ?? null,
			quantity: entries.quantity?.value ?? null,
			unit: entries.unit?.value ?? null,
			unitPrice: entries.unitPrice?.value ?? null,
			vatRate: entries.vatRate?.value ?? null,
			total: entries.total?.value ?? null,
		}));
		return data;
	}

	figures(): Figures {
		return { taxes: this.taxes, adjustments: this.adjustments, lines: this.lines.map(({ figures }) => figures) };
	}

	fields(): Field[] {
		const absent: Entry = { value: null, origin: null, place: null, reason: 'not found in the document' };
		return [
			...headerFields.map(({ path }) => ({ path, ...(this.header.get(path) ?? absent) })),
			...this.lines.flatMap(({ entries }, at) =>
				lineFields.map(({ name }) => ({ path: `lines.${at}.${name}`, ...(entries[name] ?? absent) })),
			),
		];
	}

	/**
	 * Fills totals that follow with certainty from values that are printed: the third of net, tax and gross; no tax where
	 * the seller states the exemption of article 293 B of the French tax code (`exempt`).
	 */
	derive(exempt: string | null): void {
		const { net, tax, gross } = this.data().totals;
		const set = (path: HeaderPath, value: Big, reason: string) =>
			this.settle(path, { value: value.toFixed(2), origin: 'derived', place: null, reason });
		if (exempt !== null) {
			if (tax === null) set('totals.tax', new Big(0), `"${exempt}"`);
			if (gross === null && net !== null)
				set('totals.gross', new Big(net), `"${exempt}": nothing is added to the net total`);
			if (net === null && gross !== null) set('totals.net', new Big(gross), `"${exempt}": the total holds no tax`);
			return;
		}
		const amounts = [net, tax, gross].flatMap((amount) => (amount === null ? [] : [new Big(amount)]));
		const signs = new Set(amounts.filter((amount) => !amount.eq(0)).map((amount) => amount.s));
		if (amounts.length !== 2 || signs.size > 1) return;
		if (gross === null) set('totals.gross', new Big(net!).plus(tax!), `${net} + ${tax}`);
		// Tax is a part of the gross total: where it exceeds that, one of the two was misread.
		else if (net === null && new Big(tax!).abs().lt(new Big(gross).abs()))
			set('totals.net', new Big(gross).minus(tax!), `${gross} - ${tax}`);
		else if (tax === null && new Big(net!).abs().lte(new Big(gross).abs()))
			set('totals.tax', new Big(gross).minus(net!), `${gross} - ${net}`);
	}

	/** Fills the end of a devis from its proven date and the period for which it says that it stands. */
	deriveEnd(validity: Validity | null): void {
		const date = this.header.get('date');
		if (validity === null || date?.value == null || date.place === null || date.place === 'model-only') return;
		const reason = `${date.value} + "${validity.quote}"`;
		this.settle('validUntil', { value: endOf(validity, date.value), origin: 'derived', place: null, reason });
	}

	/** The data without what was derived: arithmetic over derived values would confirm itself. */
	printedData(): CommercialDocument {
		const data = this.data();
		for (const [path, { origin }] of this.header) if (origin === 'derived') setAt(data, path, null);
		return data;
	}
}
