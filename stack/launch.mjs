// The first file that runs: plain JavaScript, no dependencies, any Node >= 18. It makes sure that a Node 24, the
// dependencies and the build are there, then hands over to them.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'aurastack');
const nodeMajor = 24;
const neededBytes = 1.5 * 1024 ** 3;

const [command, ...rest] = process.argv.slice(2);
const bin = (name) => join(root, 'node_modules', '.bin', name);
const run = (...path) => ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', join(root, ...path), ...rest];

const typecheck = () =>
	['.', 'test', 'test/bench', 'stack'].map((folder) => [
		bin('tsc'),
		'--noEmit',
		'-p',
		join(root, folder, 'tsconfig.json'),
	]);
const lint = () => [[bin('n8n-node'), 'lint', ...rest]];
const jest = () => [[bin('jest'), ...rest]];

const commands = {
	start: { build: 'when changed', steps: () => [run('stack', 'start.mts')], owned: true },
	demo: { build: 'when changed', steps: () => [run('stack', 'demo.mts')], owned: true },
	build: { build: 'always', steps: () => [] },
	// A few named tests are run alone; all of them come with what the compiler and the linter say.
	test: { build: 'when changed', steps: () => (rest.length > 0 ? jest() : [...typecheck(), ...lint(), ...jest()]) },
	bench: { build: 'when changed', steps: () => [run('test', 'bench', 'bench.mts')] },
	// The bench measures the package as it is built, and is read with it.
	lint: { build: 'when changed', steps: lint },
	typecheck: { build: 'when changed', steps: typecheck },
};

if (!Object.hasOwn(commands, command)) {
	fail(`Unknown command "${command ?? ''}". One of: ${Object.keys(commands).join(', ')}.`);
}
const { build, steps, owned } = commands[command];
process.on('uncaughtException', (error) => {
	if (error.code !== 'ENOSPC' && error.code !== 'EDQUOT') fail(error.stack ?? String(error));
	fail(`The disk of ${root} is full. Free some space and run this again; nothing is lost.`);
});
const release = await takeTurns();
const node = await nodeRuntime();
await installDependencies();
if (build === 'always' || (build === 'when changed' && !isBuilt())) await buildPackage();
release();
for (const step of steps()) await hand(step, owned);

async function nodeRuntime() {
	if (Number(process.versions.node.split('.')[0]) >= nodeMajor) return process.execPath;
	const folder = join(cache, `node-${nodeMajor}`);
	const binary = join(folder, 'node_modules', 'node', 'bin', 'node');
	if (!runs(binary)) {
		say(`Node ${process.versions.node} is older than ${nodeMajor}: fetching Node ${nodeMajor} from npm into ${folder}`);
		fs.rmSync(folder, { recursive: true, force: true });
		fs.mkdirSync(folder, { recursive: true });
		fs.writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
		// This package brings its binary through its own install script.
		await npm(['install', `node@${nodeMajor}`, '--ignore-scripts=false', '--no-audit', '--no-fund'], folder);
		if (!runs(binary))
			fail(
				`Node ${nodeMajor} could not be installed in ${folder}. Install Node ${nodeMajor} or newer and run this again.`,
			);
	}
	return binary;
}

function runs(binary) {
	return fs.existsSync(binary) && spawnSync(binary, ['--version']).status === 0;
}

async function installDependencies() {
	const lock = createHash('sha256')
		.update(fs.readFileSync(join(root, 'package-lock.json')))
		.digest('hex');
	const stamp = join(root, 'node_modules', '.aurastack-lock');
	if (contentOf(stamp) === lock) return;
	say('Installing the dependencies of this package (one to three minutes, once)');
	// Not `npm ci`: it refuses the lock where a registry lacks the binaries of platforms that are not this one.
	await npm(['install', '--no-save'], root);
	fs.writeFileSync(stamp, lock);
}

function isBuilt() {
	const { n8n } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'));
	return (
		[...n8n.nodes, ...n8n.credentials].every((file) => fs.existsSync(join(root, file))) &&
		contentOf(builtStamp()) === sources()
	);
}

async function buildPackage() {
	say('Building the package');
	const before = sources();
	fs.rmSync(builtStamp(), { force: true });
	// Compiled beside its place: a build that fails leaves the last good one.
	const [dist, part] = [join(root, 'dist'), join(root, 'dist.part')];
	fs.rmSync(part, { recursive: true, force: true });
	await buildStep([bin('tsc'), '-p', root, '--outDir', part, '--noEmitOnError']);
	fs.rmSync(dist, { recursive: true, force: true });
	fs.renameSync(part, dist);
	await buildStep([bin('gulp'), 'assets']);
	fs.writeFileSync(builtStamp(), before);
}

