import { configWithoutCloudSupport } from '@n8n/node-cli/eslint';

/** n8n's rules are for .ts files; ours are .mts too where they run as they are. */
const everyTypeScript = configWithoutCloudSupport.map((config) =>
	config.files?.includes('**/*.ts') ? { ...config, files: [...config.files, '**/*.mts'] } : config,
);

export default [
	{ ignores: ['dist/', '.aurastack/', 'coverage/'] },
	...everyTypeScript,
	{
		files: ['package.json'],
		rules: {
			// The package is for self-hosting, where a node may bring what it stands on.
			'@n8n/community-nodes/no-runtime-dependencies': 'off',
		},
	},
	{
		files: ['**/*.{ts,mts}'],
		rules: {
			// Cores throw LocalAiError and know nothing of n8n; nodes/shared/n8n.ts turns it into n8n's error once.
			'@n8n/community-nodes/require-node-api-error': 'off',
			// The rule looks for the icon inside the class; ours stands in description.ts, and the package test opens it.
			'@n8n/community-nodes/icon-validation': 'off',
			// Taking a key out of an object is how the rest of it is meant to be used.
			'@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
		},
	},
	{
		files: ['nodes/*/description.ts'],
		rules: {
			// The rule takes each file that holds a description for a node's own.
			'n8n-nodes-base/node-filename-against-convention': 'off',
			// A choice may start as an expression that reads the previous node.
			'n8n-nodes-base/node-param-default-wrong-for-options': 'off',
		},
	},
	{
		files: ['credentials/*.ts', 'nodes/*/description.ts'],
		rules: {
			// A gateway, a policy file or a Docker socket is not an API, and their names say what they are.
			'n8n-nodes-base/cred-class-name-unsuffixed': 'off',
			'n8n-nodes-base/cred-class-field-name-unsuffixed': 'off',
			'n8n-nodes-base/cred-class-field-display-name-missing-api': 'off',
			'n8n-nodes-base/node-class-description-credentials-name-unsuffixed': 'off',
		},
	},
	{
		files: ['credentials/DockerHost.credentials.ts'],
		rules: {
			// Tested by VPS Health, since a socket is out of reach for n8n's own HTTP client.
			'@n8n/community-nodes/credential-test-required': 'off',
		},
	},
	{
		files: ['credentials/McpPolicy.credentials.ts'],
		rules: {
			// A key that signs is a secret, whatever it is called.
			'@n8n/community-nodes/credential-unnecessary-password': 'off',
			// Tested by MCP Execute, whose description stands in a file of its own where the rule does not look.
			'@n8n/community-nodes/credential-test-required': 'off',
		},
	},
	{
		files: ['nodes/OllamaExtract/pdf/pdfPool.ts'],
		rules: {
			// A parser that hangs can only be stopped from outside, so PDFs are read in a child process without a shell.
			'@n8n/community-nodes/no-dangerous-functions': 'off',
		},
	},
	{
		files: ['nodes/McpExecute/connection/{stdio,watchdog}.ts'],
		rules: {
			// An MCP server on stdio is a process: started without a shell, from the policy alone, in a group of its own.
			'@n8n/community-nodes/no-dangerous-functions': 'off',
		},
	},
	{
		files: ['nodes/VpsHealth/commands.ts'],
		rules: {
			// Operators ask the system's own programs: from a fixed table, without a shell, with checked arguments.
			'@n8n/community-nodes/no-dangerous-functions': 'off',
		},
	},
	{
		files: ['nodes/OllamaExtract/pdf/pdfProcess.ts'],
		rules: {
			// pdf.js tells of damage on the console and nowhere else; the process collects it there.
			'no-console': 'off',
		},
	},
	{
		files: ['stack/*.mts'],
		rules: {
			// The stack is no node: its work is to start programs.
			'@n8n/community-nodes/no-dangerous-functions': 'off',
		},
	},
	{
		files: ['test/**/*.{ts,mts}'],
		rules: {
			// Tests and measurements start the real programs that the package talks to, or is compared with.
			'@n8n/community-nodes/no-dangerous-functions': 'off',
			// Their passwords are made up; a test that cannot run here says so on the terminal, where figures go too.
			'@n8n/community-nodes/no-hardcoded-secrets': 'off',
			'no-console': 'off',
		},
	},
];
