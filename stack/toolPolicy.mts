import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type State, writePrivately } from './state.mts';

/** A variable of the shipped policy. */
export type ToolFolder =
	| 'MCP_SERVERS'
	| 'MCP_DATA'
	| 'QWEN_AGENT'
	| 'WORKFLOWS'
	| 'VPS_INVENTORY'
	| 'TMP_FOLDER'
	| 'VAR_LOG';

/**
 * Puts the shipped MCP policy where a person may change it, and returns that place. A copy that was changed is theirs
 * from then on; one that was not follows the shipped file.
 */
export function placePolicy(shippedFile: string, state: State): string {
	const file = join(state.home, 'mcp', 'mcp-policy.yaml');
	const markFile = join(state.home, 'mcp', 'shipped-policy.sha256');
	const shipped = readFileSync(shippedFile, 'utf8');
	const isOurs =
		!existsSync(file) ||
		(existsSync(markFile) && hash(readFileSync(file, 'utf8')) === readFileSync(markFile, 'utf8').trim());
	if (isOurs) {
		writePrivately(file, shipped);
		writePrivately(markFile, `${hash(shipped)}\n`);
	}
	return file;
}

/**
 * What the policy's variables stand for here, `mcpServers` being where the servers are installed; the folders that tools
 * may open are made where they are missing.
 */
export function toolFolders(state: State, mcpServers: string): Record<ToolFolder, string> {
	const work = (name: string) => {
		const folder = join(state.home, 'work', name);
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		return folder;
	};
	return {
		MCP_SERVERS: join(mcpServers, 'node_modules'),
		MCP_DATA: join(state.home, 'mcp', 'data'),
		QWEN_AGENT: work('qwen-agent'),
		WORKFLOWS: work('workflows'),
		VPS_INVENTORY: work('vps-inventory'),
		TMP_FOLDER: work('tmp'),
		VAR_LOG: work('log'),
	};
}

/** The same folders, as the gateway wants to know them: the logs may only be read. */
export function gatewayFolders(folders: Readonly<Record<ToolFolder, string>>) {
	const { MCP_DATA: data, QWEN_AGENT, WORKFLOWS, VPS_INVENTORY, TMP_FOLDER, VAR_LOG } = folders;
	return { data, writable: [QWEN_AGENT, WORKFLOWS, VPS_INVENTORY, TMP_FOLDER], readOnly: [VAR_LOG] };
}

function hash(text: string): string {
	return createHash('sha256').update(text).digest('hex');
}
