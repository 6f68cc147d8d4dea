import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';
import { Client } from 'pg';

import { startPostgres, type PostgresServer } from '../support/postgres';

const shippedFolder = join(__dirname, '..', '..', 'workflows');
const schema = readFileSync(join(shippedFolder, 'schema.sql'), 'utf8');
const readme = readFileSync(join(shippedFolder, 'README.md'), 'utf8');
const workflow = JSON.parse(readFileSync(join(shippedFolder, 'extraction-devis.json'), 'utf8')) as {
	nodes: Array<{ name: string; parameters: { query?: string } }>;
};

/** The very text that the workflow's node sends. */
const queryOf = (name: string) => {
	const query = workflow.nodes.find((node) => node.name === name)?.parameters.query;
	if (query === undefined) throw new Error(`The workflow has no query node "${name}".`);
	return query;
};
const queries = {
	claim: queryOf('Réclamer un fichier'),
	choose: queryOf('Choisir la suite'),
	save: queryOf('Enregistrer le devis et ses lignes'),
	fail: queryOf("Noter l'échec"),
	later: queryOf('Remettre à plus tard'),
	close: queryOf('Clore le passage'),
};
const settings = {
	fichiers_en_parallele: 2,
	fichiers_par_passage: 500,
	bail_secondes: 480,
	essais_max: 4,
	essais_ollama: 3,
	delai_secondes: 60,
};

interface Claim {
	claim_id: string | null;
	token: string;
	path: string;
	file_name: string;
}

let server: PostgresServer;
let url: string;
const clients: Client[] = [];

beforeAll(async () => {
	server = await startPostgres();
}, 60_000);
afterAll(() => server?.stop());
beforeEach(async () => {
	url = await server.createDatabase();
});
afterEach(async () => {
	await Promise.all(clients.splice(0).map((client) => client.end()));
});

async function connect() {
	const client = new Client({ connectionString: url });
	await client.connect();
	clients.push(client);
	return client;
}

async function prepared() {
	const client = await connect();
	await client.query(schema);
	return client;
}

/** Sends a query as n8n's Postgres node does: the parameter written into the text, all statements in one message. */
async function run<Row>(client: Client, query: string, parameters: object): Promise<Row> {
	const text = query.replaceAll('$1', () => client.escapeLiteral(JSON.stringify(parameters)));
	const results = [await client.query(text)].flat();
	expect(results.at(-1)!.rows).toHaveLength(1);
	return results.at(-1)!.rows[0] as Row;
}

const document = (name: string) => ({
	path: `/files/devis/${name}`,
	fileName: name,
	bytes: 10,
	modifiedAt: '2026-01-01T00:00:00.000Z',
	// Always after what the database has done so far.
	seenAt: '2126-01-01T00:00:00.000Z',
});
const claim = (client: Client, names: string[], changes: object = {}) =>
	run<Claim>(client, queries.claim, { ...settings, run: '1', turn: 0, documents: names.map(document), ...changes });
const choose = (client: Client, claimed: Claim, sha256: string | null, changes: object = {}) =>
	run<{ suite: string | null; verdict: string | null; attempts: number }>(client, queries.choose, {
		...settings,
		...claimed,
		sha256,
		...changes,
	});
const close = (client: Client, claimed: Claim, sha256: string, folder = 'processed') =>
	run<{ claim_id: string | null }>(client, queries.close, {
		...settings,
		...claimed,
		sha256,
		path: `/files/${folder}/${claimed.file_name}`,
	});
const fail = (client: Client, claimed: Claim, code: string, changes: object = {}) =>
	run<{ verdict: string | null }>(client, queries.fail, {
		...settings,
		...claimed,
		code,
		message: 'Pourquoi',
		hint: 'Et puis',
		...changes,
	});

const line = (description: string, quantity: string | null, unitPrice: string | null) => ({
	description,
	quantity,
	unit: 'h',
	unitPrice,
	vatRate: '20',
	total: null,
});
const extracted = (sha256: string, changes: { data?: object; reasons?: object[]; verdict?: string } = {}) => ({
	sha256,
	file_name: `${sha256}.pdf`,
	verdict: changes.verdict ?? 'complete',
	reasons: changes.reasons ?? [],
	evidence: { number: { value: 'D-1', origin: 'page', place: { page: 1, box: [0, 0, 1, 1], quote: 'D-1' } } },
	checks: [],
	usage: { model: null, calls: 0 },
	data: {
		number: 'D-1',
		date: '2026-03-01',
		validUntil: null,
		currency: 'EUR',
		seller: { name: 'Atelier', vat: null, siret: null },
		buyer: { name: 'Mme Élodie', email: 'elodie@example.org' },
		lines: [line('Pose', '2.5', '40.00'), line('Fourniture', '1', '0.0345')],
		totals: { net: '100.03', tax: '20.01', gross: '120.04' },
		...changes.data,
	},
});
interface Saved {
	devis_id: string;
	verdict: string;
	awaits_model: boolean;
	lignes: number;
}
/** Saves for the run that holds this passage. */
const save = (client: Client, document: object, { claim_id, token }: Pick<Claim, 'claim_id' | 'token'>) =>
	run<Saved>(client, queries.save, { ...document, claim_id, token });
/** Saves for a run whose passage begins and ends with it. */
async function saveAlone(client: Client, document: object) {
	const { rows } = await client.query<Claim>(
		`INSERT INTO devis_claims (path, file_name, bytes, state, token, claimed_at, expires_at)
		VALUES (gen_random_uuid(), 'alone.pdf', 10, 'claimed', gen_random_uuid(), now(), now() + interval '1 hour')
		RETURNING id AS claim_id, token`,
	);
	const saved = await save(client, document, rows[0]!);
	await client.query(`UPDATE devis_claims SET state = 'done', ended_at = now() WHERE id = $1`, [rows[0]!.claim_id]);
	return saved;
}

