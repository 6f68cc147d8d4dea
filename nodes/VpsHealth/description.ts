import type { INodeProperties, INodeTypeDescription } from 'n8n-workflow';

import { commandNames, commands } from './commands';

const operation: INodeProperties = {
	displayName: 'Operation',
	name: 'operation',
	type: 'options',
	noDataExpression: true,
	options: [
		{
			name: 'Container Logs',
			value: 'logs',
			description: 'The last lines that a container wrote, without its secrets',
			action: 'Get the logs of a container',
		},
		{
			name: 'Diagnose',
			value: 'diagnose',
			description: 'Look at everything that can be reached and say what is wrong, why, and what to do',
			action: 'Diagnose the machine',
		},
		{
			name: 'List Containers',
			value: 'containers',
			description: 'The allowed containers with their state, health and use of processor and memory',
			action: 'List containers',
		},
		{
			name: 'Models',
			value: 'models',
			description: 'The models that Ollama holds and has loaded, and which wanted ones are missing',
			action: 'List models',
		},
		{
			name: 'Query PostgreSQL',
			value: 'query',
			description: 'Run one statement that only reads, as a role that can do little else',
			action: 'Query postgre sql',
		},
		{
			name: 'Queue',
			value: 'queue',
			description: 'How many jobs wait in the queue of n8n, and whether workers take them',
			action: 'Look at the queue',
		},
		{
			name: 'Restart Container',
			value: 'restart',
			description: 'Restart an allowed container',
			action: 'Restart a container',
		},
		{
			name: 'Run Command',
			value: 'command',
			description: 'Run one command of a fixed table that reads and changes nothing',
			action: 'Run a command',
		},
		{
			name: 'System Resources',
			value: 'resources',
			description: 'Processor, memory, pressure, file systems and kills for memory, as the kernel counts them',
			action: 'Get system resources',
		},
		{
			name: 'Systemd Units',
			value: 'units',
			description: 'The units of systemd and their state',
			action: 'List systemd units',
		},
	],
	default: 'diagnose',
};

const timeout = (seconds: number): INodeProperties => ({
	displayName: 'Deadline (Seconds)',
	name: 'timeoutSeconds',
	type: 'number',
	typeOptions: { minValue: 1 },
	default: seconds,
	description: 'How long it may take in all',
});

const options = (...choices: INodeProperties[]): INodeProperties => ({
	displayName: 'Options',
	name: 'options',
	type: 'collection',
	placeholder: 'Add option',
	default: {},
	options: choices,
});

const container: INodeProperties = {
	displayName: 'Container',
	name: 'container',
	type: 'resourceLocator',
	default: { mode: 'list', value: '' },
	required: true,
	description: 'One that the Docker credential allows',
	modes: [
		{
			displayName: 'From List',
			name: 'list',
			type: 'list',
			placeholder: 'Select a container…',
			typeOptions: { searchListMethod: 'searchContainers', searchable: true },
		},
		{ displayName: 'By Name', name: 'name', type: 'string', placeholder: 'e.g. n8n-worker-1' },
	],
};

const containers: INodeProperties[] = [
	{
		displayName: 'Measure Use',
		name: 'usage',
		type: 'boolean',
		default: true,
		description: 'Whether to measure processor and memory, which takes two seconds',
	},
	options(timeout(10)),
];

const logs: INodeProperties[] = [
	container,
	options(
		timeout(10),
		{
			displayName: 'Lines',
			name: 'tail',
			type: 'number',
			typeOptions: { minValue: 1, maxValue: 10_000 },
			default: 100,
			description: 'How many lines from the end',
		},
		{
			displayName: 'Max Size (KiB)',
			name: 'maxKibibytes',
			type: 'number',
			typeOptions: { minValue: 1 },
			default: 64,
			description: 'Earlier text is left out, and the result says so',
		},
		{
			displayName: 'Since (Minutes)',
			name: 'sinceMinutes',
			type: 'number',
			typeOptions: { minValue: 0 },
			default: 60,
			description: 'Only lines that are not older than this',
		},
	),
];

const restart: INodeProperties[] = [
	container,
	options(
		timeout(60),
		{
			displayName: 'Grace (Seconds)',
			name: 'graceSeconds',
			type: 'number',
			typeOptions: { minValue: 0 },
			default: 10,
			description: 'How long the container may take to stop before it is killed',
		},
		{
			displayName: 'Restart Protected Containers',
			name: 'allowProtected',
			type: 'boolean',
			default: false,
			description: 'Whether PostgreSQL, Redis, n8n itself and those that the credential protects may be restarted, too',
		},
	),
];

