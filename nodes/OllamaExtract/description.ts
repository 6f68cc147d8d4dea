import type { INodeProperties, INodeTypeDescription } from 'n8n-workflow';

const schemaExample = `{
  "type": "object",
  "properties": {
    "contractNumber": { "type": ["string", "null"] },
    "signedOn": { "type": ["string", "null"], "format": "date" },
    "monthlyFee": { "type": ["number", "null"] }
  },
  "required": ["contractNumber", "signedOn", "monthlyFee"]
}`;

const operation: INodeProperties = {
	displayName: 'Operation',
	name: 'operation',
	type: 'options',
	noDataExpression: true,
	options: [
		{
			name: 'Archive Document',
			value: 'archive',
			description: 'Move a file to the folder for processed, reviewed or rejected documents',
			action: 'Archive a document',
		},
		{
			name: 'Extract',
			value: 'extract',
			description: 'Read a PDF, an image or text into data, each value with its place in the source',
			action: 'Extract data from a document',
		},
		{
			name: 'Find Documents',
			value: 'find',
			description: 'List the files of a folder that nobody is still writing',
			action: 'Find documents in a folder',
		},
	],
	default: 'extract',
};

const source: INodeProperties[] = [
	{
		displayName: 'Source',
		name: 'source',
		type: 'options',
		noDataExpression: true,
		options: [
			{ name: 'Binary Field', value: 'binary', description: 'A PDF or an image from a previous node' },
			{ name: 'File Path', value: 'file', description: 'A PDF or an image on the disk of the machine that runs n8n' },
			{ name: 'Text', value: 'text', description: 'Text that was already read' },
		],
		default: 'binary',
	},
	{
		displayName: 'Input Binary Field',
		name: 'binaryPropertyName',
		type: 'string',
		required: true,
		default: 'data',
		hint: 'The name of the input field containing the PDF or image',
		displayOptions: { show: { source: ['binary'] } },
	},
	{
		displayName: 'File Path',
		name: 'filePath',
		type: 'string',
		required: true,
		default: '',
		placeholder: 'e.g. /files/devis/devis-2026-041.pdf',
		hint: 'The file must be in a folder that n8n may open: see N8N_RESTRICT_FILE_ACCESS_TO',
		displayOptions: { show: { source: ['file'] } },
	},
	{
		displayName: 'Text',
		name: 'text',
		type: 'string',
		typeOptions: { rows: 6 },
		required: true,
		default: '',
		placeholder: 'e.g. Devis n° D-2026-041 du 22 novembre 2026…',
		displayOptions: { show: { source: ['text'] } },
	},
];

const schema: INodeProperties[] = [
	{
		displayName: 'Schema',
		name: 'schema',
		type: 'options',
		noDataExpression: true,
		options: [
			{ name: 'Devis', value: 'devis', description: 'A quote: number, dates, seller, buyer, lines and totals' },
			{ name: 'Invoice', value: 'invoice', description: 'An invoice: number, dates, seller, buyer, lines and totals' },
			{ name: 'JSON Schema', value: 'jsonSchema', description: 'Fields of your own' },
		],
		default: 'devis',
	},
	{
		displayName: 'JSON Schema',
		name: 'jsonSchema',
		type: 'json',
		typeOptions: { rows: 10 },
		required: true,
		default: schemaExample,
		hint: 'Let each field also be null, so that what the document does not say can stay empty',
		displayOptions: { show: { schema: ['jsonSchema'] } },
	},
];

const engine: INodeProperties[] = [
	{
		displayName: 'Engine',
		name: 'engine',
		type: 'options',
		noDataExpression: true,
		options: [
			{
				name: 'Automatic',
				value: 'automatic',
				description:
					'The embedded e-invoice, then the page, then the model for what is missing, if an Ollama credential is chosen',
			},
			{
				name: 'Model Only',
				value: 'modelOnly',
				description: 'The model reads everything; each value is still looked up in the source',
			},
			{
				name: 'Without Model',
				value: 'withoutModel',
				description: 'The embedded e-invoice and the page, for Devis and Invoice: fast, and no Ollama needed',
			},
		],
		default: 'automatic',
	},
	{
		displayName: 'Model',
		name: 'model',
		type: 'resourceLocator',
		default: { mode: 'list', value: 'qwen2.5-coder:3b-instruct', cachedResultName: 'qwen2.5-coder:3b-instruct' },
		required: true,
		description: 'Reads text; images are read by the Vision Model, an option below',
		modes: [
			{
				displayName: 'From List',
				name: 'list',
				type: 'list',
				placeholder: 'Select a model…',
				typeOptions: { searchListMethod: 'searchModels', searchable: true },
			},
			{
				displayName: 'By Name',
				name: 'name',
				type: 'string',
				placeholder: 'e.g. qwen2.5-coder:3b-instruct',
			},
		],
		displayOptions: { show: { engine: ['automatic', 'modelOnly'] } },
	},
];

