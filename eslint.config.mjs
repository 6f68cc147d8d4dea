import { configWithoutCloudSupport } from '@n8n/node-cli/eslint';

export default [
	{ ignores: ['dist/', '.aurastack/', 'coverage/'] },
	...configWithoutCloudSupport,
	{
		files: ['package.json'],
		rules: {
			// The package is for self-hosting, where a node may bring what it stands on.
			'@n8n/community-nodes/no-runtime-dependencies': 'off',
		},
	},
	{
		files: ['**/*.ts'],
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
		files: ['nodes/OllamaExtract/pdf/pdfPool.ts'],
		rules: {
			// A parser that hangs can only be stopped from outside, so PDFs are read in a child process without a shell.
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
		files: ['test/**/*.ts'],
		rules: {
			// Tests start the real programs that the package talks to.
			'@n8n/community-nodes/no-dangerous-functions': 'off',
			// Their passwords are made up, and a test that cannot run here says so on the terminal.
			'@n8n/community-nodes/no-hardcoded-secrets': 'off',
			'no-console': 'off',
		},
	},
];
