import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { description } from '../nodes/OllamaExtract/description';

const root = join(__dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

test('every file that the README names is there', () => {
	const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path!);
	const paths = [...readme.matchAll(/`((?:nodes|test|workflows|docs)\/[^`\s]+)`/g)].map(([, path]) => path!);
	expect(paths.length).toBeGreaterThan(5);
	expect([...links, ...paths].filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('every command that the README gives is one of the package', () => {
	const scripts = [...readme.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name]) => name!);
	const short = [...readme.matchAll(/\bnpm (?!run\b)([\w-]+)/g)].map(([, name]) => name!);
	const ofNpm = ['install', 'pack'];
	const named = new Set([...scripts, ...short.filter((name) => !ofNpm.includes(name))]);
	expect([...named].filter((name) => !(name in manifest.scripts))).toEqual([]);
	expect(Object.keys(manifest.scripts).filter((name) => !named.has(name))).toEqual([]);
});

/** The table of the README under a head: the cells of each row. */
function rowsUnder(head: string): string[][] {
	const lines = readme.split('\n');
	const from = lines.indexOf(head);
	if (from === -1) return [];
	const end = lines.findIndex((line, at) => at > from && !line.startsWith('|'));
	return lines.slice(from + 2, end).map((line) =>
		line
			.split('|')
			.slice(1, -1)
			.map((cell) => cell.trim()),
	);
}

const extractProperties = description.properties.filter(({ displayOptions }) =>
	displayOptions?.show?.operation?.includes('extract'),
);

test('the README has a row for each choice of Extract', () => {
	const named = rowsUnder('| Parameter | |').map(([name]) => name);
	const choices = ['Source', 'Schema', 'Engine', 'Model'];
	expect(named).toEqual(expect.arrayContaining(choices));
	expect(extractProperties.map(({ displayName }) => displayName)).toEqual(expect.arrayContaining(choices));
	const engine = extractProperties.find(({ name }) => name === 'engine')!.options!;
	const row = rowsUnder('| Parameter | |')
		.find(([name]) => name === 'Engine')!
		.join(' ');
	expect(engine.filter(({ name }) => !row.includes(`**${name}**`))).toEqual([]);
});

test('every option of Extract is in the README, row by row, with the default and the unit it has', () => {
	const inReadme = rowsUnder('| Option | Default | |').flatMap(([names, defaults]) => {
		const parts = defaults!.split(', ');
		return names!.split(', ').map((name, at) => {
			const [, value, unit] = /^(.*?)(?: (s|MiB|tokens))?$/.exec(parts[at] ?? '')!;
			return { name, value, unit: unit ?? / (s|MiB|tokens)$/.exec(defaults!)?.[1] };
		});
	});
	const units: Record<string, string> = { Seconds: 's', MiB: 'MiB', Tokens: 'tokens' };
	const inNode = extractProperties
		.find(({ name }) => name === 'options')!
		.options!.map((option) => {
			if (!('displayName' in option) || !('default' in option)) throw new Error(`${option.name} has no default`);
			const [, name, unit] = /^(.*?)(?: \((.*)\))?$/.exec(option.displayName)!;
			const choice = option.options?.find((one) => 'value' in one && one.value === option.default)?.name;
			return { name, value: printed(option.default, choice), unit: unit === undefined ? undefined : units[unit] };
		});
	const byName = (a: { name?: string }, b: { name?: string }) => a.name!.localeCompare(b.name!);
	expect(inReadme.sort(byName)).toEqual(inNode.sort(byName));
});

function printed(value: unknown, choice: string | undefined): string {
	if (choice !== undefined) return choice;
	if (typeof value === 'boolean') return value ? 'yes' : 'no';
	return typeof value === 'string' && value !== '' ? `\`${value}\`` : String(value);
}
