// `npm run demo`: a stack of its own beside the real one's data, each shipped workflow run once on sample input.
// With --keep it stays up until Ctrl-C.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { makeDocument } from '../test/support/documents.ts';
import { type OllamaStandIn, startOllamaStandIn } from '../test/support/ollamaStandIn.ts';
import { runNow } from './bootstrap.mts';
import { withClient } from './database.mts';
import { requireSpace } from './diskSpace.mts';
import type { Facts } from './facts.mts';
import { findOllama } from './outside.mts';
import { choosePorts } from './ports.mts';
import { type Settings, readSettings } from './settings.mts';
import { bringUp } from './stack.mts';
import { openState } from './state.mts';
import { stopSignals } from './stopSignals.mts';
import { closingTable } from './table.mts';
import { modelsOf, readWorkflows } from './workflows.mts';

/** Runs one workflow on sample input and resolves to what came out, line by line. */
type Sample = (facts: Facts, standIn: OllamaStandIn | undefined, signal: AbortSignal) => Promise<string[]>;

/** In the order in which they run. */
const samples: Readonly<Record<string, Sample>> = {
	MXmDVXcHxkHXveOU: dropDevis,
	d9T0kjgdnTALQhU7: runTask,
	AURAmcpApprovals: proveAudit,
	// Last: it ends the stand-in to see whether that is noticed.
	VPSwatchAura0001: lookAtMachine,
};
const patienceMs = 10 * 60_000;

const say = (line: string) => process.stdout.write(`${line}\n`);
const { signal, kill, asked } = stopSignals(say);
let standIn: OllamaStandIn | undefined;

try {
	const settings = await demoSettings(readSettings(process.env));
	standIn = await standInWhereNeeded(settings);
	const stack = await bringUp(
		{ ...settings, ollamaUrl: standIn?.baseUrl ?? settings.ollamaUrl },
		{ say, signal, kill },
	);
	try {
		for (const id of new Set([...Object.keys(samples), ...Object.keys(stack.workflowNames)])) {
			say(`\n${stack.workflowNames[id]}`);
			const sample = samples[id];
			const lines = sample ? await sample(stack.facts, standIn, signal) : ['there is no sample for this workflow yet'];
			for (const line of lines) say(`  ${line}`);
		}
		if (process.argv.includes('--keep')) {
			say(`\n${closingTable(stack)}\n`);
			await asked;
		}
	} finally {
		await stack.stop();
		say('\nThe demo is stopped; its data stays in its own folder.');
	}
} catch (error) {
	if (!signal.aborted) {
		say(error instanceof LocalAiError ? `${error.message}\n  ${error.hint}` : String((error as Error).stack ?? error));
		process.exitCode = 1;
	}
} finally {
	await endStandIn();
}
process.exit();

/** Beside the real stack: samples never mix with a person's documents, nor a stand-in's answers with a model's. */
async function demoSettings(settings: Settings): Promise<Settings> {
	const home = join(settings.home, 'demo');
	requireSpace(home);
	const state = openState(home);
	const port = await choosePorts(state.portsFile, ['demo editor']);
	return { ...settings, home, editorPort: port('demo editor') };
}

async function standInWhereNeeded(settings: Settings): Promise<OllamaStandIn | undefined> {
	const wanted = [...new Set(readWorkflows(join(settings.root, 'workflows'), '/files').flatMap(modelsOf))];
	const { found, missing } = await findOllama(settings.ollamaUrl, wanted);
	if (found && missing.length === 0) return undefined;
	say(
		`${found ? `Ollama lacks ${missing.join(', ')}` : `No Ollama answers at ${settings.ollamaUrl}`}: a stand-in without a model takes its place`,
	);
	return await startOllamaStandIn({ models: wanted });
}