describe('the schema', () => {
	test('it can be applied again and changes nothing then', async () => {
		const client = await prepared();
		const shape = async () =>
			(
				await client.query(
					`SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
					WHERE table_schema = 'public' ORDER BY 1, 2`,
				)
			).rows;
		const before = await shape();
		const notices: string[] = [];
		client.on('notice', ({ message }) => notices.push(message ?? ''));
		await client.query(schema);
		expect(await shape()).toEqual(before);
		expect(notices.filter((message) => message.startsWith('devis:'))).toEqual([]);
	});

	const originals: Record<string, string> = {
		'serial keys, short texts, whole quantities, a unique number': `
			CREATE TABLE devis (id serial PRIMARY KEY, numero varchar(20) UNIQUE NOT NULL, date date NOT NULL,
				client_nom varchar(40) NOT NULL, client_email varchar(40) NOT NULL, total numeric(10,2) NOT NULL,
				created_at timestamp DEFAULT now());
			CREATE TABLE devis_items (id serial PRIMARY KEY, devis_id integer REFERENCES devis (id), description varchar(30),
				quantite integer NOT NULL, prix_unitaire numeric(10,2));`,
		'all texts, keys made by the database': `
			CREATE TABLE devis (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), numero text, date text, client_nom text,
				client_email text, total text, created_at text);
			CREATE TABLE devis_items (devis_id uuid, description text, quantite text, prix_unitaire text);`,
		'no key, floats, a unique index over number and client': `
			CREATE TABLE devis (numero text, date timestamptz, client_nom text, client_email text, total double precision,
				created_at timestamptz);
			CREATE UNIQUE INDEX one_per_client ON devis (numero, client_nom);
			CREATE TABLE devis_items (devis_id bigint, description text, quantite real, prix_unitaire real);`,
	};
	test.each(Object.entries(originals))('original tables are kept with their rows: %s', async (_, tables) => {
		const client = await connect();
		await client.query(tables);
		await client.query(
			`INSERT INTO devis (numero, date, client_nom, client_email, total, created_at)
			VALUES ('D-1', '2025-01-02', 'Mme Élodie', 'elodie@example.org', '99.90', '2025-01-02');
			INSERT INTO devis_items (description, quantite, prix_unitaire) VALUES ('Ancienne ligne', '3', '33.30');`,
		);
		await client.query(schema);
		await client.query(schema);

		const old = (await client.query('SELECT numero, client_nom, total::text, sha256, version FROM devis')).rows;
		expect(old).toEqual([
			{ numero: 'D-1', client_nom: 'Mme Élodie', total: expect.stringMatching(/^99\.90?$/), sha256: null, version: 1 },
		]);
		expect((await client.query('SELECT quantite::text, prix_unitaire::text FROM devis_items')).rows).toEqual([
			{ quantite: '3', prix_unitaire: expect.stringMatching(/^33\.30?$/) },
		]);

		const saved = await saveAlone(client, extracted('a'));
		expect(saved).toMatchObject({ lignes: 2, verdict: 'complete' });
		const { rows } = await client.query(
			`SELECT i.description, i.quantite::text, i.prix_unitaire::text FROM devis_items i JOIN devis d ON d.id::text = i.devis_id::text
			WHERE d.sha256 = 'a' ORDER BY position`,
		);
		expect(rows).toEqual([
			{ description: 'Pose', quantite: '2.5', prix_unitaire: expect.stringMatching(/^40(\.00)?$/) },
			{ description: 'Fourniture', quantite: '1', prix_unitaire: '0.0345' },
		]);
		expect((await client.query(`SELECT version FROM devis WHERE sha256 = 'a'`)).rows).toEqual([{ version: 2 }]);

		const nothingRead = {
			number: null,
			date: null,
			buyer: { name: null, email: null },
			lines: [],
			totals: { net: null, tax: null, gross: null },
		};
		await saveAlone(client, extracted('b', { data: nothingRead, verdict: 'review' }));
		expect((await client.query(`SELECT numero, total, client_email FROM devis WHERE sha256 = 'b'`)).rows).toEqual([
			{ numero: null, total: null, client_email: 'absent@example.invalid' },
		]);
	});

	const parts: Record<string, string> = {
		'devis without an id': 'CREATE TABLE devis (numero text, client_nom text)',
		'devis with no more than an id': 'CREATE TABLE devis (id uuid)',
		'devis with ids made by hand':
			'CREATE TABLE devis (id integer, numero text); INSERT INTO devis VALUES (41), (NULL)',
		'devis with ids of text': 'CREATE TABLE devis (id text, numero text)',
		'devis with one id twice': 'CREATE TABLE devis (id bigint, numero text); INSERT INTO devis VALUES (7), (7)',
		'devis_items alone': 'CREATE TABLE devis_items (description text)',
	};
	test.each(Object.entries(parts))('only a part of the tables is there: %s', async (_, tables) => {
		const client = await connect();
		await client.query(tables);
		await client.query(schema);
		await client.query(schema);
		const { devis_id: id } = await saveAlone(client, extracted('a'));
		const { rows } = await client.query(
			`SELECT d.id::text, i.description FROM devis d JOIN devis_items i ON i.devis_id = d.id ORDER BY position`,
		);
		expect(rows).toEqual([
			{ id, description: 'Pose' },
			{ id, description: 'Fourniture' },
		]);
		expect((await client.query('SELECT FROM devis WHERE id IS NULL')).rowCount).toBe(0);
	});

	test('a devis takes its lines with it, whatever its id is', async () => {
		const client = await connect();
		await client.query('CREATE TABLE devis (id uuid)');
		await client.query(schema);
		await saveAlone(client, extracted('a'));
		await client.query('DELETE FROM devis');
		expect((await client.query('SELECT FROM devis_items')).rowCount).toBe(0);
	});

	test('what cannot be loosened is left as it was, with a warning', async () => {
		const client = await connect();
		await client.query(`
			CREATE TABLE devis (id serial PRIMARY KEY, numero text UNIQUE, date date, client_nom text, client_email text, total numeric);
			CREATE TABLE devis_items (devis_id integer, description text, quantite numeric, prix_unitaire numeric);
			CREATE TABLE invoices (devis_numero text REFERENCES devis (numero));`);
		const warnings: string[] = [];
		client.on('notice', ({ message, severity }) => severity === 'WARNING' && warnings.push(message ?? ''));
		await client.query(schema);
		expect(warnings).toEqual([expect.stringContaining('devis_numero_key')]);
		expect(await saveAlone(client, extracted('a'))).toMatchObject({ lignes: 2 });
	});
});

