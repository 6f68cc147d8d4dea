import { join } from 'node:path';

import { readSettings } from '../../stack/settings.mts';

const root = join(__dirname, '..', '..');

test("without any variable a stack lives in the repository, on n8n's own port, with two workers", () => {
	expect(readSettings({ HOME: '/home/a' })).toMatchObject({
		root,
		home: join(root, '.aurastack'),
		cache: '/home/a/.cache/aurastack',
		editorPort: 5678,
		workers: 2,
		ollamaUrl: 'http://127.0.0.1:11434',
	});
});

test.each([
	['AURASTACK_PORT', '70000'],
	['AURASTACK_PORT', 'web'],
	['AURASTACK_WORKERS', '0'],
	['OLLAMA_URL', 'localhost:11434'],
	['REDIS_URL', 'http://127.0.0.1'],
	['AURASTACK_HOME', "/tmp/it's"],
])('%s=%s is refused by name', (name, value) => {
	expect(() => readSettings({ [name]: value })).toThrow(
		expect.objectContaining({ code: 'configuration', hint: expect.stringContaining(name) }),
	);
});

test('a password in an address that cannot be used is not repeated', () => {
	expect(() => readSettings({ REDIS_URL: 'http://:hunter2@127.0.0.1' })).toThrow(
		expect.not.stringContaining('hunter2'),
	);
});