async function dropDevis(facts: Facts, standIn: OllamaStandIn | undefined, signal: AbortSignal): Promise<string[]> {
	const { bytes } = await makeDocument('artisan-without-head', Date.now() % 1_000_000);
	const sha256 = createHash('sha256').update(bytes).digest('hex');
	const file = join(facts.folders.devis, `sample-${sha256.slice(0, 8)}.pdf`);
	const questionsBefore = standIn?.chats().length ?? 0;
	say(`  dropped ${file}`);
	writeFileSync(file, bytes);
	return await eventually(signal, `The workflow did not finish ${file}`, facts, async () => {
		const lines = await devisOf(facts.databaseUrl, sha256);
		const place = [facts.folders.processed, facts.folders.review, facts.folders.rejected]
			.map((folder) => join(folder, basename(file)))
			.find((path) => existsSync(path));
		if (!lines || !place) return undefined;
		const questions = (standIn?.chats().length ?? 0) - questionsBefore;
		return [
			...lines,
			`the file is now ${place}`,
			...(questions > 0 ? [`${questions} questions went to the stand-in, not to a model`] : []),
		];
	});
}

async function devisOf(databaseUrl: string, sha256: string): Promise<string[] | undefined> {
	return await withClient(databaseUrl, async (client) => {
		const { rows } = await client.query<Record<string, string>>(
			`SELECT numero, date::text, client_nom, client_email, total::text, verdict, id FROM devis WHERE sha256 = $1`,
			[sha256],
		);
		const devis = rows[0];
		if (!devis) return undefined;
		const { rows: items } = await client.query<Record<string, string>>(
			'SELECT description, quantite::text, prix_unitaire::text FROM devis_items WHERE devis_id = $1 ORDER BY id',
			[devis.id],
		);
		return [
			`devis ${devis.numero} of ${devis.date}, ${devis.client_nom} <${devis.client_email}>, total ${devis.total}, verdict ${devis.verdict}`,
			...items.map(({ description, quantite, prix_unitaire }) => `  ${quantite} x ${description} at ${prix_unitaire}`),
		];
	});
}

/** A task that needs approval, from being asked for to being done, and what becomes of its approval after that. */
async function runTask(facts: Facts, _standIn: unknown, signal: AbortSignal): Promise<string[]> {
	const file = join(facts.folders.devis, '..', '..', 'work', 'qwen-agent', `hello-${Date.now() % 1_000_000}.txt`);
	const task = { server: 'filesystem', tool: 'write_file', arguments: { path: file, content: 'Hello\n' } };
	const asked = await call(facts, 'mcp-task', signal, 202, { task });
	const before = existsSync(file) ? 'written already' : 'nothing is written yet';
	const answered = await call(facts, 'mcp-approval', signal, 200, { id: asked.body.id, answer: 'approve' });
	const done = await call(facts, 'mcp-task', signal, 200, { task, approval: answered.body.approval });
	const written = existsSync(file) ? `it holds "${readFileSync(file, 'utf8').trim()}"` : 'there is no such file';
	const again = await call(facts, 'mcp-task', signal, 403, { task, approval: answered.body.approval });
	return [
		`asked to write ${file}`,
		`  ${told(asked)}: request ${asked.body.id}, ${before}`,
		`approved in the name of the owner`,
		`  ${told(answered)}: a token for this task alone, until ${answered.body.expiresAt}`,
		`asked again with the token`,
		`  ${told(done)}: ${written}`,
		`asked once more with it`,
		`  ${told(again)}: ${again.body.reason}`,
	];
}

async function proveAudit(facts: Facts, _standIn: unknown, signal: AbortSignal): Promise<string[]> {
	const { body } = await call<{
		ok: boolean;
		records: number;
		head: string;
		faults: Array<{ seq: number; fault: string }>;
		unknownOutcomes: string[];
	}>(facts, 'mcp-audit', signal, 200);
	const { ok, records, head, faults, unknownOutcomes } = body;
	return [
		`the audit has ${records} records, the last one is ${head}`,
		ok
			? `its chain is whole: no record was changed, removed or added, and ${unknownOutcomes.length} calls have no outcome`
			: `it is not whole: ${faults.map(({ seq, fault }) => `record ${seq} ${fault}`).join('; ')}`,
	];
}

