import { execFileSync, spawnSync } from 'node:child_process';
import {
	existsSync,
	globSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	readdirSync,
	renameSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(__dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'aurastack-package-'));
const installed = join(folder, 'node_modules', manifest.name);
afterAll(() => rmSync(folder, { recursive: true }));

const npm = (args: string[], cwd: string) =>
	execFileSync('npm', [...args, '--ignore-scripts', '--loglevel=error'], {
		cwd,
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'pipe'],
	});

/** A Node process of its own beside the installed package, which finds n8n's packages where n8n would lead it. */
const node = (program: string) =>
	spawnSync(process.execPath, ['-e', program], {
		cwd: folder,
		encoding: 'utf8',
		env: { ...process.env, NODE_PATH: join(root, 'node_modules'), NODE_OPTIONS: '' },
	});

let packed: string[];
beforeAll(() => {
	const [tarball] = JSON.parse(npm(['pack', '--json', '--pack-destination', folder], root));
	packed = tarball.files.map(({ path }: { path: string }) => path);
	execFileSync('tar', ['xzf', join(folder, tarball.filename), '-C', folder]);
	mkdirSync(join(folder, 'node_modules'));
	renameSync(join(folder, 'package'), installed);

	// What n8n does with a community package before it installs it.
	const { devDependencies, peerDependencies, optionalDependencies, ...rest } = manifest;
	expect(Object.keys({ ...devDependencies, ...optionalDependencies })).not.toEqual([]);
	expect(peerDependencies).toEqual({ 'n8n-workflow': '*' });
	writeFileSync(join(installed, 'package.json'), JSON.stringify(rest));
	npm(['install', '--install-strategy=shallow', '--prefer-offline', '--no-package-lock'], installed);
}, 180_000);

test('the package holds what runs, the workflows and what a person reads, and nothing else', () => {
	const expected = [
		/^dist\/(nodes|credentials|services)\/.+\.(js|d\.ts|svg)$/,
		/^dist\/nodes\/(\w+)\/\1\.node\.json$/,
		/^workflows\/([\w-]+\.json|schema\.sql)$/,
		/^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
	];
	expect(packed.filter((path) => !expected.some((pattern) => pattern.test(path)))).toEqual([]);
	expect(packed).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'CHANGELOG.md', 'workflows/schema.sql']));
});

test('every source is there built, and nothing that has no source any more', () => {
	const sources = globSync('{nodes,credentials,services}/**/*.ts', {
		cwd: root,
		exclude: (name) => name.endsWith('.d.ts'),
	});
	const built = packed.filter((path) => path.endsWith('.js')).map((path) => path.replace(/^dist\/(.*)\.js$/, '$1.ts'));
	expect(built.sort()).toEqual(sources.sort());
});

test('the newest entry of the changelog is this version', () => {
	const [, newest] = /^## (\S+)/m.exec(readFileSync(join(installed, 'CHANGELOG.md'), 'utf8')) ?? [];
	expect(newest).toBe(manifest.version);
});

test("n8n's own loader takes every node, its icons and its codex, without a word", () => {
	const { stdout, stderr, status } = node(`
		const { PackageDirectoryLoader } = require('n8n-core');
		const loader = new PackageDirectoryLoader(${JSON.stringify(installed)});
		loader.loadAll().then(() => console.log(JSON.stringify(loader.types.nodes)));
	`);
	expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
	const nodes = JSON.parse(stdout) as Array<{ name: string; iconUrl: Record<string, string>; codex: unknown }>;
	const folders = readdirSync(join(root, 'nodes')).filter((name) => name !== 'shared');
	expect(nodes.map(({ name }) => name)).toEqual(folders.map((name) => name.charAt(0).toLowerCase() + name.slice(1)));
	for (const { iconUrl, codex } of nodes) {
		const icons = Object.values(iconUrl).map((url) => join(installed, url.replace(`icons/${manifest.name}/`, '')));
		expect(icons.map((icon) => existsSync(icon))).toEqual([true, true]);
		expect(codex).toMatchObject({ categories: expect.any(Array), alias: expect.any(Array) });
	}
});

test("n8n's own loader knows by which nodes alone each credential may be used", () => {
	const { stdout, stderr, status } = node(`
		const { PackageDirectoryLoader } = require('n8n-core');
		const loader = new PackageDirectoryLoader(${JSON.stringify(installed)});
		const shown = ({ name, restrictToSupportedNodes, supportedNodes }) => [name, restrictToSupportedNodes, supportedNodes];
		loader.loadAll().then(() => console.log(JSON.stringify(loader.types.credentials.map(shown))));
	`);
	expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
	expect(JSON.parse(stdout)).toEqual([
		['dockerHost', true, ['vpsHealth']],
		['infraScanner', true, ['vpsHealth']],
		['mcpGateway', true, ['mcpExecute']],
		['mcpPolicy', true, ['mcpExecute']],
	]);
});

