import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { LocalAiError } from '../../shared/errors';
import { canonical } from '../task/canonical';
import { ask, inTransaction, type Database, type Query } from './store';
import { shortened, visible } from '../task/text';

/** What is recorded of one event. Texts show every character and are cut; arguments are never among them. */
export interface AuditEntry {
	/** Joins the records of one call, or of one request for approval. */
	readonly call: string;
	readonly event: 'refused' | 'failed' | 'pending' | 'intent' | 'outcome' | 'approved' | 'rejected' | 'pinned';
	readonly server: string;
	readonly tool: string;
	readonly [fact: string]: AuditFact;
}

export type AuditFact =
	| string
	| number
	| boolean
	| null
	| undefined
	| AuditFact[]
	| { readonly [key: string]: AuditFact };

/** Secrets made of one key, each for its own use: nothing signed with one can be passed off as another. */
export interface AuditKey {
	readonly chain: Uint8Array;
	readonly head: Uint8Array;
	readonly values: Uint8Array;
	/** For the rows of other tables that a decision stands on. */
	readonly requests: Uint8Array;
	readonly pins: Uint8Array;
}

/** What `verifyAudit` found. */
export interface AuditReport {
	readonly ok: boolean;
	readonly records: number;
	/** The last record as an `auditId`; null for an empty audit. Kept outside, it proves later that nothing is missing. */
	readonly head: string | null;
	/** What is wrong, the first 20, each with the number of its record. */
	readonly faults: ReadonlyArray<{ readonly seq: number; readonly fault: string }>;
	/** Calls that were begun and of whose end nothing is known; some may still be running. */
	readonly unknownOutcomes: readonly string[];
}

/** The keys of an audit, from a secret of at least 32 bytes (RFC 5869). */
export function auditKey(secret: Uint8Array): AuditKey {
	const derived = (use: string) =>
		new Uint8Array(hkdfSync('sha256', secret, '', `n8n-nodes-aurastack/audit/${use}`, 32));
	return {
		...{ chain: derived('chain'), head: derived('head'), values: derived('values') },
		...{ requests: derived('requests'), pins: derived('pins') },
	};
}

/** Makes others wait with their records until the caller's transaction has ended. */
export async function holdAudit(query: Query): Promise<void> {
	await query('SELECT 1 FROM mcp_audit_head FOR UPDATE');
}

/**
 * Adds a record to the chain, inside the caller's transaction, and gives its `auditId`: its number and hash. Others wait
 * for the end of that transaction. Rejects with LocalAiError `refused` when the head is not as it was signed.
 */
export async function append(query: Query, key: AuditKey, entry: AuditEntry, now: number): Promise<string> {
	const [head] = await query<Head>('SELECT seq::text, hash, signature FROM mcp_audit_head FOR UPDATE');
	if (head?.seq === '0' && (await hasPast(query))) throw tampered();
	const link = linkTo(signed(head, key), key, entry, now);
	await query(
		`WITH added AS (INSERT INTO mcp_audit (seq, record, hash) VALUES ($1, $2, $3))
		UPDATE mcp_audit_head SET seq = $1, hash = $3, signature = $4`,
		[link.head.seq, link.record, link.head.hash, link.head.signature],
	);
	return auditIdOf(link.head);
}

/**
 * Adds one record as `append` does, in a transaction of its own, and gives its `auditId`. When nobody else has added one
 * since this process did, which is most of the time, that is a single statement.
 */
