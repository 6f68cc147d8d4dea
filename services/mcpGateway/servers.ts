import { delimiter, isAbsolute, join } from 'node:path';
import type { Access, McpServer } from '../../nodes/McpExecute/sessions';
import { LocalAiError } from '../../nodes/shared/errors';

/** A server as the gateway offers it: which of its processes answers which tool, and in whose name. */
export interface OfferedServer {
	readonly name: string;
	readonly access: Access;
	/** Where its tools are listed. */
	readonly lister: McpServer;
	readonly serverOf: (tool: string) => McpServer;
}

/** Where the servers are installed, and what they may touch. */
export interface Places {
	/** The folder whose node_modules hold the servers. */
	readonly installed: string;
	/** For what the servers keep: the memory graph, a home folder. */
	readonly data: string;
	readonly writable: readonly string[];
	readonly readOnly: readonly string[];
}

const limits: McpServer['limits'] = {
	connectTimeoutMs: 30_000,
	callTimeoutMs: 120_000,
	maxTimeoutMs: 600_000,
	maxOutputBytes: 10_000_000,
	idleTimeoutMs: 3_600_000,
	maxQueued: 500,
};

/** The tools of server-filesystem 2026.8.31 that change nothing. Any other one goes where nothing read-only is in reach. */
const readingTools: ReadonlySet<string> = new Set([
	'read_file',
	'read_text_file',
	'read_media_file',
	'read_multiple_files',
	'list_directory',
	'list_directory_with_sizes',
	'directory_tree',
	'search_files',
	'get_file_info',
	'list_allowed_directories',
]);

/**
 * The four servers. Those that need few files are held to them by Node's own permissions; the file server runs twice,
 * so that the process which writes cannot reach a read-only folder, and the one which can cannot write at all.
 */
export function offeredServers(
	places: Places,
	n8n?: { readonly apiUrl: string; readonly apiKey: string },
): OfferedServer[] {
	const modules = join(places.installed, 'node_modules');
	const scoped = (name: string) => join(modules, '@modelcontextprotocol', name, 'dist', 'index.js');
	const memoryFolder = join(places.data, 'memory');
	const home = join(places.data, 'home');
	const all = [...places.writable, ...places.readOnly];

	const memory = server('memory', [...held([modules, memoryFolder], [memoryFolder]), scoped('server-memory')], {
		// It reads its file, changes it and writes it back without a lock: two at once lose what one of them stored.
		serial: true,
		setEnv: { MEMORY_FILE_PATH: join(memoryFolder, 'memory.jsonl') },
	});
	const thinking = server('sequential-thinking', [...held([modules], []), scoped('server-sequential-thinking')], {
		setEnv: { DISABLE_THOUGHT_LOGGING: 'true' },
	});
	const reader = server('filesystem', [...held([modules, ...all], []), scoped('server-filesystem'), ...all]);
	const writer = server(
		'filesystem',
		[...held([modules, ...places.writable], places.writable), scoped('server-filesystem'), ...places.writable],
		// Two edits of one file at once would lose one.
		{ serial: true },
	);
	const knowledge = server('n8n-mcp', [join(modules, 'n8n-mcp', 'dist', 'mcp', 'stdio-wrapper.js')], {
		cwd: home,
		setEnv: {
			HOME: home,
			MCP_MODE: 'stdio',
			LOG_LEVEL: 'error',
			DISABLE_CONSOLE_OUTPUT: 'true',
			N8N_MCP_TELEMETRY_DISABLED: 'true',
			// n8n runs on this machine or beside it.
			WEBHOOK_SECURITY_MODE: 'moderate',
		},
	});
	const gateway: Access = { key: 'gateway' };
	return [
		plain(memory, gateway),
		plain(thinking, gateway),
		{ ...plain(reader, gateway), serverOf: (tool) => (readingTools.has(tool) ? reader : writer) },
		plain(knowledge, n8n ? { ...gateway, env: { N8N_API_URL: n8n.apiUrl, N8N_API_KEY: n8n.apiKey } } : gateway),
	];
}

/** The folders that must exist before the servers start. */
export function foldersOf(places: Places): string[] {
	return [join(places.data, 'memory'), join(places.data, 'home'), ...places.writable, ...places.readOnly];
}

/** A list of absolute folders as PATH writes it; throws `configuration` for one that is not absolute. */
export function foldersFrom(text: string): string[] {
	const folders = text.split(delimiter).filter((folder) => folder !== '');
	const wrong = folders.find((folder) => !isAbsolute(folder));
	if (wrong === undefined) return folders;
	throw new LocalAiError('configuration', `The folder ${JSON.stringify(wrong)} of the file server is not absolute.`, {
		hint: `Give absolute folders, separated by "${delimiter}".`,
	});
}

function plain(only: McpServer, access: Access): OfferedServer {
	return { name: only.name, access, lister: only, serverOf: () => only };
}

function server(
	name: string,
	args: readonly string[],
	{ serial = false, setEnv = {}, cwd }: { serial?: boolean; setEnv?: Record<string, string>; cwd?: string } = {},
): McpServer {
	return {
		name,
		transport: { kind: 'stdio', command: 'node', args, env: [], setEnv, ...(cwd !== undefined && { cwd }) },
		serial,
		limits,
	};
}

function held(read: readonly string[], write: readonly string[]): string[] {
	return [
		'--permission',
		...read.map((folder) => `--allow-fs-read=${folder}`),
		...write.map((folder) => `--allow-fs-write=${folder}`),
	];
}
