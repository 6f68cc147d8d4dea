import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askScanner } from '../../../nodes/VpsHealth/scanner';
import { readScannerSettings, startScanner } from '../../../services/infraScanner/infraScanner';

const folder = mkdtempSync(join(tmpdir(), 'infra-scanner-'));
const tokenFile = join(folder, 'token');
const token = 'c4n4ry'.repeat(8);
writeFileSync(tokenFile, `${token}\n`);
writeFileSync(join(folder, 'units.json'), '[]');
const env = { SCANNER_TOKEN_FILE: tokenFile, SCANNER_PORT: '0', SCANNER_UNITS_FILE: join(folder, 'units.json') };

let server: Server;
let baseUrl: string;
beforeAll(async () => {
	server = await startScanner(readScannerSettings(env));
	baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
	server.closeAllConnections();
	server.close();
	rmSync(folder, { recursive: true });
});

const signal = new AbortController().signal;

async function send(path: string, headers: Record<string, string> = {}, method = 'GET') {
	const sent = request(new URL(path, baseUrl), { method, headers });
	sent.end();
	const [response] = await once(sent, 'response');
	const parts: Buffer[] = [];
	for await (const part of response) parts.push(part);
	return { status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() };
}

test('the machine is told to who holds the token, in the form that the node reads', async () => {
	const { host, systemd, backups } = await askScanner({ baseUrl, token }, signal);
	expect(host.memory).toMatchObject({ known: true });
	expect(host.fileSystems).toMatchObject({ known: true });
	expect(systemd).toMatchObject({ known: true, value: { units: [] } });
	expect(backups).toMatchObject({ known: false, reason: 'not-set-up' });
});

test('nobody else is told anything', async () => {
	for (const authorization of [undefined, 'Bearer ', `Bearer ${token}x`, `Basic ${token}`]) {
		const { status, headers, body } = await send('/facts', authorization === undefined ? {} : { authorization });
		expect({ status, challenge: headers['www-authenticate'], body }).toEqual({
			status: 401,
			challenge: 'Bearer',
			body: '{"error":"A bearer token is needed."}',
		});
	}
	await expect(askScanner({ baseUrl, token: 'wrong' }, signal)).rejects.toMatchObject({ code: 'unauthorized' });
});

test('a page that renamed its own host to this address is refused', async () => {
	const authorization = `Bearer ${token}`;
	expect((await send('/facts', { authorization, host: 'evil.example' })).status).toBe(403);
	expect((await send('/health', { host: 'evil.example:8095' })).status).toBe(403);
	expect((await send('/health', { host: 'LOCALHOST:8095' })).status).toBe(200);
});

test('only reading is served, and only at two places', async () => {
	const authorization = `Bearer ${token}`;
	expect((await send('/facts', { authorization }, 'POST')).status).toBe(405);
	expect((await send('/../etc/passwd', { authorization })).status).toBe(404);
	expect(await send('/health')).toMatchObject({ status: 200, body: '{"status":"ok"}' });
});

test('a server that is no scanner, or none at all, is told apart', async () => {
	await expect(askScanner({ baseUrl: `${baseUrl}/health`, token }, signal)).rejects.toMatchObject({
		code: 'configuration',
	});
	await expect(askScanner({ baseUrl: 'http://127.0.0.1:1', token }, signal)).rejects.toMatchObject({
		code: 'unreachable',
		nothingAnswers: true,
	});
});

test('settings that cannot be used name their variable', () => {
	const short = join(folder, 'short');
	writeFileSync(short, 'abc');
	const said = (more: NodeJS.ProcessEnv) => {
		try {
			readScannerSettings({ ...env, ...more });
			return '';
		} catch (error) {
			return (error as Error).message;
		}
	};
	expect(said({ SCANNER_TOKEN_FILE: '' })).toContain('SCANNER_TOKEN_FILE');
	expect(said({ SCANNER_TOKEN_FILE: short })).toContain('shorter than 32');
	expect(said({ SCANNER_TOKEN_FILE: join(folder, 'none') })).toContain('could not be read');
	expect(said({ SCANNER_PORT: '99999' })).toContain('SCANNER_PORT');
});

test('as a program it answers, and ends by itself when it is told to', async () => {
	const file = join(__dirname, '..', '..', '..', 'services', 'infraScanner', 'infraScanner.ts');
	// Compiled on the way in, as it is built for the package.
	const compile = ['--require', join(__dirname, '..', '..', 'support', 'typescript.cjs')];
	const program = spawn(process.execPath, [...compile, file], { env: { ...process.env, ...env }, stdio: 'pipe' });
	const said: string[] = [];
	program.stderr.on('data', (data: Buffer) => said.push(data.toString()));
	const exit = once(program, 'exit');
	const first = await Promise.race([
		once(program.stdout, 'data'),
		exit.then(() => Promise.reject(new Error(said.join('')))),
	]);
	const { port } = JSON.parse(String(first[0]).replace('infraScanner listens on ', '')) as { port: number };
	const facts = await askScanner({ baseUrl: `http://127.0.0.1:${port}`, token }, signal);
	expect(facts.host.load.known).toBe(true);
	program.kill('SIGTERM');
	expect(await exit).toEqual([0, null]);
});
