import type { CallToolResult } from '@modelcontextprotocol/client';
import { randomUUID } from 'node:crypto';
import { LocalAiError } from '../shared/errors';
import { readApproval, type Approval, type ReadApproval } from './approval/token';
import { append, appendAlone, holdAudit, keyedHash, shapeOf, type AuditEntry, type AuditFact } from './records/audit';
import { readContent, type ToolContent } from './content';
import { codes, refusal, type Refusal } from './codes';
import { decide, screen, type Decision, type DecisionRequest } from './decide';
import {
	definitionDifference,
	definitionFlags,
	definitionHash,
	inputCheck,
	type KnownDefinition,
	type ToolDefinition,
} from './task/definitions';
import { resolveOnDisk, type ResolvePath } from './task/paths';
import { pinOf, setPin } from './records/pins';
import type { ServerPolicy, ToolPolicy } from './policy';
import { redactor } from './redact';
import { consume, openRequest, type ApprovalDesk, type OpenRequest } from './approval/requests';
import { inTransaction, type Database } from './records/store';
import { parseTask, taskHash, type Caller } from './task/task';
import { shortened, visible } from './task/text';
import { approvalView } from './approval/view';

export { LocalAiError, type LocalAiErrorCode } from '../shared/errors';
export { approvalKey, type Approval, type ApprovalKey, type ReadApproval } from './approval/token';
export { auditKey, verifyAudit, type AuditKey, type AuditReport } from './records/audit';
export { codes, type Code, type Refusal } from './codes';
export type { ToolBinary, ToolContent } from './content';
export { decide, type Decision, type DecisionRequest } from './decide';
export type { KnownDefinition, ToolDefinition } from './task/definitions';
export { createSessions, type SessionOptions, type Sessions } from './sessions';
export { resolveOnDisk, type ResolvePath } from './task/paths';
export { loadPolicy, type Policy, type ServerPolicy, type ToolPolicy } from './policy';
export { answerRequest, type Answer, type ApprovalDesk, type OpenRequest } from './approval/requests';
export type { Connection, Database } from './records/store';
export { taskHash, type Caller, type Task } from './task/task';
export { asHtml } from './approval/view';

/** What a session needs to be somebody's, and nobody else's. */
export interface Access {
	/** Names the credential: sessions are shared only where it is the same. */
	readonly key: string;
	readonly bearerToken?: string;
	readonly env?: Readonly<Record<string, string>>;
}

/** The servers, as a call needs them. Both reject with LocalAiError, a finer `reason` in it. */
export interface ToolSessions {
	/** The definitions as they are served now. */
	listTools(server: ServerPolicy, access: Access, signal: AbortSignal): Promise<readonly ToolDefinition[]>;
	callTool(server: ServerPolicy, call: SessionCall, access: Access, signal: AbortSignal): Promise<ToolReply>;
}

export interface SessionCall {
	readonly tool: string;
	readonly arguments: Readonly<Record<string, unknown>>;
	readonly definition: ToolDefinition;
	readonly onProgress?: (progress: Progress) => void;
	readonly resume?: Resume;
}

export type ToolReply =
	| { readonly kind: 'complete'; readonly result: CallToolResult }
	| ({ readonly kind: 'input-required' } & InputRequired);

/** What a server wants to know before it answers, and its state, to be given back exactly as it came. */
export interface InputRequired {
	readonly requests: Readonly<Record<string, unknown>>;
	readonly state?: string;
}

export interface Resume {
	readonly responses?: Readonly<Record<string, unknown>>;
	readonly state?: string;
}

export interface Progress {
	readonly progress: number;
	readonly total?: number;
	readonly message?: string;
}

/** Everything between a request and a tool. */
export interface Gate extends ApprovalDesk {
	readonly sessions: ToolSessions;
	/** This machine's disk unless given. */
	readonly resolvePath?: ResolvePath;
	/** How long the definition of a tool that needs no approval counts as the one that is served; 1000 unless given. */
	readonly definitionAgeMs?: number;
}

