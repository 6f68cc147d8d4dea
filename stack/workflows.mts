import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { webhookHeaders } from './credentials.mts';

/** The parts of a shipped workflow that the stack looks at; the rest goes to n8n as it is. */
export interface Workflow {
	readonly id: string;
	readonly name: string;
	readonly active?: boolean;
	readonly nodes: readonly WorkflowNode[];
	readonly connections: object;
}

interface WorkflowNode {
	readonly name: string;
	readonly type: string;
	readonly disabled?: boolean;
	readonly parameters?: Readonly<Record<string, unknown>>;
	readonly credentials?: Readonly<Record<string, { readonly id?: string | null; readonly name?: string }>>;
}

export interface Webhook {
	readonly method: string;
	readonly url: string;
	/** Sent along, its value standing in the file. */
	readonly header?: { readonly name: string; readonly valueFile: string };
}

/** Every workflow shipped in `folder`, with `files` in the place of `/files`, the name the folder has in containers. */
export function readWorkflows(folder: string, files: string): Workflow[] {
	return globSync('*.json', { cwd: folder })
		.sort()
		.map((name) => {
			const file = join(folder, name);
			let workflow: Partial<Workflow> | null;
			try {
				workflow = JSON.parse(readFileSync(file, 'utf8')) as Partial<Workflow> | null;
			} catch (cause) {
				throw new LocalAiError('configuration', `${file} is not JSON: ${(cause as Error).message}`, {
					hint: 'Take the shipped file again (git checkout), or export the workflow anew.',
					cause,
				});
			}
			if (
				typeof workflow?.id !== 'string' ||
				!Array.isArray(workflow.nodes) ||
				typeof workflow.connections !== 'object'
			) {
				throw new LocalAiError('configuration', `${file} is not a workflow with an id, nodes and connections.`, {
					hint: 'Take the shipped file again (git checkout), or export the workflow anew.',
				});
			}
			return moveFiles(workflow as Workflow, files);
		});
}

/** The same value with `files` wherever a string, expressions included, names `/files` or something below it. */
export function moveFiles<T>(value: T, files: string): T {
	if (typeof value === 'string') return value.replaceAll(/(?<![\w.:/-])\/files(?=$|[/"'`\s;,)])/g, () => files) as T;
	if (Array.isArray(value)) return value.map((one: unknown) => moveFiles(one, files)) as T;
	if (typeof value !== 'object' || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, moveFiles<unknown>(one, files)])) as T;
}

/** What keeps a workflow from being published here, each with the step that helps; empty when nothing does. */
export function missingSteps(workflow: Workflow, credentialIds: ReadonlySet<string>, publicUrl?: string): string[] {
	const enabled = workflow.nodes.filter(({ disabled }) => !disabled);
	const credentials = enabled
		.flatMap(({ credentials = {} }) => Object.entries(credentials))
		.filter(([, { id }]) => !id || !credentialIds.has(id))
		.map(([type, { name }]) => `choose or create its credential "${name ?? type}" (${type}) in the editor`);
	const needsUrl =
		enabled.some(({ type }) => type === 'n8n-nodes-base.telegramTrigger') && !publicUrl?.startsWith('https:');
	return [...new Set([...credentials, ...(needsUrl ? ['set AURASTACK_PUBLIC_URL to its https address'] : [])])];
}

/** The Ollama models that the workflow's nodes name. */
export function modelsOf(workflow: Workflow): string[] {
	return workflow.nodes
		.filter(({ disabled, credentials }) => !disabled && credentials?.ollamaApi)
		.map(({ parameters }) => parameters?.model)
		.map((model) => (typeof model === 'object' && model !== null && 'value' in model ? model.value : model))
		.filter((model) => typeof model === 'string' && model !== '' && !model.startsWith('='))
		.map(String);
}

/** How the world calls a workflow's Webhook nodes. */
export function webhooksOf(workflow: Workflow, baseUrl: string, secretFile: (name: string) => string): Webhook[] {
	return workflow.nodes
		.filter(({ type, disabled }) => type === 'n8n-nodes-base.webhook' && !disabled)
		.map(({ parameters = {}, credentials }) => ({
			method: typeof parameters.httpMethod === 'string' ? parameters.httpMethod : 'GET',
			url: `${baseUrl}/webhook/${String(parameters.path ?? '')}`,
			...headerOf(credentials?.httpHeaderAuth?.id, secretFile),
		}));
}

function headerOf(id: string | null | undefined, secretFile: (name: string) => string): Pick<Webhook, 'header'> {
	const header = Object.entries(webhookHeaders).find(([credential]) => credential === id)?.[1];
	return header ? { header: { name: header.name, valueFile: secretFile(header.secret) } } : {};
}
