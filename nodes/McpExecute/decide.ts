import { approvalFault, type ReadApproval } from './approval/token';
import { refusal, type Code, type Refusal } from './codes';
import { tooManySteps } from './schema';
import type { KnownDefinition } from './task/definitions';
import { isWithin, pathFault } from './task/paths';
import type { ArgumentRule, CallerRule, Callers, Policy, ServerPolicy, ToolPolicy } from './policy';
import { taskHash, type Caller, type Task } from './task/task';

export interface Decision {
	readonly decision: 'allow' | 'pending' | 'refuse';
	readonly code: Code;
	/** One sentence for a person, without the values of arguments. */
	readonly reason: string;
}

/** A task, who asks for it, and the facts about it that were looked up before. What was not looked up counts against it. */
export interface DecisionRequest extends Task {
	readonly caller: Caller;
	readonly approval?: ReadApproval;
	/** Where each path of `Screened.paths` leads. */
	readonly resolvedPaths?: ReadonlyMap<string, string | null>;
	/** Null when the server does not offer the tool. */
	readonly definition?: KnownDefinition | null;
}

/** A task that the policy's names and rules let through so far. */
export interface Screened {
	readonly server: ServerPolicy;
	readonly tool: ToolPolicy;
	/** The paths in the arguments, and the folders that they must stay in: to be followed through their links. */
	readonly paths: readonly string[];
}

/**
 * Whether a task may be called at the moment `now`, in milliseconds: allowed, allowed once it is approved, or refused
 * with the first reason found. Pure; whatever is missing or unknown refuses.
 */
export function decide(request: DecisionRequest, policy: Policy, now: number): Decision {
	const { approval = { state: 'none' } as ReadApproval } = request;
	if (approval.state === 'genuine' && approval.approval.policy !== policy.version) return refused(refusal('POLICY'));
	const screened = screen(request, policy);
	if ('refusal' in screened) return refused(screened.refusal);
	const { tool } = screened;
	const fault = linkFault(request, tool) ?? definitionFault(request.definition, request.arguments);
	if (fault !== null) return refused(fault);

	if (approval.state === 'faulty') return refused(approval.refusal);
	if (tool.approval === 'never') return { decision: 'allow', code: 'ALLOWED', reason: 'The policy allows this call.' };

	if (approval.state === 'none') {
		return {
			decision: 'pending',
			code: 'APPROVAL_NEEDED',
			reason: `Somebody who may approve ${JSON.stringify(tool.risk)} has to approve this call.`,
		};
	}
	const misused = approvalFault(approval.approval, expectedOf(request, screened, policy), now);
	if (misused !== null) return refused(misused);
	return {
		decision: 'allow',
		code: 'ALLOWED',
		reason: `The policy allows this call, and ${approval.approval.approver} approved it.`,
	};
}

/**
 * The part of a decision that needs to look nothing up: names, callers and argument rules. A refusal here is made before
 * the server hears anything.
 */
export function screen(
	request: Task & { readonly caller: Caller },
	policy: Policy,
): Screened | { readonly refusal: Refusal } {
	const server = policy.servers.get(request.server);
	if (server === undefined) return { refusal: refusal('SERVER_NOT_ALLOWED') };
	const tool = server.tools.get(request.tool);
	if (tool === undefined) return { refusal: refusal('TOOL_NOT_ALLOWED') };
	if (!isAmong(request.caller, server.callers) || !isAmong(request.caller, tool.callers)) {
		return { refusal: refusal('CALLER_NOT_ALLOWED') };
	}
	if (tool.arguments === 'any') return { server, tool, paths: [] };

	const paths = new Set<string>();
	for (const [name, value] of Object.entries(request.arguments)) {
		const rule = tool.arguments.get(name);
		if (rule === undefined) return { refusal: refusal('POLICY_ARGS', 'The policy has no rule for an argument.') };
		const fault = ruleFault(name, value, rule);
		if (fault !== null) return { refusal: fault };
		if (rule.kind === 'folders') [...rule.folders, ...textsOf(value)].forEach((path) => paths.add(path));
	}
	return { server, tool, paths: [...paths] };
}