const options: INodeProperties = {
	displayName: 'Options',
	name: 'options',
	type: 'collection',
	placeholder: 'Add option',
	default: {},
	options: [
		{
			displayName: 'Context Size (Tokens)',
			name: 'numCtx',
			type: 'number',
			typeOptions: { minValue: 512 },
			default: 8192,
			description: 'How much the model can hold at once; more needs more memory',
		},
		{
			displayName: 'Ignore Embedded E-Invoice',
			name: 'ignoreXml',
			type: 'boolean',
			default: false,
			description:
				'Whether to read the page even when the PDF carries the document as XML (Factur-X, ZUGFeRD, Order-X)',
		},
		{
			displayName: 'Include Evidence',
			name: 'includeEvidence',
			type: 'boolean',
			default: true,
			description: 'Whether to output where each value stands in the source, and every check that was made',
		},
		{
			displayName: 'Max Model Calls',
			name: 'maxCalls',
			type: 'number',
			typeOptions: { minValue: 1 },
			default: 3,
			description: 'Calls to the model for one piece of the document, corrections included',
		},
		{
			displayName: 'Max Pages',
			name: 'maxPages',
			type: 'number',
			typeOptions: { minValue: 1 },
			default: 500,
			description: 'Pages to read; the result says when a document has more',
		},
		{
			displayName: 'Max Reply (Tokens)',
			name: 'maxReplyTokens',
			type: 'number',
			typeOptions: { minValue: 64 },
			default: 2048,
			description: 'Where the model is stopped when its reply does not end',
		},
		{
			displayName: 'Model Deadline (Seconds)',
			name: 'modelTimeoutSeconds',
			type: 'number',
			typeOptions: { minValue: 1 },
			default: 1800,
			description: 'How long one call to the model may take, its retries included',
		},
		{
			displayName: 'Password',
			name: 'password',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			description: 'Opens a protected PDF',
		},
		{
			displayName: 'Reading Deadline (Seconds)',
			name: 'readTimeoutSeconds',
			type: 'number',
			typeOptions: { minValue: 1 },
			default: 5,
			description: 'How long opening and reading the PDF may take',
		},
		{
			displayName: 'Reading Memory (MiB)',
			name: 'readMemoryMiB',
			type: 'number',
			typeOptions: { minValue: 200 },
			default: 400,
			description: 'How much memory opening and reading the PDF may take before it is stopped',
		},
		{
			displayName: 'Unproven Values',
			name: 'unproven',
			type: 'options',
			options: [
				{ name: 'Fail', value: 'fail', description: 'Stop with an error that names the value' },
				{ name: 'Keep and Flag', value: 'keep', description: 'Keep the value and mark the document for review' },
				{ name: 'Set to Null', value: 'null', description: 'Drop the value and say why' },
			],
			default: 'null',
			description: 'What to do with a value from the model that is not in the source',
		},
		{
			displayName: 'Vision Model',
			name: 'visionModel',
			type: 'string',
			displayOptions: { show: { '/engine': ['automatic', 'modelOnly'] } },
			default: 'qwen2.5vl:3b',
			description: 'The model that reads images, which the chosen one may not see',
		},
	],
};

