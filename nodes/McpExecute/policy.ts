import { isAbsolute, normalize } from 'node:path';
import { RE2JS } from 're2js';
import { LineCounter, parseDocument, visit, type Document } from 'yaml';
import { z } from 'zod';
import { LocalAiError } from '../shared/errors';
import { canonicalHash } from './task/canonical';
import { compileSchema, type SchemaCheck } from './schema';

export interface Policy {
	/** `sha256:` of the canonical form of everything that the file says. */
	readonly version: string;
	/** The longest life of an approval, at most 10 minutes. */
	readonly approvalLifetimeMs: number;
	/** How long a request for approval stays open. */
	readonly requestLifetimeMs: number;
	/** Who may approve what, by risk class: the approvers' names. An empty list: nobody. */
	readonly approvers: ReadonlyMap<string, readonly string[]>;
	readonly servers: ReadonlyMap<string, ServerPolicy>;
}

export interface ServerPolicy {
	readonly name: string;
	readonly transport: StdioTransport | HttpTransport;
	/** One request at a time: for servers that lose data when two run at once. */
	readonly serial: boolean;
	readonly limits: ServerLimits;
	/** Who may call the server. */
	readonly callers: Callers;
	/** By exact name. */
	readonly tools: ReadonlyMap<string, ToolPolicy>;
}

export interface StdioTransport {
	readonly kind: 'stdio';
	/** An absolute path, or `node` for the Node.js that runs this program. */
	readonly command: string;
	readonly args: readonly string[];
	/** The names of the variables copied from the owner's environment, and no others. */
	readonly env: readonly string[];
	/** Variables with the value that the file gives them. */
	readonly setEnv: Readonly<Record<string, string>>;
	readonly cwd?: string;
}

export interface HttpTransport {
	readonly kind: 'http';
	readonly url: string;
	/** `public`: a name that leads to this machine or a private network is refused, however often it is resolved. */
	readonly addresses: 'public' | 'any';
}

export interface ServerLimits {
	readonly connectTimeoutMs: number;
	/** For one call; progress starts it anew. */
	readonly callTimeoutMs: number;
	/** For one call, whatever its progress. */
	readonly maxTimeoutMs: number;
	readonly maxOutputBytes: number;
	/** After which an unused session ends. */
	readonly idleTimeoutMs: number;
	/** Calls that may wait for their turn; one more is refused at once. */
	readonly maxQueued: number;
}

export interface ToolPolicy {
	readonly name: string;
	readonly approval: 'never' | 'required';
	/** Names the approvers; part of what they are shown. */
	readonly risk: string;
	/** `any`: whatever the tool's own schema accepts. Otherwise an argument without a rule is refused. */
	readonly arguments: 'any' | ReadonlyMap<string, ArgumentRule>;
	/** `sha256:` of the canonical tool definition. Without it the definition first seen is kept. */
	readonly pin?: string;
	/** Who may call the tool, of those who may call the server. */
	readonly callers: Callers;
}

/** A rule of one argument; a list holds it for each of its elements. */
export type ArgumentRule =
	| { readonly kind: 'any' }
	/** Absolute paths inside one of these folders, after every symbolic link is followed. */
	| { readonly kind: 'folders'; readonly folders: readonly string[] }
	/** Texts that the pattern matches as a whole. */
	| { readonly kind: 'pattern'; readonly source: string; readonly matches: (text: string) => boolean }
	| { readonly kind: 'schema'; readonly check: SchemaCheck };

/** `anyone`, or those of whom one rule is true in every part that it names. */
export type Callers = 'anyone' | readonly CallerRule[];

export interface CallerRule {
	readonly workflowId?: string;
	readonly nodeName?: string;
	readonly user?: string;
}

/**
 * Reads the policy file, YAML 1.2. `${NAME}` in a folder, command, argument, variable, working folder or address stands
 * for one of `variables`. Throws LocalAiError `configuration` with line and column for anything unknown, missing,
 * double or malformed. What the file does not name is not allowed.
 */