const query: INodeProperties[] = [
	{
		displayName: 'SQL',
		name: 'sql',
		type: 'string',
		typeOptions: { editor: 'sqlEditor', sqlDialect: 'PostgreSQL' },
		noDataExpression: false,
		required: true,
		default: '',
		placeholder: 'e.g. SELECT status, count(*) FROM execution_entity GROUP BY status',
		description: 'One SELECT, VALUES or EXPLAIN. Values from elsewhere go into Parameters, as $1 and $2.',
	},
	{
		displayName: 'Parameters (JSON)',
		name: 'values',
		type: 'json',
		default: '[]',
		description: 'The values of $1, $2… as a JSON array',
	},
	options(
		{
			displayName: 'Allowed Tables',
			name: 'allowedTables',
			type: 'string',
			default: '',
			placeholder: 'e.g. devis, devis_items, shop.orders',
			description:
				'Tables that may be read, separated by commas. Left empty: all but those that can hold secrets, such as credentials, users and settings of n8n.',
		},
		timeout(5),
		{
			displayName: 'If There Is More',
			name: 'whenMore',
			type: 'options',
			options: [
				{ name: 'Cut', value: 'cut', description: 'Give what fits, and say so' },
				{ name: 'Fail', value: 'fail', description: 'Stop with an error' },
			],
			default: 'fail',
			description: 'What to do with an answer larger than the limits below',
		},
		{
			displayName: 'Max Rows',
			name: 'maxRows',
			type: 'number',
			typeOptions: { minValue: 1, maxValue: 100_000 },
			default: 1000,
		},
		{
			displayName: 'Max Size (KiB)',
			name: 'maxKibibytes',
			type: 'number',
			typeOptions: { minValue: 1 },
			default: 1024,
		},
	),
];

const takes = (name: string) => commandNames.filter((command) => name in commands[command].takes);

const command: INodeProperties[] = [
	{
		displayName: 'Command',
		name: 'command',
		type: 'options',
		options: commandNames.map((value) => ({ name: commands[value].title, value })),
		default: 'disk-space',
	},
	{
		displayName: 'Unit',
		name: 'unit',
		type: 'string',
		default: '',
		placeholder: 'e.g. docker.service',
		displayOptions: { show: { command: takes('unit') } },
	},
	{
		displayName: 'Path',
		name: 'path',
		type: 'string',
		default: '',
		placeholder: 'e.g. /var/lib/docker',
		description: 'Only the file system that this lies on',
		displayOptions: { show: { command: takes('path') } },
	},
	{
		displayName: 'Lines',
		name: 'lines',
		type: 'number',
		typeOptions: { minValue: 1, maxValue: 1_000 },
		default: 100,
		displayOptions: { show: { command: takes('lines') } },
	},
	{
		displayName: 'Least Priority',
		name: 'priority',
		type: 'options',
		options: ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'].map((value) => ({
			name: value,
			value,
		})),
		default: 'info',
		displayOptions: { show: { command: takes('priority') } },
	},
	{
		displayName: 'Since (Minutes)',
		name: 'sinceMinutes',
		type: 'number',
		typeOptions: { minValue: 0 },
		default: 0,
		description: 'Only lines that are not older than this; 0 for any age',
		displayOptions: { show: { command: takes('sinceMinutes') } },
	},
	{
		displayName: 'By',
		name: 'by',
		type: 'options',
		options: [
			{ name: 'Memory', value: 'memory' },
			{ name: 'Processor', value: 'cpu' },
		],
		default: 'cpu',
		displayOptions: { show: { command: takes('by') } },
	},
	options(timeout(10), {
		displayName: 'Max Size (KiB)',
		name: 'maxKibibytes',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 64,
		description: 'The command is stopped when it says more, and the result says so',
	}),
];

const unitsFile: INodeProperties = {
	displayName: 'Units File',
	name: 'unitsFile',
	type: 'string',
	default: '',
	placeholder: 'e.g. /var/lib/aurastack/units.json',
	description: 'What a timer on the host writes of systemd, where systemd itself cannot be asked',
};

const units: INodeProperties[] = [
	{
		displayName: 'Which',
		name: 'which',
		type: 'options',
		options: [
			{ name: 'All', value: 'all' },
			{ name: 'Failed', value: 'failed' },
		],
		default: 'failed',
	},
	options(unitsFile),
];

