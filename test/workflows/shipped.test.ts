import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type {
	INodeProperties,
	INodePropertyCollection,
	INodePropertyOptions,
	INodeTypeDescription,
} from 'n8n-workflow';

import { description as mcpExecute } from '../../nodes/McpExecute/description';
import { description as ollamaExtract } from '../../nodes/OllamaExtract/description';
import { description as vpsHealth } from '../../nodes/VpsHealth/description';
import { shippedCredentials } from '../../stack/credentials.mts';
import { installN8n, n8nVersion } from '../../stack/n8nInstall.mts';
import { readSettings } from '../../stack/settings.mts';

interface ShippedNode {
	id: string;
	name: string;
	type: string;
	typeVersion: number;
	position: [number, number];
	parameters: Record<string, unknown>;
	credentials?: Record<string, { id: string; name: string }>;
}
interface Shipped {
	id: string;
	name: string;
	active: boolean;
	pinData?: object;
	staticData?: unknown;
	nodes: ShippedNode[];
	connections: Record<string, { main: Array<Array<{ node: string; type: string; index: number }>> }>;
	settings: Record<string, unknown>;
}

const folder = join(__dirname, '..', '..', 'workflows');
const shipped = globSync('*.json', { cwd: folder })
	.sort()
	.map((file): [string, Shipped] => [file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as Shipped]);
const ourTypes: Record<string, INodeTypeDescription> = {
	'n8n-nodes-aurastack.mcpExecute': mcpExecute,
	'n8n-nodes-aurastack.ollamaExtract': ollamaExtract,
	'n8n-nodes-aurastack.vpsHealth': vpsHealth,
};

let n8n: string;
beforeAll(async () => {
	const { cache } = readSettings(process.env);
	// Several tests may need it at once on a clean machine: one installs, the others wait for it.
	n8n = await installN8n(cache, {
		say: (line) => process.stderr.write(`${line}\n`),
		signal: AbortSignal.timeout(900_000),
	});
}, 900_000);

test('there is a workflow to ship', () => {
	expect(shipped.map(([file]) => file)).toContain('extraction-devis.json');
});

