import { randomUUID } from 'node:crypto';
import { signApproval, type ApprovalKey } from './token';
import { append, isRowSigned, rowSignature, type AuditKey } from '../records/audit';
import { refusal, type Refusal } from '../codes';
import type { Policy } from '../policy';
import { inTransaction, type Database, type Query } from '../records/store';
import type { Caller, Task } from '../task/task';

/** A task that waits for somebody's word. */
export interface NewRequest {
	readonly task: Task;
	readonly taskHash: string;
	readonly risk: string;
	readonly caller: Caller;
	/** What the approver is shown. */
	readonly shown: string;
}

export interface OpenRequest {
	readonly id: string;
	readonly shown: string;
	readonly expiresAt: string;
}

/** Where requests are answered. */
export interface ApprovalDesk {
	readonly policy: Policy;
	readonly database: Database;
	readonly approvalKey: ApprovalKey;
	readonly auditKey: AuditKey;
	/** In milliseconds; the clock of this machine unless given. */
	readonly now?: () => number;
}

export type Answer =
	| {
			readonly state: 'approved';
			/** Serves once, for this task alone, until `expiresAt`. */
			readonly token: string;
			readonly expiresAt: string;
			readonly auditId: string;
	  }
	| { readonly state: 'rejected'; readonly auditId: string }
	| ({ readonly state: 'refused'; readonly auditId: string } & Refusal);

/**
 * Opens a request, or gives the one that is open for the same task and caller and still is as it was opened. At most
 * 100 of a workflow are open at a time.
 */
