import type { OllamaService } from './outside.mts';
import type { RunningProcess } from './processes.mts';
import type { State } from './state.mts';
import type { Webhook } from './workflows.mts';

/** What other programs may know of a running stack: the content of stack.json. */
export interface Facts {
	readonly mode: 'queue' | 'regular';
	readonly editorUrl: string;
	readonly login: { readonly email: string; readonly passwordFile: string };
	readonly apiKeyFile: string;
	/** The business tables: devis and what belongs to them. */
	readonly databaseUrl: string;
	readonly folders: State['folders'];
	readonly webhooks: Readonly<Record<string, readonly Webhook[]>>;
	readonly services: {
		readonly ollama: OllamaService;
		readonly mcpGateway: { readonly url: string; readonly tokenFile: string };
	};
	readonly processes: readonly RunningProcess[];
}
