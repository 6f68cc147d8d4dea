import { hostname, userInfo } from 'node:os';
import type { Stack } from './stack.mts';

/** What a person needs to know once the stack is ready; the password is shown only by the start that made it. */
export function closingTable({ facts, stackFile, workflowNames, newPassword }: Omit<Stack, 'stop'>): string {
	const { port } = new URL(facts.editorUrl);
	const { ollama, mcpGateway } = facts.services;
	const rows: [string, string][] = [
		['Editor', facts.editorUrl],
		[
			'Login',
			`${facts.login.email}, password ${newPassword ? `${newPassword} (kept in ${facts.login.passwordFile})` : `in ${facts.login.passwordFile}`}`,
		],
		[
			'From elsewhere',
			`ssh -L ${port}:127.0.0.1:${port} ${userInfo().username}@${hostname()}  then open ${facts.editorUrl}`,
		],
		['Drop PDFs into', facts.folders.devis],
		['Database', `psql "$(node -p 'require("${stackFile}").databaseUrl')"`],
		...Object.entries(facts.webhooks).flatMap(([id, webhooks]) =>
			webhooks.map(({ method, url, header }): [string, string] => [
				`Call ${workflowNames[id] ?? id}`,
				`curl -X ${method}${header ? ` -H "${header.name}: $(cat '${header.valueFile}')"` : ''} ${url}`,
			]),
		),
		['Ollama', ollama.found ? `${ollama.url}, ${ollama.models.length} models` : `none answers at ${ollama.url}`],
		...ollama.commands.map((command): [string, string] => ['  missing, run', command]),
		...ollama.optional.map(({ purpose, command }): [string, string] => [`  optional ${purpose}`, command]),
		['MCP gateway', `${mcpGateway.url}, token in ${mcpGateway.tokenFile}`],
		...(facts.mode === 'regular'
			? [['Redis', 'none: regular mode, everything runs in one n8n'] as [string, string]]
			: []),
		['Stop', 'Ctrl-C'],
	];
	const width = Math.max(...rows.map(([name]) => name.length));
	return rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n');
}
