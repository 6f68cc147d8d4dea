import { randomUUID } from 'node:crypto';
import { definitionFlags, definitionHash, type ToolDefinition } from '../task/definitions';
import { append, holdAudit, isRowSigned, rowSignature, type AuditKey } from './audit';
import { ask, inTransaction, type Database, type Query } from './store';

/** A definition that is trusted, and its hash. */
export interface Pin {
	/** Empty when the row in the database is not the one that was put there: then no definition is trusted. */
	readonly hash: string;
	readonly definition: ToolDefinition;
}

/** The pin of a tool; its first definition becomes it, on record. Two that come first at once are one. */
export async function pinOf(
	database: Database,
	key: AuditKey,
	server: string,
	served: ToolDefinition,
	now: number,
): Promise<Pin> {
	const [known] = await ask<Row>(database, select, [server, served.name]);
	if (known !== undefined) return genuine(known, key, server);
	const hash = definitionHash(served);
	return await inTransaction(database, async (query) => {
		await holdAudit(query);
		const [first] = await query<Row>(select, [server, served.name]);
		if (first !== undefined) return genuine(first, key, server);
		await setPin(query, key, server, served);
		const facts = { call: randomUUID(), server, tool: served.name, definition: hash };
		const flags = [...definitionFlags(served)];
		await append(query, key, { ...facts, event: 'pinned', isFirst: true, flags }, now);
		return { hash, definition: served };
	});
}

/** Puts a definition in the place of the one that was pinned. */
export async function setPin(query: Query, key: AuditKey, server: string, served: ToolDefinition): Promise<void> {
	const [hash, definition] = [definitionHash(served), storable(served)];
	const row = { hash, definition: JSON.parse(definition) as ToolDefinition };
	await query(
		`INSERT INTO mcp_tool_pins (server, tool, hash, definition, signature) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (server, tool) DO UPDATE SET hash = $3, definition = $4, signature = $5, pinned_at = now()`,
		[server, served.name, hash, definition, rowSignature(key.pins, wordsOf(row, server, served.name))],
	);
}

interface Row extends Pin {
	readonly tool: string;
	readonly signature: string;
}

const select = 'SELECT tool, hash, definition, signature FROM mcp_tool_pins WHERE server = $1 AND tool = $2';

function genuine(row: Row, key: AuditKey, server: string): Pin {
	const { hash, definition, tool, signature } = row;
	return { hash: isRowSigned(key.pins, wordsOf(row, server, tool), signature) ? hash : '', definition };
}

function wordsOf({ hash, definition }: Pin, server: string, tool: string): object {
	return { server, tool, hash, definition };
}

/** PostgreSQL's JSON holds no NUL. The hash is of what was served; this text is only for showing differences. */
function storable(definition: ToolDefinition): string {
	return JSON.stringify(definition).replaceAll('\\u0000', '\\ufffd');
}