describe('claiming a file', () => {
	test('of many runs at once exactly one gets a file, and none gets more than may run at once', async () => {
		await prepared();
		const runs = await Promise.all(Array.from({ length: 20 }, connect));
		const one = await Promise.all(runs.map((client) => claim(client, ['a.pdf'])));
		expect(one.filter(({ claim_id }) => claim_id !== null)).toHaveLength(1);

		const names = Array.from({ length: 20 }, (_, i) => `b${i}.pdf`);
		const many = await Promise.all(runs.map((client) => claim(client, names, { fichiers_en_parallele: 6 })));
		const got = many.filter(({ claim_id }) => claim_id !== null);
		expect(got).toHaveLength(5);
		expect(new Set(got.map(({ path }) => path)).size).toBe(5);
	});

	test('any number of runs taking any number of files take each exactly once', async () => {
		await prepared();
		const runs = await Promise.all(Array.from({ length: 6 }, connect));
		await fc.assert(
			fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 6 }), async (files, workers) => {
				await runs[0]!.query('TRUNCATE devis_claims');
				const names = Array.from({ length: files }, (_, i) => `${i}.pdf`);
				const left = new Set(names);
				const taken: string[] = [];
				const drain = async (client: Client) => {
					for (;;) {
						const mine = await claim(client, [...left], { fichiers_en_parallele: 100 });
						if (mine.claim_id === null) return;
						// Another run may have archived it since this one looked into the folder.
						const present = left.has(mine.file_name);
						await choose(client, mine, present ? mine.file_name : null);
						if (!present) continue;
						taken.push(mine.file_name);
						left.delete(mine.file_name);
						await close(client, mine, mine.file_name);
					}
				};
				await Promise.all(runs.slice(0, workers).map(drain));
				expect(taken.sort()).toEqual(names.sort());
			}),
			{ numRuns: 15 },
		);
	});

	test('a claim is retaken once it has expired, counted, and its late owner can change nothing more', async () => {
		const client = await prepared();
		const dead = await claim(client, ['a.pdf'], { bail_secondes: 0 });
		const next = await claim(client, ['a.pdf'], { run: '2' });
		expect(next).toMatchObject({ claim_id: dead.claim_id, path: dead.path });
		expect(next.token).not.toBe(dead.token);

		expect(await choose(client, dead, 'sha')).toMatchObject({ suite: null });
		expect(await fail(client, dead, 'invalid-input')).toEqual({ verdict: null });
		expect(await close(client, dead, 'sha')).toEqual({ claim_id: null });
		expect((await client.query('SELECT state, attempts, claimed_by, last_error FROM devis_claims')).rows).toEqual([
			{ state: 'claimed', attempts: 2, claimed_by: '2', last_error: expect.objectContaining({ code: 'interrupted' }) },
		]);
	});

	test('a live claim is never retaken', async () => {
		const client = await prepared();
		await claim(client, ['a.pdf']);
		expect(await claim(client, ['a.pdf'])).toMatchObject({ claim_id: null });
	});

	describe('a run that n8n no longer lists as running', () => {
		const startedAt = () => new Date().toISOString();
		/** Run 1 took a file `secondsAgo`; run 2 then looks for one, with this list of what runs. */
		async function retaken(secondsAgo: number, running: object[]) {
			const client = await prepared();
			await claim(client, ['a.pdf'], { run: '1' });
			await client.query('UPDATE devis_claims SET claimed_at = now() - make_interval(secs => $1)', [secondsAgo]);
			const next = await claim(client, ['a.pdf'], { run: '2', en_cours: running });
			const { rows } = await client.query('SELECT claimed_by, attempts, last_error FROM devis_claims');
			expect(next.claim_id !== null).toBe((rows[0] as { claimed_by: string }).claimed_by === '2');
			return rows[0] as { claimed_by: string; attempts: number; last_error: { code: string } | null };
		}

		test('loses its claim long before it would expire', async () => {
			expect(await retaken(60, [{ id: '2', startedAt: startedAt() }])).toEqual({
				claimed_by: '2',
				attempts: 2,
				last_error: expect.objectContaining({ code: 'interrupted' }),
			});
		});

		test('ids may come as numbers', async () => {
			expect(await retaken(60, [{ id: 2, startedAt: startedAt() }])).toMatchObject({ claimed_by: '2' });
		});

		test.each<[string, number, () => object[]]>([
			[
				'a run that is listed',
				400,
				() => [
					{ id: '2', startedAt: startedAt() },
					{ id: '1', startedAt: startedAt() },
				],
			],
			['a run that took the file after this one began', 0, () => [{ id: '2', startedAt: startedAt() }]],
			['one that began just before, for clocks differ', 5, () => [{ id: '2', startedAt: startedAt() }]],
			['any run when n8n could not be asked', 400, () => [{}]],
			['any run when the list is of another n8n', 400, () => [{ id: '7', startedAt: startedAt() }]],
			['any run when the list is empty', 400, () => []],
		])('%s keeps its claim', async (_, secondsAgo, running) => {
			expect(await retaken(secondsAgo, running())).toEqual({ claimed_by: '1', attempts: 1, last_error: null });
		});
	});

	describe('a run that works longer than a claim lasts', () => {
		const listed = (...ids: string[]) => ids.map((id) => ({ id, startedAt: new Date().toISOString() }));
		/** All claims as they would stand this much later. */
		const later = (client: Client, seconds: number) =>
			client.query(
				`UPDATE devis_claims SET claimed_at = claimed_at - make_interval(secs => $1),
					expires_at = expires_at - make_interval(secs => $1)`,
				[seconds],
			);
		const open = async (client: Client) =>
			(
				await client.query<{ claimed_by: string; left: number; last_error: object | null }>(
					`SELECT claimed_by, round(extract(epoch FROM expires_at - now()))::int AS left, last_error
					FROM devis_claims WHERE state = 'claimed' ORDER BY id`,
				)
			).rows;

		test('keeps its file while n8n lists it, minute after minute, and stores its devis', async () => {
			const client = await prepared();
			const slow = await claim(client, ['a.pdf'], { run: 'A' });
			await choose(client, slow, 'sha');
			for (let minute = 1; minute <= 20; minute++) {
				await later(client, 60);
				const looking = { run: `B${minute}`, en_cours: listed('A', `B${minute}`) };
				expect(await claim(client, ['a.pdf'], looking)).toMatchObject({ claim_id: null });
				expect(await open(client)).toEqual([{ claimed_by: 'A', left: 480, last_error: null }]);
			}
			expect(await save(client, extracted('sha'), slow)).toMatchObject({ verdict: 'complete', lignes: 2 });
			expect(await close(client, slow, 'sha')).toEqual({ claim_id: slow.claim_id });
		});

		test('keeps it too when nothing looked until after its claim had expired', async () => {
			const client = await prepared();
			await claim(client, ['a.pdf'], { run: 'A' });
			await later(client, 481);
			expect(await claim(client, ['a.pdf'], { run: 'B', en_cours: listed('A', 'B') })).toMatchObject({
				claim_id: null,
			});
			expect(await open(client)).toEqual([{ claimed_by: 'A', left: 480, last_error: null }]);
		});

		test.each<[string, object]>([
			['where n8n could not be asked', { en_cours: [{}] }],
			['on a list of another n8n', { en_cours: listed('A') }],
			['on a list that a long run has kept since its first file', { en_cours: listed('A', 'B'), turn: 1 }],
		])('is not prolonged %s: the next run takes the file', async (_, changes) => {
			const client = await prepared();
			await claim(client, ['a.pdf'], { run: 'A' });
			await later(client, 481);
			expect(await claim(client, ['a.pdf'], { run: 'B', ...changes })).toMatchObject({ file_name: 'a.pdf' });
			const [held] = await open(client);
			expect(held).toMatchObject({ claimed_by: 'B', last_error: { code: 'interrupted' } });
			// Nobody knows which of the two it was.
			expect(JSON.stringify(held!.last_error)).toContain("s'est arrêtée, ou son bail est passé");
		});

		test('does not hold on to a file that it has left for another one', async () => {
			const client = await prepared();
			const names = ['a.pdf', 'b.pdf'];
			// The answer to its first question was lost on the way.
			await claim(client, names, { run: 'A' });
			await later(client, 10);
			await claim(client, names, { run: 'A' });
			await later(client, 400);
			await claim(client, names, { run: 'B', en_cours: listed('A', 'B') });
			expect(await open(client)).toMatchObject([{ left: 70 }, { left: 480 }]);
		});

		test('stores nothing once it has lost its file, and goes on quietly', async () => {
			const client = await prepared();
			const lost = await claim(client, ['a.pdf'], { run: 'A' });
			await choose(client, lost, 'sha');
			await later(client, 481);
			const next = await claim(client, ['a.pdf'], { run: 'B' });
			expect(await save(client, extracted('sha'), lost)).toEqual({
				devis_id: null,
				verdict: null,
				awaits_model: null,
				lignes: 0,
			});
			expect((await client.query('SELECT FROM devis')).rowCount).toBe(0);
			expect((await client.query('SELECT FROM devis_items')).rowCount).toBe(0);
			await choose(client, next, 'sha');
			await save(client, extracted('sha'), next);
			// What the other one has stored meanwhile is none of its business either.
			expect(await save(client, extracted('sha'), lost)).toMatchObject({ verdict: null });
			expect((await client.query('SELECT claim_id FROM devis')).rows).toEqual([{ claim_id: next.claim_id }]);
		});

		test('loses its file or stores its devis, never both, when the two come at once', async () => {
			const [client, other] = [await prepared(), await connect()];
			for (const first of ['save', 'claim'] as const) {
				await client.query('TRUNCATE devis_claims, devis, devis_items');
				const late = await claim(client, ['a.pdf'], { run: 'A' });
				await choose(client, late, 'sha');
				await later(client, 481);
				const saving = (by: Client) => save(by, extracted('sha'), late);
				const taking = (by: Client) => claim(by, ['a.pdf'], { run: 'B' });
				await client.query('BEGIN');
				const [saved, taken] =
					first === 'save'
						? await inTurn(saving(client), () => taking(other))
						: ((await inTurn(taking(client), () => saving(other))).toReversed() as [Saved, Claim]);
				expect(taken).toMatchObject({ claim_id: late.claim_id });
				expect(saved.verdict).toBe(first === 'save' ? 'complete' : null);
				expect(await choose(client, taken, 'sha')).toMatchObject({ suite: first === 'save' ? 'archiver' : 'extraire' });
			}

			/** The second begins while the first has done its work and not yet committed it. */
			async function inTurn<One, Two>(one: Promise<One>, two: () => Promise<Two>): Promise<[One, Two]> {
				const first = await one;
				const second = two();
				let waits = false;
				const over = second.finally(() => (waits = true));
				while (!waits) {
					waits = (await client.query('SELECT FROM pg_locks WHERE NOT granted')).rowCount! > 0;
				}
				await client.query('COMMIT');
				return [first, await over];
			}
		});
	});

	test('a run stops after its share, and the next one goes on', async () => {
		const client = await prepared();
		expect(await claim(client, ['a.pdf'], { turn: 500 })).toMatchObject({ claim_id: null });
		expect(await claim(client, ['a.pdf'])).toMatchObject({ path: '/files/devis/a.pdf' });
	});

	test('a name that comes back after its file was archived is a new passage', async () => {
		const client = await prepared();
		const first = await claim(client, ['a.pdf']);
		await choose(client, first, 'one');
		await close(client, first, 'one');
		const second = await claim(client, ['a.pdf']);
		expect(second.claim_id).not.toBe(first.claim_id);
		expect(second.claim_id).not.toBeNull();
	});

	test('a file archived since the run looked into the folder is not noted again', async () => {
		const client = await prepared();
		const stale = { ...document('a.pdf'), seenAt: new Date().toISOString() };
		const first = await claim(client, ['a.pdf']);
		await choose(client, first, 'one');
		await close(client, first, 'one');
		expect(await claim(client, [], { documents: [stale] })).toMatchObject({ claim_id: null });
		expect((await client.query('SELECT state FROM devis_claims')).rows).toEqual([{ state: 'done' }]);
	});

	test('a file gone before it was read closes its passage', async () => {
		const client = await prepared();
		expect(await choose(client, await claim(client, ['a.pdf']), null)).toMatchObject({ suite: 'parti' });
		expect((await client.query('SELECT state FROM devis_claims')).rows).toEqual([{ state: 'gone' }]);
	});

	test('an open passage whose file left the folder is closed an hour later, even when the folder is empty', async () => {
		const client = await prepared();
		await claim(client, ['a.pdf', 'b.pdf'], { turn: 500 });
		await client.query(`UPDATE devis_claims SET retry_at = now() - interval '2 hours'`);
		await claim(client, ['b.pdf'], { turn: 500 });
		expect((await client.query('SELECT file_name, state FROM devis_claims ORDER BY 1')).rows).toEqual([
			{ file_name: 'a.pdf', state: 'gone' },
			{ file_name: 'b.pdf', state: 'waiting' },
		]);
		await claim(client, [], { turn: 0 });
		expect((await client.query(`SELECT count(*)::int FROM devis_claims WHERE state = 'gone'`)).rows).toEqual([
			{ count: 2 },
		]);
	});
});

