import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import canonicalize from 'canonicalize';
import type { Credential } from './credentials.mts';
import { withClient } from './database.mts';
import { readJson, writeJson } from './state.mts';
import { type Workflow, missingSteps, webhooksOf } from './workflows.mts';

/** What is remembered of the imports of one workflow or credential. */
export interface ImportRecord {
	/** Hash of what was shipped with the last import that came to its end. */
	readonly shipped?: string;
	/** Hash of what n8n held after that. */
	readonly stored?: string;
	/** Hash of the content that an import is giving to n8n; absent once it has come to its end. */
	readonly importing?: string;
}

export type Decision = 'import' | 'edited' | 'current';

/** The doors to n8n that an import needs. */
export interface ImportTarget {
	/** n8n's own database. */
	readonly databaseUrl: string;
	/** Runs an n8n command to its end, or throws. */
	readonly command: (args: readonly string[]) => Promise<void>;
	/** Publishes a saved workflow; resolves to n8n's words when it refuses. */
	readonly publish: (id: string) => Promise<string | undefined>;
	readonly publicUrl?: string;
	/** Where import records are kept; what goes to n8n stands for a moment beside it. */
	readonly recordFile: string;
	readonly say: (line: string) => void;
	/** Ends the wait for n8n. */
	readonly signal: AbortSignal;
}

interface Stored {
	readonly id: string;
	readonly hash: string;
	readonly published?: boolean;
}

interface Shipped {
	readonly id: string;
	readonly name: string;
}

/**
 * Brings n8n up to what is shipped without touching what a person changed: a thing is imported when n8n does not have
 * it, or still has it exactly as our last import left it and the shipped one is another now. An import that was cut short
 * has left the old thing or its own, whose `content` is then known; anything else is a person's, made since.
 */
export function decide(
	shipped: string,
	stored: string | undefined,
	record: ImportRecord | undefined,
	content?: string,
): Decision {
	if (stored === undefined) return 'import';
	if (record === undefined) return 'edited';
	if (record.importing !== undefined && record.importing === content) return 'import';
	if (record.stored !== stored) return 'edited';
	return record.importing === undefined && record.shipped === shipped ? 'current' : 'import';
}

/**
 * Imports the shipped credentials, then the workflows, and publishes those whose credentials and URL exist. Resolves once
 * n8n serves the webhooks of what is published, which it does a moment after it was told.
 */
export async function importShipped(
	credentials: readonly Credential[],
	workflows: readonly Workflow[],
	target: ImportTarget,
): Promise<void> {
	await importKind('credential', credentials, storedCredentials, credentialContents, target, (files) =>
		target.command(['import:credentials', '--separate', `--input=${files}`]),
	);
	await importKind('workflow', workflows, storedWorkflows, workflowContents, target, (files) =>
		target.command(['import:workflow', '--separate', `--input=${files}`]),
	);
	await webhooksServed(await publishAll(workflows, target), target);
}

/** Removes what an import was giving to n8n, credentials in clear among it, when it was killed. */
export function forgetImport(recordFile: string): void {
	rmSync(importFolder(recordFile), { recursive: true, force: true });
}

async function importKind<T extends Shipped>(
	kind: string,
	shipped: readonly T[],
	read: (url: string, ids: string[]) => Promise<Stored[]>,
	contents: (ids: string[], target: ImportTarget) => Promise<Map<string, string>>,
	target: ImportTarget,
	run: (folder: string) => Promise<void>,
): Promise<void> {
	const ids = shipped.map(({ id }) => id);
	const before = byId(await read(target.databaseUrl, ids));
	const records = readRecords(target.recordFile);
	const cutShort = ids.filter((id) => before.has(id) && records[`${kind} ${id}`]?.importing !== undefined);
	const found = cutShort.length > 0 ? await contents(cutShort, target) : new Map<string, string>();
	const decided = shipped.map((one) => {
		const key = `${kind} ${one.id}`;
		return { one, key, decision: decide(hash(one), before.get(one.id)?.hash, records[key], found.get(one.id)) };
	});
	for (const { one, decision } of decided) {
		if (decision === 'edited') target.say(`The ${kind} "${one.name}" was changed here: left as it is`);
	}
	const due = decided.filter(({ decision }) => decision === 'import');
	if (due.length === 0) return;
	for (const { one, key } of due) records[key] = { ...records[key], importing: contentHash(one) };
	writeJson(target.recordFile, records);
	const folder = importFolder(target.recordFile);
	forgetImport(target.recordFile);
	try {
		// Publishing is a step of its own, since it can be refused.
		for (const { one } of due)
			writeJson(join(folder, `${one.id}.json`), 'nodes' in one ? { ...one, active: false } : one);
		await run(folder);
	} finally {
		forgetImport(target.recordFile);
	}
	const after = byId(await read(target.databaseUrl, ids));
	for (const { one, key } of due) {
		const stored = after.get(one.id)?.hash;
		if (stored === undefined) target.say(`The ${kind} "${one.name}" did not arrive in n8n`);
		else records[key] = { shipped: hash(one), stored };
	}
	writeJson(target.recordFile, records);
	target.say(`Imported: ${due.map(({ one }) => one.name).join(', ')}`);
}

function importFolder(recordFile: string): string {
	return join(dirname(recordFile), 'import');
}

/**
 * A sub-workflow has to be published before what calls it, so refused ones are tried again while others succeed. Resolves
 * to those that are published now and were not before.
 */
