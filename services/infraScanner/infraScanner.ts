/**
 * Tells the state of a machine to VpsHealth in a container: `GET /facts` with a bearer token. It changes nothing and
 * needs only read-only views of /proc, /sys and the file tree.
 *
 * SCANNER_TOKEN_FILE    file that holds the token, at least 32 characters (needed)
 * SCANNER_HOST          address to listen on; default 127.0.0.1
 * SCANNER_PORT          default 8095
 * SCANNER_NAMES         names it may be called by, separated by commas; default localhost, 127.0.0.1, [::1]
 * SCANNER_PROC, SCANNER_SYS, SCANNER_ROOT   where the host's are mounted; default the machine's own
 * SCANNER_UNITS_FILE    what a timer on the host writes of systemd; default is to ask systemd itself
 * SCANNER_BACKUPS       folder of backups, one entry each
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { collectFacts } from '../../nodes/VpsHealth/diagnose';
import { readBackups } from '../../nodes/VpsHealth/backups';
import { ownRoots, readHost, type HostRoots } from '../../nodes/VpsHealth/host';
import type { ScannedFacts } from '../../nodes/VpsHealth/scanner';
import { askSystemd, readSystemdFile } from '../../nodes/VpsHealth/systemd';
import { bearsToken } from '../../nodes/shared/bearer';
import { LocalAiError } from '../../nodes/shared/errors';

export interface ScannerSettings {
	readonly token: string;
	readonly host: string;
	readonly port: number;
	/** Host header names, without port, in lower case. */
	readonly names: readonly string[];
	readonly roots: HostRoots;
	readonly unitsFile?: string;
	readonly backups?: string;
}

/** Reads the settings above; throws LocalAiError `configuration` naming the variable that cannot be used. */
export function readScannerSettings(env: NodeJS.ProcessEnv): ScannerSettings {
	const given = (name: string) => env[name]?.trim() || undefined;
	const port = Number(given('SCANNER_PORT') ?? 8095);
	if (!Number.isInteger(port) || port < 0 || port > 65535) {
		throw wrong('SCANNER_PORT is not a port number.', 'Give a whole number up to 65535, or leave it out.');
	}
	const unitsFile = given('SCANNER_UNITS_FILE');
	const backups = given('SCANNER_BACKUPS');
	return {
		token: readToken(given('SCANNER_TOKEN_FILE')),
		host: given('SCANNER_HOST') ?? '127.0.0.1',
		port,
		names: (given('SCANNER_NAMES') ?? 'localhost,127.0.0.1,[::1]').split(',').map((name) => name.trim().toLowerCase()),
		roots: {
			proc: given('SCANNER_PROC') ?? ownRoots.proc,
			sys: given('SCANNER_SYS') ?? ownRoots.sys,
			root: given('SCANNER_ROOT') ?? ownRoots.root,
		},
		...(unitsFile && { unitsFile }),
		...(backups && { backups }),
	};
}

/** A scanner that listens; `close` on it ends once the requests under way are answered. */
export async function startScanner(settings: ScannerSettings): Promise<Server> {
	const { token, names, host, port } = settings;
	let underWay: Promise<ScannedFacts> | undefined;
	const server = createServer((request, response) => {
		const answer = (status: number, body: object, headers: Record<string, string> = {}) => {
			const text = JSON.stringify(body);
			response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
			response.end(text);
		};
		request.resume();
		if (!names.includes(nameOf(request))) return answer(403, { error: 'This name is not served here.' });
		if (request.method !== 'GET') return answer(405, { error: 'Only GET is served here.' }, { allow: 'GET' });
		if (request.url === '/health') return answer(200, { status: 'ok' });
		if (request.url !== '/facts') return answer(404, { error: 'There are /facts and /health.' });
		if (!bearsToken(request, token)) {
			return answer(401, { error: 'A bearer token is needed.' }, { 'www-authenticate': 'Bearer' });
		}
		// Whoever asks while an answer is being made gets the same one.
		underWay ??= scan(settings).finally(() => (underWay = undefined));
		underWay.then(
			(facts) => answer(200, facts),
			() => answer(500, { error: 'The machine could not be looked at.' }),
		);
	});
	server.requestTimeout = 10_000;
	server.headersTimeout = 5_000;
	server.maxConnections = 32;
	server.maxRequestsPerSocket = 100;
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen(port, host, resolve);
	});
	return server;
}

async function scan({ roots, unitsFile, backups }: ScannerSettings): Promise<ScannedFacts> {
	const { host, systemd, ...rest } = await collectFacts(
		{
			host: (signal) => readHost(roots, 500, signal),
			systemd: unitsFile === undefined ? askSystemd : () => readSystemdFile(unitsFile),
			...(backups !== undefined && { backups: () => readBackups(backups) }),
		},
		{ timeoutMs: 2000 },
	);
	return { host, systemd, backups: rest.backups };
}

function nameOf({ headers }: IncomingMessage): string {
	return (headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
}

function readToken(file: string | undefined): string {
	if (file === undefined) throw wrong('SCANNER_TOKEN_FILE is not set.', 'Name a file that holds the token.');
	let token: string;
	try {
		token = readFileSync(file, 'utf8').trim();
	} catch {
		throw wrong(`SCANNER_TOKEN_FILE: ${file} could not be read.`, 'Check its path and its permissions.');
	}
	if (token.length < 32) throw wrong(`The token in ${file} is shorter than 32 characters.`, 'openssl rand -hex 32');
	return token;
}

function wrong(message: string, hint: string) {
	return new LocalAiError('configuration', message, { hint });
}

async function main(): Promise<void> {
	const server = await startScanner(readScannerSettings(process.env));
	for (const signal of ['SIGTERM', 'SIGINT'] as const) {
		process.once(signal, () => {
			server.close();
			server.closeIdleConnections();
		});
	}
	process.stdout.write(`infraScanner listens on ${JSON.stringify(server.address())}\n`);
}

if (require.main === module) {
	main().catch((error: unknown) => {
		const said = error instanceof LocalAiError ? `${error.message} ${error.hint}` : String(error);
		process.stderr.write(`${said}\n`);
		process.exitCode = 1;
	});
}
