// Each Docker call of VPS Health against the `docker` command for the same question, on one real engine, in turns.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
require('../support/typescript.cjs');
const { containerLogs, listContainers, restartContainer } =
	require('../../dist/nodes/VpsHealth/docker.js') as typeof import('../../nodes/VpsHealth/docker.ts');
const { startDocker, whyNoDocker } = require('../support/docker.ts') as typeof import('../support/docker.ts');

const title = 'Docker: VPS Health against the docker command, medians of one run';
const names = ['one', 'two', 'three', 'four', 'five'];

/** One row a call: milliseconds of both, and the share of the command's time that ours takes. */
export async function measure(): Promise<{ title: string; rows: Array<Record<string, string | number>> }> {
	const why = whyNoDocker();
	if (why !== null) return { title, rows: [{ call: `not measured: ${why}`, ours: '', docker: '', ratio: '' }] };
	const engine = await startDocker();
	try {
		const script = 'i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done; exec sleep 1000';
		for (const name of names) engine.run(name, script);
		const docker = { address: { kind: 'socket', path: engine.socketPath } as const, allowed: names };
		const calls = {
			'list, five containers': {
				repeats: 15,
				ours: () => listContainers(docker),
				command: () => engine.docker('ps', '-a', '--no-trunc'),
			},
			'list with restarts and health': {
				repeats: 15,
				ours: () => listContainers(docker),
				command: () => engine.docker('inspect', ...names),
			},
			'logs, 100 lines': {
				repeats: 15,
				ours: () => containerLogs(docker, 'one', { tail: 100 }),
				command: () => engine.docker('logs', '--tail', '100', 'one'),
			},
			'use of five containers': {
				repeats: 5,
				ours: () => listContainers(docker, { usage: true }),
				command: () => engine.docker('stats', '--no-stream', ...names),
			},
			restart: {
				repeats: 5,
				ours: () => restartContainer(docker, 'two', { graceSeconds: 0, ownId: null }),
				command: () => engine.docker('restart', '-t', '0', 'two'),
			},
		};
		const rows: Array<Record<string, string | number>> = [];
		for (const [call, { repeats, ours, command }] of Object.entries(calls)) {
			// The first of each loads what it needs.
			await ours();
			command();
			const [mine, theirs]: [number[], number[]] = [[], []];
			for (let round = 0; round < repeats; round++) {
				mine.push(await timed(ours));
				theirs.push(await timed(command));
			}
			const [a, b] = [median(mine), median(theirs)];
			rows.push({ call, 'ours (ms)': round(a), 'docker (ms)': round(b), 'ours/docker': round(a / b) });
		}
		return { title, rows };
	} finally {
		await engine.stop();
	}
}

async function timed(work: () => unknown): Promise<number> {
	const started = performance.now();
	await work();
	return performance.now() - started;
}

function median(values: number[]): number {
	return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function round(value: number): number {
	return Number(value.toPrecision(3));
}