export async function openRequest(
	query: Query,
	request: NewRequest,
	policy: Policy,
	key: AuditKey,
	now: number,
): Promise<OpenRequest | Refusal> {
	const { task, taskHash, risk, shown } = request;
	const caller = JSON.stringify(request.caller).replaceAll('\\u0000', '\\ufffd');
	const at = new Date(now).toISOString();
	const alike = await query<Row>(
		`SELECT * FROM mcp_approval_requests
		WHERE task_hash = $1 AND caller = $2::jsonb AND state = 'pending' AND expires_at > $3 ORDER BY created_at LIMIT 10`,
		[taskHash, caller, at],
	);
	const open = alike.find((row) => isRowSigned(key.requests, wordsOf(row), row.signature));
	if (open !== undefined) return opened(open);
	const [{ count } = { count: 0 }] = await query<{ count: number }>(
		`SELECT count(*)::int FROM mcp_approval_requests
		WHERE state = 'pending' AND expires_at > $1 AND caller ->> 'workflowId' = $2`,
		[at, (JSON.parse(caller) as Caller).workflowId],
	);
	if (count >= maxOpen) return refusal('LIMIT', `${maxOpen} requests of this workflow for approval are open. Answer some first.`);
	const row = {
		...{ id: randomUUID(), task_hash: taskHash, policy_version: policy.version, server: task.server, tool: task.tool },
		...{ risk, caller: JSON.parse(caller) as unknown, shown, expires_at: new Date(now + policy.requestLifetimeMs) },
	};
	await query(
		`INSERT INTO mcp_approval_requests
			(id, task_hash, policy_version, server, tool, risk, caller, shown, created_at, expires_at, signature)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		[
			...[row.id, taskHash, policy.version, task.server, task.tool, risk, caller, shown, at],
			...[row.expires_at.toISOString(), rowSignature(key.requests, wordsOf(row))],
		],
	);
	return opened(row);
}

/**
 * Answers a request in the name of `approver`, once. Approving gives the signed token, if the policy lets that approver
 * approve calls of this risk and is still the one under which was asked. Every answer and every attempt is recorded.
 * Rejects with LocalAiError when the database or the key fails.
 */
export async function answerRequest(
	id: string,
	answer: 'approve' | 'reject',
	approver: string,
	desk: ApprovalDesk,
): Promise<Answer> {
	const { policy, database, auditKey } = desk;
	const now = (desk.now ?? Date.now)();
	return await inTransaction(database, async (query) => {
		const [row] = uuid.test(id)
			? await query<Row>('SELECT * FROM mcp_approval_requests WHERE id = $1 FOR UPDATE', [id])
			: [];
		const facts = {
			...{ call: row?.id ?? id, server: row?.server ?? '', tool: row?.tool ?? '', approver },
			...(row && { request: row.id, task: row.task_hash }),
		};
		const fault = answerFault(row, approver, policy, now) ?? (await tamperingOf(row, query, auditKey));
		if (row === undefined || fault !== null) {
			const { code, reason } = fault ?? refusal('REQUEST_UNKNOWN');
			const auditId = await append(query, auditKey, { ...facts, event: 'refused', code, answer }, now);
			return { state: 'refused', code, reason, auditId };
		}
		const state = answer === 'approve' ? 'approved' : 'rejected';
		await query('UPDATE mcp_approval_requests SET state = $2, decided_by = $3, decided_at = $4 WHERE id = $1', [
			...[id, state, approver, new Date(now).toISOString()],
		]);
		const auditId = await append(query, auditKey, { ...facts, event: state, risk: row.risk }, now);
		if (state === 'rejected') return { state, auditId };
		const issuedAt = Math.floor(now / 1000);
		const expiresAt = issuedAt + Math.floor(policy.approvalLifetimeMs / 1000);
		const token = await signApproval(
			{ id: row.id, approver, task: row.task_hash, policy: row.policy_version, issuedAt, expiresAt },
			desk.approvalKey,
		);
		return { state, token, expiresAt: new Date(expiresAt * 1000).toISOString(), auditId };
	});
}

/** Uses an approval up; false when it was before. Of any number at once, in any number of processes, one is first. */
export async function consume(query: Query, id: string, task: string, approver: string, now: number): Promise<boolean> {
	const rows = await query(
		`INSERT INTO mcp_approvals_used (id, task_hash, approver, used_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING RETURNING id`,
		[id, task, approver, new Date(now).toISOString()],
	);
	return rows.length === 1;
}

interface Row {
	readonly id: string;
	readonly shown: string;
	readonly expires_at: Date;
	readonly task_hash: string;
	readonly policy_version: string;
	readonly server: string;
	readonly tool: string;
	readonly risk: string;
	readonly caller: unknown;
	readonly state: string;
	readonly signature: string;
}

/** What a row says from its opening on, as it is signed. */
type Words = Omit<Row, 'state' | 'signature'>;

const maxOpen = 100;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function answerFault(row: Row | undefined, approver: string, policy: Policy, now: number): Refusal | null {
	if (row === undefined || row.state !== 'pending') return refusal('REQUEST_UNKNOWN');
	if (!(policy.approvers.get(row.risk) ?? []).includes(approver)) return refusal('APPROVAL_RBAC');
	if (row.expires_at.getTime() <= now) return refusal('APPROVAL_EXPIRED');
	if (row.policy_version !== policy.version) return refusal('POLICY', 'The policy was changed since this was asked.');
	return null;
}

/**
 * Whoever can write to the database can change a row, or set one back that was answered; nobody is to approve what he was
 * not shown.
 */
async function tamperingOf(row: Row | undefined, query: Query, key: AuditKey): Promise<Refusal | null> {
	if (row === undefined) return null;
	if (!isRowSigned(key.requests, wordsOf(row), row.signature)) return refusal('REQUEST_TAMPERED');
	const answers = await query(
		`SELECT 1 FROM mcp_audit WHERE record ->> 'call' = $1 AND record ->> 'event' IN ('approved', 'rejected') LIMIT 1`,
		[row.id],
	);
	return answers.length === 0 ? null : refusal('REQUEST_TAMPERED');
}

function wordsOf({ id, task_hash, policy_version, server, tool, risk, caller, shown, expires_at }: Words): object {
	const expiresAt = expires_at.toISOString();
	return { id, task_hash, policy_version, server, tool, risk, caller, shown, expiresAt };
}

function opened({ id, shown, expires_at }: Words): OpenRequest {
	return { id, shown, expiresAt: expires_at.toISOString() };
}
