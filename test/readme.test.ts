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
	const commands = [...readme.matchAll(/npm (?:run )?(start|test|demo|bench|lint|build|typecheck)\b/g)].map(
		([, name]) => name!,
	);
	expect([...new Set(commands)].filter((name) => !(name in manifest.scripts))).toEqual([]);
	expect(commands).toEqual(expect.arrayContaining(['start', 'demo', 'test', 'bench', 'lint', 'typecheck', 'build']));
});

test('every parameter and option of Extract is in the README, with the default it has', () => {
	const shown = description.properties.filter(({ displayOptions }) =>
		displayOptions?.show?.operation?.includes('extract'),
	);
	const options = shown.find(({ name }) => name === 'options')!.options!;
	const names = options.map((option) =>
		('displayName' in option ? option.displayName! : option.name).replace(/ \(.*\)$/, ''),
	);
	expect(names.filter((name) => !readme.includes(name))).toEqual([]);
	for (const option of options) {
		if (!('default' in option) || typeof option.default !== 'number') continue;
		expect(readme).toMatch(new RegExp(`\\b${option.default}\\b`));
	}
});
