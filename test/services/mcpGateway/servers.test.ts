import { join } from 'node:path';
import { foldersFrom, foldersOf, offeredServers } from '../../../services/mcpGateway/servers';
import { gatewayProgram } from '../../../stack/mcpGateway.mts';

const places = { installed: '/servers', data: '/data', writable: ['/w1', '/w2'], readOnly: ['/var/log'] };
const argumentsOf = (name: string, tool: string) => {
	const { transport } = offeredServers(places)
		.find((one) => one.name === name)!
		.serverOf(tool);
	return transport.kind === 'stdio' ? transport.args : [];
};

test.each(['write_file', 'edit_file', 'create_directory', 'move_file', 'a_tool_of_the_next_version'])(
	'the process that answers %s knows nothing of a read-only folder',
	(tool) => expect(argumentsOf('filesystem', tool).join(' ')).not.toContain('/var/log'),
);

test.each(['read_text_file', 'directory_tree', 'search_files'])(
	'the process that answers %s can write nowhere',
	(tool) => {
		const args = argumentsOf('filesystem', tool);
		expect(args[0]).toBe('--permission');
		expect(args.filter((one) => one.startsWith('--allow-fs-write'))).toEqual([]);
		expect(args.slice(-3)).toEqual(['/w1', '/w2', '/var/log']);
	},
);

test('no server inherits a variable, and only n8n-mcp is given the key', () => {
	const offered = offeredServers(places, { apiUrl: 'http://n8n:5678', apiKey: 'the-key' });
	for (const { name, access, lister } of offered) {
		expect(lister.transport).toMatchObject({ kind: 'stdio', command: 'node', env: [] });
		expect({ name, env: access.env }).toEqual({
			name,
			env: name === 'n8n-mcp' ? { N8N_API_URL: 'http://n8n:5678', N8N_API_KEY: 'the-key' } : undefined,
		});
	}
	expect(foldersOf(places)).toEqual([join('/data', 'memory'), join('/data', 'home'), '/w1', '/w2', '/var/log']);
});

test('folders are written as PATH is, and none of them by accident', () => {
	expect(foldersFrom('/a:/b::')).toEqual(['/a', '/b']);
	expect(() => foldersFrom('/home/a:b')).toThrow(expect.objectContaining({ code: 'configuration' }));
	const program = { root: '/', servers: '/s', data: '/d', readOnly: [], tokenFile: '/t' };
	const n8n = { apiUrl: 'http://127.0.0.1:1', apiKeyFile: '/k' };
	expect(() => gatewayProgram({ ...program, n8n, writable: ['/home/a:/b'] }, 1)).toThrow(
		expect.objectContaining({ code: 'configuration' }),
	);
});
