import type { INodeProperties, INodeTypeDescription } from 'n8n-workflow';

const taskExample = `{
  "server": "filesystem",
  "tool": "list_allowed_directories",
  "arguments": {}
}`;

const operation: INodeProperties = {
	displayName: 'Operation',
	name: 'operation',
	type: 'options',
	noDataExpression: true,
	options: [
		{
			name: 'Approve or Reject',
			value: 'answer',
			description: 'Answer a request for approval; approving gives a token that serves once',
			action: 'Approve or reject a request',
		},
		{
			name: 'Check Task',
			value: 'check',
			description: 'Say what the policy decides on a task, without calling anything',
			action: 'Check a task',
		},
		{
			name: 'Execute Tool',
			value: 'execute',
			description: 'Call a tool if the policy allows it, or ask for the approval that it needs',
			action: 'Execute a tool',
		},
		{
			name: 'List Tools',
			value: 'list',
			description: 'List the tools of a server that the policy lets this workflow call',
			action: 'List the tools of a server',
		},
		{
			name: 'Request Approval',
			value: 'request',
			description: 'Open a request for approval of a task, without calling anything',
			action: 'Request an approval',
		},
		{
			name: 'Trust Tool Definition',
			value: 'trust',
			description: 'Accept the definition of a tool as its server gives it now, after somebody looked at it',
			action: 'Trust a tool definition',
		},
		{
			name: 'Verify Audit',
			value: 'verify',
			description: 'Recompute the chain of all records and say whether any was changed, removed or added',
			action: 'Verify the audit',
		},
	],
	default: 'execute',
};

const aboutTask = ['check', 'execute', 'request'];
const aboutServer = [...aboutTask, 'list', 'trust'];

const servers: INodeProperties = {
	displayName: 'Servers',
	name: 'servers',
	type: 'options',
	noDataExpression: true,
	options: [
		{ name: 'Of the Gateway', value: 'gateway', description: 'One owner starts the servers for all workers' },
		{
			name: 'Started Here',
			value: 'own',
			description: 'Each n8n process starts the servers of the policy itself, or calls their addresses',
		},
	],
	default: 'gateway',
	displayOptions: { show: { operation: aboutServer } },
};

const task: INodeProperties[] = [
	{
		displayName: 'Task',
		name: 'taskMode',
		type: 'options',
		noDataExpression: true,
		options: [
			{ name: 'As Fields', value: 'fields', description: 'Choose the server and the tool, then fill in its arguments' },
			{ name: 'As JSON', value: 'json', description: 'An object with server, tool and arguments' },
		],
		default: 'fields',
		displayOptions: { show: { operation: aboutTask } },
	},
	{
		displayName: 'Task (JSON)',
		name: 'task',
		type: 'json',
		typeOptions: { rows: 6 },
		required: true,
		default: taskExample,
		displayOptions: { show: { operation: aboutTask, taskMode: ['json'] } },
	},
	...[{ operation: aboutTask, taskMode: ['fields'] }, { operation: ['list', 'trust'] }].map(
		(show): INodeProperties => ({
			displayName: 'Server',
			name: 'server',
			type: 'resourceLocator',
			default: { mode: 'list', value: '' },
			required: true,
			modes: [
				{
					displayName: 'From List',
					name: 'list',
					type: 'list',
					placeholder: 'Select a server…',
					typeOptions: { searchListMethod: 'searchServers', searchable: true },
				},
				{ displayName: 'By Name', name: 'name', type: 'string', placeholder: 'e.g. filesystem' },
			],
			displayOptions: { show },
		}),
	),
	...[{ operation: aboutTask, taskMode: ['fields'] }, { operation: ['trust'] }].map(
		(show): INodeProperties => ({
			displayName: 'Tool',
			name: 'tool',
			type: 'resourceLocator',
			default: { mode: 'list', value: '' },
			required: true,
			modes: [
				{
					displayName: 'From List',
					name: 'list',
					type: 'list',
					placeholder: 'Select a tool…',
					typeOptions: { searchListMethod: 'searchTools', searchable: true },
				},
				{ displayName: 'By Name', name: 'name', type: 'string', placeholder: 'e.g. read_text_file' },
			],
			displayOptions: { show },
		}),
	),
	{
		displayName: 'Arguments',
		name: 'arguments',
		type: 'resourceMapper',
		noDataExpression: true,
		default: { mappingMode: 'defineBelow', value: null },
		typeOptions: {
			loadOptionsDependsOn: ['server.value', 'tool.value', 'servers'],
			resourceMapper: {
				resourceMapperMethod: 'toolArguments',
				mode: 'add',
				valuesLabel: 'Arguments',
				fieldWords: { singular: 'argument', plural: 'arguments' },
				addAllFields: false,
				supportAutoMap: false,
				noFieldsError: 'This tool takes no arguments.',
			},
		},
		displayOptions: { show: { operation: aboutTask, taskMode: ['fields'] } },
	},
	{
		displayName: 'Approval',
		name: 'approval',
		type: 'string',
		default: '',
		placeholder: 'e.g. {{ $json.body.approval }}',
		description: 'The token that approving gave, where the tool needs one. Without it the task waits for approval.',
		displayOptions: { show: { operation: ['check', 'execute'] } },
	},
];

