import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';

import { codes } from '../../../nodes/McpExecute/codes';
import { loadPolicy } from '../../../nodes/McpExecute/policy';

const folder = join(__dirname, '..', '..', '..', 'services', 'mcp');
const shipped = readFileSync(join(folder, 'mcp-policy.yaml'), 'utf8');
const variables = {
	...{ QWEN_AGENT: '/opt/qwen-agent', WORKFLOWS: '/opt/workflows', VPS_INVENTORY: '/opt/vps-inventory' },
	...{ TMP_FOLDER: '/tmp', VAR_LOG: '/var/log', MCP_SERVERS: '/opt/mcp/node_modules', MCP_DATA: '/opt/data' },
};

const small = (tool: string, more = '') => `folders: { data: /data }
callers: { mine: { workflowId: w1 } }
approvers: { write: [ann] }
servers:
  s:
    stdio: { command: node }
    callers: anyone
    tools:
      t: ${tool}
${more}`;

describe('the policy that is shipped', () => {
	const policy = loadPolicy(shipped, variables);

	test('names the four servers, and writes to memory one at a time', () => {
		expect([...policy.servers.keys()]).toEqual(['memory', 'sequential-thinking', 'filesystem', 'n8n-mcp']);
		expect([...policy.servers.values()].map(({ serial }) => serial)).toEqual([true, false, false, false]);
		expect(policy.servers.get('memory')!.transport).toMatchObject({
			command: 'node',
			args: expect.arrayContaining(['/opt/mcp/node_modules/@modelcontextprotocol/server-memory/dist/index.js']),
			setEnv: { MEMORY_FILE_PATH: '/opt/data/memory/memory.jsonl' },
		});
	});

	test('lets no tool write to the logs, and none write or destroy without approval but in memory', () => {
		for (const { name, tools } of policy.servers.values()) {
			for (const tool of tools.values()) {
				if (tool.approval === 'never' && name !== 'memory')
					expect([name, tool.name, tool.risk]).toEqual([name, tool.name, 'read']);
				if (tool.risk === 'destructive') expect([tool.name, tool.approval]).toEqual([tool.name, 'required']);
				if (tool.risk === 'read' || tool.arguments === 'any') continue;
				for (const rule of tool.arguments.values()) {
					if (rule.kind === 'folders') expect(rule.folders).not.toContain('/var/log');
				}
			}
		}
	});

	test('says which variable is not set, and where', () => {
		const { VAR_LOG, ...rest } = variables;
		expect(() => loadPolicy(shipped, rest)).toThrow(/line \d+, column \d+: folders\.logs: \$\{VAR_LOG\} is not set/);
		expect(VAR_LOG).toBe('/var/log');
	});

	test('has a README that explains every code', () => {
		const readme = readFileSync(join(folder, 'README.md'), 'utf8');
		for (const [code, meaning] of Object.entries(codes)) expect(readme).toContain(`| \`${code}\` | ${meaning} |`);
	});
});

