import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

const root = join(__dirname, '..');
const sources = globSync('{nodes,services,credentials}/**/*.ts', { cwd: root });
const importsOf = (file: string) =>
	[...readFileSync(join(root, file), 'utf8').matchAll(/(?:from|import|require\()\s*'([^']+)'/g)].map(([, to]) => to!);
const house = (file: string) => /^nodes\/([^/]+)\//.exec(file)?.[1];
const mayKnowN8n = /(\.node|\/description|\/parameters|\/listSearch|shared\/n8n)\.ts$|^credentials\//;

const edges = sources.flatMap((from) =>
	importsOf(from).map((name) => ({ from, name, to: name.startsWith('.') ? normalize(join(dirname(from), name)) : name })),
);

test('only the shell of a node knows n8n', () => {
	expect(edges.filter(({ from, to }) => to.startsWith('n8n-') && !mayKnowN8n.test(from))).toEqual([]);
});

test('no node imports another node, and shared imports no node', () => {
	const crossing = edges.filter(({ from, to }) => {
		const [a, b] = [house(from), house(`${to}.ts`)];
		return a !== undefined && b !== undefined && b !== 'shared' && a !== b;
	});
	expect(crossing).toEqual([]);
});

test('services import cores, never shells', () => {
	expect(edges.filter(({ from, to }) => from.startsWith('services/') && mayKnowN8n.test(`${to}.ts`))).toEqual([]);
});

test('nothing that ships imports tests or the stack', () => {
	expect(edges.filter(({ to }) => /^(test|stack)\//.test(relative('.', to)))).toEqual([]);
});

test('imports run in no circle, types included', () => {
	const next = new Map<string, string[]>();
	for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), `${to}.ts`]);
	const circles: string[][] = [];
	const walk = (file: string, trail: string[]) => {
		if (trail.includes(file)) return void circles.push([...trail.slice(trail.indexOf(file)), file]);
		for (const to of next.get(file) ?? []) walk(to, [...trail, file]);
	};
	for (const file of next.keys()) walk(file, []);
	expect(circles).toEqual([]);
});