export interface CallRequest {
	/** JSON text or a value: `server`, `tool`, `arguments`, and nothing else. It need not be trusted. */
	readonly task: unknown;
	/** The token of an approval, as it came. */
	readonly approval?: unknown;
	/** The token was given once for several tasks: it counts for the one that it names, the others have none. */
	readonly approvalIsShared?: boolean;
	readonly caller: Caller;
	readonly access: Access;
	/** The answers to what an earlier call of the same task was asked. An approval that it needs is a new one. */
	readonly resume?: Resume;
	readonly onProgress?: (progress: Progress) => void;
}

/** `auditId` is the last record of this call; null when none could be written, and then nothing was called. */
export type CallResult =
	| (Decision & {
			readonly decision: 'allow';
			readonly result: ToolContent;
			readonly auditId: string;
			/** False when the tool was called and the audit failed afterwards: its outcome is unknown there. */
			readonly outcomeRecorded: boolean;
	  })
	| (Decision & {
			readonly decision: 'pending';
			readonly approvalRequestId: string;
			readonly request: OpenRequest;
			readonly auditId: string;
	  })
	| (Decision & { readonly decision: 'pending'; readonly input: InputRequired; readonly auditId: string })
	| (Decision & { readonly decision: 'refuse'; readonly auditId: string | null });

/** A tool that the policy lets a caller use. */
export interface ListedTool {
	readonly name: string;
	readonly definition: ToolDefinition;
	readonly approval: ToolPolicy['approval'];
	readonly risk: string;
	/** What differs from the definition that is trusted; empty when nothing does. While it does, calls are refused. */
	readonly changes: readonly string[];
	/** What a person should look at before trusting it. */
	readonly flags: readonly string[];
}

/**
 * One tool call, from the request to the record of its outcome. What the policy refuses never reaches the server. What
 * it allows is recorded before it is made, in the same transaction that uses up its approval, and its outcome after.
 * Rejects with LocalAiError when the server or the tool fails (`tool-failed`), or the call is cancelled.
 */
export async function callTool(
	request: CallRequest,
	gate: Gate,
	signal: AbortSignal = new AbortController().signal,
): Promise<CallResult> {
	const run = startRun(request, gate, signal);
	return await orUnrecorded(async () => {
		const asked = await lookUp(run);
		if ('refusal' in asked) return await refused(run, null, asked.refusal);
		const judged = decide(asked, gate.policy, run.now());
		switch (judged.decision) {
			case 'refuse':
				return await refused(run, asked, judged as Refusal);
			case 'pending':
				return await pending(run, asked, judged);
			case 'allow':
				return await execute(run, asked);
			default:
				return judged.decision satisfies never;
		}
	});
}

/**
 * What the policy decides on a task as it stands, its approval included: nothing is called, no approval is used up and no
 * request opened. Only a refusal is recorded. Rejects with LocalAiError when the server cannot be asked for its tools.
 */
export async function checkTask(
	request: Omit<CallRequest, 'resume' | 'onProgress'>,
	gate: Gate,
	signal: AbortSignal = new AbortController().signal,
): Promise<Decision | Refused> {
	const run = startRun(request, gate, signal);
	return await orUnrecorded(async () => {
		const asked = await lookUp(run);
		if ('refusal' in asked) return await refused(run, null, asked.refusal);
		const judged = decide(asked, gate.policy, run.now());
		return judged.decision === 'refuse' ? await refused(run, asked, judged as Refusal) : judged;
	});
}

/** Opens a request for approval of a task without calling anything, also where the policy would not need one. */
export async function requestApproval(
	request: Omit<CallRequest, 'approval' | 'approvalIsShared' | 'resume' | 'onProgress'>,
	gate: Gate,
	signal: AbortSignal = new AbortController().signal,
): Promise<Pending | Refused> {
	const run = startRun(request, gate, signal);
	return await orUnrecorded(async () => {
		const asked = await lookUp(run);
		if ('refusal' in asked) return await refused(run, null, asked.refusal);
		const judged = decide(asked, gate.policy, run.now());
		return judged.decision === 'refuse'
			? await refused(run, asked, judged as Refusal)
			: await pending(run, asked, judged);
	});
}

