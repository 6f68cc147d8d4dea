// Jest's setup: processes that the code under test starts inherit this flag, and with it the TypeScript sources.
const { join } = require('node:path');

process.execArgv.push('--require', join(__dirname, 'typescript.cjs'));
