// Jest gives tests an Error of their own, while node:fs and node:http throw Node's: `error instanceof Error`, on which
// n8n-core decides, would be false here and true everywhere else. https://github.com/jestjs/jest/issues/2549
const { isNativeError } = require('node:util/types');

const ordinary = Function.prototype[Symbol.hasInstance];
Object.defineProperty(Error, Symbol.hasInstance, {
	value(candidate) {
		return ordinary.call(this, candidate) || (this === Error && isNativeError(candidate));
	},
});