const archive: INodeProperties[] = [
	{
		displayName: 'File Path',
		name: 'filePath',
		type: 'string',
		required: true,
		default: '',
		placeholder: 'e.g. /files/devis/devis-2026-041.pdf',
		hint: 'Both ends must be in folders that n8n may open: see N8N_RESTRICT_FILE_ACCESS_TO',
		description: 'The file to move',
	},
	{
		displayName: 'Destination',
		name: 'destination',
		type: 'options',
		noDataExpression: true,
		options: [
			{ name: 'By Verdict', value: 'verdict', description: 'Processed when complete, review, or rejected when failed' },
			{ name: 'Folder', value: 'folder', description: 'A folder that you name' },
		],
		default: 'verdict',
	},
	{
		displayName: 'Verdict',
		name: 'verdict',
		type: 'options',
		options: [
			{ name: 'Complete', value: 'complete', description: 'Goes to processed/' },
			{ name: 'Failed', value: 'failed', description: 'Goes to rejected/' },
			{ name: 'Review', value: 'review', description: 'Goes to review/' },
		],
		default: '={{ $json.verdict }}',
		displayOptions: { show: { destination: ['verdict'] } },
	},
	{
		displayName: 'Archive Folder',
		name: 'archiveFolder',
		type: 'string',
		required: true,
		default: '',
		placeholder: 'e.g. /files/devis',
		description: 'The existing folder that holds processed/, review/ and rejected/',
		displayOptions: { show: { destination: ['verdict'] } },
	},
	{
		displayName: 'Folder',
		name: 'folder',
		type: 'string',
		required: true,
		default: '',
		placeholder: 'e.g. /files/devis/processed',
		description: 'Where the file goes; made when it is not there yet',
		displayOptions: { show: { destination: ['folder'] } },
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			{
				displayName: 'Expected SHA-256',
				name: 'sha256',
				type: 'string',
				default: '={{ $json.document.sha256 }}',
				description:
					'Move the file only if it is still the one that was read. Lets a repeated run find it already moved.',
			},
		],
	},
];

const find: INodeProperties[] = [
	{
		displayName: 'Folder',
		name: 'folder',
		type: 'string',
		required: true,
		default: '',
		placeholder: 'e.g. /files/devis',
		hint: 'The folder must be one that n8n may open: see N8N_RESTRICT_FILE_ACCESS_TO',
		description: 'Gives one item that lists the files, oldest first',
	},
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			{
				displayName: 'Extensions',
				name: 'extensions',
				type: 'string',
				default: '.pdf',
				placeholder: 'e.g. .pdf, .jpg, .png',
				description: 'Which files to list, separated by commas; capital letters do not matter',
			},
			{
				displayName: 'Include SHA-256',
				name: 'sha256',
				type: 'boolean',
				default: false,
				description: 'Whether to read each file and give the fingerprint of its content',
			},
			{
				displayName: 'Only This File',
				name: 'fileName',
				type: 'string',
				default: '',
				placeholder: 'e.g. devis-2026-041.pdf',
				description: 'List this file only, if it is there and nobody is still writing it',
			},
			{
				displayName: 'Unchanged For (Seconds)',
				name: 'stillSeconds',
				type: 'number',
				typeOptions: { minValue: 0 },
				default: 2,
				description: 'How long a file must have kept its size and time to be listed',
			},
		],
	},
];

export const description: INodeTypeDescription = {
	displayName: 'Ollama Extract',
	name: 'ollamaExtract',
	icon: { light: 'file:ollamaExtract.svg', dark: 'file:ollamaExtract.dark.svg' },
	group: ['transform'],
	version: 1,
	subtitle:
		'={{ $parameter["operation"] === "extract" ? "extract: " + $parameter["schema"] : $parameter["operation"] }}',
	description: 'Read quotes, invoices and other documents on your own machine, each value proven against the source',
	defaults: { name: 'Ollama Extract' },
	inputs: ['main'],
	outputs: ['main'],
	usableAsTool: true,
	credentials: [
		{
			name: 'ollamaApi',
			required: false,
			displayOptions: { show: { operation: ['extract'], engine: ['automatic', 'modelOnly'] } },
		},
	],
	properties: [
		operation,
		...[...source, ...schema, ...engine, options].map((property) => shownFor('extract', property)),
		...archive.map((property) => shownFor('archive', property)),
		...find.map((property) => shownFor('find', property)),
	],
};

function shownFor(operationName: string, property: INodeProperties): INodeProperties {
	return {
		...property,
		displayOptions: { show: { ...property.displayOptions?.show, operation: [operationName] } },
	};
}
