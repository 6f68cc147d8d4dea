// The first file that runs: plain JavaScript, no dependencies, any Node >= 18. It makes sure that a Node 24 and the
// dependencies are there, then hands over to them.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'aurastack');
const nodeMajor = 24;

const [command, ...rest] = process.argv.slice(2);

const bin = (name) => join(root, 'node_modules', '.bin', name);
const node = nodeRuntime();
installDependencies();

const commands = {
	start: () => [[node, join(root, 'stack', 'start.mts'), ...rest]],
	demo: () => [[node, join(root, 'stack', 'demo.mts'), ...rest]],
	build: () => buildSteps(),
	test: () => [...buildSteps(), [node, bin('jest'), ...rest]],
	bench: () => [...buildSteps(), [node, join(root, 'test', 'bench', 'bench.mts'), ...rest]],
	lint: () => [[node, bin('n8n-node'), 'lint', ...rest]],
	typecheck: () => ['tsconfig.json', 'test/tsconfig.json', 'stack/tsconfig.json'].map((file) => [
		node, bin('tsc'), '--noEmit', '-p', join(root, file),
	]),
};

if (!Object.hasOwn(commands, command)) {
	fail(`Unknown command "${command ?? ''}". One of: ${Object.keys(commands).join(', ')}.`);
}
for (const step of commands[command]()) await run(step);

function buildSteps() {
	return [
		[node, bin('n8n-node'), 'build'],
		[node, bin('gulp'), 'assets'],
	];
}

function nodeRuntime() {
	if (Number(process.versions.node.split('.')[0]) >= nodeMajor) return process.execPath;
	const folder = join(cache, `node-${nodeMajor}`);
	const binary = join(folder, 'node_modules', 'node', 'bin', 'node');
	if (!runs(binary)) {
		say(`Node ${process.versions.node} is older than ${nodeMajor}: fetching Node ${nodeMajor} from npm into ${folder}`);
		rmSync(folder, { recursive: true, force: true });
		mkdirSync(folder, { recursive: true });
		writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
		// This package brings its binary through its own install script.
		npm(['install', `node@${nodeMajor}`, '--ignore-scripts=false', '--no-audit', '--no-fund', '--loglevel=error'], folder);
		if (!runs(binary)) fail(`Node ${nodeMajor} could not be installed in ${folder}. Install Node ${nodeMajor} or newer and run this again.`);
	}
	return binary;
}

function runs(binary) {
	return existsSync(binary) && spawnSync(binary, ['--version']).status === 0;
}

function installDependencies() {
	const lock = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
	const stamp = join(root, 'node_modules', '.aurastack-lock');
	if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
	say('Installing the dependencies of this package (about two minutes the first time)');
	npm(['ci', '--loglevel=error'], root);
	writeFileSync(stamp, lock);
}

function npm(args, cwd) {
	const { status, error } = spawnSync('npm', args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
	if (error) fail(`npm could not be started (${error.message}). Install npm and run this again.`);
	if (status !== 0) fail(`"npm ${args.slice(0, 2).join(' ')}" failed in ${cwd}. Its own message is above; run this again once it is mended.`);
}

/** Runs one step in the foreground; signals reach it through the terminal's process group, and it decides when to end. */
function run([file, ...args]) {
	return new Promise((resolve) => {
		const child = spawn(file, args, {
			cwd: root,
			stdio: 'inherit',
			env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` },
		});
		for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
			process.on(signal, () => child.kill(signal));
		}
		child.on('error', (error) => fail(`${file} could not be started: ${error.message}`));
		child.on('exit', (code, signal) => {
			if (code === 0) return resolve();
			process.exit(code ?? (signal === 'SIGINT' ? 130 : 1));
		});
	});
}

function say(line) {
	process.stderr.write(`${line}\n`);
}

function fail(line) {
	say(line);
	process.exit(1);
}