export async function appendAlone(database: Database, key: AuditKey, entry: AuditEntry, now: number): Promise<string> {
	const known = heads.get(database);
	const link = known !== undefined && isSigned(known, key) ? linkTo(known, key, entry, now) : undefined;
	const added = link && (await ask(
		database,
		`WITH moved AS (
			UPDATE mcp_audit_head SET seq = $1, hash = $3, signature = $4
			WHERE seq = $1::bigint - 1 AND hash = $5 AND signature = $6 RETURNING id
		)
		INSERT INTO mcp_audit (seq, record, hash) SELECT $1, $2, $3 FROM moved RETURNING seq`,
		[link.head.seq, link.record, link.head.hash, link.head.signature, link.before.hash, link.before.signature],
	));
	if (link && added?.length === 1) {
		heads.set(database, link.head);
		return auditIdOf(link.head);
	}
	return await inTransaction(database, async (query) => {
		const auditId = await append(query, key, entry, now);
		const [head] = await query<Head>('SELECT seq::text, hash, signature FROM mcp_audit_head');
		if (head !== undefined) heads.set(database, head);
		return auditId;
	});
}

/**
 * Recomputes the whole chain. Any record that was changed, removed, added or moved is found, those at the end too, and
 * any approval that was used twice, as are requests, used approvals and pins of which no record tells; what was cut off together with an older copy of the head is found by an `anchor`, an
 * `auditId` kept elsewhere.
 */
export async function verifyAudit(database: Database, key: AuditKey, anchor?: string): Promise<AuditReport> {
	return await inTransaction(
		database,
		async (query) => {
			const [head] = await query<Head>('SELECT seq::text, hash, signature FROM mcp_audit_head');
			const chain = new Chain(key);
			const anchored = anchor === undefined ? null : parseAnchor(anchor);
			let rows = await query<Row>(`SELECT ${columns} FROM mcp_audit ORDER BY mcp_audit.seq LIMIT $1`, [batchSize]);
			while (rows.length > 0) {
				for (const row of rows) chain.follow(row, anchored);
				rows = await query<Row>(`SELECT ${columns} FROM mcp_audit WHERE seq > $2 ORDER BY mcp_audit.seq LIMIT $1`, [
					batchSize,
					rows.at(-1)!.seq,
				]);
			}
			chain.compare(await whatStandsBeside(query));
			return chain.report(head, anchored);
		},
		'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
	);
}

/** A keyed hash of a value: equal values are recognised in the audit, and nobody without the key can guess one. */
export function keyedHash(key: AuditKey, value: unknown): string {
	return `hmac-sha256:${createHmac('sha256', key.values).update(canonical(value)).digest('hex')}`;
}

/** A signature of a row, under the key of its table. Throws on what has no canonical form. */
export function rowSignature(key: Uint8Array, row: object): string {
	return createHmac('sha256', key).update(canonical(row)).digest('hex');
}

/** Whether a row carries the signature of what it says. */
export function isRowSigned(key: Uint8Array, row: object, signature: string): boolean {
	return isSame(rowSignature(key, row), signature);
}

/** The shape of a value without its content: names, types and lengths. */
export function shapeOf(value: unknown, depth = 0): AuditFact {
	if (typeof value === 'string') return `text(${value.length})`;
	if (Array.isArray(value)) {
		return depth >= 3
			? `list(${value.length})`
			: [`list(${value.length})`, ...value.slice(0, 5).map((one) => shapeOf(one, depth + 1))];
	}
	if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
	const entries = Object.entries(value);
	if (depth >= 3) return `object(${entries.length})`;
	return Object.fromEntries(entries.slice(0, 50).map(([name, inner]) => [name, shapeOf(inner, depth + 1)]));
}

interface Head {
	readonly seq: string;
	readonly hash: string;
	readonly signature: string;
}

interface Row {
	readonly seq: string;
	/** Whoever can write to the database can put anything there. */
	readonly record: Record<string, unknown> | null;
	readonly hash: string;
}

interface Anchor {
	readonly seq: number;
	readonly hash: string;
}

/** The head that this process last left; the database says whether it still is the head. */
const heads = new WeakMap<Database, Head>();

const columns = 'seq::text, record, hash';
const batchSize = 5000;
const maxFaults = 20;
const maxTextLength = 500;

