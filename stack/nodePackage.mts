import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { LocalAiError } from '../nodes/shared/errors.ts';

/**
 * Puts the built package where n8n, with `userFolder` as its home, loads community nodes from. It is a copy, so that
 * a later build does not pull the files from under a running n8n; its dependencies are links, and `n8n-workflow` is
 * n8n's own, as after an installation from npm.
 */
export function placePackage(root: string, n8nFolder: string, userFolder: string): void {
	const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
		name: string;
		n8n: { nodes: string[]; credentials: string[] };
		dependencies: Record<string, string>;
	};
	const missing = [...manifest.n8n.nodes, ...manifest.n8n.credentials].find((file) => !existsSync(join(root, file)));
	if (missing) {
		throw new LocalAiError('configuration', `The package is not built: ${missing} is missing in ${root}.`, {
			hint: 'Run npm start there, which builds it.',
		});
	}
	const modules = join(userFolder, '.n8n', 'nodes', 'node_modules');
	const place = join(modules, manifest.name);
	const part = join(modules, '.part');
	rmSync(part, { recursive: true, force: true });
	mkdirSync(part, { recursive: true });
	cpSync(join(root, 'dist'), join(part, 'dist'), { recursive: true });
	cpSync(join(root, 'package.json'), join(part, 'package.json'));
	for (const name of Object.keys(manifest.dependencies))
		link(packageFolder(root, name), join(part, 'node_modules', name));
	link(join(n8nFolder, 'node_modules', 'n8n-workflow'), join(part, 'node_modules', 'n8n-workflow'));
	rmSync(place, { recursive: true, force: true });
	renameSync(part, place);
}

function packageFolder(root: string, name: string): string {
	const paths = createRequire(join(root, 'package.json')).resolve.paths(name) ?? [];
	const found = paths.map((path) => join(path, name)).find((folder) => existsSync(join(folder, 'package.json')));
	if (found) return realpathSync(found);
	throw new LocalAiError('configuration', `The dependency ${name} is not installed in ${root}.`, {
		hint: 'Remove node_modules there and run npm start, which installs it anew.',
	});
}

function link(target: string, path: string): void {
	mkdirSync(dirname(path), { recursive: true });
	symlinkSync(target, path, 'dir');
}