describe('what happens to a claimed file', () => {
	test('new content is extracted; the same content under another name waits for it, then is only archived', async () => {
		const client = await prepared();
		const first = await claim(client, ['a.pdf', 'b.pdf']);
		const second = await claim(client, ['a.pdf', 'b.pdf']);
		expect(await choose(client, first, 'same')).toMatchObject({ suite: 'extraire' });
		expect(await choose(client, second, 'same')).toMatchObject({ suite: 'attendre' });

		await save(client, extracted('same'), first);
		expect(await claim(client, ['b.pdf'])).toMatchObject({ claim_id: null });
		await close(client, first, 'same');
		const again = await claim(client, ['b.pdf']);
		expect(await choose(client, again, 'same')).toMatchObject({ suite: 'archiver', verdict: 'complete', attempts: 1 });
		await close(client, again, 'same');

		expect(
			(await client.query('SELECT file_name, state, duplicate, archived_as FROM devis_claims ORDER BY id')).rows,
		).toEqual([
			{ file_name: 'a.pdf', state: 'done', duplicate: false, archived_as: '/files/processed/a.pdf' },
			{ file_name: 'b.pdf', state: 'done', duplicate: true, archived_as: '/files/processed/b.pdf' },
		]);
		expect((await client.query('SELECT archived_as FROM devis')).rows).toEqual([
			{ archived_as: '/files/processed/a.pdf' },
		]);
	});

	test('after a crash between insert and move the file is only archived', async () => {
		const client = await prepared();
		const dead = await claim(client, ['a.pdf'], { bail_secondes: 0 });
		await choose(client, dead, 'sha', { bail_secondes: 0 });
		await save(client, extracted('sha'), dead);
		const next = await claim(client, ['a.pdf']);
		expect(await choose(client, next, 'sha')).toMatchObject({ suite: 'archiver', verdict: 'complete' });
		await close(client, next, 'sha');
		expect((await client.query('SELECT duplicate FROM devis_claims')).rows).toEqual([{ duplicate: false }]);
	});

	test('after a crash between move and end the passage is found done, though the folder is empty', async () => {
		const client = await prepared();
		for (const [name, finish] of [
			['saved.pdf', (dead: Claim) => save(client, extracted('saved.pdf'), dead)],
			['refused.pdf', (dead: Claim) => fail(client, dead, 'invalid-input')],
		] as const) {
			const dead = await claim(client, [name]);
			await choose(client, dead, name);
			await finish(dead);
			await client.query(`UPDATE devis_claims SET expires_at = now() - interval '1 second' WHERE id = $1`, [
				dead.claim_id,
			]);
			const next = await claim(client, []);
			expect(next).toMatchObject({ claim_id: dead.claim_id });
			expect(await choose(client, next, null)).toMatchObject({
				suite: 'archiver',
				sha256: name,
				verdict: name === 'saved.pdf' ? 'complete' : 'failed',
			});
			await close(client, next, name);
		}
		expect((await client.query('SELECT state, archived_as FROM devis_claims ORDER BY id')).rows).toEqual([
			{ state: 'done', archived_as: '/files/processed/saved.pdf' },
			{ state: 'done', archived_as: '/files/processed/refused.pdf' },
		]);
	});

	test('a file whose runs all died is given up after the last attempt, so that it blocks nothing', async () => {
		const client = await prepared();
		for (let attempt = 1; attempt <= 4; attempt++) {
			const dead = await claim(client, ['poison.pdf'], { bail_secondes: 0 });
			expect(await choose(client, dead, 'sha', { bail_secondes: 0 })).toMatchObject({
				suite: 'extraire',
				attempts: attempt,
			});
		}
		const last = await claim(client, ['poison.pdf']);
		expect(await choose(client, last, 'sha')).toMatchObject({ suite: 'abandonner', attempts: 5 });
		expect(await fail(client, last, 'abandoned')).toEqual({ verdict: 'failed' });
	});

	test.each(['invalid-input', 'bad-reply', 'failed'])('%s is recorded and rejected at once', async (code) => {
		const client = await prepared();
		const mine = await claim(client, ['a.pdf']);
		await choose(client, mine, 'sha');
		expect(await fail(client, mine, code)).toEqual({ verdict: 'failed' });
		await close(client, mine, 'sha');
		expect(
			(await client.query('SELECT sha256, file_name, code, message, hint, archived_as FROM devis_rejected')).rows,
		).toEqual([
			{
				sha256: 'sha',
				file_name: 'a.pdf',
				code,
				message: 'Pourquoi',
				hint: 'Et puis',
				archived_as: '/files/processed/a.pdf',
			},
		]);
	});

	test.each([
		['unreachable', 'review'],
		['overloaded', 'review'],
		['configuration', 'review'],
		['unauthorized', 'review'],
		['unknown', 'review'],
		// Nobody foresaw it: the fault of the machine as well as of the file.
		['defect', 'review'],
		// Reading is what took too long: a busy machine at first, then a file that cannot be read here.
		['timeout', 'failed'],
	])('%s leaves the file in the folder with growing pauses, then ends as %s', async (code, end) => {
		const client = await prepared();
		const pauses: number[] = [];
		for (let attempt = 1; attempt <= 4; attempt++) {
			const mine = await claim(client, ['a.pdf']);
			await choose(client, mine, 'sha');
			expect(await fail(client, mine, code)).toEqual({ verdict: attempt < 4 ? null : end });
			if (attempt === 4) break;
			expect(await claim(client, ['a.pdf'])).toMatchObject({ claim_id: null });
			const { rows } = await client.query<{ pause: number }>(
				`UPDATE devis_claims SET retry_at = now() RETURNING extract(epoch FROM old.retry_at - claimed_at)::float8 AS pause`,
			);
			pauses.push(Math.round(rows[0]!.pause / 60));
		}
		expect(pauses).toEqual([1, 2, 4]);
		expect((await client.query('SELECT code FROM devis_rejected')).rows).toEqual([{ code }]);
	});
});