class Chain {
	private seq = 0;
	private hash = '';
	private anchorSeen = false;
	private readonly faults: Array<{ seq: number; fault: string }> = [];
	private readonly begun = new Set<string>();
	private readonly approvals = new Set<unknown>();
	private readonly answered = new Set<string>();
	private readonly told = new Set<string>();

	constructor(private readonly key: AuditKey) {}

	follow({ seq: text, record, hash }: Row, anchor: Anchor | null): void {
		const seq = Number(text);
		if (seq <= 0) this.fault(seq, 'was added');
		else if (seq !== this.seq + 1) this.fault(this.seq + 1, `is missing, as are all up to ${seq - 1}`);
		else if (hash !== linkHash(this.key, seq, this.hash, record)) this.fault(seq, 'was changed, or the one before it');
		if (anchor?.seq === seq) {
			this.anchorSeen = true;
			if (anchor.hash !== hash) this.fault(seq, 'is not the one that the anchor names');
		}
		this.seq = seq;
		this.hash = hash;
		if (record === null) return;
		this.note(seq, record);
	}

	/** What other tables say happened, and no record. */
	compare({ used, requests, pins }: Beside): void {
		for (const { id } of used) {
			if (!this.told.has(`approval ${id}`)) this.fault(this.seq, `is the last, and none tells of the approval ${id}`);
		}
		for (const { id } of requests) {
			if (!this.told.has(`request ${id}`)) this.fault(this.seq, `is the last, and none tells of the request ${id}`);
		}
		for (const { server, tool, hash } of pins) {
			if (this.told.has(toldOf(server, tool, hash))) continue;
			this.fault(this.seq, `is the last, and none tells of the pin of ${visible(tool)} of ${visible(server)}`);
		}
	}

	private note(seq: number, record: Record<string, unknown>): void {
		if (record.approval !== undefined) this.told.add(`approval ${String(record.approval)}`);
		if (record.event === 'pending') this.told.add(`request ${String(record.request)}`);
		if (record.event === 'pinned') {
			const { server, tool, definition, isFirst } = record;
			const pinned = toldOf(server, tool, '');
			if (isFirst === true && this.told.has(pinned)) this.fault(seq, 'trusts a tool as new that was pinned before');
			this.told.add(pinned).add(toldOf(server, tool, definition));
		}
		const call = String(record.call);
		if (record.event === 'intent') {
			this.begun.add(call);
			if (this.approvals.has(record.approval)) this.fault(seq, 'uses an approval a second time');
			if (record.approval !== undefined) this.approvals.add(record.approval);
		}
		if (record.event === 'outcome') this.begun.delete(call);
		if (record.event === 'approved' || record.event === 'rejected') {
			if (this.answered.has(call)) this.fault(seq, 'answers a request a second time');
			this.answered.add(call);
		}
	}

	report(head: Head | undefined, anchor: Anchor | null): AuditReport {
		if (head === undefined) this.fault(this.seq, 'is the last, but the head of the audit is gone');
		else {
			if (!isSigned(head, this.key)) this.fault(Number(head.seq), 'is called the last by a head that is not ours');
			if (Number(head.seq) !== this.seq) this.fault(Number(head.seq), `should be the last, but ${this.seq} is`);
			else if (head.hash !== this.hash) this.fault(this.seq, 'is not the last one that was signed');
		}
		if (anchor !== null && !this.anchorSeen) this.fault(anchor.seq, 'is named by the anchor and missing');
		return {
			ok: this.faults.length === 0,
			records: this.seq,
			head: this.seq === 0 ? null : `${this.seq}:${this.hash}`,
			faults: this.faults,
			unknownOutcomes: [...this.begun],
		};
	}

	private fault(seq: number, fault: string): void {
		if (this.faults.length < maxFaults) this.faults.push({ seq, fault });
	}
}

/** Rows that are there only if a record was written with them. */
interface Beside {
	readonly used: ReadonlyArray<{ readonly id: string }>;
	readonly requests: ReadonlyArray<{ readonly id: string }>;
	readonly pins: ReadonlyArray<{ readonly server: string; readonly tool: string; readonly hash: string }>;
}

