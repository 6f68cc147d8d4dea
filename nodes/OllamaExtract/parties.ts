import type { Found } from './found';
import type { Site } from './labelled';
import type { Row } from './layout';

export interface Parties {
	readonly 'seller.name'?: Found;
	readonly 'seller.vat'?: Found;
	readonly 'seller.siret'?: Found;
	readonly 'buyer.name'?: Found;
	readonly 'buyer.email'?: Found;
}

/** Who sells and who buys, from headings, address blocks and legal identifiers. */
export function readParties(_rows: readonly Row[], _sites: readonly Site[]): Parties {
	return {};
}