export function loadPolicy(text: string, variables: Readonly<Record<string, string>> = {}): Policy {
	const lines = new LineCounter();
	const document = parseDocument(text, { lineCounter: lines, strict: true, stringKeys: true, version: '1.2' });
	const [broken] = document.errors;
	if (broken) throw faulty(lines.linePos(broken.pos[0]), broken.message.split('\n')[0] ?? broken.code);

	const parsed = fileSchema(variables).safeParse(plainValue(document, lines));
	if (!parsed.success) {
		const [issue] = parsed.error.issues;
		throw faulty(lines.linePos(offsetOf(document, issue!.path)), `${nameOf(issue!.path)}${issue!.message}`);
	}
	const file = parsed.data;
	const fail = (path: PropertyKey[], message: string) =>
		faulty(lines.linePos(offsetOf(document, path)), `${nameOf(path)}${message}`);

	const servers = Object.entries(file.servers).map(([name, server]): [string, ServerPolicy] => {
		const at = ['servers', name];
		const callers = callersNamed(server.callers, file.callers, [...at, 'callers'], fail);
		const tools = Object.entries(server.tools).map(([tool, rules]): [string, ToolPolicy] => [
			tool,
			toolPolicy(tool, rules, file, callers, [...at, 'tools', tool], fail),
		]);
		const transport = server.stdio
			? { kind: 'stdio' as const, ...server.stdio }
			: { kind: 'http' as const, ...server.http! };
		const limits = { ...defaultLimits, ...file.limits, ...server.limits };
		return [name, { name, transport, serial: server.serial, limits, callers, tools: new Map(tools) }];
	});
	return deepFreeze({
		version: canonicalHash(file),
		approvalLifetimeMs: file.approvalLifetimeMs,
		requestLifetimeMs: file.requestLifetimeMs,
		approvers: new Map(Object.entries(file.approvers)),
		servers: new Map(servers),
	});
}

type Fail = (path: PropertyKey[], message: string) => LocalAiError;
type PolicyFile = z.infer<ReturnType<typeof fileSchema>>;
type ToolRules = PolicyFile['servers'][string]['tools'][string];

const defaultLimits: ServerLimits = {
	connectTimeoutMs: 15_000,
	callTimeoutMs: 60_000,
	maxTimeoutMs: 300_000,
	maxOutputBytes: 1_000_000,
	idleTimeoutMs: 600_000,
	maxQueued: 100,
};

function fileSchema(variables: Readonly<Record<string, string>>) {
	const name = z.string().min(1).max(128);
	const filled = z.string().transform((text, context) =>
		text.replace(/\$\{([A-Za-z0-9_]*)\}/g, (whole, variable: string) => {
			if (Object.hasOwn(variables, variable)) return variables[variable]!;
			context.addIssue({ code: 'custom', message: `${whole} is not set` });
			return '';
		}),
	);
	const folder = filled.refine((path) => isAbsolute(path) && normalize(path) === path && !path.includes('\0'), {
		message: 'must be an absolute path without ".." and without doubled slashes',
	});
	const command = filled.refine((path) => path === 'node' || (isAbsolute(path) && normalize(path) === path), {
		message: 'must be "node" or the absolute path of a program',
	});
	const ms = z.int().min(1).max(86_400_000);
	const limits = z
		.strictObject({
			connectTimeoutMs: ms,
			callTimeoutMs: ms,
			maxTimeoutMs: ms,
			maxOutputBytes: z.int().min(1).max(100_000_000),
			idleTimeoutMs: ms,
			maxQueued: z.int().min(0).max(10_000),
		})
		.partial();
	const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);
	const stdio = z.strictObject({
		command,
		args: z.array(filled).default([]),
		env: z.array(variable).default([]),
		setEnv: z.record(variable, filled).default({}),
		cwd: folder.optional(),
	});
	const http = z.strictObject({
		url: filled.pipe(z.url({ protocol: /^https?$/ })),
		addresses: z.enum(['public', 'any']).default('public'),
	});
	const rule = z.union([
		z.literal('any'),
		z.strictObject({ in: z.array(name) }),
		z.strictObject({ pattern: z.string().max(1000) }),
		z.strictObject({ schema: z.looseObject({}) }),
	]);
	const callers = z.union([z.literal('anyone'), z.array(name)]);
	const tool = z.strictObject({
		approval: z.enum(['never', 'required']),
		risk: name,
		arguments: z.union([z.literal('any'), z.record(name, rule)]),
		pin: z
			.string()
			.regex(/^sha256:[0-9a-f]{64}$/)
			.optional(),
		callers: callers.optional(),
	});
	const server = z
		.strictObject({
			stdio: stdio.optional(),
			http: http.optional(),
			serial: z.boolean().default(false),
			limits: limits.default({}),
			callers,
			tools: z.record(name, tool),
		})
		.refine(({ stdio: program, http: address }) => (program === undefined) !== (address === undefined), {
			message: 'needs either "stdio" or "http"',
		});
	return z.strictObject({
		folders: z.record(name, folder).default({}),
		callers: z
			.record(
				name,
				z
					.strictObject({ workflowId: name, nodeName: name, user: name })
					.partial()
					.refine((caller) => Object.keys(caller).length > 0, { message: 'names nobody' }),
			)
			.default({}),
		approvalLifetimeMs: z.int().min(1000).max(600_000).default(600_000),
		requestLifetimeMs: ms.default(86_400_000),
		approvers: z.record(name, z.array(name)).default({}),
		limits: limits.default({}),
		servers: z.record(name, server),
	});
}

