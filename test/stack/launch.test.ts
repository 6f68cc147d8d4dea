import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let root: string;
const started: ChildProcess[] = [];
beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), 'launch-'));
	mkdirSync(join(root, 'node_modules', '.bin'), { recursive: true });
	mkdirSync(join(root, '.aurastack'));
	cpSync(join(__dirname, '..', '..', 'stack', 'launch.mjs'), join(root, 'stack', 'launch.mjs'));
	writeFileSync(join(root, 'package.json'), '{"n8n":{"nodes":[],"credentials":[]}}');
	writeFileSync(join(root, 'package-lock.json'), '{}');
	writeFileSync(join(root, 'node_modules', '.aurastack-lock'), createHash('sha256').update('{}').digest('hex'));
	writeFileSync(join(root, 'node_modules', '.bin', 'gulp'), '');
});
afterEach(() => {
	for (const child of started.splice(0)) child.kill('SIGKILL');
	rmSync(root, { recursive: true });
});

/** `npm run build` in a folder whose compiler is this program. */
function build(compiler: string) {
	writeFileSync(join(root, 'node_modules', '.bin', 'tsc'), compiler);
	const child = spawn(process.execPath, [join(root, 'stack', 'launch.mjs'), 'build'], {
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	started.push(child);
	let said = '';
	child.stderr.on('data', (data: Buffer) => (said += data.toString()));
	return { child, exit: once(child, 'exit').then(([code]) => ({ code: code as number | null, said })) };
}

const compile = `
	const fs = require('node:fs');
	fs.mkdirSync('compiling');
	fs.mkdirSync(process.argv[process.argv.indexOf('--outDir') + 1]);
	setTimeout(() => fs.rmdirSync('compiling'), 100);
`;

test('of many at once only one builds at a time, whatever a killed one left', async () => {
	writeFileSync(join(root, '.aurastack', 'setup.lock'), '999999');
	const exits = await Promise.all(Array.from({ length: 8 }, () => build(compile).exit));
	expect(exits.filter(({ code }) => code !== 0)).toEqual([]);
	expect(exits.some(({ said }) => said.includes('is installing or building here: waiting for it'))).toBe(true);
});

test('the turn of a killed one is free at once', async () => {
	const compiling = join(root, 'compiling');
	const first = build(`require('node:fs').writeFileSync(${JSON.stringify(compiling)}, String(process.pid));
		setInterval(() => {}, 1000);`);
	const changes = events(root);
	while (!existsSync(compiling) || readFileSync(compiling, 'utf8') === '') await changes.next();
	await changes.return();
	first.child.kill('SIGKILL');
	await first.exit;
	try {
		const second = build(`require('node:fs').mkdirSync(process.argv[process.argv.indexOf('--outDir') + 1]);`);
		expect(await second.exit).toMatchObject({ code: 0 });
	} finally {
		process.kill(Number(readFileSync(compiling, 'utf8')), 'SIGKILL');
	}
});

/** Yields at once and whenever something in `folder` changes. */
async function* events(folder: string) {
	const watcher = watch(folder);
	try {
		yield;
		for (;;) yield await once(watcher, 'change');
	} finally {
		watcher.close();
	}
}
