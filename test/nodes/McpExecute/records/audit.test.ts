import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import type { PoolClient } from 'pg';

import {
	append,
	appendAlone,
	auditKey,
	keyedHash,
	shapeOf,
	verifyAudit,
} from '../../../../nodes/McpExecute/records/audit';
import { inTransaction } from '../../../../nodes/McpExecute/records/store';
import { openGate, type TestGate } from '../../../support/mcpGate';
import { startPostgres, type PostgresServer } from '../../../support/postgres';

const folder = mkdtempSync(join(tmpdir(), 'audit-'));
const key = auditKey(Buffer.alloc(32, 1));
const entry = (call: string, more: object = {}) => ({
	...{ call, event: 'intent' as const, server: 's', tool: 't' },
	...more,
});

// Each works on a real PostgreSQL, on whatever disk and beside whatever else runs here.
jest.setTimeout(60_000);

let postgres: PostgresServer;
let gate: TestGate;
beforeAll(async () => {
	postgres = await startPostgres();
});
beforeEach(async () => {
	gate = await openGate(await postgres.createDatabase(), folder);
});
afterEach(() => gate.end());
afterAll(async () => {
	await postgres.stop();
	rmSync(folder, { recursive: true });
});

const add = (call: string, more: object = {}) =>
	inTransaction(gate.database, (query) => append(query, key, entry(call, more), Date.UTC(2026, 0, 1)));
const sql = async (text: string, values: unknown[] = []) => (await gate.database.query(text, values)).rows;

test('an empty audit is whole', async () => {
	expect(await verifyAudit(gate.database, key)).toEqual({
		...{ ok: true, records: 0, head: null, faults: [], unknownOutcomes: [] },
	});
});

test('a hundred records at once form one chain without gap', async () => {
	const ids = await Promise.all(Array.from({ length: 100 }, (_, i) => add(String(i))));
	const report = await verifyAudit(gate.database, key);
	expect(report).toMatchObject({ ok: true, records: 100 });
	expect(ids.map((id) => Number(id.split(':')[0])).sort((a, b) => a - b)).toEqual(
		Array.from({ length: 100 }, (_, i) => i + 1),
	);
	expect(ids).toContain(report.head);
});

test('records added alone by several processes, and in transactions between them, form one chain', async () => {
	const pools = [gate, await openGate(gate.url, folder), await openGate(gate.url, folder)].map(
		({ database }) => database,
	);
	const one = (i: number) => appendAlone(pools[i % 3]!, key, entry(String(i)), 0);
	await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 5 === 0 ? add(String(i)) : one(i))));
	for (let i = 0; i < 20; i += 1) await one(i * i);
	expect(await verifyAudit(gate.database, key)).toMatchObject({ ok: true, records: 80 });
	await Promise.all(pools.slice(1).map((pool) => pool.end()));
});

test('a record added alone stands on nothing that was tampered with', async () => {
	const alone = () => appendAlone(gate.database, key, entry('a'), 0);
	await alone();
	await sql('UPDATE mcp_audit_head SET signature = reverse(signature)');
	await expect(alone()).rejects.toMatchObject({ reason: 'AUDIT' });
	expect(await sql('SELECT count(*)::int FROM mcp_audit')).toEqual([{ count: 1 }]);
});

test('a transaction that does not end leaves no record and no gap', async () => {
	await add('a');
	await expect(
		inTransaction(gate.database, async (query) => {
			await append(query, key, entry('b'), 0);
			throw new Error('crash');
		}),
	).rejects.toThrow('crash');
	await add('c');
	expect(
		(await sql('SELECT seq::int, record ->> $1 AS call FROM mcp_audit ORDER BY 1', ['call'])).map((row) => row),
	).toEqual([
		{ seq: 1, call: 'a' },
		{ seq: 2, call: 'c' },
	]);
	expect((await verifyAudit(gate.database, key)).ok).toBe(true);
});