describe.each(shipped)('%s', (_, workflow) => {
	test('it has the fixed id of its kind, unique node ids and names, and no pinned or static data', () => {
		expect(workflow.id).toMatch(/^[A-Za-z0-9]{16}$/);
		for (const key of ['id', 'name'] as const) {
			const values = workflow.nodes.map((node) => node[key]);
			expect(new Set(values).size).toBe(values.length);
		}
		expect(workflow.nodes.filter(({ id }) => !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))).toEqual([]);
		expect([workflow.pinData, workflow.staticData]).toEqual([undefined, undefined]);
	});

	test('its connections lead from node to node, and every node but a trigger or a note is reached', () => {
		const names = workflow.nodes.map(({ name }) => name);
		const targets = Object.values(workflow.connections).flatMap(({ main }) => main.flat());
		expect(Object.keys(workflow.connections).filter((name) => !names.includes(name))).toEqual([]);
		expect(targets.filter(({ node, type, index }) => !names.includes(node) || type !== 'main' || index !== 0)).toEqual(
			[],
		);
		const reached = new Set(targets.map(({ node }) => node));
		const unreached = workflow.nodes.filter(
			({ name, type }) => !reached.has(name) && !/Trigger$|webhook$|stickyNote$/.test(type),
		);
		expect(unreached.map(({ name }) => name)).toEqual([]);
	});

	test('its credentials are those that the stack makes', () => {
		const made = shippedCredentials({
			ollamaUrl: 'http://127.0.0.1:11434',
			databaseUrl: 'postgres://user:password@127.0.0.1:5432/database',
			watcherUrl: 'postgres://watcher:password@127.0.0.1:5432/n8n',
			redis: { host: '127.0.0.1', port: 6379, database: 0, tls: false },
			webhookToken: 'token',
			approverToken: 'other',
			tools: {
				...{ policyFile: '/policy.yaml', variables: {}, approvalKey: 'key', auditKey: 'key' },
				...{ gatewayUrl: 'http://127.0.0.1:5680', gatewayToken: 'token' },
			},
			editorUrl: 'http://127.0.0.1:5678',
			executionsKey: 'key',
		}).map(({ id, name, type }) => ({ id, name, type }));
		const used = workflow.nodes.flatMap(({ credentials = {} }) =>
			Object.entries(credentials).map(([type, { id, name }]) => ({ id, name, type })),
		);
		expect(used.length).toBeGreaterThan(0);
		expect(made).toEqual(expect.arrayContaining(used));
	});

	test('the only paths in it are below /files', () => {
		const strings: string[] = [];
		JSON.stringify(
			workflow.nodes.filter(({ type }) => type !== 'n8n-nodes-base.stickyNote'),
			(key, value: unknown) => {
				if (typeof value === 'string' && key !== 'query') strings.push(value);
				return value;
			},
		);
		const paths = strings.flatMap((text) => text.match(/(?<![\w$)\]}"'<.:/])\/[a-z][\w/.-]+/gi) ?? []);
		expect(paths.filter((path) => !/^\/files(\/|$)/.test(path))).toEqual([]);
		expect(JSON.stringify(workflow)).not.toMatch(/\/(home|root|tmp|Users)\//);
	});

	test('nodes stand on the grid, and none lies on another', () => {
		const nodes = workflow.nodes.filter(({ type }) => type !== 'n8n-nodes-base.stickyNote');
		expect(nodes.filter(({ position }) => position.some((at) => at % 20 !== 0))).toEqual([]);
		const clashes = nodes.flatMap((one, at) =>
			nodes
				.slice(at + 1)
				.filter(
					(two) =>
						Math.abs(one.position[0] - two.position[0]) < 160 && Math.abs(one.position[1] - two.position[1]) < 120,
				)
				.map((two) => `${one.name} / ${two.name}`),
		);
		expect(clashes).toEqual([]);
	});

	const ours = workflow.nodes.filter(({ type }) => type.startsWith('n8n-nodes-aurastack.'));
	test.each(ours.map((node): [string, ShippedNode] => [node.name, node]))(
		'%s: every parameter exists and is shown',
		(name, node) => {
			const description = ourTypes[node.type]!;
			expect([description.version].flat()).toContain(node.typeVersion);
			expect(problemsOf(description, node.parameters).map((problem) => `${name}: ${problem}`)).toEqual([]);
			const accepted = (description.credentials ?? []).map((credential) => credential.name);
			expect(Object.keys(node.credentials ?? {}).filter((type) => !accepted.includes(type))).toEqual([]);
		},
	);

	const builtIn = workflow.nodes.filter(({ type }) => type.startsWith('n8n-nodes-base.'));
	test(`its built-in nodes exist in n8n ${n8nVersion} in these versions`, () => {
		const typesFile = join(n8n, 'node_modules', 'n8n-nodes-base', 'dist', 'types', 'nodes.json');
		const known = JSON.parse(readFileSync(typesFile, 'utf8')) as Array<{
			name: string;
			version: number | number[];
		}>;
		const missing = builtIn.filter(
			({ type, typeVersion }) =>
				!known.some(({ name, version }) => `n8n-nodes-base.${name}` === type && [version].flat().includes(typeVersion)),
		);
		expect(missing.map(({ name, type, typeVersion }) => `${name}: ${type} ${typeVersion}`)).toEqual([]);
	});
});

test('the quotes workflow keeps its id and name, finds files by itself, and keeps no documents in its executions', () => {
	const [, workflow] = shipped.find(([file]) => file === 'extraction-devis.json')!;
	expect(workflow).toMatchObject({
		id: 'MXmDVXcHxkHXveOU',
		name: '📄 Extraction Devis Signés - 100% Local',
		active: true,
		settings: { executionOrder: 'v1', saveDataSuccessExecution: 'none', saveDataErrorExecution: 'none' },
	});
	expect(workflow.nodes.map(({ type }) => type)).toEqual(
		expect.arrayContaining(['n8n-nodes-base.localFileTrigger', 'n8n-nodes-base.scheduleTrigger']),
	);
});

/** What in `parameters` the node would not show or not understand. */
function problemsOf(description: INodeTypeDescription, parameters: Record<string, unknown>): string[] {
	const shown = description.properties.filter((property) => isShown(property, parameters, description.properties));
	return Object.entries(parameters).flatMap(([name, value]) => {
		const property = shown.find((one) => one.name === name);
		if (property === undefined) return [`"${name}" is not a parameter that is shown here`];
		if (property.type === 'collection') {
			const known = (property.options as INodeProperties[]).map((option) => option.name);
			return Object.keys(value as object)
				.filter((option) => !known.includes(option))
				.map((option) => `"${name}.${option}" is not an option`);
		}
		return property.type === 'options' ? unknownChoice(property, value) : [];
	});
}

function isShown(property: INodeProperties, parameters: Record<string, unknown>, all: INodeProperties[]): boolean {
	return Object.entries(property.displayOptions?.show ?? {}).every(([name, allowed]) => {
		const value = parameters[name] ?? all.find((one) => one.name === name)?.default;
		return (allowed as unknown[]).includes(value);
	});
}

function unknownChoice(property: INodeProperties, value: unknown): string[] {
	const choices = (property.options as Array<INodePropertyOptions | INodeProperties | INodePropertyCollection>).flatMap(
		(option) => ('value' in option ? [option.value] : []),
	);
	const isExpression = typeof value === 'string' && value.startsWith('=');
	return isExpression || choices.includes(value as string)
		? []
		: [`"${property.name}" cannot be ${JSON.stringify(value)}`];
}
