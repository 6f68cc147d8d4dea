import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readContent } from '../../../nodes/McpExecute/content';
import { createSessions, type Sessions } from '../../../nodes/McpExecute/sessions';
import { attackTests } from '../../support/attackCorpus';
import { access, httpServer, peer } from '../../support/mcpServers';

let sessions: Sessions;
beforeEach(() => void (sessions = createSessions()));
afterEach(() => sessions.close());

const call = (server: Parameters<Sessions['callTool']>[0]) =>
	sessions.callTool(server, { tool: 't', arguments: {} }, access);

attackTests(
	['protocol'],
	{
		'PROT-11': {
			run: async () => {
				const { server, received, remove } = peer('roots');
				await call(server);
				expect(received()).toContain('answer {"code":-32601,"message":"Method not found"}');
				expect(received()).toContain('capabilities {}');
				remove();
			},
		},
		'PROT-12': {
			run: async () => {
				const { server, remove } = peer('modern-input');
				const reply = await call(server);
				expect(reply).toMatchObject({ kind: 'input-required', state: 'opaque é ==' });
				const resume = { state: 'opaque é ==', responses: {} };
				const again = await sessions.callTool(server, { tool: 't', arguments: {}, resume }, access);
				expect(again).toMatchObject({ result: { content: [{ text: 'resumed with opaque é ==' }] } });
				remove();
			},
		},
		'PROT-13': {
			run: async () => {
				for (const mode of ['modern-unknown', 'legacy-unknown']) {
					const { server, remove } = peer(mode);
					await expect(call(server)).rejects.toMatchObject({ code: 'bad-reply', reason: 'PROTOCOL' });
					remove();
				}
			},
		},
		'PROT-15': {
			run: () => {
				const image = (mimeType: string, data: string) =>
					readContent('t', { content: [{ type: 'image', mimeType, data }] }).binaries[0];
				expect(() => image('image/png', 'not base64!')).toThrow(expect.objectContaining({ reason: 'PROTOCOL' }));
				expect(image('text/html', 'PGI+')).toMatchObject({
					mimeType: 'application/octet-stream',
					fileName: 'image-1.bin',
				});
			},
		},
		'PROT-18': {
			run: async () => {
				let asked = 0;
				const server = createServer((_, response) => {
					asked += 1;
					response.end();
				}).listen(0);
				await once(server, 'listening');
				const { port } = server.address() as AddressInfo;
				for (const host of ['localhost', '127.0.0.1', '[::1]', '169.254.169.254', '10.0.0.1']) {
					const there = httpServer(`http://${host}:${port}/mcp`, { addresses: 'public' });
					await expect(call(there)).rejects.toMatchObject({ code: 'refused', reason: 'SSRF' });
				}
				expect(asked).toBe(0);
				server.close();
			},
		},
	},
	// The definitions of tools: call.test.ts. What the gateway refuses: services/mcpGateway/gateway.test.ts.
	['PROT-01', 'PROT-02', 'PROT-07', 'PROT-21', 'PROT-22', 'PROT-23', 'PROT-26', 'PROT-27'],
);