/** The tools of a server that the policy names and the caller may use, with what became of their definitions. */
export async function listTools(
	serverName: string,
	caller: Caller,
	access: Access,
	gate: Gate,
	signal: AbortSignal = new AbortController().signal,
): Promise<readonly ListedTool[]> {
	const server = gate.policy.servers.get(serverName);
	if (server === undefined) throw notAllowed(refusal('SERVER_NOT_ALLOWED'));
	const redact = redactor(secretsOf(access));
	const listed: ListedTool[] = [];
	for (const definition of await gate.sessions.listTools(server, access, signal)) {
		const tool = server.tools.get(definition.name);
		const task = { server: serverName, tool: definition.name, arguments: {}, caller };
		if (tool === undefined || 'refusal' in screen(task, gate.policy)) continue;
		listed.push({
			name: definition.name,
			definition: redact(definition),
			approval: tool.approval,
			risk: tool.risk,
			changes: redact(await changesOf(definition, server, tool, gate)),
			flags: redact(definitionFlags(definition)),
		});
	}
	return listed;
}

/**
 * Trusts a tool's definition as it is served now, and gives what changed. A pin in the policy file stays what it is. Only
 * who may approve calls of the tool's risk may do so, or of any risk where that one needs no approval; rejects with
 * LocalAiError `refused`, and the attempt is on record.
 */
export async function acceptDefinition(
	serverName: string,
	toolName: string,
	acceptedBy: string,
	access: Access,
	gate: Gate,
	signal: AbortSignal = new AbortController().signal,
): Promise<{ readonly changes: readonly string[]; readonly auditId: string }> {
	const server = gate.policy.servers.get(serverName);
	const tool = server?.tools.get(toolName);
	if (server === undefined) throw notAllowed(refusal('SERVER_NOT_ALLOWED'));
	if (tool === undefined) throw notAllowed(refusal('TOOL_NOT_ALLOWED'));
	const now = (gate.now ?? Date.now)();
	const named = { call: randomUUID(), server: serverName, tool: toolName, acceptedBy };
	if (!mayTrust(acceptedBy, tool, gate)) {
		const fault = refusal('APPROVAL_RBAC', 'This person may not trust the definition of a tool of this risk.');
		await appendAlone(gate.database, gate.auditKey, { ...named, event: 'refused', code: fault.code }, now);
		throw notAllowed(fault);
	}
	const definition = (await gate.sessions.listTools(server, access, signal)).find(({ name }) => name === toolName);
	if (definition === undefined) throw notAllowed(refusal('TOOL_MISSING'));
	const changes = await changesOf(definition, server, tool, gate);
	const facts = { ...named, changes: [...changes] };
	const auditId = await inTransaction(gate.database, async (query) => {
		await holdAudit(query);
		await setPin(query, gate.auditKey, serverName, definition);
		return await append(
			query,
			gate.auditKey,
			{ ...facts, event: 'pinned', definition: definitionHash(definition), flags: [...definitionFlags(definition)] },
			now,
		);
	});
	lastKnown.delete(gate.sessions);
	return { changes, auditId };
}

/** One call on its way, and what every step of it shares. */
interface Run {
	readonly id: string;
	readonly request: CallRequest;
	readonly gate: Gate;
	readonly signal: AbortSignal;
	readonly redact: <T>(value: T) => T;
	readonly now: () => number;
}

type Refused = Extract<CallResult, { decision: 'refuse' }>;
type Pending = Extract<CallResult, { approvalRequestId: string }>;

function startRun(request: CallRequest, gate: Gate, signal: AbortSignal): Run {
	const redact = redactor(secretsOf(request.access));
	return { id: randomUUID(), request, gate, signal, redact, now: gate.now ?? Date.now };
}

async function orUnrecorded<Result>(work: () => Promise<Result>): Promise<Result | Refused> {
	try {
		return await work();
	} catch (error) {
		if (!(error instanceof LocalAiError) || error.reason !== 'AUDIT') throw error;
		return { decision: 'refuse', code: 'AUDIT', reason: `${codes.AUDIT} ${error.message}.`, auditId: null };
	}
}

