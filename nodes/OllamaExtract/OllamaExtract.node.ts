import type { IDataObject, IExecuteFunctions, INodeExecutionData, INodeType } from 'n8n-workflow';

import { forEachItem } from '../shared/n8n';
import { ollamaChat } from '../shared/ollama';
import { archiveFile } from './files/archive';
import { description } from './description';
import { extract } from './extract';
import { stillFiles } from './files/inbox';
import { searchModels } from './listSearch';
import { archiveRequest, extractRequest, findRequest, operationOf } from './parameters';

export class OllamaExtract implements INodeType {
	description = description;

	methods = { listSearch: { searchModels } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await forEachItem(this, async (itemIndex, signal) => {
			const operation = operationOf(this, itemIndex);
			switch (operation) {
				case 'archive':
					return { data: { ...(await archiveFile(await archiveRequest(this, itemIndex), signal)) } };
				case 'extract':
					return { data: await extracted(this, itemIndex, signal) };
				case 'find': {
					const request = await findRequest(this, itemIndex);
					return { data: { folder: request.folder, documents: await stillFiles(request, signal) } };
				}
				default:
					return operation satisfies never;
			}
		});
	}
}

async function extracted(host: IExecuteFunctions, itemIndex: number, signal: AbortSignal): Promise<IDataObject> {
	const { source, options, server, includeEvidence } = await extractRequest(host, itemIndex);
	const chat = server && ollamaChat(server);
	const { fields, checks, ...result } = await extract(source, { ...options, ...(chat && { chat }) }, signal);
	return { ...result, ...(includeEvidence && { fields, checks }) } as unknown as IDataObject;
}
