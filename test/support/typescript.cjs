// Lets a process that a test starts load the TypeScript sources, as jest's own transform does in the test itself.
const { readFileSync } = require('node:fs');
const { transformSync } = require('@swc/core');

require.extensions['.ts'] = (module, filename) => {
	const { code } = transformSync(readFileSync(filename, 'utf8'), {
		filename,
		sourceMaps: 'inline',
		jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
		// ES-module packages stay behind a real import().
		module: { type: 'commonjs', ignoreDynamic: true },
	});
	module._compile(code, filename);
};