describe('saving a devis', () => {
	test('twenty runs saving the same content at once make one devis with its lines once', async () => {
		await prepared();
		const runs = await Promise.all(Array.from({ length: 20 }, connect));
		const saved = await Promise.all(runs.map((client) => saveAlone(client, extracted('same'))));
		expect(new Set(saved.map(({ devis_id }) => devis_id)).size).toBe(1);
		expect(saved.map(({ lignes }) => lignes).sort()).toEqual([...Array<number>(19).fill(0), 2]);
		const { rows } = await runs[0]!.query(
			'SELECT (SELECT count(*)::int FROM devis) AS devis, (SELECT count(*)::int FROM devis_items) AS lines',
		);
		expect(rows).toEqual([{ devis: 1, lines: 2 }]);
	});

	test('versions of one number and client that arrive at once are numbered without gap or double', async () => {
		await prepared();
		const runs = await Promise.all(Array.from({ length: 8 }, connect));
		await Promise.all(runs.map((client, i) => saveAlone(client, extracted(`content ${i}`))));
		const { rows } = await runs[0]!.query<{ id: string; version: number; previous_id: string | null }>(
			'SELECT id, version, previous_id FROM devis ORDER BY version',
		);
		expect(rows.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
		expect(rows.map(({ previous_id }) => previous_id)).toEqual([null, ...rows.slice(0, -1).map(({ id }) => id)]);
	});

	test('the same number of another client is no version', async () => {
		const client = await prepared();
		await saveAlone(client, extracted('a'));
		await saveAlone(client, extracted('b', { data: { buyer: { name: 'Autre', email: null } } }));
		expect((await client.query('SELECT version, client_email FROM devis ORDER BY sha256')).rows).toEqual([
			{ version: 1, client_email: 'elodie@example.org' },
			{ version: 1, client_email: 'absent@example.invalid' },
		]);
	});

	test('texts that look like SQL, expressions or parameters arrive unchanged', async () => {
		const client = await prepared();
		await fc.assert(
			fc.asyncProperty(
				fc.uuid(),
				fc.oneof(
					fc.constantFrom(`'; DROP TABLE devis; --`, '$1', '{{ $json }}', 'a\\b', '"x"', '1, 2', `l'œuvre`),
					fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
				),
				async (sha256, text) => {
					await saveAlone(client, extracted(sha256, { data: { number: text, lines: [line(text, '1', '2')] } }));
					const { rows } = await client.query(
						'SELECT numero, description FROM devis JOIN devis_items ON devis_id = devis.id WHERE sha256 = $1',
						[sha256],
					);
					expect(rows).toEqual([{ numero: text, description: text }]);
				},
			),
			{ numRuns: 40 },
		);
	});

	test('a value that its column refuses saves nothing of the document', async () => {
		const client = await prepared();
		await expect(saveAlone(client, extracted('a', { data: { lines: [line('x', 'douze', '1')] } }))).rejects.toThrow(
			'numeric',
		);
		expect((await client.query('SELECT count(*)::int FROM devis')).rows).toEqual([{ count: 0 }]);
	});

	test('a devis that waited for the model is completed by it, and never again afterwards', async () => {
		const client = await prepared();
		const waiting = [{ code: 'model-unavailable', message: 'Ollama ne répond pas.' }];
		const partial = extracted('a', {
			verdict: 'review',
			reasons: waiting,
			data: { number: null, lines: [line('Pose', '1', null)] },
		});
		expect(await saveAlone(client, partial)).toMatchObject({ verdict: 'review', awaits_model: true, lignes: 1 });
		const mine = await claim(client, ['a.pdf']);
		expect(await choose(client, mine, 'a')).toMatchObject({ suite: 'extraire' });
		expect(await saveAlone(client, extracted('a'))).toMatchObject({
			verdict: 'complete',
			awaits_model: false,
			lignes: 2,
		});
		expect(await saveAlone(client, partial)).toMatchObject({ verdict: 'complete', awaits_model: false, lignes: 0 });
		expect((await client.query('SELECT numero, verdict FROM devis')).rows).toEqual([
			{ numero: 'D-1', verdict: 'complete' },
		]);
		expect((await client.query('SELECT description, position FROM devis_items ORDER BY position')).rows).toEqual([
			{ description: 'Pose', position: 1 },
			{ description: 'Fourniture', position: 2 },
		]);
		expect(await choose(client, mine, 'a')).toMatchObject({ suite: 'archiver' });
	});

	test('what a person has changed meanwhile is not written over', async () => {
		const client = await prepared();
		const waiting = [{ code: 'model-unavailable', message: 'Ollama ne répond pas.' }];
		await saveAlone(client, extracted('a', { verdict: 'review', reasons: waiting, data: { number: null } }));
		await client.query(`UPDATE devis SET numero = 'D-17'`);
		await saveAlone(client, extracted('a'));
		expect((await client.query('SELECT numero, verdict FROM devis')).rows).toEqual([
			{ numero: 'D-17', verdict: 'review' },
		]);
	});
});

describe('waiting for the model', () => {
	const waiting = [{ code: 'model-unavailable', message: 'Ollama ne répond pas.' }];
	const partial = extracted('a', { verdict: 'review', reasons: waiting, data: { number: null } });
	const due = (client: Client) => client.query('UPDATE devis_claims SET retry_at = now()');

	/** Read without the model, stored, and moved to review/. */
	async function putToReview(client: Client) {
		const mine = await claim(client, ['a.pdf']);
		await choose(client, mine, 'a');
		await save(client, partial, mine);
		await close(client, mine, 'a', 'review');
	}

	test('the file is taken up again from review/, though nothing is in the inbox, and ends where it belongs', async () => {
		const client = await prepared();
		await putToReview(client);
		expect(await claim(client, [])).toMatchObject({ claim_id: null });
		await due(client);
		const again = await claim(client, []);
		expect(again).toMatchObject({ path: '/files/review/a.pdf' });
		expect(await choose(client, again, 'a')).toMatchObject({ suite: 'extraire', attempts: 1 });
		await save(client, extracted('a'), again);
		await close(client, again, 'a');
		expect((await client.query('SELECT state, duplicate, archived_as, model_waits FROM devis_claims')).rows).toEqual([
			{ state: 'done', duplicate: false, archived_as: '/files/processed/a.pdf', model_waits: 1 },
		]);
		expect((await client.query('SELECT verdict, archived_as FROM devis')).rows).toEqual([
			{ verdict: 'complete', archived_as: '/files/processed/a.pdf' },
		]);
	});

	describe('for a page that gives neither number, total nor line', () => {
		const nothing = { number: null, lines: [], totals: { net: null, tax: null, gross: null } };

		/** Stored and put to review without the model, then read again with it: nothing is there. */
		async function nothingThere(meanwhile = 'SELECT') {
			const client = await prepared();
			const first = await claim(client, ['a.pdf']);
			await choose(client, first, 'a');
			await save(client, extracted('a', { verdict: 'review', reasons: waiting, data: nothing }), first);
			await close(client, first, 'a', 'review');
			await client.query(meanwhile);
			await due(client);
			const again = await claim(client, []);
			expect(await choose(client, again, 'a')).toMatchObject({ suite: 'extraire' });
			const { verdict } = await fail(client, again, 'failed');
			await close(client, again, 'a', verdict === 'failed' ? 'rejected' : 'review');
			return { client, verdict };
		}

		test('its empty row gives way to the rejection that it would have been with the model', async () => {
			const { client, verdict } = await nothingThere();
			expect(verdict).toBe('failed');
			expect((await client.query('SELECT FROM devis')).rowCount).toBe(0);
			expect((await client.query('SELECT sha256, code, archived_as FROM devis_rejected')).rows).toEqual([
				{ sha256: 'a', code: 'failed', archived_as: '/files/rejected/a.pdf' },
			]);
			expect((await client.query('SELECT state, devis_id, duplicate FROM devis_claims')).rows).toEqual([
				{ state: 'done', devis_id: null, duplicate: false },
			]);
		});

		test.each([
			[`UPDATE devis SET numero = 'D-17'`],
			[`UPDATE devis SET client_nom = 'M. Martin'`],
			[`UPDATE devis SET verdict = 'complete'`],
			[`INSERT INTO devis_items (devis_id, description) SELECT id, 'Pose' FROM devis`],
		])('what a person filled in meanwhile stays: %s', async (meanwhile) => {
			const { client, verdict } = await nothingThere(meanwhile);
			expect(verdict).toBe('review');
			expect((await client.query('SELECT archived_as FROM devis')).rows).toEqual([
				{ archived_as: '/files/review/a.pdf' },
			]);
			expect((await client.query('SELECT FROM devis_rejected')).rowCount).toBe(0);
		});
	});

	test('another file of the same name is not held up by it', async () => {
		const client = await prepared();
		await putToReview(client);
		const other = await claim(client, ['a.pdf']);
		expect(await choose(client, other, 'b')).toMatchObject({ suite: 'extraire' });
	});

	test('the pauses grow and come to an end, the file staying in review/', async () => {
		const client = await prepared();
		await putToReview(client);
		const pauses: number[] = [];
		for (;;) {
			const { rows } = await client.query<{ state: string; pause: number }>(
				'SELECT state, extract(epoch FROM retry_at - ended_at)::float8 AS pause FROM devis_claims',
			);
			if (rows[0]!.state === 'done') break;
			pauses.push(rows[0]!.pause / 60);
			await due(client);
			const again = await claim(client, []);
			await choose(client, again, 'a');
			await save(client, partial, again);
			await close(client, again, 'a', 'review');
		}
		expect(pauses).toEqual([1, 2, 4]);
	});

	test('a file that a person took out of review/ is left to them', async () => {
		const client = await prepared();
		await putToReview(client);
		await due(client);
		expect(await choose(client, await claim(client, []), null)).toMatchObject({ suite: 'parti' });
		expect((await client.query('SELECT state FROM devis_claims')).rows).toEqual([{ state: 'done' }]);
	});

	test('a long stop of n8n does not end the wait', async () => {
		const client = await prepared();
		await putToReview(client);
		await client.query(
			`UPDATE devis_claims SET retry_at = now() - interval '1 day', expires_at = now() - interval '2 days'`,
		);
		expect(await claim(client, [])).toMatchObject({ path: '/files/review/a.pdf' });
	});
});

describe('the queries of the README', () => {
	const [inInbox, inReview] = readme
		.split('```sql\n')
		.slice(1)
		.map((block) => block.split('```')[0]!)
		.filter((query) => query.includes('FROM devis_claims'));
	const names = async (client: Client, query: string | undefined) =>
		(await client.query<{ file_name: string }>(query!)).rows.map(({ file_name }) => file_name);

	test('what waits in devis/ is told from what waits in review/ for the model, also while it is worked on', async () => {
		const client = await prepared();
		const put = await claim(client, ['for the model.pdf']);
		await choose(client, put, 'a');
		const waiting = [{ code: 'model-unavailable', message: 'Ollama ne répond pas.' }];
		await save(client, extracted('a', { verdict: 'review', reasons: waiting }), put);
		await close(client, put, 'a', 'review');
		const held = await claim(client, ['held.pdf', 'free.pdf']);
		for (const again of [false, true]) {
			if (again) {
				await client.query('UPDATE devis_claims SET retry_at = now() WHERE archived_as IS NOT NULL');
				expect(await claim(client, [])).toMatchObject({ path: '/files/review/for the model.pdf' });
			}
			expect((await names(client, inInbox)).sort()).toEqual(['free.pdf', held.file_name].sort());
			expect(await names(client, inReview)).toEqual(['for the model.pdf']);
		}
	});

	test('every query runs', async () => {
		const client = await prepared();
		const queries = readme
			.split('```sql\n')
			.slice(1)
			.map((block) => block.split('```')[0]!);
		for (const query of queries) await client.query(query);
		expect(queries.length).toBeGreaterThan(2);
	});
});

test('a file that could not be moved waits its turn', async () => {
	const client = await prepared();
	const mine = await claim(client, ['a.pdf']);
	await choose(client, mine, 'a');
	await run(client, queries.later, { ...settings, ...mine, code: 'configuration', message: 'Le disque est plein.' });
	expect(await claim(client, ['a.pdf'])).toMatchObject({ claim_id: null });
	expect((await client.query('SELECT state, last_error FROM devis_claims')).rows).toEqual([
		{ state: 'waiting', last_error: { code: 'configuration', message: 'Le disque est plein.' } },
	]);
});
