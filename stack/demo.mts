// `npm run demo`: a stack of its own beside the real one's data, each shipped workflow run once on sample input.
// With --keep it stays up until Ctrl-C.
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LocalAiError } from '../nodes/shared/errors.ts';
import { makeDocument } from '../test/support/documents.ts';
import { type OllamaStandIn, startOllamaStandIn } from '../test/support/ollamaStandIn.ts';
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

const samples: Readonly<Record<string, Sample>> = { MXmDVXcHxkHXveOU: dropDevis };
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
		for (const [id, name] of Object.entries(stack.workflowNames)) {
			say(`\n${name}`);
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
	await standIn?.close();
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
	const deadline = performance.now() + patienceMs;
	for (;;) {
		signal.throwIfAborted();
		const lines = await devisOf(facts.databaseUrl, sha256);
		const place = [facts.folders.processed, facts.folders.review, facts.folders.rejected]
			.map((folder) => join(folder, basename(file)))
			.find((path) => existsSync(path));
		if (lines && place) {
			const questions = (standIn?.chats().length ?? 0) - questionsBefore;
			return [
				...lines,
				`the file is now ${place}`,
				...(questions > 0 ? [`${questions} questions went to the stand-in, not to a model`] : []),
			];
		}
		if (performance.now() > deadline) {
			throw new LocalAiError('timeout', `The workflow did not finish ${file} within ${patienceMs / 60_000} minutes.`, {
				hint: `Look at the executions in ${facts.editorUrl} (start the demo with --keep).`,
			});
		}
		await wait(500);
	}
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