function expectedOf(request: DecisionRequest, { tool }: Screened, policy: Policy) {
	return {
		task: taskHash(request, request.caller, request.definition?.hash ?? '', policy.version),
		policy: policy.version,
		approvers: policy.approvers.get(tool.risk) ?? [],
		lifetimeMs: policy.approvalLifetimeMs,
	};
}

function isAmong(caller: Caller, callers: Callers): boolean {
	return callers === 'anyone' || callers.some((rule) => isNamedBy(caller, rule));
}

function isNamedBy(caller: Caller, { workflowId, nodeName, user }: CallerRule): boolean {
	return (
		(workflowId === undefined || caller.workflowId === workflowId) &&
		(nodeName === undefined || caller.nodeName === nodeName) &&
		(user === undefined || caller.user === user)
	);
}

function ruleFault(name: string, value: unknown, rule: ArgumentRule): Refusal | null {
	switch (rule.kind) {
		case 'any':
			return null;
		case 'schema': {
			const complaint = rule.check(value);
			return complaint === null
				? null
				: refusal('POLICY_ARGS', `The argument "${name}" breaks its rule: ${complaint}.`);
		}
		case 'pattern':
			if (!isTexts(value)) return refusal('SCHEMA', `The argument "${name}" is no text, nor a list of texts.`);
			return textsOf(value).every((text) => rule.matches(text))
				? null
				: refusal('POLICY_ARGS', `The argument "${name}" does not match the pattern ${rule.source}.`);
		case 'folders': {
			if (!isTexts(value)) return refusal('SCHEMA', `The argument "${name}" is no path, nor a list of paths.`);
			for (const path of textsOf(value)) {
				const fault = pathFault(path);
				if (fault !== null) return refusal('POLICY_PATH', `A path in "${name}" ${fault}.`);
				if (!rule.folders.some((folder) => isWithin(folder, path))) {
					return refusal('POLICY_PATH', `A path in "${name}" is in none of the folders that the policy names for it.`);
				}
			}
			return null;
		}
		default:
			return rule satisfies never;
	}
}

/** Both the path and the folders are followed, since a folder may itself stand behind a link. */
function linkFault({ arguments: given, resolvedPaths }: DecisionRequest, tool: ToolPolicy): Refusal | null {
	if (tool.arguments === 'any') return null;
	for (const [name, value] of Object.entries(given)) {
		const rule = tool.arguments.get(name);
		if (rule?.kind !== 'folders') continue;
		const folders = rule.folders.map((folder) => resolvedPaths?.get(folder) ?? null);
		for (const path of textsOf(value)) {
			const leadsTo = resolvedPaths?.get(path) ?? null;
			if (leadsTo === null) return refusal('POLICY_PATH', `Where a path in "${name}" leads cannot be said for sure.`);
			if (!folders.some((folder) => folder !== null && isWithin(folder, leadsTo))) {
				return refusal('POLICY_PATH', `A path in "${name}" leaves its folders through a symbolic link.`);
			}
		}
	}
	return null;
}

function definitionFault(
	definition: KnownDefinition | null | undefined,
	given: Readonly<Record<string, unknown>>,
): Refusal | null {
	if (definition === undefined || definition === null) return refusal('TOOL_MISSING');
	if (definition.hash !== definition.pinned) return refusal('TOOL_CHANGED');
	if (typeof definition.input !== 'function') return definition.input;
	const complaint = definition.input(given);
	if (complaint === tooManySteps) return refusal('SCHEMA_TOO_COMPLEX');
	return complaint === null ? null : refusal('SCHEMA', `The arguments do not fit the tool's schema: ${complaint}.`);
}

function isTexts(value: unknown): boolean {
	return typeof value === 'string' || (Array.isArray(value) && value.every((one) => typeof one === 'string'));
}

function textsOf(value: unknown): readonly string[] {
	return (Array.isArray(value) ? value : [value]) as string[];
}

function refused({ code, reason }: Refusal): Decision {
	return { decision: 'refuse', code, reason };
}