test('a chain longer than one batch is followed to its end', async () => {
	await inTransaction(gate.database, async (query) => {
		for (let i = 0; i < 40; i += 1) await append(query, key, entry(String(i)), 0);
	});
	const small = { connect: async () => narrow(await gate.database.connect()) };
	expect(await verifyAudit(small, key)).toMatchObject({ ok: true, records: 40 });
	await sql('DELETE FROM mcp_audit WHERE seq = 33');
	expect((await verifyAudit(small, key)).ok).toBe(false);
});

/** The same connection, seven records at a time. */
const narrow = (connection: PoolClient) => ({
	query: (text: string, values: unknown[] = []) =>
		connection.query(text, /LIMIT/.test(text) ? [7, ...values.slice(1)] : values),
	release: (end?: boolean) => connection.release(end),
});

test('another key makes neither the records nor the head its own', async () => {
	await add('a');
	const other = auditKey(Buffer.alloc(32, 2));
	expect((await verifyAudit(gate.database, other)).faults).toHaveLength(2);
	await expect(inTransaction(gate.database, (query) => append(query, other, entry('b'), 0))).rejects.toMatchObject({
		code: 'refused',
		reason: 'AUDIT',
	});
});

test('texts of any kind survive the database as they were signed', async () => {
	await fc.assert(
		fc.asyncProperty(fc.string({ unit: 'binary' }), fc.jsonValue(), async (text, value) => {
			await add('a', {
				text,
				list: [text],
				named: { [text]: 1 },
				shape: shapeOf(value),
				hash: keyedHash(key, text.toWellFormed()),
			});
		}),
		{ numRuns: 150 },
	);
	expect(await verifyAudit(gate.database, key)).toMatchObject({ ok: true, faults: [] });
});

