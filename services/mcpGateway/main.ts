// The program: reads its settings from the environment, serves until it is told to stop, and logs to standard output.
import { mkdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { createSessions } from '../../nodes/McpExecute/sessions';
import { closeGateway, createGateway } from './gateway';
import { foldersFrom, foldersOf, offeredServers } from './servers';

const graceMs = 10_000;

const environment = z.object({
	MCP_GATEWAY_HOST: z.string().min(1).default('127.0.0.1'),
	MCP_GATEWAY_PORT: z.coerce.number().int().min(1).max(65535).default(5680),
	/** Names by which others reach the gateway, separated by commas. */
	MCP_GATEWAY_NAMES: z.string().default(''),
	MCP_GATEWAY_TOKEN_FILE: z.string().min(1),
	/** The folder whose node_modules hold the servers of services/mcp. */
	MCP_SERVERS_FOLDER: z.string().min(1),
	MCP_DATA_FOLDER: z.string().min(1),
	MCP_WRITABLE_FOLDERS: z.string().min(1),
	MCP_READ_ONLY_FOLDERS: z.string().default(''),
	N8N_API_URL: z.url().optional(),
	N8N_API_KEY_FILE: z.string().min(1).optional(),
});

function say(line: string): void {
	process.stdout.write(`${new Date().toISOString()} ${line}\n`);
}

function secretIn(file: string): string {
	const secret = readFileSync(file, 'utf8').trim();
	if (secret.length < 16) throw new Error(`${file} holds no secret of at least 16 characters`);
	return secret;
}

function serve(): void {
	const settings = environment.parse(process.env);
	const places = {
		installed: settings.MCP_SERVERS_FOLDER,
		data: settings.MCP_DATA_FOLDER,
		writable: foldersFrom(settings.MCP_WRITABLE_FOLDERS),
		readOnly: foldersFrom(settings.MCP_READ_ONLY_FOLDERS),
	};
	for (const folder of foldersOf(places)) mkdirSync(folder, { recursive: true });
	const { N8N_API_URL: apiUrl, N8N_API_KEY_FILE: keyFile } = settings;
	const n8n = apiUrl !== undefined && keyFile !== undefined ? { apiUrl, apiKey: secretIn(keyFile) } : undefined;
	// Nothing of the gateway's own environment reaches a server.
	const sessions = createSessions({ env: {} });
	const server = createGateway({
		servers: offeredServers(places, n8n),
		sessions,
		token: secretIn(settings.MCP_GATEWAY_TOKEN_FILE),
		hosts: settings.MCP_GATEWAY_NAMES.split(',').filter((name) => name !== ''),
		say,
	});
	let isStopping = false;
	const stop = () => {
		if (isStopping) return;
		isStopping = true;
		say('stopping');
		void closeGateway(server, sessions, graceMs).then(() => say('stopped'));
	};
	for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
	server.on('error', (error) => {
		say(`cannot serve: ${error.message}`);
		process.exitCode = 1;
		stop();
	});
	server.listen(settings.MCP_GATEWAY_PORT, settings.MCP_GATEWAY_HOST, () => {
		say(`serving on ${settings.MCP_GATEWAY_HOST}:${settings.MCP_GATEWAY_PORT}`);
	});
}

serve();