/** The task with all that is to be known about it. The server is asked only for a task that the rules let through. */
async function lookUp(run: Run): Promise<DecisionRequest | { refusal: Refusal }> {
	const { request, gate, signal } = run;
	const parsed = parseTask(request.task);
	if ('refusal' in parsed) return parsed;
	const { task } = parsed;
	const asked = { ...task, caller: request.caller, approval: await readApproval(request.approval, gate.approvalKey) };
	const screened = screen(asked, gate.policy);
	if ('refusal' in screened) return asked;

	const resolve = gate.resolvePath ?? resolveOnDisk;
	const resolvedPaths = new Map(
		await Promise.all(screened.paths.map(async (path) => [path, await resolve(path)] as const)),
	);
	const definition = await knownDefinition(screened.server, screened.tool, run).catch(async (error: unknown) => {
		throw await failedBefore(run, asked, error);
	});
	if (signal.aborted) throw await failedBefore(run, asked, cancelled());
	return { ...asked, approval: ownApproval(asked, definition, run), resolvedPaths, definition };
}

/**
 * The tool as it is served now, or if it needs no approval not long ago: many calls in a row ask once. An approval is
 * given for a definition, so that one is always looked at.
 */
async function knownDefinition(
	server: ServerPolicy,
	tool: ToolPolicy,
	{ request, gate, signal, now }: Run,
): Promise<KnownDefinition | null> {
	const { policy, database, auditKey, sessions, definitionAgeMs = 1000 } = gate;
	const kept = lastKnown.get(sessions) ?? new Map<string, Kept>();
	lastKnown.set(sessions, kept);
	const key = JSON.stringify([policy.version, server.name, server.transport, tool.name, request.access.key]);
	const last = kept.get(key);
	const isFresh = last?.database === database && performance.now() - last.at < definitionAgeMs;
	if (last && isFresh && tool.approval === 'never') return last.known;

	const served = await sessions.listTools(server, request.access, signal);
	const definition = served.find(({ name }) => name === tool.name);
	let known: KnownDefinition | null = null;
	if (definition !== undefined) {
		const hash = definitionHash(definition);
		const pinned = tool.pin ?? (await pinOf(database, auditKey, server.name, definition, now())).hash;
		known = { definition, hash, pinned, input: inputCheck(definition, hash) };
	}
	if (kept.size >= 1000) kept.clear();
	kept.set(key, { known, database, at: performance.now() });
	return known;
}

interface Kept {
	readonly known: KnownDefinition | null;
	readonly database: Database;
	readonly at: number;
}

const lastKnown = new WeakMap<ToolSessions, Map<string, Kept>>();

/** Of a token that was given once for several tasks, the one that it names has it and the others have none. */
function ownApproval(
	asked: DecisionRequest & { approval: ReadApproval },
	definition: KnownDefinition | null,
	{ request, gate }: Run,
): ReadApproval {
	const { approval } = asked;
	if (request.approvalIsShared !== true || approval.state !== 'genuine' || definition === null) return approval;
	return approval.approval.task === taskHash(asked, asked.caller, definition.hash, gate.policy.version)
		? approval
		: { state: 'none' };
}

async function refused(run: Run, asked: DecisionRequest | null, { code, reason }: Refusal): Promise<Refused> {
	const decision = { decision: 'refuse', code, reason: run.redact(reason) } as const;
	try {
		const auditId = await recorded(run, { ...factsOf(run, asked), event: 'refused', code });
		return { ...decision, auditId };
	} catch (error) {
		if (!(error instanceof LocalAiError)) throw error;
		// Nothing is called either way.
		return { ...decision, auditId: null };
	}
}

