import {
	type CallToolResult,
	createMcpHandler,
	type McpHttpHandler,
	ProtocolError,
	Server,
	type Tool,
} from '@modelcontextprotocol/server';
import { toWire } from '../../nodes/McpExecute/connection/failure';
import type { Sessions } from '../../nodes/McpExecute/sessions';
import { LocalAiError } from '../../nodes/shared/errors';
import type { OfferedServer } from './servers';

/**
 * Offers one server's tools over Streamable HTTP, in the protocol of 2026-07-28 and the ones before it. It keeps nothing
 * between two requests: what a client holds is never a session that others could use or that fills the memory.
 */
export function relay(
	offered: OfferedServer,
	sessions: Sessions,
	failed: (error: LocalAiError) => void,
): McpHttpHandler {
	const within = async <T>(work: Promise<T>): Promise<T> => {
		try {
			return await work;
		} catch (error) {
			if (!(error instanceof LocalAiError)) throw error;
			failed(error);
			throw asProtocolError(error);
		}
	};
	return createMcpHandler(() => {
		const server = new Server({ name: offered.name, version: '1.0.0' }, { capabilities: { tools: {} } });
		server.setRequestHandler('tools/list', async (_, { mcpReq: { signal } }) => ({
			tools: (await within(sessions.listTools(offered.lister, offered.access, signal))) as unknown as Tool[],
		}));
		server.setRequestHandler('tools/call', async ({ params }, { mcpReq: { signal, _meta, notify } }) => {
			const progressToken = _meta?.progressToken;
			const reply = await within(
				sessions.callTool(
					offered.serverOf(params.name),
					{
						tool: params.name,
						arguments: params.arguments ?? {},
						...(progressToken !== undefined && {
							onProgress: (progress) => {
								// A client that is gone by now misses nothing.
								void notify({ method: 'notifications/progress', params: { progressToken, ...progress } }).catch(
									() => {},
								);
							},
						}),
					},
					offered.access,
					signal,
				),
			);
			if (reply.kind === 'complete') return reply.result as CallToolResult;
			throw asProtocolError(
				new LocalAiError('bad-reply', `The MCP server ${offered.name} asks for more before it answers`, {
					hint: 'The gateway passes on no questions of a server: give the tool all that it needs at once.',
					reason: 'INPUT_REQUIRED',
				}),
			);
		});
		return server;
	});
}

function asProtocolError(error: LocalAiError): ProtocolError {
	return new ProtocolError(-32000, error.message, toWire(error));
}
