import type {
	ILoadOptionsFunctions,
	INodeListSearchResult,
	ResourceMapperField,
	ResourceMapperFields,
} from 'n8n-workflow';

import { toNodeError } from '../shared/n8n';
import { listTools, type ListedTool } from './call';
import { policyOf } from './gate';
import { wayOf } from './parameters';

/** The servers that the policy names, those whose name contains `filter`. */
export async function searchServers(this: ILoadOptionsFunctions, filter?: string): Promise<INodeListSearchResult> {
	try {
		const { policy } = await policyOf(await this.getCredentials('mcpPolicy'));
		return { results: matching([...policy.servers.keys()], filter).map((name) => ({ name, value: name })) };
	} catch (error) {
		throw toNodeError(this.getNode(), error);
	}
}

/** The tools of the chosen server that the policy lets this workflow call, and whether they need an approval. */
export async function searchTools(this: ILoadOptionsFunctions, filter?: string): Promise<INodeListSearchResult> {
	const tools = await toolsOfChosenServer(this);
	const wanted = new Set(
		matching(
			tools.map(({ name }) => name),
			filter,
		),
	);
	return {
		results: tools
			.filter(({ name }) => wanted.has(name))
			.map(({ name, approval, changes }) => ({
				name: [
					name,
					...(approval === 'required' ? ['needs approval'] : []),
					...(changes.length > 0 ? ['changed'] : []),
				].join(' · '),
				value: name,
			})),
	};
}

/** The arguments of the chosen tool as fields, from its own schema. */
export async function toolArguments(this: ILoadOptionsFunctions): Promise<ResourceMapperFields> {
	const name = this.getCurrentNodeParameter('tool', { extractValue: true });
	const tool = (await toolsOfChosenServer(this)).find((one) => one.name === name);
	if (tool === undefined) return { fields: [], emptyFieldsNotice: 'Choose a server and a tool first.' };
	const { properties = {}, required = [] } = tool.definition.inputSchema as InputSchema;
	return { fields: Object.entries(properties).map(([id, schema]) => fieldOf(id, schema, required.includes(id))) };
}

interface InputSchema {
	readonly properties?: Readonly<Record<string, PropertySchema>>;
	readonly required?: readonly string[];
}

interface PropertySchema {
	readonly type?: string | readonly string[];
	readonly enum?: readonly unknown[];
	readonly default?: unknown;
}

async function toolsOfChosenServer(host: ILoadOptionsFunctions): Promise<readonly ListedTool[]> {
	const server = host.getCurrentNodeParameter('server', { extractValue: true });
	if (typeof server !== 'string' || server === '') return [];
	try {
		const servers = host.getCurrentNodeParameter('servers') === 'own' ? 'own' : 'gateway';
		const { gate, access } = await wayOf(host, 0, servers);
		const caller = { workflowId: host.getWorkflow().id ?? '', nodeName: host.getNode().name };
		return await listTools(server, caller, access, gate);
	} catch (error) {
		throw toNodeError(host.getNode(), error);
	}
}

function fieldOf(id: string, schema: PropertySchema, required: boolean): ResourceMapperField {
	const choices = schema.enum?.filter((value) => typeof value === 'string');
	const shown = { id, displayName: id, required, defaultMatch: false, display: true, removed: !required };
	const value = schema.default;
	const preset =
		typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
	return {
		...shown,
		...(choices && choices.length > 0
			? { type: 'options', options: choices.map((name) => ({ name, value: name })) }
			: { type: fieldType(schema.type) }),
		...(preset !== undefined && { defaultValue: preset }),
	};
}

function fieldType(type: PropertySchema['type']): NonNullable<ResourceMapperField['type']> {
	const first = typeof type === 'string' ? type : type?.find((one) => one !== 'null');
	switch (first) {
		case 'integer':
		case 'number':
			return 'number';
		case 'boolean':
		case 'array':
		case 'object':
			return first;
		default:
			return 'string';
	}
}

function matching(names: readonly string[], filter = ''): string[] {
	return names.filter((name) => name.toLowerCase().includes(filter.toLowerCase()));
}
