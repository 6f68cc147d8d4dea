import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { placePackage } from '../../stack/nodePackage.mts';

let folder: string;
let root: string;
let n8n: string;
let home: string;
beforeEach(() => {
	folder = realpathSync(mkdtempSync(join(tmpdir(), 'node package ')));
	[root, n8n, home] = ['root', 'n8n', 'home'].map((name) => join(folder, name)) as [string, string, string];
	write('root/package.json', {
		name: 'n8n-nodes-example',
		n8n: { nodes: ['dist/A.node.js'], credentials: [] },
		dependencies: { big: '1' },
	});
	write('root/dist/A.node.js', 'first');
	write('root/node_modules/big/package.json', { name: 'big' });
	write('n8n/node_modules/n8n-workflow/package.json', { name: 'n8n-workflow', version: 'of n8n' });
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, content: unknown) {
	mkdirSync(dirname(join(folder, path)), { recursive: true });
	writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
}
const placed = (...path: string[]) => join(home, '.n8n', 'nodes', 'node_modules', 'n8n-nodes-example', ...path);

test("a package is placed as a copy, with its dependencies and n8n's own n8n-workflow", () => {
	placePackage(root, n8n, home);
	write('root/dist/A.node.js', 'second');
	expect(readFileSync(placed('dist', 'A.node.js'), 'utf8')).toBe('first');
	expect(realpathSync(placed('node_modules', 'big'))).toBe(join(root, 'node_modules', 'big'));
	expect(JSON.parse(readFileSync(placed('node_modules', 'n8n-workflow', 'package.json'), 'utf8'))).toMatchObject({
		version: 'of n8n',
	});
	placePackage(root, n8n, home);
	expect(readFileSync(placed('dist', 'A.node.js'), 'utf8')).toBe('second');
});

test.each([
	['a package that is not built', 'root/dist/A.node.js', 'dist/A.node.js'],
	['a dependency that is not installed', 'root/node_modules/big', 'big'],
])('%s is named, npm start mends it, and nothing is placed', (_, path, name) => {
	rmSync(join(folder, path), { recursive: true });
	expect(() => placePackage(root, n8n, home)).toThrow(
		expect.objectContaining({
			code: 'configuration',
			message: expect.stringContaining(name),
			hint: expect.stringContaining('npm start'),
		}),
	);
	expect(existsSync(placed())).toBe(false);
});
