import { createHash, randomUUID } from 'node:crypto';
import {
	appendFileSync,
	copyFileSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { Client, type QueryResultRow } from 'pg';

import { startOllamaStandIn, type OllamaStandIn } from '../support/ollamaStandIn';
import { freePort, startStack, type TestStack } from '../support/stack';
import { devisPdf, letterPdf, type Devis } from './devisPdf';

const workflowId = 'MXmDVXcHxkHXveOU';
const complete = { seller: 'Atelier Dupont SARL', buyer: 'Mme Claire Martin', email: 'claire.martin@example.org' };
const workers = ['n8n-worker-1', 'n8n-worker-2'];
const finalFolders = ['processed', 'review', 'rejected'] as const;

let stack: TestStack;
let ollama: OllamaStandIn;
let ollamaPort: number;
let home: string;
const dropped: string[] = [];

jest.setTimeout(120_000);

beforeAll(async () => {
	ollamaPort = await freePort();
	ollama = await startOllamaStandIn({ port: ollamaPort });
	home = mkdtempSync(join(tmpdir(), 'aurastack-workflow-'));
	await droppedBeforeTheStart();
	stack = await startStack({
		home,
		env: { OLLAMA_URL: ollama.baseUrl, N8N_LOG_LEVEL: 'info', N8N_LOG_FORMAT: 'json' },
	});
	await shortenWaits();
}, 600_000);
afterAll(async () => {
	await stack?.remove();
	await ollama?.close();
}, 60_000);
beforeEach(() => ollama.script({ kind: 'from-page' }));

/** n8n's folder trigger never tells of this file. */
async function droppedBeforeTheStart() {
	mkdirSync(join(home, 'files', 'devis'), { recursive: true, mode: 0o700 });
	const bytes = await devisPdf({ number: 'D-2026-001', ...complete });
	dropped.push(sha256(bytes));
	writeFileSync(folderFile('devis', 'before.pdf'), bytes);
}

/** The shipped workflow with shorter pauses and a look into the folder every 5 s; a claim lasts as long as shipped. */
async function shortenWaits() {
	const shorter: Record<string, number> = { delai_secondes: 2 };
	const { name, nodes, connections, settings } = await n8n<Workflow>('GET', `/workflows/${workflowId}`);
	for (const { name, parameters } of nodes) {
		if (name === 'Chaque minute') parameters.rule = { interval: [{ field: 'seconds', secondsInterval: 5 }] };
		for (const setting of parameters.assignments?.assignments ?? [])
			setting.value = shorter[setting.name] ?? setting.value;
	}
	const { executionOrder, timezone, saveDataSuccessExecution, saveDataErrorExecution } = settings;
	await n8n('PUT', `/workflows/${workflowId}`, {
		name,
		nodes,
		connections,
		settings: { executionOrder, timezone, saveDataSuccessExecution, saveDataErrorExecution },
	});
}

interface Workflow {
	name: string;
	nodes: Array<{
		name: string;
		parameters: { rule?: object; assignments?: { assignments: Array<{ name: string; value: unknown }> } };
	}>;
	connections: object;
	settings: Record<string, unknown>;
}

async function n8n<Reply>(method: string, path: string, body?: object): Promise<Reply> {
	const { editorUrl, apiKeyFile } = stack.facts();
	const response = await fetch(`${editorUrl}/api/v1${path}`, {
		method,
		headers: { 'X-N8N-API-KEY': readFileSync(apiKeyFile, 'utf8').trim(), 'content-type': 'application/json' },
		...(body && { body: JSON.stringify(body) }),
	});
	if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
	return (await response.json()) as Reply;
}

function folderFile(folder: 'devis' | (typeof finalFolders)[number], name: string) {
	return join(home, 'files', folder, name);
}

function filesIn(folder: 'devis' | (typeof finalFolders)[number]) {
	return readdirSync(join(home, 'files', folder)).sort();
}

function sha256(bytes: Buffer) {
	return createHash('sha256').update(bytes).digest('hex');
}

/** A file appears whole, as after a move. */
function drop(name: string, bytes: Buffer) {
	const beside = join(home, 'files', randomUUID());
	writeFileSync(beside, bytes);
	dropped.push(sha256(bytes));
	renameSync(beside, folderFile('devis', name));
	return sha256(bytes);
}

async function dropDevis(devis: Devis, name = `${devis.number}.pdf`) {
	return drop(name, await devisPdf(devis));
}

async function rows<Row extends QueryResultRow>(query: string, values: unknown[] = []): Promise<Row[]> {
	const client = new Client({ connectionString: stack.facts().databaseUrl });
	// PostgreSQL is taken away on purpose.
	client.on('error', () => {});
	await client.connect();
	try {
		return (await client.query<Row>(query, values)).rows;
	} finally {
		await client.end();
	}
}

/** Looks again until `probe` gives something; after the deadline it fails with what the probe last said and the state. */
async function eventually<Value>(
	what: string,
	probe: () => Promise<Value | false | undefined> | Value | false | undefined,
	withinMs = 90_000,
) {
	const deadline = Date.now() + withinMs;
	let last: unknown;
	for (;;) {
		try {
			const value = await probe();
			if (value !== false && value !== undefined) return value;
			last = value;
		} catch (error) {
			last = error;
		}
		if (Date.now() > deadline) break;
		await wait(100);
	}
	const claims = await rows(
		'SELECT file_name, state, attempts, claimed_by, last_error, expires_at FROM devis_claims WHERE state <> $1',
		['done'],
	);
	throw new Error(
		`Not within ${withinMs} ms: ${what} (${String(last)}). In devis/: ${filesIn('devis').join(', ')}. Open: ${JSON.stringify(claims)}`,
	);
}

interface LogLine {
	level?: string;
	message: string;
	atMs: number;
	/** All of it, stack traces included. */
	whole: string;
}

/** What the processes have said since they last began; n8n's own lines are JSON, others come from beneath it. */
function logOf(names: string[]): LogLine[] {
	return names
		.flatMap((name) => readFileSync(join(home, 'logs', `${name}.log`), 'utf8').split('\n'))
		.map((line) => {
			if (!line.startsWith('{')) return { message: line, atMs: Number.NaN, whole: line };
			const { level, message, metadata } = JSON.parse(line) as {
				level: string;
				message: string;
				metadata: { timestamp: string };
			};
			return { level, message, atMs: Date.parse(metadata.timestamp), whole: line };
		});
}

function runsIn(names: string[], sentence: RegExp) {
	return logOf(names).flatMap(({ message, atMs }) => {
		const run = sentence.exec(message)?.[1];
		return run === undefined ? [] : [{ run, atMs }];
	});
}

/** Lines about this package that are not mere information. */
function complaints() {
	return logOf(['n8n-main', ...workers]).filter(
		({ level, whole }) => level !== 'info' && /n8n-nodes-aurastack|OllamaExtract|Ollama Extract/i.test(whole),
	);
}

interface StoredDevis {
	id: string;
	numero: string | null;
	date: string;
	client_nom: string | null;
	client_email: string;
	total: string | null;
	verdict: string;
	version: number;
	previous_id: string | null;
	awaits_model: boolean;
	archived_as: string | null;
	reasons: Array<{ code: string; message: string }>;
	evidence: Record<string, { value: unknown; place: unknown }>;
	usage: { calls: number };
}

const columns = `id, numero, date::text, client_nom, client_email, total::text, verdict, version, previous_id,
	awaits_model, archived_as, reasons, evidence, usage`;
const devisOf = async (sha: string) =>
	(await rows<StoredDevis>(`SELECT ${columns} FROM devis WHERE sha256 = $1`, [sha]))[0];
const linesOf = (id: string) =>
	rows(
		'SELECT description, quantite::text, prix_unitaire::text FROM devis_items WHERE devis_id = $1 ORDER BY position',
		[id],
	);
const passagesOf = (sha: string) =>
	rows<{
		state: string;
		attempts: number;
		duplicate: boolean;
		archived_as: string | null;
		last_error: { code: string } | null;
	}>('SELECT state, attempts, duplicate, archived_as, last_error FROM devis_claims WHERE sha256 = $1 ORDER BY id', [
		sha,
	]);
const archived = (sha: string, count = 1, withinMs?: number) =>
	eventually(
		`${count} archived passages of ${sha}`,
		async () => {
			const passages = await passagesOf(sha);
			return passages.length === count && passages.every(({ state }) => state === 'done') && passages;
		},
		withinMs,
	);

const bothLines = [
	{ description: 'Dépose de la chaudière', quantite: '2', prix_unitaire: '150.00' },
	{ description: 'Pose et mise en service', quantite: '3.5', prix_unitaire: '80.00' },
];

test('a file dropped while the stack was down is taken once it is up', async () => {
	await archived(dropped[0]!);
	expect(filesIn('processed')).toContain('before.pdf');
});

test('a dropped PDF becomes a devis with its lines and proofs, and is moved to processed/', async () => {
	const sha = await dropDevis({ number: 'D-2026-002', ...complete });
	await archived(sha);
	const devis = (await devisOf(sha))!;
	expect(devis).toMatchObject({
		numero: 'D-2026-002',
		date: '2026-03-12',
		client_nom: 'Mme Claire Martin',
		client_email: 'claire.martin@example.org',
		total: '696.00',
		verdict: 'complete',
		version: 1,
		archived_as: folderFile('processed', 'D-2026-002.pdf'),
	});
	expect(devis.evidence['totals.gross']).toMatchObject({
		value: '696.00',
		place: { page: 1, quote: expect.stringContaining('696,00') },
	});
	expect(await linesOf(devis.id)).toEqual(bothLines);
	expect(filesIn('processed')).toContain('D-2026-002.pdf');
});

test('a devis that names no client goes to review/ with its reasons, its e-mail marked as absent', async () => {
	const sha = await dropDevis({ number: 'D-2026-003', seller: complete.seller });
	await archived(sha);
	const devis = (await devisOf(sha))!;
	expect(devis).toMatchObject({ verdict: 'review', client_nom: null, client_email: 'absent@example.invalid' });
	expect(devis.evidence['buyer.email']).toMatchObject({ value: null, place: null });
	expect(devis.reasons).toContainEqual(expect.objectContaining({ code: 'missing-field', path: 'buyer.name' }));
	expect(filesIn('review')).toContain('D-2026-003.pdf');
});

test('an unreadable file is recorded with its reason and goes to rejected/', async () => {
	const sha = drop('not a.pdf', Buffer.from('This is no PDF.'));
	await archived(sha);
	expect(await rows('SELECT file_name, code, archived_as FROM devis_rejected WHERE sha256 = $1', [sha])).toEqual([
		{ file_name: 'not a.pdf', code: 'invalid-input', archived_as: folderFile('rejected', 'not a.pdf') },
	]);
	expect(await devisOf(sha)).toBeUndefined();
	expect(filesIn('rejected')).toContain('not a.pdf');
});

test('the same file three times at once is one devis, and three archived files', async () => {
	const bytes = await devisPdf({ number: 'D-2026-004', ...complete });
	for (const name of ['thrice.pdf', 'thrice copy.pdf', 'Thrice.PDF']) drop(name, bytes);
	const passages = await archived(sha256(bytes), 3);
	expect(passages.map(({ duplicate }) => duplicate).sort()).toEqual([false, true, true]);
	expect(await linesOf((await devisOf(sha256(bytes)))!.id)).toEqual(bothLines);
	expect(filesIn('processed')).toEqual(expect.arrayContaining(['thrice.pdf', 'thrice copy.pdf', 'Thrice.PDF']));
});

test('capitals, accents, spaces and quotes in names; hidden and unfinished files are left alone', async () => {
	const name = `Devis été n° 3 – l'atelier "Ö" (signé).PDF`;
	writeFileSync(folderFile('devis', 'loading.pdf.part'), 'x');
	writeFileSync(folderFile('devis', '.hidden.pdf'), 'x');
	const sha = await dropDevis({ number: 'D-2026-005', ...complete }, name);
	await archived(sha);
	expect(filesIn('processed')).toContain(name);
	expect(filesIn('devis')).toEqual(expect.arrayContaining(['.hidden.pdf', 'loading.pdf.part']));
	for (const left of ['.hidden.pdf', 'loading.pdf.part']) renameSync(folderFile('devis', left), join(home, left));
});

test('two files with one name are both kept, and the second of one number and client is a new version', async () => {
	const first = await dropDevis({ number: 'D-2026-006', ...complete }, 'same name.pdf');
	await archived(first);
	const second = await dropDevis({ number: 'D-2026-006', ...complete }, 'same name.pdf');
	await archived(second);
	const [one, two] = [(await devisOf(first))!, (await devisOf(second))!];
	expect([one.version, two.version, two.previous_id]).toEqual([1, 2, one.id]);
	expect(two.archived_as).not.toBe(one.archived_as);
	for (const [sha, devis] of [
		[first, one],
		[second, two],
	] as const) {
		expect(sha256(readFileSync(devis.archived_as!))).toBe(sha);
	}
});

test('a file that is still being copied is not taken', async () => {
	const bytes = await devisPdf({ number: 'D-2026-007', ...complete });
	dropped.push(sha256(bytes));
	const piece = Math.ceil(bytes.length / 8);
	for (let at = 0; at < bytes.length; at += piece) {
		appendFileSync(folderFile('devis', 'slow.pdf'), bytes.subarray(at, at + piece));
		// The copy itself takes this long: six seconds, three times the time that a file must be still.
		await wait(750);
	}
	expect(await archived(sha256(bytes))).toHaveLength(1);
	expect(await rows(`SELECT code FROM devis_rejected WHERE file_name = 'slow.pdf'`)).toEqual([]);
	expect((await devisOf(sha256(bytes)))!.verdict).toBe('complete');
});

test('with Ollama down the devis is put to review at once; once it is back, it is completed for a last look', async () => {
	await ollama.close();
	const sha = await dropDevis({ number: 'D-2026-008', seller: complete.seller, buyerInWords: complete.buyer });
	const partial = await eventually('the file in review/, as the page alone gives it', async () => {
		const devis = await devisOf(sha);
		return devis?.archived_as === folderFile('review', 'D-2026-008.pdf') && devis;
	}).finally(async () => {
		ollama = await startOllamaStandIn({ port: ollamaPort });
	});
	expect(partial).toMatchObject({ numero: 'D-2026-008', client_nom: null, verdict: 'review', awaits_model: true });
	expect(partial.reasons).toContainEqual(expect.objectContaining({ code: 'model-unavailable' }));
	expect(filesIn('review')).toContain('D-2026-008.pdf');

	await archived(sha);
	const whole = (await devisOf(sha))!;
	expect(whole).toMatchObject({
		id: partial.id,
		client_nom: complete.buyer,
		// Nothing on the page bears the model's choice of the client out.
		verdict: 'review',
		awaits_model: false,
		archived_as: folderFile('review', 'D-2026-008.pdf'),
	});
	expect(whole.reasons.map(({ code }) => code)).not.toContain('model-unavailable');
	expect(whole.reasons).toContainEqual(expect.objectContaining({ code: 'model-chosen', path: 'buyer.name' }));
	expect(whole.usage.calls).toBeGreaterThan(0);
	expect(await linesOf(whole.id)).toEqual(bothLines);
	expect(filesIn('review')).toContain('D-2026-008.pdf');
});

test('with Ollama down a page that gives nothing is put to review at once; once it is back, it is rejected', async () => {
	await ollama.close();
	const sha = drop('letter.pdf', await letterPdf(['Bonjour Madame,', 'Veuillez trouver ici ce que vous cherchiez.']));
	const empty = await eventually('the file in review/, with the reason', async () => {
		const devis = await devisOf(sha);
		return devis?.archived_as === folderFile('review', 'letter.pdf') && devis;
	}).finally(async () => {
		ollama = await startOllamaStandIn({ port: ollamaPort });
	});
	expect(empty).toMatchObject({ numero: null, total: null, verdict: 'review', awaits_model: true });
	expect(empty.reasons).toContainEqual(
		expect.objectContaining({ code: 'model-unavailable', message: expect.stringMatching(/\w/) }),
	);
	expect(await rows('SELECT FROM devis_rejected WHERE sha256 = $1', [sha])).toEqual([]);

	await archived(sha);
	expect(await devisOf(sha)).toBeUndefined();
	expect(await rows('SELECT code, archived_as FROM devis_rejected WHERE sha256 = $1', [sha])).toEqual([
		{ code: 'failed', archived_as: folderFile('rejected', 'letter.pdf') },
	]);
	expect(filesIn('rejected')).toContain('letter.pdf');
});

test('an invoice is kept, and put to review as one', async () => {
	const sha = await dropDevis({ number: 'F-2026-011', title: 'Facture', ...complete });
	await archived(sha);
	const invoice = (await devisOf(sha))!;
	expect(invoice).toMatchObject({ verdict: 'review', archived_as: folderFile('review', 'F-2026-011.pdf') });
	expect(invoice.reasons).toContainEqual(
		expect.objectContaining({ code: 'other-document', message: expect.stringContaining('Facture') }),
	);
});

test('main hears of files and minutes, workers do the work', async () => {
	const enqueued = runsIn(['n8n-main'], /^Enqueued execution (\d+) /);
	const started = runsIn(workers, /^Worker started execution (\d+) /);
	const holders = await rows<{ run: string }>('SELECT DISTINCT claimed_by AS run FROM devis_claims');
	expect(holders.length).toBeGreaterThan(5);
	for (const { run } of holders) {
		expect(enqueued).toContainEqual(expect.objectContaining({ run }));
		expect(started).toContainEqual(expect.objectContaining({ run }));
	}
	expect(runsIn(['n8n-main'], /^Worker started execution (\d+) /)).toEqual([]);
	expect(runsIn(workers, /^Enqueued execution (\d+) /)).toEqual([]);
	expect(complaints()).toEqual([]);
});

test('a slow run keeps its file, its claim prolonged; one whose worker is killed loses it long before the claim would expire', async () => {
	ollama.script({ kind: 'stall' });
	const sha = await dropDevis({ number: 'D-2026-009' });
	await eventually('the model is being asked', () => ollama.open() > 0);
	const holder = async () =>
		(
			await rows<{ run: string; at: Date; expires: Date }>(
				'SELECT claimed_by AS run, claimed_at AS at, expires_at AS expires FROM devis_claims WHERE sha256 = $1',
				[sha],
			)
		)[0]!;
	const slow = await holder();
	await eventually('three runs have looked at a claim old enough to be judged', () => {
		const looked = runsIn(workers, /^Worker finished execution (\d+) /).filter(
			({ atMs }) => atMs > slow.at.getTime() + 15_000,
		);
		return looked.length >= 3;
	});
	const looked = await holder();
	expect(looked.run).toBe(slow.run);
	expect(looked.expires.getTime()).toBeGreaterThan(slow.expires.getTime() + 10_000);
	expect(ollama.open()).toBe(1);

	const killed = workers.map((name) => [name, stack.pid(name)] as const);
	for (const [, pid] of killed) process.kill(pid, 'SIGKILL');
	ollama.script({ kind: 'from-page' });
	await Promise.all(killed.map(([name, pid]) => stack.restarted(name, pid)));
	const [passage] = await archived(sha);
	expect(passage).toMatchObject({ attempts: 2, last_error: { code: 'interrupted' } });
	expect(Date.now()).toBeLessThan(slow.expires.getTime() - 240_000);
	expect(await linesOf((await devisOf(sha))!.id)).toEqual(bothLines);
});

test('a crash between insert and move: the file is archived without being read again', async () => {
	await rows(`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$`);
	await rows('CREATE TRIGGER hold AFTER INSERT ON devis_items FOR EACH STATEMENT EXECUTE FUNCTION hold()');
	const holder = new Client({ connectionString: stack.facts().databaseUrl });
	await holder.connect();
	await holder.query('SELECT pg_advisory_lock(4711)');
	const sha = await dropDevis({ number: 'D-2026-010', ...complete });
	await eventually(
		'the insert waits for its commit',
		async () =>
			(await rows(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted`)).length > 0,
	);
	// Stopped workers cannot learn that the insert they have sent is committed, so they never come to the move.
	const killed = workers.map((name) => [name, stack.pid(name)] as const);
	for (const [, pid] of killed) process.kill(pid, 'SIGSTOP');
	await holder.end();
	await eventually('the devis is committed', () => devisOf(sha));
	for (const [, pid] of killed) process.kill(pid, 'SIGKILL');
	expect(filesIn('devis')).toContain('D-2026-010.pdf');
	await rows('DROP FUNCTION hold CASCADE');
	const chats = ollama.chats().length;

	await Promise.all(killed.map(([name, pid]) => stack.restarted(name, pid)));
	const passages = await archived(sha);
	expect(passages).toEqual([
		expect.objectContaining({ attempts: 2, duplicate: false, archived_as: folderFile('processed', 'D-2026-010.pdf') }),
	]);
	expect(await linesOf((await devisOf(sha))!.id)).toEqual(bothLines);
	expect(ollama.chats()).toHaveLength(chats);
});

test('PostgreSQL killed in the middle of the work: nothing is lost', async () => {
	const shas = await Promise.all(Array.from({ length: 12 }, (_, i) => dropDevis({ number: `D-PG-${i}`, ...complete })));
	await eventually(
		'some of the files are done',
		async () => (await rows(`SELECT FROM devis WHERE numero LIKE 'D-PG-%'`)).length > 2,
	);
	const pid = stack.pid('postgres');
	process.kill(pid, 'SIGQUIT');
	await stack.restarted('postgres', pid);
	for (const sha of shas) {
		await archived(sha);
		expect(await linesOf((await devisOf(sha))!.id)).toEqual(bothLines);
	}
});

test('two hundred files at once', async () => {
	const staged = mkdtempSync(join(home, 'staged-'));
	const names = Array.from({ length: 200 }, (_, i) => `many ${i}.pdf`);
	for (const [i, name] of names.entries()) {
		const bytes = await devisPdf({ number: `D-MANY-${i}`, ...complete });
		writeFileSync(join(staged, name), bytes);
		dropped.push(sha256(bytes));
	}
	for (const name of names) copyFileSync(join(staged, name), folderFile('devis', name));
	await eventually('the folder is empty', () => filesIn('devis').length === 0, 240_000);
	expect(filesIn('processed').filter((name) => name.startsWith('many '))).toHaveLength(200);
	const [counted] = await rows(
		`SELECT count(DISTINCT d.id)::int AS devis, count(*)::int AS lines
			FROM devis d JOIN devis_items i ON i.devis_id = d.id WHERE numero LIKE 'D-MANY-%'`,
	);
	expect(counted).toEqual({ devis: 200, lines: 400 });
}, 300_000);

describe('after all of this', () => {
	test('every dropped file stands exactly once in a final folder, unchanged, and the inbox is empty', () => {
		const standing = finalFolders.flatMap((folder) =>
			filesIn(folder).map((name) => sha256(readFileSync(folderFile(folder, name)))),
		);
		expect(standing.sort()).toEqual([...dropped].sort());
		expect(filesIn('devis')).toEqual([]);
	});

	test('each content is one devis with all its lines, or one rejection, and no passage is open', async () => {
		await eventually(
			'every passage is closed',
			async () => (await rows(`SELECT FROM devis_claims WHERE state IN ('waiting', 'claimed')`)).length === 0,
		);
		const stored = await rows<{ sha256: string; lines: number }>(
			'SELECT sha256, (SELECT count(*)::int FROM devis_items WHERE devis_id = devis.id) AS lines FROM devis',
		);
		const rejected = await rows<{ sha256: string }>('SELECT sha256 FROM devis_rejected');
		expect([...stored, ...rejected].map((one) => one.sha256).sort()).toEqual([...new Set(dropped)].sort());
		expect(stored.filter(({ lines }) => lines !== 2)).toEqual([]);
	});

	test('main and workers have complained of nothing in the package', () => {
		expect(complaints()).toEqual([]);
	});

	test('n8n keeps no record of what was in the documents, whatever became of the run', async () => {
		const { data } = await n8n<{ data: object[] }>(
			'GET',
			`/executions?workflowId=${workflowId}&includeData=true&limit=250`,
		);
		for (const said of [...Object.values(complete), 'Dépose de la chaudière']) {
			expect(data.filter((execution) => JSON.stringify(execution).includes(said))).toEqual([]);
		}
	});
});
