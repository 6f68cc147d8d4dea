import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type ProcessRecord, identify, stopLeftovers } from '../../stack/leftovers.mts';
import { readJson, writeJson } from '../../stack/state.mts';

let folder: string;
let file: string;
let said: string[];
const started: ChildProcess[] = [];
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'leftovers-'));
	file = join(folder, 'processes.json');
	said = [];
});
afterEach(() => {
	for (const child of started.splice(0)) child.kill('SIGKILL');
	rmSync(folder, { recursive: true });
});

/** A running process and its record under `name`; it tells when it hears a signal, and ends or not. */
async function running(name: string, onSignal = 'process.exit()') {
	const code = `
		for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => { console.log(name); ${onSignal} });
		setInterval(() => {}, 1000); console.log('up');`;
	const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
	started.push(child);
	let heard = '';
	child.stdout.on('data', (data: Buffer) => (heard += data.toString()));
	while (!heard.includes('up')) await once(child.stdout, 'data');
	const record: ProcessRecord = { name, ...identify(child.pid!)! };
	return { record, exit: once(child, 'close'), heard: () => heard.trim().split('\n').slice(1) };
}
const stopAll = () => stopLeftovers(file, (line) => said.push(line));

test('what a killed run left behind is ended, each as it wants to be, and said in one line', async () => {
	const main = await running('n8n-main');
	const postgres = await running('postgres');
	writeJson(file, [postgres.record, main.record]);
	expect(await stopAll()).toEqual(['postgres', 'n8n-main']);
	await Promise.all([main.exit, postgres.exit]);
	expect([main.heard(), postgres.heard()]).toEqual([['SIGTERM'], ['SIGINT']]);
	expect(said).toEqual([
		'The last run was killed: ending what it left behind (postgres, n8n-main), then going on with its data',
	]);
	expect(await stopAll()).toEqual([]);
	expect(said).toHaveLength(1);
});

test('n8n is ended before what it stands on', async () => {
	const main = await running('n8n-main', 'setTimeout(() => process.exit(), 300);');
	const redis = await running('redis');
	writeJson(file, [redis.record, main.record]);
	const order: string[] = [];
	void main.exit.then(() => order.push('n8n-main'));
	void redis.exit.then(() => order.push('redis'));
	await stopAll();
	await Promise.all([main.exit, redis.exit]);
	expect(order).toEqual(['n8n-main', 'redis']);
});

test('a run that was killed with all it had started is told of, one that ended in order is not', async () => {
	const { record, exit } = await running('postgres');
	process.kill(record.pid, 'SIGKILL');
	await exit;
	writeJson(file, [record]);
	expect(await stopAll()).toEqual([]);
	expect(said).toEqual(['The last run was killed: going on with its data']);
	expect(readJson(file)).toEqual([]);
	rmSync(file);
	expect(await stopAll()).toEqual([]);
	expect(said).toHaveLength(1);
});

test('a process that merely got the number of an old one is left alone', async () => {
	const { record, heard } = await running('stranger');
	const { pid, startTicks, boot } = record;
	writeJson(file, [
		{ name: 'n8n-main', pid, startTicks: startTicks - 1, boot },
		{ name: 'redis', pid, startTicks, boot: 'another boot' },
	]);
	expect(await stopAll()).toEqual([]);
	expect(identify(pid)).toEqual({ pid, startTicks, boot });
	expect(heard()).toEqual([]);
});

test('no process has a number that was never given', () => {
	expect(identify(2 ** 30)).toBeUndefined();
});
