// `npm start`: the whole stack, until Ctrl-C.
import { LocalAiError } from '../nodes/shared/errors.ts';
import { readSettings } from './settings.mts';
import { bringUp } from './stack.mts';
import { stopSignals } from './stopSignals.mts';
import { closingTable } from './table.mts';

const startedAt = performance.now();
const say = (line: string) => process.stdout.write(`${line}\n`);
const { signal, kill, asked } = stopSignals(say);

try {
	const stack = await bringUp(readSettings(process.env), { say, signal, kill });
	say(`\nReady after ${Math.round((performance.now() - startedAt) / 1000)} s\n`);
	say(`${closingTable(stack)}\n`);
	await asked;
	await stack.stop();
	say('Everything is stopped; the data is kept.');
} catch (error) {
	if (!signal.aborted) {
		say(error instanceof LocalAiError ? `${error.message}\n  ${error.hint}` : String((error as Error).stack ?? error));
		process.exitCode = 1;
	}
}
process.exit();