function toolPolicy(
	name: string,
	rules: ToolRules,
	file: PolicyFile,
	serverCallers: Callers,
	path: PropertyKey[],
	fail: Fail,
): ToolPolicy {
	if (rules.approval === 'required' && !Object.hasOwn(file.approvers, rules.risk)) {
		throw fail([...path, 'risk'], `"approvers" names nobody, nor an empty list, for ${JSON.stringify(rules.risk)}`);
	}
	return {
		name,
		approval: rules.approval,
		risk: rules.risk,
		arguments:
			rules.arguments === 'any'
				? 'any'
				: new Map(
						Object.entries(rules.arguments).map(([argument, rule]) => [
							argument,
							argumentRule(rule, file.folders, [...path, 'arguments', argument], fail),
						]),
					),
		...(rules.pin !== undefined && { pin: rules.pin }),
		callers:
			rules.callers === undefined
				? serverCallers
				: callersNamed(rules.callers, file.callers, [...path, 'callers'], fail),
	};
}

function argumentRule(
	rule: Exclude<ToolRules['arguments'], 'any'>[string],
	folders: PolicyFile['folders'],
	path: PropertyKey[],
	fail: Fail,
): ArgumentRule {
	if (rule === 'any') return { kind: 'any' };
	if ('in' in rule) {
		return {
			kind: 'folders',
			folders: rule.in.map((name) => {
				if (!Object.hasOwn(folders, name)) throw fail([...path, 'in'], `there is no folder ${JSON.stringify(name)}`);
				return folders[name]!;
			}),
		};
	}
	try {
		if ('schema' in rule) return { kind: 'schema', check: compileSchema(rule.schema) };
		const pattern = RE2JS.compile(rule.pattern);
		return { kind: 'pattern', source: rule.pattern, matches: (text) => pattern.matches(text) };
	} catch (error) {
		throw fail(path, error instanceof Error ? error.message : String(error));
	}
}

function callersNamed(
	names: 'anyone' | readonly string[],
	known: PolicyFile['callers'],
	path: PropertyKey[],
	fail: Fail,
): Callers {
	if (names === 'anyone') return names;
	return names.map((name) => {
		if (!Object.hasOwn(known, name)) throw fail(path, `there is no caller ${JSON.stringify(name)}`);
		const { workflowId, nodeName, user } = known[name]!;
		return {
			...(workflowId !== undefined && { workflowId }),
			...(nodeName !== undefined && { nodeName }),
			...(user !== undefined && { user }),
		};
	});
}

/** The file's value with every alias put in. Throws for one that names nothing, or too much. */
function plainValue(document: Document, lines: LineCounter): unknown {
	try {
		return document.toJS();
	} catch (error) {
		let at = 0;
		visit(document, {
			Alias(_, alias) {
				if (alias.resolve(document) !== undefined) return undefined;
				at = alias.range?.[0] ?? 0;
				return visit.BREAK;
			},
		});
		throw faulty(lines.linePos(at), error instanceof Error ? error.message : String(error));
	}
}

function nameOf(path: readonly PropertyKey[]): string {
	return path.length === 0 ? '' : `${path.map(String).join('.')}: `;
}

/** Where the file says it, or the nearest thing around it that it does say. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
	for (let length = path.length; length > 0; length -= 1) {
		const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
		if (node?.range) return node.range[0];
	}
	return 0;
}

function faulty({ line, col }: { line: number; col: number }, what: string): LocalAiError {
	return new LocalAiError('configuration', `The MCP policy, line ${line}, column ${col}: ${what}`, {
		hint: 'Correct the policy file. Until then no tool is called.',
	});
}

function deepFreeze<T>(value: T): T {
	if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
	Object.freeze(value);
	for (const inner of value instanceof Map ? value.values() : Object.values(value)) deepFreeze(inner);
	return value;
}
