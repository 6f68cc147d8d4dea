import { delimiter, join } from 'node:path';
import { LocalAiError } from '../nodes/shared/errors.ts';
import type { Program } from './processes.mts';

/** What the program of services/mcpGateway is started with. */
export interface GatewayPlaces {
	/** The folder of the built package. */
	readonly root: string;
	/** The folder whose node_modules hold the MCP servers. */
	readonly servers: string;
	/** For what the servers keep. */
	readonly data: string;
	/** The folders that the file server may change, and those that it may only read. */
	readonly writable: readonly string[];
	readonly readOnly: readonly string[];
	readonly tokenFile: string;
	readonly n8n: { readonly apiUrl: string; readonly apiKeyFile: string };
}

/** Each request leaves a little garbage: with a small heap 10,000 of them cost 50 MB at most instead of 240. */
export const gatewayFlags = ['--max-semi-space-size=2', '--max-old-space-size=512'];

/** The one owner of the MCP servers, for n8n's main and all its workers. */
export function gatewayProgram(places: GatewayPlaces, port: number): Program {
	return {
		name: 'mcp-gateway',
		command: [process.execPath, ...gatewayFlags, join(places.root, 'dist', 'services', 'mcpGateway', 'main.js')],
		env: {
			MCP_GATEWAY_PORT: String(port),
			MCP_GATEWAY_TOKEN_FILE: places.tokenFile,
			MCP_SERVERS_FOLDER: places.servers,
			MCP_DATA_FOLDER: places.data,
			MCP_WRITABLE_FOLDERS: listed(places.writable),
			MCP_READ_ONLY_FOLDERS: listed(places.readOnly),
			N8N_API_URL: places.n8n.apiUrl,
			N8N_API_KEY_FILE: places.n8n.apiKeyFile,
		},
		cwd: places.root,
		port,
		stopSignal: 'SIGTERM',
		killSignal: 'SIGKILL',
		isReady: async () => {
			const { status } = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(2000) });
			return status === 200;
		},
		readyWithinMs: 60_000,
	};
}

function listed(folders: readonly string[]): string {
	const wrong = folders.find((folder) => folder.includes(delimiter));
	if (wrong === undefined) return folders.join(delimiter);
	throw new LocalAiError('configuration', `The folder ${wrong} cannot be given to the MCP gateway.`, {
		hint: `Set AURASTACK_HOME to a path without "${delimiter}".`,
	});
}