async function pending(run: Run, asked: DecisionRequest, judged: Decision): Promise<Pending | Refused> {
	const { policy, database, auditKey } = run.gate;
	const risk = policy.servers.get(asked.server)!.tools.get(asked.tool)!.risk;
	const hash = taskHash(asked, asked.caller, asked.definition!.hash, policy.version);
	const shown = run.redact(approvalView(asked, risk, asked.caller, hash));
	const now = run.now();
	return await inTransaction(database, async (query): Promise<Pending | Refused> => {
		// The audit is held first: two equal requests at once open one.
		await holdAudit(query);
		const facts = { ...factsOf(run, asked), task: hash };
		const request = await openRequest(
			query,
			{ task: asked, taskHash: hash, risk, caller: asked.caller, shown },
			policy,
			auditKey,
			now,
		);
		if ('code' in request) {
			const { code, reason } = request;
			const refusedAs = await append(query, auditKey, { ...facts, event: 'refused', code }, now);
			return { decision: 'refuse', code, reason, auditId: refusedAs };
		}
		const auditId = await append(query, auditKey, { ...facts, event: 'pending', risk, request: request.id }, now);
		return {
			decision: 'pending',
			code: 'APPROVAL_NEEDED',
			reason: judged.decision === 'pending' ? judged.reason : 'The call waits for approval, as was asked.',
			approvalRequestId: request.id,
			request,
			auditId,
		};
	});
}

/** Decides once more at the very moment, uses the approval up and records the intent, all or nothing; then calls. */
async function execute(run: Run, asked: DecisionRequest): Promise<CallResult> {
	const { policy, database, auditKey, sessions } = run.gate;
	const server = policy.servers.get(asked.server)!;
	const facts = factsOf(run, asked);
	const approval = server.tools.get(asked.tool)!.approval === 'required' ? genuine(asked) : undefined;
	const judged = (used: boolean) => {
		const decided: Decision = used
			? { decision: 'refuse', ...refusal('APPROVAL_REPLAY') }
			: decide(asked, policy, run.now());
		const event = decided.decision === 'allow' ? ('intent' as const) : ('refused' as const);
		return { decided, entry: { ...facts, event, code: decided.code } };
	};
	const withoutApproval = async () => {
		const { decided, entry } = judged(false);
		return { ...decided, auditId: await recorded(run, entry) };
	};
	const withApproval = async ({ id, task, approver }: Approval) =>
		await inTransaction(database, async (query) => {
			const used = !(await consume(query, id, task, approver, run.now()));
			const { decided, entry } = judged(used);
			return { ...decided, auditId: await append(query, auditKey, entry, run.now()) };
		});
	const intent = await (approval === undefined ? withoutApproval() : withApproval(approval));
	if (intent.decision !== 'allow') return { ...intent, decision: 'refuse' };

	const startedAt = run.now();
	const outcome = (how: string, more: Record<string, AuditFact> = {}) =>
		recorded(run, {
			...facts,
			event: 'outcome',
			outcome: how,
			durationMs: Math.round(run.now() - startedAt),
			...more,
		}).catch((error: unknown) => {
			// The tool was called and cannot be called back: the intent stays without an outcome, which Verify Audit tells.
			if (error instanceof LocalAiError) return null;
			throw error;
		});
	let result: ToolContent;
	let digest: string;
	try {
		const { definition } = asked.definition!;
		const { access, onProgress, resume } = run.request;
		const call = { tool: asked.tool, arguments: asked.arguments, definition };
		const more = { ...(onProgress && { onProgress }), ...(resume && { resume }) };
		const reply = await sessions.callTool(server, { ...call, ...more }, access, run.signal);
		if (reply.kind === 'input-required') {
			const auditId = (await outcome('input-required')) ?? intent.auditId;
			const { requests, state } = reply;
			const input = { requests: run.redact(requests), ...(state !== undefined && { state }) };
			return { decision: 'pending', code: 'INPUT_REQUIRED', reason: codes.INPUT_REQUIRED, input, auditId };
		}
		result = run.redact(readContent(asked.tool, reply.result, definition.outputSchema));
		digest = keyedHash(auditKey, result.text.toWellFormed());
	} catch (thrown) {
		const error = presentable(thrown, run);
		await outcome(error.code === 'cancelled' ? 'cancelled' : 'failed', { code: error.code, reason: error.reason });
		throw error;
	}
	if (result.isError) {
		await outcome('tool-failed');
		throw new LocalAiError('tool-failed', `The tool ${asked.tool} of ${asked.server} failed: ${excerpt(result.text)}`, {
			hint: 'The tool itself says what is wrong. Correct the arguments, then try again.',
			reason: 'TOOL',
		});
	}
	const auditId = await outcome('ok', { result: digest });
	const { code, reason } = intent;
	return {
		...{ decision: 'allow', code, reason, result },
		...{ auditId: auditId ?? intent.auditId, outcomeRecorded: auditId !== null },
	};
}

