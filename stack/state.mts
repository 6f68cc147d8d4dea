import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The layout of a stack's home, all of it private to its owner (folders 0700, files with secrets 0600):
 *
 *     files/{devis,processed,review,rejected}   what people and workflows exchange
 *     secrets/                                  one secret a file
 *     postgres/  redis/  n8n/                   data of the services
 *     logs/                                     one log a process, and the one before it
 *     ports.json  shipped.json  processes.json  what the stack remembers
 *     stack.json                                the facts for other programs, there while the stack is ready
 */
export interface State {
	readonly home: string;
	readonly files: string;
	readonly folders: {
		readonly devis: string;
		readonly processed: string;
		readonly review: string;
		readonly rejected: string;
	};
	readonly logs: string;
	readonly postgres: string;
	readonly redis: string;
	readonly n8n: string;
	readonly stackFile: string;
	readonly portsFile: string;
	readonly shippedFile: string;
	readonly processesFile: string;
	readonly secretFile: (name: string) => string;
}

/** Makes what is missing of the layout under `home` and returns it; existing files are left as they are. */
export function openState(home: string): State {
	const folder = (...names: string[]) => {
		const path = join(home, ...names);
		mkdirSync(path, { recursive: true, mode: 0o700 });
		return path;
	};
	folder();
	chmodSync(home, 0o700);
	const secrets = folder('secrets');
	return {
		home,
		files: folder('files'),
		folders: {
			devis: folder('files', 'devis'),
			processed: folder('files', 'processed'),
			review: folder('files', 'review'),
			rejected: folder('files', 'rejected'),
		},
		logs: folder('logs'),
		postgres: join(home, 'postgres'),
		redis: folder('redis'),
		n8n: folder('n8n'),
		stackFile: join(home, 'stack.json'),
		portsFile: join(home, 'ports.json'),
		shippedFile: join(home, 'shipped.json'),
		processesFile: join(home, 'processes.json'),
		secretFile: (name) => join(secrets, name),
	};
}

/** The secret called `name`: the one kept from an earlier start, else a new one from `make`, kept from now on. */
export function secret(state: State, name: string, make: () => string): { value: string; isNew: boolean } {
	const file = state.secretFile(name);
	if (existsSync(file)) return { value: readFileSync(file, 'utf8').trim(), isNew: false };
	const value = make();
	writePrivately(file, `${value}\n`);
	return { value, isNew: true };
}

/** Reads a JSON file that this stack wrote; undefined when it is not there or was cut short. */
export function readJson<T>(file: string): T | undefined {
	if (!existsSync(file)) return undefined;
	try {
		return JSON.parse(readFileSync(file, 'utf8')) as T;
	} catch (error) {
		if (error instanceof SyntaxError) return undefined;
		throw error;
	}
}

/** Writes JSON for the owner's eyes only; a reader sees the old content or the new, never a part. */
export function writeJson(file: string, value: unknown): void {
	writePrivately(file, `${JSON.stringify(value, null, '\t')}\n`);
}

/** Writes a file with mode 0600; a reader sees the old content or the new, never a part. */
export function writePrivately(file: string, text: string): void {
	mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
	const part = `${file}.${process.pid}.part`;
	writeFileSync(part, text, { mode: 0o600, flush: true });
	renameSync(part, file);
}
