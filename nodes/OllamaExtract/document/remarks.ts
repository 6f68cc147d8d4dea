import Big from 'big.js';
import type { PageReading } from '../page/page';
import type { Check, CommercialDocument, Reason } from '../result';
import type { Figures } from './checks';

/**
 * What a person must know of a document although no value in it is wrong: lines that its total leaves out, prices with
 * tax, a page that calls itself another kind of document. `untaxed` where the seller states that no tax is charged.
 */
export function remarksOn(
	page: PageReading,
	data: CommercialDocument,
	{ lines }: Figures,
	schema: 'devis' | 'invoice',
	untaxed: boolean,
): Reason[] {
	const apart = data.lines.flatMap(({ description }, index): Reason[] => {
		const { counted = true, optional = false } = lines[index] ?? {};
		const named = `Line ${index + 1} ("${description ?? ''}")`;
		if (counted && !optional) return [];
		const message = !optional
			? `${named} is not part of the total, which counts other lines instead. Check it before adding lines up.`
			: counted
				? `${named} is an option, and whether the total contains it could not be told. Check it with the sender.`
				: `${named} is an option, which the total does not contain. Decide whether it is part of the order.`;
		return [{ code: 'not-in-total', message, path: `lines.${index}` }];
	});
	const taxed = page.withTax && !untaxed && !isZero(data.totals.tax);
	return [
		...apart,
		...(taxed
			? [
					{
						code: 'prices-with-tax' as const,
						message: 'The lines are printed with tax: their prices and totals are no net amounts.',
					},
				]
			: []),
		...(page.otherTitle === null
			? []
			: [
					{
						code: 'other-document' as const,
						message: `The page calls itself "${page.otherTitle.place.quote}" and not ${schema === 'devis' ? 'a devis' : 'an invoice'}. Check that it belongs here.`,
					},
				]),
	];
}

/** The reasons for review where a row among the lines was left out that may be a line, or a part of the one above. */
export function rowsLeftOut({ loose }: PageReading): Reason[] {
	return loose.map(({ line, found }) => ({
		code: 'partly-read',
		message:
			`"${found.place.quote}" stands ${line === null ? 'among the lines' : `below line ${line + 1}`} and was not read: ` +
			'it may belong to a description, or be a line without an amount. Check it by hand.',
		...(line === null ? {} : { path: `lines.${line}` }),
	}));
}

/**
 * Parts the checks from those that accuse the sender of a sum whose difference is what rows print that were not read as
 * lines: there the reading is at fault, which is said instead.
 */
export function withoutUnread(
	checks: readonly Check[],
	{ unread }: PageReading,
): { checks: Check[]; reasons: Reason[] } {
	const all = unread.reduce((sum, { value }) => sum.plus(value), new Big(0));
	const isReading = ({ rule, ok, printed, expected }: Check) => {
		const difference = new Big(printed).minus(expected);
		return rule === 'lines-sum' && !ok && (all.eq(difference) || unread.some(({ value }) => difference.eq(value)));
	};
	const ours = checks.filter(isReading);
	return {
		checks: checks.filter((check) => !ours.includes(check)),
		reasons: ours.map(({ printed, expected }) => ({
			code: 'partly-read',
			message: `The lines that were read come to ${expected}, the net total is ${printed}: a row among them was not read. Enter it by hand.`,
		})),
	};
}

function isZero(amount: string | null): boolean {
	return amount !== null && new Big(amount).eq(0);
}