/** An error of the servers before anything was called, recorded and without secrets. */
async function failedBefore(run: Run, asked: DecisionRequest, thrown: unknown) {
	const error = presentable(thrown, run);
	if (error.reason !== 'AUDIT') {
		await recorded(run, { ...factsOf(run, asked), event: 'failed', code: error.code, reason: error.reason });
	}
	return error;
}

function presentable(thrown: unknown, { redact }: Run): LocalAiError {
	if (!(thrown instanceof LocalAiError)) {
		return new LocalAiError('defect', 'The session with the server failed in a way that was not foreseen', {
			hint: 'Look at the log of n8n, then report it.',
			cause: redact(thrown instanceof Error ? thrown.message : String(thrown)),
		});
	}
	const { code, message, hint, reason, retryAfterMs, nothingAnswers } = thrown;
	return new LocalAiError(code, redact(message), {
		hint: redact(hint),
		...(reason !== undefined && { reason }),
		...(retryAfterMs !== undefined && { retryAfterMs }),
		...(nothingAnswers !== undefined && { nothingAnswers }),
	});
}

async function recorded({ gate, now }: Run, entry: AuditEntry): Promise<string> {
	return await appendAlone(gate.database, gate.auditKey, entry, now());
}

/** What every record of a call says of it. Of the arguments: their shape, and a keyed hash that recognises them. */
function factsOf(run: Run, asked: DecisionRequest | null) {
	const { workflowId, nodeName, user } = run.request.caller;
	const tool = asked === null ? undefined : run.gate.policy.servers.get(asked.server)?.tools.get(asked.tool);
	// Where none is needed, one that came along is not used up.
	const approval = asked !== null && tool?.approval === 'required' ? genuine(asked) : undefined;
	return {
		call: run.id,
		server: asked?.server ?? '',
		tool: asked?.tool ?? '',
		caller: { workflowId, nodeName, user },
		policy: run.gate.policy.version,
		...(asked !== null && {
			arguments: keyedHash(run.gate.auditKey, asked.arguments),
			shape: run.redact(shapeOf(asked.arguments)),
		}),
		...(run.request.resume && { resume: keyedHash(run.gate.auditKey, JSON.stringify(run.request.resume)) }),
		...(asked?.definition && { definition: asked.definition.hash }),
		...(approval && { approval: approval.id, approver: approval.approver }),
	};
}

function genuine({ approval }: DecisionRequest) {
	return approval?.state === 'genuine' ? approval.approval : undefined;
}

async function changesOf(
	definition: ToolDefinition,
	server: ServerPolicy,
	tool: ToolPolicy,
	gate: Gate,
): Promise<readonly string[]> {
	const pin = await pinOf(gate.database, gate.auditKey, server.name, definition, (gate.now ?? Date.now)());
	const trusted = tool.pin ?? pin.hash;
	const hash = definitionHash(definition);
	if (hash === trusted) return [];
	if (trusted === '') return ['what the database says was trusted is not what was put there'];
	if (pin.hash === trusted) return definitionDifference(pin.definition, definition);
	return [`the policy pins ${trusted}, and served is ${hash}`];
}

function mayTrust(person: string, { risk }: ToolPolicy, { policy: { approvers } }: Gate): boolean {
	const own = approvers.get(risk) ?? [];
	return (own.length > 0 ? own : [...approvers.values()].flat()).includes(person);
}

function secretsOf({ bearerToken, env = {} }: Access): readonly string[] {
	return [...(bearerToken === undefined ? [] : [bearerToken]), ...Object.values(env)];
}

function excerpt(text: string): string {
	return shortened(visible(text), 500).text;
}

function notAllowed({ code, reason }: Refusal): LocalAiError {
	return new LocalAiError('refused', reason, { hint: 'Name it in the MCP policy file.', reason: code });
}

function cancelled(): LocalAiError {
	return new LocalAiError('cancelled', 'The call was cancelled before it was made', {
		hint: 'Run it again if it is still wanted.',
	});
}