/** A first look at the machine, then one more with a fault where there is a part that may be ended. */
async function lookAtMachine(facts: Facts, standIn: OllamaStandIn | undefined, signal: AbortSignal): Promise<string[]> {
	const first = await oneLook(facts, signal);
	if (!standIn) return first.lines;
	await endStandIn();
	const second = await oneLook(facts, signal);
	return [
		...first.lines,
		'the stand-in for Ollama was ended',
		...second.lines,
		...(second.message ?? 'no message').split('\n').map((line) => `  ${line}`),
	];
}

interface Look {
	readonly status: string;
	readonly message: string | null;
	readonly faults: Readonly<Record<string, { readonly severity: string; readonly cause: { readonly en: string } }>>;
}

async function oneLook(facts: Facts, signal: AbortSignal): Promise<{ lines: string[]; message: string | null }> {
	const since = new Date();
	const password = readFileSync(facts.login.passwordFile, 'utf8').trim();
	await runNow(
		{ url: facts.editorUrl, signal, answerWithinMs: 60_000 },
		{ email: facts.login.email, password },
		'VPSwatchAura0001',
		'Toutes les cinq minutes',
	);
	const look = await eventually(signal, 'VPS Watch did not look at the machine', facts, () =>
		withClient(facts.databaseUrl, async (client) => {
			const { rows } = await client.query<Look>(
				`SELECT status, state -> 'faults' AS faults,
					(SELECT message FROM health_messages WHERE taken_at > $1 ORDER BY id DESC LIMIT 1) AS message
				FROM health_states WHERE taken_at > $1`,
				[since],
			);
			return rows[0];
		}),
	);
	const faults = Object.values(look.faults).filter(({ severity }) => severity === 'critical' || severity === 'warning');
	return {
		lines: [
			`looked at the machine: ${look.status}, ${faults.length} faults that matter`,
			...faults.slice(0, 5).map(({ severity, cause }) => `  ${severity}: ${cause.en}`),
		],
		message: look.message,
	};
}

async function eventually<Value>(
	signal: AbortSignal,
	failure: string,
	facts: Facts,
	probe: () => Promise<Value | undefined>,
): Promise<Value> {
	const deadline = performance.now() + patienceMs;
	for (;;) {
		signal.throwIfAborted();
		const value = await probe();
		if (value !== undefined) return value;
		if (performance.now() > deadline) {
			throw new LocalAiError('timeout', `${failure} within ${patienceMs / 60_000} minutes.`, {
				hint: `Look at the executions in ${facts.editorUrl} (start the demo with --keep).`,
			});
		}
		await wait(500);
	}
}

async function endStandIn(): Promise<void> {
	const ending = standIn;
	standIn = undefined;
	await ending?.close();
}

interface Answer<Body = Readonly<Record<string, string>>> {
	readonly http: number;
	readonly body: Body;
}

function told({ http, body }: Answer): string {
	return `${http} ${body.status}`;
}

/** Calls a shipped webhook with the secret that it asks for; throws `bad-reply` when it answers with another status. */
async function call<Body = Answer['body']>(
	facts: Facts,
	path: string,
	signal: AbortSignal,
	expected: number,
	body?: object,
): Promise<Answer<Body>> {
	const webhook = Object.values(facts.webhooks)
		.flat()
		.find(({ url }) => url.endsWith(`/${path}`));
	if (!webhook?.header) {
		throw new LocalAiError('configuration', `No shipped workflow has a webhook "${path}" with a header of its own.`, {
			hint: 'Take the shipped workflows again (git checkout).',
		});
	}
	const { method, url, header } = webhook;
	const response = await fetch(url, {
		method,
		headers: { 'content-type': 'application/json', [header.name]: readFileSync(header.valueFile, 'utf8').trim() },
		...(body && { body: JSON.stringify(body) }),
		signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
	});
	const text = await response.text();
	if (response.status === expected) return { http: expected, body: JSON.parse(text) as Body };
	throw new LocalAiError('bad-reply', `${url} answered ${response.status}, not ${expected}: ${text.slice(0, 300)}`, {
		hint: `Start the demo with --keep and look at the logs in ${join(facts.folders.devis, '..', '..', 'logs')}.`,
	});
}