const answer: INodeProperties[] = [
	{
		displayName: 'Request ID',
		name: 'requestId',
		type: 'string',
		required: true,
		default: '',
		placeholder: 'e.g. {{ $json.approvalRequestId }}',
	},
	{
		displayName: 'Answer',
		name: 'answer',
		type: 'options',
		options: [
			{ name: 'Approve', value: 'approve' },
			{ name: 'Reject', value: 'reject' },
		],
		default: 'reject',
	},
].map((property) => ({ ...property, displayOptions: { show: { operation: ['answer'] } } }) as INodeProperties);

const person: INodeProperties = {
	displayName: 'In the Name Of',
	name: 'person',
	type: 'string',
	required: true,
	default: '',
	placeholder: 'e.g. owner',
	description: 'Who answers: a name that the policy lists among its approvers. Recorded in the audit.',
	displayOptions: { show: { operation: ['answer', 'trust'] } },
};

const anchor: INodeProperties = {
	displayName: 'Anchor',
	name: 'anchor',
	type: 'string',
	default: '',
	description: 'An audit ID that was kept elsewhere: proves that nothing was put back to before it',
	displayOptions: { show: { operation: ['verify'] } },
};

const options: INodeProperties = {
	displayName: 'Options',
	name: 'options',
	type: 'collection',
	placeholder: 'Add option',
	default: {},
	options: [
		{
			displayName: 'User',
			name: 'user',
			type: 'string',
			default: '',
			description: 'In whose name the workflow calls, where the policy distinguishes users',
		},
	],
	displayOptions: { show: { operation: [...aboutTask, 'list'] } },
};

export const description: INodeTypeDescription = {
	displayName: 'MCP Execute',
	name: 'mcpExecute',
	icon: { light: 'file:mcpExecute.svg', dark: 'file:mcpExecute.dark.svg' },
	group: ['transform'],
	version: 1,
	subtitle: '={{ $parameter["operation"] }}',
	description: 'Call MCP tools only as a policy allows, approved by a person where it asks so, recorded for ever',
	defaults: { name: 'MCP Execute' },
	inputs: ['main'],
	outputs: ['main'],
	usableAsTool: true,
	credentials: [
		// Without a name of their own the editor calls each of them just "Credential".
		{ name: 'mcpPolicy', displayName: 'Credential for MCP Policy', required: true, testedBy: 'policyTest' },
		{ name: 'postgres', displayName: 'Credential for PostgreSQL', required: true },
		{
			name: 'mcpGateway',
			required: true,
			displayOptions: { show: { operation: aboutServer, servers: ['gateway'] } },
		},
	],
	properties: [operation, servers, ...task, ...answer, person, anchor, options],
};
