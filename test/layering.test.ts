import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

const root = join(__dirname, '..');
const sources = globSync('{nodes,services,credentials,stack}/**/*.{ts,mts,mjs}', { cwd: root });
const house = (file: string) => /^nodes\/([^/]+)\//.exec(file)?.[1];
const mayKnowN8n = /(\.node|\/description|\/parameters|\/listSearch|shared\/n8n)\.ts$|^credentials\//;
const ships = /^(nodes|services|credentials)\//;

/** What a module names in imports and exports of any form: static, dynamic, required, or in a type. */
function importsOf(fileName: string, text: string): string[] {
	const names: string[] = [];
	const visit = (node: ts.Node): void => {
		const named =
			ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
				? node.moduleSpecifier
				: ts.isExternalModuleReference(node)
					? node.expression
					: ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
						? node.argument.literal
						: ts.isCallExpression(node) && /^(import|require|require\.resolve)$/.test(node.expression.getText())
							? node.arguments[0]
							: undefined;
		if (named !== undefined && ts.isStringLiteralLike(named)) names.push(named.text);
		ts.forEachChild(node, visit);
	};
	visit(ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, true));
	return names;
}

/** The file in the repository that a relative name means; the name itself of a package. */
function fileOf(from: string, name: string): string {
	if (!name.startsWith('.')) return name;
	const path = normalize(join(dirname(from), name));
	return [path, `${path}.ts`, `${path}.d.ts`].find((one) => existsSync(join(root, one))) ?? path;
}

const edges = sources.flatMap((from) =>
	importsOf(from, readFileSync(join(root, from), 'utf8')).map((name) => ({ from, to: fileOf(from, name) })),
);
const shipped = edges.filter(({ from }) => ships.test(from));
const next = new Map<string, string[]>();
for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to]);

test.each([
	[`import { a } from "n8n-workflow";`],
	[`import 'n8n-workflow';`],
	[`import type { A } from 'n8n-workflow';`],
	[`export * from 'n8n-workflow';`],
	[`const a = await import('n8n-workflow');`],
	['const a = await import(`n8n-workflow`);'],
	[`const a = require("n8n-workflow");`],
	[`import a = require('n8n-workflow');`],
	[`type A = typeof import('n8n-workflow');`],
])('%s is seen as an import', (text) => {
	expect(importsOf('a.ts', text)).toEqual(['n8n-workflow']);
});

test('a text that looks like an import is none', () => {
	expect(importsOf('a.ts', `const line = \`require('x') import 'y'\`; // import 'z'`)).toEqual([]);
});

test('sources of every part are looked at', () => {
	const parts = new Set(
		edges.map(({ from }) =>
			from
				.split('/')
				.slice(0, from.startsWith('nodes/') ? 2 : 1)
				.join('/'),
		),
	);
	expect([...parts]).toEqual(expect.arrayContaining(['nodes/OllamaExtract', 'nodes/shared', 'stack']));
	expect(edges.filter(({ to }) => /^(nodes|stack)\//.test(to) && !existsSync(join(root, to)))).toEqual([]);
});

test('only the shell of a node knows n8n', () => {
	expect(edges.filter(({ from, to }) => to.startsWith('n8n-') && !mayKnowN8n.test(from))).toEqual([]);
});

test('no node imports another node, and shared imports no node', () => {
	const crossing = edges.filter(({ from, to }) => {
		const [a, b] = [house(from), house(to)];
		return a !== undefined && b !== undefined && b !== 'shared' && a !== b;
	});
	expect(crossing).toEqual([]);
});

test('services and the stack import cores, never shells', () => {
	expect(edges.filter(({ from, to }) => /^(services|stack)\//.test(from) && mayKnowN8n.test(to))).toEqual([]);
});

test('nothing that ships imports tests or the stack', () => {
	expect(shipped.filter(({ to }) => /^(test|stack)\//.test(to))).toEqual([]);
});

test('the public entry reaches neither n8n nor a client of a model server', () => {
	const reached = new Set(['nodes/OllamaExtract/extract.ts']);
	for (const file of reached) for (const to of next.get(file) ?? []) reached.add(to);
	expect([...reached]).toContain('pdfjs-dist/legacy/build/pdf.mjs');
	expect([...reached].filter((to) => /^(n8n-|ollama$)/.test(to) || mayKnowN8n.test(to))).toEqual([]);
});

test('what looks at a host from a container brings no client of any server', () => {
	const reached = new Set(['services/infraScanner/infraScanner.ts']);
	for (const file of reached) for (const to of next.get(file) ?? []) reached.add(to);
	expect([...reached]).toContain('nodes/VpsHealth/host.ts');
	expect([...reached].filter((to) => /^(n8n-|pg|ioredis|dockerode|ollama)/.test(to))).toEqual([]);
});

test('imports run in no circle, types included', () => {
	const circles: string[][] = [];
	const done = new Set<string>();
	const walk = (file: string, trail: string[]) => {
		if (trail.includes(file)) return void circles.push([...trail.slice(trail.indexOf(file)), file]);
		if (done.has(file)) return;
		for (const to of next.get(file) ?? []) walk(to, [...trail, file]);
		done.add(file);
	};
	for (const file of next.keys()) walk(file, []);
	expect(circles).toEqual([]);
});
