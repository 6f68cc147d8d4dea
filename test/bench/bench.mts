// `npm run bench`: every section measures itself; the tables go to the terminal, the figures to a JSON file beside them.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Section {
	measure(): Promise<{ title: string; rows: Array<Record<string, string | number>> }>;
}

const sections: Record<string, () => Promise<Section>> = {
	rows: () => import('./rows.mts'),
	exactness: () => import('./exactness.mts'),
	boxes: () => import('./boxes.mts'),
	tokens: () => import('./tokens.mts'),
	mcp: () => import('./mcp.mts'),
	health: () => import('./health.mts'),
	docker: () => import('./docker.mts'),
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(sections, name));
if (unknown.length > 0) throw new Error(`No such section: ${unknown.join(', ')}. There are: ${Object.keys(sections).join(', ')}.`);

const results: Record<string, unknown> = {};
for (const name of asked.length > 0 ? asked : Object.keys(sections)) {
	console.log(`\nMeasuring: ${name}`);
	const start = performance.now();
	const { title, rows } = await (await sections[name]!()).measure();
	const seconds = Math.round((performance.now() - start) / 1000);
	// A busy machine is slower, and not by the same factor for all: who reads the figures must know.
	const load = Number(loadavg()[0]!.toFixed(1));
	console.log(`${title}\nThat took ${seconds} s; load at its end ${load} on ${availableParallelism()} processors.`);
	console.table(rows);
	results[name] = { title, seconds, load, rows };
}
const file = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '.aurastack', 'bench.json');
mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
writeFileSync(file, `${JSON.stringify({ node: process.version, measuredAt: new Date().toISOString(), results }, null, '\t')}\n`);
console.log(`\nThe same figures as JSON: ${file}`);