async function publishAll(workflows: readonly Workflow[], target: ImportTarget): Promise<Workflow[]> {
	const records = readRecords(target.recordFile);
	const stored = byId(
		await storedWorkflows(
			target.databaseUrl,
			workflows.map(({ id }) => id),
		),
	);
	const credentialIds = await allCredentialIds(target.databaseUrl);
	let waiting = workflows.filter(({ id, active }) => {
		const now = stored.get(id);
		return active && now && !now.published && now.hash === records[`workflow ${id}`]?.stored;
	});
	for (const workflow of waiting) {
		const steps = missingSteps(workflow, credentialIds, target.publicUrl);
		if (steps.length === 0) continue;
		target.say(`"${workflow.name}" stays a draft: ${steps.join('; ')}, then publish it there or start again`);
		waiting = waiting.filter((one) => one !== workflow);
	}
	const done: Workflow[] = [];
	for (;;) {
		const refused: { workflow: Workflow; words: string }[] = [];
		for (const workflow of waiting) {
			const words = await target.publish(workflow.id);
			if (words !== undefined) refused.push({ workflow, words });
		}
		const published = waiting.filter((workflow) => !refused.some((one) => one.workflow === workflow));
		const after = byId(
			await storedWorkflows(
				target.databaseUrl,
				published.map(({ id }) => id),
			),
		);
		done.push(...published.filter(({ id }) => after.get(id)?.published));
		for (const { id, name } of published) {
			const now = after.get(id);
			if (now?.published) records[`workflow ${id}`] = { ...records[`workflow ${id}`]!, stored: now.hash };
			else target.say(`"${name}" was published, yet n8n does not show it as active`);
		}
		writeJson(target.recordFile, records);
		if (refused.length === 0 || published.length === 0) {
			for (const { workflow, words } of refused) target.say(`"${workflow.name}" stays a draft, n8n says: ${words}`);
			return done;
		}
		waiting = refused.map(({ workflow }) => workflow);
	}
}

const servedWithinMs = 60_000;

async function webhooksServed(published: readonly Workflow[], target: ImportTarget): Promise<void> {
	const deadline = performance.now() + servedWithinMs;
	let waiting = published.filter((workflow) => webhooksOf(workflow, '', () => '').length > 0);
	for (;;) {
		const served = await withClient(target.databaseUrl, async (client) => {
			const { rows } = await client.query<{ id: string }>('SELECT DISTINCT "workflowId" AS id FROM webhook_entity');
			return new Set(rows.map(({ id }) => id));
		});
		waiting = waiting.filter(({ id }) => !served.has(id));
		if (waiting.length === 0) return;
		if (performance.now() > deadline) break;
		await wait(200, undefined, { signal: target.signal });
	}
	for (const { name } of waiting) {
		target.say(`"${name}" is published, yet n8n does not serve its webhooks: the log of n8n-main says why`);
	}
}

async function storedWorkflows(url: string, ids: string[]): Promise<Stored[]> {
	return await withClient(url, async (client) => {
		const { rows } = await client.query<{ id: string; published: boolean } & Record<string, unknown>>(
			`SELECT id, "activeVersionId" IS NOT NULL AS published, "isArchived" AS archived, name, nodes, connections, settings
			FROM workflow_entity WHERE id = ANY($1)`,
			[ids],
		);
		return rows.map((row) => ({ id: row.id, published: row.published, hash: hash(row) }));
	});
}

async function storedCredentials(url: string, ids: string[]): Promise<Stored[]> {
	return await withClient(url, async (client) => {
		const { rows } = await client.query<{ id: string }>(
			'SELECT id, name, type, data FROM credentials_entity WHERE id = ANY($1)',
			[ids],
		);
		return rows.map((row) => ({ id: row.id, hash: hash(row) }));
	});
}

async function allCredentialIds(url: string): Promise<Set<string>> {
	return await withClient(url, async (client) => {
		const { rows } = await client.query<{ id: string }>('SELECT id FROM credentials_entity');
		return new Set(rows.map(({ id }) => id));
	});
}

async function workflowContents(ids: string[], { databaseUrl }: ImportTarget): Promise<Map<string, string>> {
	return await withClient(databaseUrl, async (client) => {
		const { rows } = await client.query<{ id: string } & Record<string, unknown>>(
			// One that a person has archived is not as an import leaves it.
			'SELECT id, name, nodes, connections, settings FROM workflow_entity WHERE id = ANY($1) AND NOT "isArchived"',
			[ids],
		);
		return new Map(rows.map((row) => [row.id, contentHash(row)]));
	});
}

/** n8n encrypts each one anew, so that only n8n can tell what it holds. */
async function credentialContents(ids: string[], target: ImportTarget): Promise<Map<string, string>> {
	const folder = importFolder(target.recordFile);
	forgetImport(target.recordFile);
	mkdirSync(folder, { mode: 0o700 });
	try {
		const found = new Map<string, string>();
		for (const id of ids) {
			const file = join(folder, `${id}.json`);
			await target.command(['export:credentials', `--id=${id}`, '--decrypted', `--output=${file}`]);
			const [exported] = readJson<[Record<string, unknown>]>(file) ?? [];
			if (exported !== undefined) found.set(id, contentHash(exported));
		}
		return found;
	} finally {
		forgetImport(target.recordFile);
	}
}

/** Of what a person can see of a workflow or credential, whatever the order of its keys. */
function contentHash(one: object): string {
	const seen = Object.entries(one).filter(([key]) => contentKeys.has(key));
	return hash(canonicalize(JSON.parse(JSON.stringify(Object.fromEntries(seen)))));
}

const contentKeys = new Set(['name', 'nodes', 'connections', 'settings', 'type', 'data']);

function readRecords(file: string): Record<string, ImportRecord> {
	return readJson<Record<string, ImportRecord>>(file) ?? {};
}

function byId(stored: readonly Stored[]): Map<string, Stored> {
	return new Map(stored.map((one) => [one.id, one]));
}

function hash(value: unknown): string {
	return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
