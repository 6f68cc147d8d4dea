import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryDataService, ExecutionLifecycleHooks, LoadOptionsContext, WorkflowExecute } from 'n8n-core';
import { NodeHelpers, Workflow } from 'n8n-workflow';
import type {
	IBinaryData,
	INode,
	INodeExecutionData,
	INodeListSearchResult,
	INodeParameters,
	INodeType,
	IWorkflowExecuteAdditionalData,
	NodeError,
	OnError,
	ResourceMapperFields,
} from 'n8n-workflow';

const userFolder = realpathSync(mkdtempSync(join(tmpdir(), 'aurastack-host-')));

/** The one folder whose files workflows may open, as N8N_RESTRICT_FILE_ACCESS_TO would say. Emptied after the tests. */
export const openFolder = join(userFolder, 'files');

// Read by n8n-core when it is first used, which is after its import.
mkdirSync(openFolder);
process.env.N8N_USER_FOLDER = userFolder;
process.env.N8N_RESTRICT_FILE_ACCESS_TO = openFolder;
process.env.N8N_LOG_LEVEL = 'silent';
afterAll(() => rmSync(userFolder, { recursive: true }));

export interface NodeSetup {
	readonly parameters: INodeParameters;
	/** Decrypted data by credential type: what a person would have typed. */
	readonly credentials?: Readonly<Record<string, Record<string, unknown>>>;
}

export interface NodeRun extends NodeSetup {
	readonly items?: INodeExecutionData[];
	/** Default: the first failed item stops the workflow. */
	readonly onError?: OnError;
	/** Cancels the execution, as the stop button does. */
	readonly signal?: AbortSignal;
}

export interface NodeOutcome {
	readonly status: string;
	/** Items by output; with `continueErrorOutput` the last output holds the failed ones. */
	readonly outputs: INodeExecutionData[][];
	/** What stopped the workflow. */
	readonly error?: NodeError;
}

/**
 * Runs a node in n8n's own engine and context, fed by a trigger: expressions are evaluated per item, parameters left
 * out have the defaults of the node's description, binary data is stored on disk, errors are routed by n8n.
 */
export async function runNode(nodeType: INodeType, run: NodeRun): Promise<NodeOutcome> {
	const { items = [{ json: {} }], signal } = run;
	const { workflow, node, additionalData } = place(nodeType, run);
	const running = new WorkflowExecute(additionalData, 'manual').run({
		workflow,
		startNode: workflow.getNode(triggerName)!,
		pinData: { [triggerName]: items },
	});
	const cancel = () => running.cancel();
	signal?.addEventListener('abort', cancel, { once: true });
	const { status, data } = await running.finally(() => signal?.removeEventListener('abort', cancel));
	const last = data.resultData.runData[node.name]?.at(-1);
	const error = data.resultData.error as NodeError | undefined;
	return {
		status,
		outputs: (last?.data?.main ?? []).map((output) => output ?? []),
		...(error && { error }),
	};
}

/** What a node's list search offers in the editor, before any execution. */
export async function searchList(
	nodeType: INodeType,
	method: string,
	{ filter, ...setup }: NodeSetup & { readonly filter?: string },
): Promise<INodeListSearchResult> {
	return await nodeType.methods!.listSearch![method]!.call(editorContext(nodeType, setup), filter);
}

/** The fields that a node's resource mapper shows in the editor. */
export async function mapFields(nodeType: INodeType, method: string, setup: NodeSetup): Promise<ResourceMapperFields> {
	return await nodeType.methods!.resourceMapping![method]!.call(editorContext(nodeType, setup));
}

/** A file as a previous node would have handed it over. */
export async function storeBinary(bytes: Uint8Array, fileName: string, mimeType: string): Promise<IBinaryData> {
	const binaries = services().get(BinaryDataService);
	await (ready ??= binaries.init());
	const location = { type: 'execution', workflowId, executionId } as const;
	return await binaries.store(location, Buffer.from(bytes), { data: '', mimeType, fileName });
}

function editorContext(nodeType: INodeType, setup: NodeSetup): LoadOptionsContext {
	const { workflow, node, additionalData } = place(nodeType, setup);
	// The editor sends every parameter, those left at their default included.
	additionalData.currentNodeParameters = workflow.getNode(node.name)!.parameters;
	return new LoadOptionsContext(workflow, node, additionalData, 'parameters');
}

/** The container that n8n-core itself uses: npm may install several versions of it side by side. */
function services() {
	const { Container } = createRequire(require.resolve('n8n-core'))('@n8n/di') as {
		Container: { get<Service>(type: abstract new (...dependencies: never[]) => Service): Service };
	};
	return Container;
}

let ready: Promise<void> | undefined;
const workflowId = 'test-workflow';
const executionId = '1';
const triggerName = 'Trigger';
const triggerType: INodeType = {
	description: {
		displayName: triggerName,
		name: 'trigger',
		group: ['trigger'],
		version: 1,
		description: '',
		defaults: {},
		inputs: [],
		outputs: ['main'],
		properties: [],
	},
};

function place(nodeType: INodeType, { parameters, credentials = {}, onError }: NodeSetup & { onError?: OnError }) {
	const { description } = nodeType;
	const types: Record<string, INodeType> = { trigger: triggerType, [description.name]: nodeType };
	const trigger: INode = {
		id: '1',
		name: triggerName,
		type: 'trigger',
		typeVersion: 1,
		position: [0, 0],
		parameters: {},
	};
	const node: INode = {
		id: '2',
		name: description.displayName,
		type: description.name,
		typeVersion: [description.version].flat().at(-1)!,
		position: [200, 0],
		parameters,
		...(onError && { onError }),
		credentials: Object.fromEntries(Object.keys(credentials).map((type) => [type, { id: type, name: type }])),
	};
	const json = {
		id: workflowId,
		name: 'test',
		active: false,
		nodes: [trigger, node],
		connections: { [triggerName]: { main: [[{ node: node.name, type: 'main' as const, index: 0 }]] } },
	};
	const workflow = new Workflow({
		...json,
		nodeTypes: {
			getByName: (name) => types[name]!,
			getByNameAndVersion: (name, version) => NodeHelpers.getVersionedNodeType(types[name]!, version),
			getKnownTypes: () => ({}),
		},
	});
	const additionalData = {
		executionId,
		credentialsHelper: {
			getDecrypted: async (_: unknown, __: unknown, type: string) => credentials[type],
			isCredentialUsableByNode: () => true,
			getParentTypes: () => [],
		},
		hooks: new ExecutionLifecycleHooks('manual', executionId, {
			...json,
			createdAt: new Date(),
			updatedAt: new Date(),
		} as never),
		webhookWaitingBaseUrl: 'http://localhost/webhook-waiting',
		formWaitingBaseUrl: 'http://localhost/form-waiting',
		variables: {},
	} as unknown as IWorkflowExecuteAdditionalData;
	return { workflow, node, additionalData };
}