async function whatStandsBeside(query: Query): Promise<Beside> {
	return {
		used: await query('SELECT id FROM mcp_approvals_used ORDER BY used_at'),
		requests: await query(`SELECT id FROM mcp_approval_requests WHERE signature <> '' ORDER BY created_at`),
		pins: await query(`SELECT server, tool, hash FROM mcp_tool_pins WHERE signature <> '' ORDER BY server, tool`),
	};
}

/** Names as a record holds them. */
function toldOf(server: unknown, tool: unknown, hash: unknown): string {
	return JSON.stringify(presentable([String(server), String(tool), String(hash)]));
}

function parseAnchor(text: string): Anchor {
	const [seq, hash = ''] = text.split(':');
	return { seq: Number(seq), hash };
}

/** The next record after `before`, and the head that it makes. */
function linkTo(before: Head, key: AuditKey, entry: AuditEntry, now: number) {
	const seq = Number(before.seq) + 1;
	const record = { ...(presentable(entry) as object), at: new Date(now).toISOString() };
	const hash = linkHash(key, seq, before.hash, record);
	const head: Head = { seq: String(seq), hash, signature: headSignature(key, seq, hash) };
	return { before, head, record: JSON.stringify(record) };
}

function signed(head: Head | undefined, key: AuditKey): Head {
	if (head !== undefined && isSigned(head, key)) return head;
	throw tampered();
}

function tampered(): LocalAiError {
	return new LocalAiError('refused', 'The audit was tampered with, or its key was changed: its head is not ours', {
		hint: 'Run Verify Audit. Until the cause is found no tool is called.',
		reason: 'AUDIT',
	});
}

/** Whether an audit without records was not always so; what the transaction itself has just added is no past. */
async function hasPast(query: Query): Promise<boolean> {
	const [past] = await query<{ found: boolean }>(
		`SELECT EXISTS (SELECT 1 FROM mcp_audit)
			OR EXISTS (SELECT 1 FROM mcp_approvals_used WHERE xmin <> pg_current_xact_id()::xid)
			OR EXISTS (SELECT 1 FROM mcp_approval_requests WHERE signature <> '' AND xmin <> pg_current_xact_id()::xid)
			OR EXISTS (SELECT 1 FROM mcp_tool_pins WHERE signature <> '' AND xmin <> pg_current_xact_id()::xid) AS found`,
	);
	return past?.found !== false;
}

function auditIdOf({ seq, hash }: Head): string {
	return `${seq}:${hash}`;
}

function linkHash(key: AuditKey, seq: number, previous: string, record: object | null): string {
	return createHmac('sha256', key.chain).update(canonical({ seq, previous, record })).digest('hex');
}

function headSignature(key: AuditKey, seq: number, hash: string): string {
	return createHmac('sha256', key.head).update(canonical({ seq, hash })).digest('hex');
}

/** The empty head has nothing to sign. */
function isSigned({ seq, hash, signature }: Head, key: AuditKey): boolean {
	if (seq === '0') return hash === '' && signature === '';
	return isSame(headSignature(key, Number(seq), hash), signature);
}

function isSame(our: string, their: string): boolean {
	const [ours, theirs] = [Buffer.from(our), Buffer.from(their)];
	return ours.length === theirs.length && timingSafeEqual(ours, theirs);
}

/** PostgreSQL's JSON cannot hold a NUL, nor a person see one. */
function presentable(fact: AuditFact): AuditFact {
	if (typeof fact === 'string') return shortened(visible(fact), maxTextLength).text;
	if (Array.isArray(fact)) return fact.map(presentable);
	if (typeof fact !== 'object' || fact === null) return fact;
	return Object.fromEntries(
		Object.entries(fact)
			.filter(([, value]) => value !== undefined)
			.map(([name, value]) => [shortened(visible(name), 100).text, presentable(value)]),
	);
}