const wantedModels: INodeProperties = {
	displayName: 'Wanted Models',
	name: 'wantedModels',
	type: 'string',
	default: '',
	placeholder: 'e.g. qwen2.5-coder:3b-instruct, nomic-embed-text',
	description: 'Models that have to be there, separated by commas',
};

const queueOptions: INodeProperties[] = [
	{
		displayName: 'Queue Name',
		name: 'queueName',
		type: 'string',
		default: 'jobs',
	},
	{
		displayName: 'Queue Prefix',
		name: 'queuePrefix',
		type: 'string',
		default: 'bull',
		description: 'QUEUE_BULL_PREFIX of n8n',
	},
	{
		displayName: 'Redis Key Prefix',
		name: 'redisKeyPrefix',
		type: 'string',
		default: 'n8n',
		description: 'N8N_REDIS_KEY_PREFIX of n8n',
	},
	{
		displayName: 'Worker Health Addresses',
		name: 'workers',
		type: 'string',
		default: '',
		placeholder: 'e.g. http://n8n-worker-1:5678/healthz',
		description: 'Separated by commas; each is asked whether it answers',
	},
];

const diagnose: INodeProperties[] = [
	{
		displayName: 'Language',
		name: 'language',
		type: 'options',
		options: [
			{ name: 'English', value: 'en' },
			{ name: 'French', value: 'fr' },
		],
		default: 'en',
	},
	options(
		{
			displayName: 'Backup Folder',
			name: 'backupFolder',
			type: 'string',
			default: '',
			placeholder: 'e.g. /var/backups/aurastack',
			description: 'Where backups lie, to judge the age and size of the newest',
		},
		timeout(3),
		{
			displayName: 'Executions of n8n',
			name: 'executions',
			type: 'boolean',
			default: true,
			description: 'Whether the PostgreSQL credential reaches the database of n8n, whose executions are then looked at',
		},
		{
			displayName: 'Include HTML Page',
			name: 'html',
			type: 'boolean',
			default: true,
			description: 'Whether to give the report also as a self-contained page in the binary field "data"',
		},
		{
			displayName: 'Last State',
			name: 'lastState',
			type: 'json',
			default: '',
			description: 'The field "state" of an earlier diagnosis: the result then says what became worse or better',
		},
		...queueOptions,
		{
			displayName: 'Schema of n8n',
			name: 'schema',
			type: 'string',
			default: 'public',
			description: 'DB_POSTGRESDB_SCHEMA of n8n',
		},
		{
			displayName: 'Table Prefix of n8n',
			name: 'tablePrefix',
			type: 'string',
			default: '',
			description: 'DB_TABLE_PREFIX of n8n',
		},
		unitsFile,
		wantedModels,
	),
];

export const description: INodeTypeDescription = {
	displayName: 'VPS Health',
	name: 'vpsHealth',
	icon: { light: 'file:vpsHealth.svg', dark: 'file:vpsHealth.dark.svg' },
	group: ['transform'],
	version: 1,
	subtitle: '={{ $parameter["operation"] }}',
	description: 'See what is wrong with this machine, why, and what to do: containers, database, queue, models, system',
	defaults: { name: 'VPS Health' },
	inputs: ['main'],
	outputs: ['main'],
	usableAsTool: true,
	// n8n asks only the first entry of a type whether it is shown, so each has one, and Diagnose looks at what is chosen.
	credentials: [
		{
			name: 'dockerHost',
			required: false,
			testedBy: 'dockerHostTest',
			displayOptions: { show: { operation: ['containers', 'diagnose', 'logs', 'restart'] } },
		},
		{ name: 'postgres', required: false, displayOptions: { show: { operation: ['diagnose', 'query'] } } },
		{ name: 'redis', required: false, displayOptions: { show: { operation: ['diagnose', 'queue'] } } },
		{ name: 'ollamaApi', required: false, displayOptions: { show: { operation: ['diagnose', 'models'] } } },
		{
			name: 'infraScanner',
			required: false,
			displayOptions: { show: { operation: ['diagnose', 'resources', 'units'] } },
		},
	],
	properties: [
		operation,
		...Object.entries({
			containers,
			logs,
			restart,
			query,
			command,
			units,
			models: [options(wantedModels)],
			queue: [options(...queueOptions)],
			diagnose,
		}).flatMap(([name, properties]) => properties.map((property) => shownFor(name, property))),
	],
};

function shownFor(operationName: string, property: INodeProperties): INodeProperties {
	return {
		...property,
		displayOptions: { show: { ...property.displayOptions?.show, operation: [operationName] } },
	};
}
