import type { ILoadOptionsFunctions, INodeListSearchResult } from 'n8n-workflow';

import { toNodeError } from '../shared/n8n';
import { listContainers } from './docker';
import { dockerOf } from './parameters';

/** The containers that the Docker credential allows, those whose name contains `filter`, with their state. */
export async function searchContainers(this: ILoadOptionsFunctions, filter?: string): Promise<INodeListSearchResult> {
	try {
		const { containers } = await listContainers(await dockerOf(this, 0));
		const wanted = filter?.toLowerCase() ?? '';
		return {
			results: containers
				.filter(({ name }) => name.toLowerCase().includes(wanted))
				.map(({ name, state }) => ({ name, value: name, description: state })),
		};
	} catch (error) {
		throw toNodeError(this.getNode(), error);
	}
}
