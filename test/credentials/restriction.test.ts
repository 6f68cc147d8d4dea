import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ICredentialType, INodeType } from 'n8n-workflow';

const root = join(__dirname, '..', '..');
const load = async <Type>(file: string): Promise<Type> => {
	const Class = ((await import(join(root, file))) as Record<string, new () => Type>)[basename(file).split('.')[0]!];
	return new Class!();
};
const nodes = globSync('nodes/*/*.node.ts', { cwd: root });
const files = globSync('credentials/*.credentials.ts', { cwd: root });

test.each(files.map((file) => [basename(file, '.credentials.ts'), file]))(
	'%s is handed to the nodes that ask for it and to no HTTP Request node',
	async (_name, file) => {
		const { name, restrictToSupportedNodes } = await load<ICredentialType>(file);
		expect(restrictToSupportedNodes).toBe(true);
		const loaded = await Promise.all(nodes.map((node) => load<INodeType>(node)));
		const asking = loaded.flatMap(({ description }) => description.credentials ?? []);
		expect(asking.map((one) => one.name)).toContain(name);
	},
);
