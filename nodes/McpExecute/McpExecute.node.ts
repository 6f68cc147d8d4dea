import type {
	IBinaryKeyData,
	ICredentialDataDecryptedObject,
	ICredentialsDecrypted,
	ICredentialTestFunctions,
	IDataObject,
	IExecuteFunctions,
	INodeCredentialTestResult,
	INodeExecutionData,
	INodeType,
} from 'n8n-workflow';

import { forEachItem, type ItemOutput } from '../shared/n8n';
import {
	acceptDefinition,
	answerRequest,
	callTool,
	checkTask,
	listTools,
	requestApproval,
	verifyAudit,
	type CallResult,
	type ToolBinary,
} from './call';
import { description } from './description';
import { policyOf } from './gate';
import { searchServers, searchTools, toolArguments } from './listSearch';
import {
	anchorOf,
	answerOf,
	approvalOf,
	listOf,
	operationOf,
	serversOf,
	taskRequest,
	trustOf,
	wayOf,
} from './parameters';

export class McpExecute implements INodeType {
	description = description;

	methods = {
		listSearch: { searchServers, searchTools },
		resourceMapping: { toolArguments },
		credentialTest: { policyTest },
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await forEachItem(this, async (itemIndex, signal) => {
			const operation = operationOf(this, itemIndex);
			switch (operation) {
				case 'answer': {
					const { id, answer, approver } = answerOf(this, itemIndex);
					const { gate } = await wayOf(this, itemIndex, 'own');
					return { data: { ...(await answerRequest(id, answer, approver, gate)) } };
				}
				case 'verify': {
					const { gate } = await wayOf(this, itemIndex, 'own');
					const report = await verifyAudit(gate.database, gate.auditKey, anchorOf(this, itemIndex));
					return { data: { ...report } as unknown as IDataObject };
				}
				case 'check':
				case 'execute':
				case 'list':
				case 'request':
				case 'trust':
					return await throughServers(this, itemIndex, operation, signal);
				default:
					return operation satisfies never;
			}
		});
	}
}

async function throughServers(
	host: IExecuteFunctions,
	itemIndex: number,
	operation: 'check' | 'execute' | 'list' | 'request' | 'trust',
	signal: AbortSignal,
): Promise<ItemOutput> {
	const { gate, access } = await wayOf(host, itemIndex, serversOf(host, itemIndex));
	switch (operation) {
		case 'check': {
			const request = { ...taskRequest(host, itemIndex), ...approvalOf(host, itemIndex), access };
			return { data: { ...(await checkTask(request, gate, signal)) } };
		}
		case 'execute': {
			const request = { ...taskRequest(host, itemIndex), ...approvalOf(host, itemIndex), access };
			return await outputOf(host, await callTool(request, gate, signal));
		}
		case 'list': {
			const { server, caller } = listOf(host, itemIndex);
			return {
				data: { server, tools: await listTools(server, caller, access, gate, signal) } as unknown as IDataObject,
			};
		}
		case 'request':
			return await outputOf(host, await requestApproval({ ...taskRequest(host, itemIndex), access }, gate, signal));
		case 'trust': {
			const { server, tool, acceptedBy } = trustOf(host, itemIndex);
			const trusted = await acceptDefinition(server, tool, acceptedBy, access, gate, signal);
			return { data: { server, tool, ...trusted, changes: [...trusted.changes] } };
		}
		default:
			return operation satisfies never;
	}
}

/** What a call came to; files that the tool gave become binary fields, and the JSON names them. */
async function outputOf(host: IExecuteFunctions, called: CallResult): Promise<ItemOutput> {
	if (called.decision !== 'allow') return { data: { ...called } as unknown as IDataObject };
	const { result, ...judged } = called;
	const { binaries, ...content } = result;
	const files = await filesOf(host, binaries);
	const named = binaries.map(({ kind, mimeType, fileName, uri }, index) => ({
		field: fieldName(index),
		kind,
		mimeType,
		fileName,
		...(uri !== undefined && { uri }),
	}));
	return {
		data: { ...judged, result: { ...content, binaries: named } } as unknown as IDataObject,
		...(files && { files }),
	};
}

async function filesOf(host: IExecuteFunctions, binaries: readonly ToolBinary[]): Promise<IBinaryKeyData | undefined> {
	if (binaries.length === 0) return undefined;
	const files: IBinaryKeyData = {};
	for (const [index, { bytes, fileName, mimeType }] of binaries.entries()) {
		files[fieldName(index)] = await host.helpers.prepareBinaryData(bytes, fileName, mimeType);
	}
	return files;
}

function fieldName(index: number): string {
	return index === 0 ? 'data' : `data_${index}`;
}

async function policyTest(
	this: ICredentialTestFunctions,
	credential: ICredentialsDecrypted<ICredentialDataDecryptedObject>,
): Promise<INodeCredentialTestResult> {
	try {
		const { policy } = await policyOf(credential.data);
		return {
			status: 'OK',
			message: `The policy names ${policy.servers.size} servers, version ${policy.version.slice(0, 19)}`,
		};
	} catch (error) {
		return { status: 'Error', message: error instanceof Error ? error.message : String(error) };
	}
}