test.each([
	['an unknown key', small('{ approval: never, risk: read, arguments: any, aproval: x }'), 9, 'aproval'],
	['a misspelt choice', small('{ approval: sometimes, risk: read, arguments: any }'), 9, 'servers.s.tools.t.approval'],
	['no arguments at all', small('{ approval: never, risk: read }'), 9, 'arguments'],
	['a folder that is not there', small('{ approval: never, risk: read, arguments: { p: { in: [dat] } } }'), 9, '"dat"'],
	['a caller that is not there', small('{ approval: never, risk: read, arguments: any, callers: [you] }'), 9, '"you"'],
	['a risk nobody approves', small('{ approval: required, risk: wipe, arguments: any }'), 9, '"wipe"'],
	[
		'a pattern that is none',
		small('{ approval: never, risk: read, arguments: { p: { pattern: "(" } } }'),
		9,
		'missing closing )',
	],
	[
		'a pattern that backtracks',
		small('{ approval: never, risk: read, arguments: { p: { pattern: "(?=x)" } } }'),
		9,
		'(?=',
	],
	[
		'a schema that refers elsewhere',
		small('{ approval: never, risk: read, arguments: { p: { schema: { $ref: "http://x" } } } }'),
		9,
		'another document',
	],
	['the same tool twice', small('{ approval: never, risk: read, arguments: any }', '      t: {}'), 10, 'unique'],
	['broken YAML', `${small('{ approval: never')}`, 10, ''],
	['no servers', 'folders: {}', 1, 'servers'],
	['an alias of nothing', 'servers: {}\nfolders: *a', 2, 'alias'],
	['nothing', '', 1, ''],
	['a list', '- a', 1, ''],
	['npx', 'servers: { s: { stdio: { command: npx }, callers: anyone, tools: {} } }', 1, 'command'],
	[
		'a command that climbs',
		'servers: { s: { stdio: { command: /usr/bin/../x }, callers: anyone, tools: {} } }',
		1,
		'command',
	],
	['a folder that climbs', 'folders: { a: /data/.. }\nservers: {}', 1, 'folders.a'],
	['a relative folder', 'folders: { a: data }\nservers: {}', 1, 'folders.a'],
	[
		'two transports',
		'servers: { s: { stdio: { command: node }, http: { url: "http://x" }, callers: anyone, tools: {} } }',
		1,
		'either',
	],
	[
		'an address of another kind',
		'servers: { s: { http: { url: "file:///etc" }, callers: anyone, tools: {} } }',
		1,
		'url',
	],
	['approvals that live too long', 'approvalLifetimeMs: 600001\nservers: {}', 1, 'approvalLifetimeMs'],
	['callers that name nobody', 'callers: { all: {} }\nservers: {}', 1, 'names nobody'],
	['a server without callers', 'servers: { s: { stdio: { command: node }, tools: {} } }', 1, 'callers'],
])('%s is refused with its place', (_, text, line, said) => {
	const thrown = (() => {
		try {
			return loadPolicy(text);
		} catch (error) {
			return error as Error;
		}
	})();
	expect(thrown).toMatchObject({ code: 'configuration' });
	const place = /line (\d+), column (\d+): (.*)/s.exec((thrown as Error).message);
	expect(Number(place?.[1])).toBe(line);
	expect(place?.[3]).toContain(said);
});

test('the version is that of what is said, not of how it is written', () => {
	const one = loadPolicy('servers: {}\nfolders: { a: /a, b: /b } # note');
	const other = loadPolicy('folders:\n  b: /b\n  a: /a\nservers: {}');
	expect(one.version).toBe(other.version);
	expect(loadPolicy('servers: {}\nfolders: { a: /a, b: /c }').version).not.toBe(one.version);
	const filled = (ROOT: string) => loadPolicy('servers: {}\nfolders: { a: "${ROOT}" }', { ROOT }).version;
	expect(filled('/a')).not.toBe(filled('/b'));
});

test('what was read cannot be changed', () => {
	const policy = loadPolicy(small('{ approval: never, risk: read, arguments: any }'));
	const server = policy.servers.get('s')!;
	expect(Object.isFrozen(policy) && Object.isFrozen(server) && Object.isFrozen(server.limits)).toBe(true);
	expect(Object.isFrozen(server.tools.get('t'))).toBe(true);
});

test('limits are those of the server, then of the file, then the usual ones', () => {
	const { limits } = loadPolicy(
		'limits: { callTimeoutMs: 5, idleTimeoutMs: 6 }\nservers: { s: { stdio: { command: node }, limits: { callTimeoutMs: 7 }, callers: anyone, tools: {} } }',
	).servers.get('s')!;
	expect(limits).toMatchObject({ callTimeoutMs: 7, idleTimeoutMs: 6, connectTimeoutMs: 15_000 });
});

test('any text is a policy or a clear error', () => {
	const lines = [
		'servers:',
		'  s:',
		'    tools: {}',
		'- x',
		'&a',
		'*a',
		'{',
		'"',
		'\t',
		'<<: *a',
		'folders: { a: /a }',
		'${X}',
		'? ',
		'!!js x',
	];
	fc.assert(
		fc.property(
			fc.oneof(
				fc.string({ maxLength: 60 }),
				fc.array(fc.constantFrom(...lines)).map((all) => all.join('\n')),
			),
			(text) => {
				try {
					loadPolicy(text);
				} catch (error) {
					expect(error).toMatchObject({ name: 'LocalAiError', code: 'configuration' });
				}
			},
		),
		{ numRuns: 500 },
	);
});
