import { definitionHash, type ToolDefinition } from '../task/definitions';
import { ask, type Database, type Query } from './store';

/** A definition that is trusted, and its hash. */
export interface Pin {
	readonly hash: string;
	readonly definition: ToolDefinition;
}

/** The pin of a tool; its first definition becomes it. Two that come first at once are one. */
export async function pinOf(database: Database, server: string, served: ToolDefinition): Promise<Pin> {
	const known = await ask<Pin>(database, select, [server, served.name]);
	if (known[0] !== undefined) return known[0];
	await ask(
		database,
		`INSERT INTO mcp_tool_pins (server, tool, hash, definition) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		[server, served.name, definitionHash(served), storable(served)],
	);
	const [pin] = await ask<Pin>(database, select, [server, served.name]);
	return pin ?? { hash: '', definition: served };
}

/** Puts a definition in the place of the one that was pinned. */
export async function setPin(query: Query, server: string, definition: ToolDefinition): Promise<void> {
	await query(
		`INSERT INTO mcp_tool_pins (server, tool, hash, definition) VALUES ($1, $2, $3, $4)
		ON CONFLICT (server, tool) DO UPDATE SET hash = $3, definition = $4, pinned_at = now()`,
		[server, definition.name, definitionHash(definition), storable(definition)],
	);
}

const select = 'SELECT hash, definition FROM mcp_tool_pins WHERE server = $1 AND tool = $2';

/** PostgreSQL's JSON holds no NUL. The hash is of what was served; this text is only for showing differences. */
function storable(definition: ToolDefinition): string {
	return JSON.stringify(definition).replaceAll('\\u0000', '\\ufffd');
}