test('every tampering is found', async () => {
	for (let i = 0; i < 12; i += 1) await add(`call ${i % 5}`, { n: i, nested: { list: ['a', i] }, code: null });
	await sql('CREATE TABLE kept AS SELECT * FROM mcp_audit');
	await sql('CREATE TABLE kept_head AS SELECT * FROM mcp_audit_head');
	const restore = async () => {
		await sql('TRUNCATE mcp_audit');
		await sql('INSERT INTO mcp_audit SELECT * FROM kept');
		await sql('DELETE FROM mcp_audit_head');
		await sql('INSERT INTO mcp_audit_head SELECT * FROM kept_head');
	};
	const seq = fc.integer({ min: 1, max: 12 });
	const other = fc.integer({ min: 1, max: 11 });
	const edits: Array<[string, (at: number, to: number) => Promise<unknown>]> = [
		['delete one', (at) => sql('DELETE FROM mcp_audit WHERE seq = $1', [at])],
		['delete the tail', (at) => sql('DELETE FROM mcp_audit WHERE seq >= $1', [at])],
		[
			'delete the tail and follow with the head',
			async (at) => {
				await sql('DELETE FROM mcp_audit WHERE seq >= $1', [at]);
				await sql(
					`UPDATE mcp_audit_head SET seq = $1::int - 1, hash = coalesce((SELECT hash FROM mcp_audit WHERE seq = $1::int - 1), '')`,
					[at],
				);
			},
		],
		[
			'delete the tail and close the gap in the numbers',
			async (at) => {
				await sql('DELETE FROM mcp_audit WHERE seq = $1', [at]);
				await sql('UPDATE mcp_audit SET seq = -seq WHERE seq > $1', [at]);
				await sql('UPDATE mcp_audit SET seq = -seq - 1 WHERE seq < 0');
				await sql('UPDATE mcp_audit_head SET seq = 11');
			},
		],
		[
			'change a text',
			(at) => sql(`UPDATE mcp_audit SET record = jsonb_set(record, '{tool}', '"u"') WHERE seq = $1`, [at]),
		],
		[
			'change a number',
			(at) => sql(`UPDATE mcp_audit SET record = jsonb_set(record, '{n}', '99') WHERE seq = $1`, [at]),
		],
		[
			'change a number into its text',
			(at) =>
				sql(`UPDATE mcp_audit SET record = jsonb_set(record, '{n}', to_jsonb(record ->> 'n')) WHERE seq = $1`, [at]),
		],
		[
			'change inside',
			(at) => sql(`UPDATE mcp_audit SET record = jsonb_set(record, '{nested,list,0}', '"b"') WHERE seq = $1`, [at]),
		],
		[
			'change the time',
			(at) =>
				sql(`UPDATE mcp_audit SET record = jsonb_set(record, '{at}', '"2025-01-01T00:00:00.000Z"') WHERE seq = $1`, [
					at,
				]),
		],
		['add a key', (at) => sql(`UPDATE mcp_audit SET record = record || '{"x": null}' WHERE seq = $1`, [at])],
		['remove a key', (at) => sql(`UPDATE mcp_audit SET record = record - 'code' WHERE seq = $1`, [at])],
		[
			'copy another record over it',
			(at, to) =>
				sql(
					'UPDATE mcp_audit SET record = (SELECT record FROM kept WHERE seq = $2), hash = (SELECT hash FROM kept WHERE seq = $2) WHERE seq = $1',
					[at, to >= at ? to + 1 : to],
				),
		],
		['change a hash', (at) => sql(`UPDATE mcp_audit SET hash = reverse(hash) WHERE seq = $1`, [at])],
		[
			'add a record at the end',
			() => sql(`INSERT INTO mcp_audit SELECT 13, record, hash FROM mcp_audit WHERE seq = 12`),
		],
		[
			'add a record before the first',
			(at) => sql(`INSERT INTO mcp_audit SELECT 0 - seq, record, hash FROM mcp_audit WHERE seq = $1`, [at]),
		],
		['remove the head', () => sql('DELETE FROM mcp_audit_head')],
		['change the signature', () => sql('UPDATE mcp_audit_head SET signature = reverse(signature)')],
		[
			'start anew',
			async () => {
				await sql('DELETE FROM mcp_audit WHERE seq > 0');
				await sql(`UPDATE mcp_audit_head SET seq = 0, hash = '', signature = ''`);
			},
		],
	];
	const { head } = await verifyAudit(gate.database, key);
	await fc.assert(
		fc.asyncProperty(fc.constantFrom(...edits), seq, other, async ([name, edit], at, to) => {
			await restore();
			await edit(at, to);
			// Starting anew leaves nothing to compare with: only what is kept outside tells.
			const report = await verifyAudit(gate.database, key, name === 'start anew' ? head! : undefined);
			if (report.ok) throw new Error(`"${name}" at ${at} was not found`);
			expect(report.faults.length).toBeGreaterThan(0);
		}),
		{ numRuns: 250 },
	);
	await restore();
	expect((await verifyAudit(gate.database, key, head!)).ok).toBe(true);
});

test('a call without its outcome is unknown, one that ended is not', async () => {
	await add('ended');
	await add('open');
	await add('ended', { event: 'outcome', outcome: 'ok' });
	expect(await verifyAudit(gate.database, key)).toMatchObject({ ok: true, unknownOutcomes: ['open'] });
});

test('a record that is none is a fault, not the end of the report', async () => {
	await add('a');
	await add('b');
	await sql(`UPDATE mcp_audit SET record = 'null' WHERE seq = 1`);
	expect(await verifyAudit(gate.database, key)).toMatchObject({ ok: false, records: 2, faults: [{ seq: 1 }] });
});

test('a request that was answered twice is found', async () => {
	for (const event of ['approved', 'rejected']) await add('a', { event });
	expect(await verifyAudit(gate.database, key)).toMatchObject({
		...{ ok: false, faults: [{ seq: 2, fault: 'answers a request a second time' }] },
	});
});

test('the shape of arguments tells nothing of their content', () => {
	const shape = shapeOf({ password: 'hunter2', list: ['secret', 7, null], deep: { a: { b: { c: 'secret' } } } });
	expect(shape).toEqual({
		password: 'text(7)',
		list: ['list(3)', 'text(6)', 'number', 'null'],
		deep: { a: { b: 'object(1)' } },
	});
	expect(JSON.stringify(shape)).not.toMatch(/hunter2|secret/);
	expect(keyedHash(key, 'a')).not.toBe(keyedHash(auditKey(Buffer.alloc(32, 2)), 'a'));
});
