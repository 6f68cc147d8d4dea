import type { ILoadOptionsFunctions, INodeListSearchResult } from 'n8n-workflow';

import { listModels } from '../shared/ollama';
import { toNodeError } from '../shared/n8n';

/** The models that the Ollama server holds, those whose name contains `filter`, with their size on disk. */
export async function searchModels(this: ILoadOptionsFunctions, filter?: string): Promise<INodeListSearchResult> {
	const { baseUrl, apiKey } = await this.getCredentials<{ baseUrl: string; apiKey?: string }>('ollamaApi');
	const models = await listModels({ baseUrl, ...(apiKey ? { apiKey } : {}) }).catch((error: unknown) => {
		throw toNodeError(this.getNode(), error);
	});
	const wanted = filter?.toLowerCase() ?? '';
	return {
		results: models
			.filter(({ name }) => name.toLowerCase().includes(wanted))
			.map(({ name, sizeBytes }) => ({ name, value: name, description: `${(sizeBytes / 1e9).toFixed(1)} GB` })),
	};
}