test('the programming entry runs from the installed package alone', () => {
	const { stdout, stderr, status } = node(`
		const { extract } = require('n8n-nodes-aurastack/extract');
		extract({ text: 'Devis n° D-2026-041' }, { schema: 'devis', engine: 'without-model' })
			.then(({ data, verdict }) => console.log(JSON.stringify({ number: data.number, verdict })));
	`);
	expect({ stdout: stdout.trim(), stderr, status }).toEqual({
		stdout: '{"number":"D-2026-041","verdict":"review"}',
		stderr: '',
		status: 0,
	});
	expect(node("require('n8n-nodes-aurastack/dist/nodes/shared/http.js')").stderr).toContain(
		'ERR_PACKAGE_PATH_NOT_EXPORTED',
	);
});

test('the entry for tool calls judges by a policy, from the installed package alone', () => {
	const { stdout, stderr, status } = node(`
		const { decide, loadPolicy } = require('n8n-nodes-aurastack/mcp');
		const policy = loadPolicy('servers: {}');
		const task = { server: 's', tool: 't', arguments: {}, caller: { workflowId: 'w', nodeName: 'n' } };
		console.log(JSON.stringify(decide(task, policy, Date.now()).code));
	`);
	expect({ stdout: stdout.trim(), stderr, status }).toEqual({ stdout: '"SERVER_NOT_ALLOWED"', stderr: '', status: 0 });
});

test('the entry for health looks at this machine, from the installed package alone', () => {
	const { stdout, stderr, status } = node(`
		const { asText, examine } = require('n8n-nodes-aurastack/health');
		examine({ ollama: { baseUrl: 'http://127.0.0.1:1' } }).then(({ facts, diagnosis }) => {
			const { severity } = diagnosis.findings.find(({ code }) => code === 'ollama-down');
			console.log(JSON.stringify([facts.host.load.known, severity, asText(diagnosis, 'fr').length > 50]));
		});
	`);
	expect({ stdout: stdout.trim(), stderr, status }).toEqual({
		stdout: '[true,"warning",true]',
		stderr: '',
		status: 0,
	});
});

test('its types serve a strict TypeScript program', () => {
	writeFileSync(
		join(folder, 'consumer.mts'),
		`import { extract, type Chat, type ExtractResult, type Verdict } from 'n8n-nodes-aurastack/extract';
		import { asText, defaultThresholds, examine, type Finding, type Thresholds } from 'n8n-nodes-aurastack/health';
		import { callTool, createSessions, loadPolicy, type Gate, type Policy } from 'n8n-nodes-aurastack/mcp';
		import manifest from 'n8n-nodes-aurastack/package.json' with { type: 'json' };
		const chat: Chat = async ({ model, numCtx }, signal) => ({
			text: model + numCtx + signal?.aborted, promptTokens: 1, replyTokens: 1, durationMs: 1,
		});
		const result = await extract({ bytes: new Uint8Array() }, { schema: 'invoice', engine: 'automatic', chat });
		export const number: string | null = result.data.number;
		export const total: string | null | undefined = result.data.lines[0]?.total;
		export const verdict: Verdict = result.verdict;
		export const policy: Policy = loadPolicy('servers: {}');
		export const call = async (gate: Gate): Promise<string | null> => {
			const caller = { workflowId: 'w', nodeName: 'n' };
			const result = await callTool({ task: {}, caller, access: { key: 'k' } }, { ...gate, policy, sessions: createSessions() });
			return result.decision === 'allow' ? result.result.text : result.auditId;
		};
		const thresholds: Thresholds = { ...defaultThresholds, loadPerCpu: { warning: 1, critical: 2 } };
		const { diagnosis } = await examine({ wantedModels: ['m'] }, { thresholds, timeoutMs: 1 });
		export const worst: Finding | undefined = diagnosis.findings[0];
		export const said: string = asText(diagnosis, 'en') + worst?.cause.fr;
		const signal = AbortSignal.timeout(1);
		export const own: ExtractResult = await extract({ text: '' }, { schema: {}, engine: 'model-only' }, signal);
		export const version: string = manifest.version;
		// @ts-expect-error There is no such engine.
		await extract({ text: '' }, { schema: 'devis', engine: 'magic' });
		`,
	);
	// The program that the README shows.
	writeFileSync(
		join(folder, 'readme.mts'),
		/^```ts\n([\s\S]+?)^```/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))![1]!,
	);
	const { stdout, status } = spawnSync(
		process.execPath,
		[
			join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
			...['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2023', '--module', 'nodenext'],
			...[
				'--resolveJsonModule',
				'--types',
				'node',
				'--typeRoots',
				join(root, 'node_modules', '@types'),
				'consumer.mts',
				'readme.mts',
			],
		],
		{ cwd: folder, encoding: 'utf8' },
	);
	expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
}, 60_000);
