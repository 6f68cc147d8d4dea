import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createSessions } from '../../nodes/McpExecute/sessions';
import { closeGateway, createGateway, type GatewayLimits } from '../../services/mcpGateway/gateway';
import { foldersOf, offeredServers, type OfferedServer } from '../../services/mcpGateway/servers';
import { gatewayFlags } from '../../stack/mcpGateway.mts';
import { installMcpServers } from '../../stack/mcpInstall.mts';
import { readSettings } from '../../stack/settings.mts';
import { freePort } from './stack';

export const gatewayToken = 'a-token-that-only-this-test-knows';

/** The folder with the real MCP servers, installed into the cache that all stacks share when it is not there yet. */
export async function installedServers(): Promise<string> {
	const { root, cache } = readSettings(process.env);
	return await installMcpServers(root, cache, { say: () => {}, signal: new AbortController().signal });
}

/** A gateway in this process, with the real servers and folders of its own unless others are given. */
export async function startGateway(
	options: { servers?: OfferedServer[]; limits?: Partial<GatewayLimits>; hosts?: string[] } = {},
) {
	const folder = mkdtempSync(join(tmpdir(), 'aurastack-gateway-'));
	const places = {
		installed: await installedServers(),
		data: join(folder, 'mcp'),
		writable: ['data', 'more'].map((name) => join(folder, name)),
		readOnly: [join(folder, 'log')],
	};
	for (const path of foldersOf(places)) mkdirSync(path, { recursive: true });
	writeFileSync(join(folder, 'log', 'syslog'), 'a line\n');
	writeFileSync(join(folder, 'secret'), 'out of reach');
	const lines: string[] = [];
	const sessions = createSessions({ env: {} });
	const server = createGateway({
		servers: options.servers ?? offeredServers(places),
		sessions,
		token: gatewayToken,
		hosts: options.hosts ?? [],
		say: (line) => lines.push(line),
		...(options.limits && { limits: options.limits }),
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	return {
		folder,
		port,
		server,
		url: (name: string) => `http://127.0.0.1:${port}/${name}/mcp`,
		log: () => lines,
		stop: async () => {
			await closeGateway(server, sessions, 5000);
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

/** The gateway as a program of its own, with the real servers. */
export async function startGatewayProgram() {
	const folder = mkdtempSync(join(tmpdir(), 'aurastack-gateway-'));
	const port = await freePort();
	writeFileSync(join(folder, 'token'), `${gatewayToken}\n`);
	const child = spawn(
		process.execPath,
		[
			...gatewayFlags,
			'--require',
			join(__dirname, 'typescript.cjs'),
			join(__dirname, '..', '..', 'services', 'mcpGateway', 'main.ts'),
		],
		{
			env: {
				MCP_GATEWAY_PORT: String(port),
				MCP_GATEWAY_TOKEN_FILE: join(folder, 'token'),
				MCP_SERVERS_FOLDER: await installedServers(),
				MCP_DATA_FOLDER: join(folder, 'mcp'),
				MCP_WRITABLE_FOLDERS: join(folder, 'data'),
				MCP_READ_ONLY_FOLDERS: join(folder, 'log'),
			},
			stdio: ['ignore', 'pipe', 'pipe'],
		},
	);
	// A test that fails does not come to stop it.
	const end = () => void child.kill('SIGKILL');
	process.once('exit', end);
	const exited = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
	const lines: string[] = [];
	for (const stream of [child.stdout, child.stderr]) {
		createInterface({ input: stream }).on('line', (line) => lines.push(line));
	}
	const url = `http://127.0.0.1:${port}`;
	while ((await fetch(`${url}/health`).catch(() => undefined))?.status !== 200) {
		if (child.exitCode !== null) throw new Error(lines.join('\n'));
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	return {
		folder,
		port,
		url: (name: string) => `${url}/${name}/mcp`,
		log: () => lines,
		/** What it holds of the memory, in MiB. */
		rss: () => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024,
		/** Tells it to stop, and resolves with how it ended. */
		stop: async () => {
			child.kill('SIGTERM');
			const [code, signal] = await exited;
			process.off('exit', end);
			rmSync(folder, { recursive: true, force: true });
			return code ?? signal;
		},
	};
}