async function buildStep(args) {
	const { code, output } = await quietly(node, args, root, runtimePath());
	if (code !== 0) fail(`${output.trim()}\nThe package could not be built: the compiler's words are above.`);
}

function builtStamp() {
	return join(root, 'node_modules', '.aurastack-built');
}

/** A hash of everything the build reads. */
function sources() {
	const hash = createHash('sha256');
	const add = (path) => {
		const stat = fs.statSync(path, { throwIfNoEntry: false });
		if (stat?.isDirectory()) for (const name of fs.readdirSync(path).sort()) add(join(path, name));
		else if (stat) hash.update(`${path}\0`).update(fs.readFileSync(path));
	};
	for (const name of ['nodes', 'credentials', 'services', 'tsconfig.json', 'gulpfile.js', 'package.json'])
		add(join(root, name));
	return hash.digest('hex');
}

async function npm(args, cwd) {
	const { bavail, bsize } = fs.statfsSync?.(cwd) ?? { bavail: Infinity, bsize: 1 };
	if (bavail * bsize < neededBytes) {
		fail(
			`Only ${Math.round((bavail * bsize) / 1024 ** 2)} MB are free for ${cwd}, 1.5 GB are needed. Free some space and run this again.`,
		);
	}
	const startedAt = Date.now();
	const progress = setInterval(
		() => say(`  npm is at work, ${Math.round((Date.now() - startedAt) / 1000)} s so far`),
		20_000,
	);
	const { code, output } = await quietly('npm', [...args, '--loglevel=error'], cwd, process.env.PATH);
	clearInterval(progress);
	if (code === 0) return;
	const reason = /ENOSPC/.test(output)
		? 'the disk is full. Free some space'
		: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/.test(output)
			? 'the npm registry cannot be reached. Check the network (npm ping)'
			: 'its own message is above. Mend what it names';
	fail(`${output.trim()}\n"npm ${args[0]}" failed in ${cwd}: ${reason} and run this again; nothing is lost.`);
}

function quietly(file, args, cwd, path) {
	return new Promise((resolve) => {
		const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH: path } });
		let output = '';
		for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
		child.on('error', (error) =>
			fail(`${file} could not be started: ${error.message}. Install it and run this again.`),
		);
		child.on('close', (code) => resolve({ code, output }));
	});
}

function runtimePath() {
	return `${dirname(node)}${delimiter}${process.env.PATH}`;
}

/**
 * Runs one step until it ends. An owned step stops other processes in order when it is told to: the terminal's Ctrl-C
 * must reach it once and only through here, so it gets a process group of its own, and a channel whose end tells it
 * that this process is gone.
 */
function hand(args, owned = false) {
	return new Promise((resolve) => {
		const child = spawn(node, args, {
			cwd: root,
			stdio: owned ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit',
			detached: owned,
			env: { ...process.env, PATH: runtimePath() },
		});
		for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
		child.on('error', (error) => fail(`${node} could not be started: ${error.message}`));
		child.on('exit', (code, signal) => {
			if (code === 0) return resolve();
			process.exit(code ?? (signal === 'SIGINT' ? 130 : 1));
		});
	});
}

/**
 * One process at a time installs and builds in this folder; another one waits here for its turn. The lock is the
 * kernel's own on an open file, taken by flock(1) of util-linux: it ends with its owner however that one ends, so none
 * is ever stale. Where there is no such program (the stack runs on Linux only) nothing is locked.
 */
async function takeTurns() {
	const file = join(root, '.aurastack', 'setup.lock');
	fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
	const held = fs.openSync(file, 'a', 0o600);
	if ((await flock(held, '-n')) === 1) {
		say(`Process ${contentOf(file)} is installing or building here: waiting for it`);
		await flock(held);
	}
	fs.ftruncateSync(held);
	fs.writeSync(held, String(process.pid));
	return () => fs.closeSync(held);
}

/** Locks the open file `held`, which stays locked when flock itself has ended; resolves to its exit code. */
function flock(held, ...options) {
	return new Promise((resolve) => {
		const child = spawn('flock', [...options, '3'], { stdio: ['ignore', 'ignore', 'inherit', held] });
		child.on('error', () => resolve(undefined));
		child.on('exit', resolve);
	});
}

function contentOf(file) {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch {
		return undefined;
	}
}

function say(line) {
	process.stderr.write(`${line}\n`);
}

function fail(line) {
	say(line);
	process.exit(1);
}
