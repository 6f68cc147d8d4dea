import { redaction } from '../../../nodes/VpsHealth/redaction';

test('secrets of the environment and of addresses are taken out of a text', () => {
	const redact = redaction([
		'DB_PASSWORD=hunter2hunter2',
		'PATH=/usr/bin',
		'API_KEY=short',
		'EMPTY_TOKEN=',
		'LONG_KEY=hunter2hunter2-more',
	]);
	expect(redact('x hunter2hunter2-more y hunter2hunter2 /usr/bin')).toBe('x [LONG_KEY] y [DB_PASSWORD] /usr/bin');
	expect(redact('postgres://n8n:pw@db:5432/n8n and Authorization: Bearer abcdefghijk')).toBe(
		'postgres://[redacted]@db:5432/n8n and Authorization: Bearer [redacted]',
	);
});

test.each([
	['DB_PASSWORD=hunter2hunter2 next', 'DB_PASSWORD=[redacted] next'],
	['{"token":"abcdefghijk","user":"n8n"}', '{"token":"[redacted]","user":"n8n"}'],
	['api_key: abcdefghijk, secret = abcdefghijk', 'api_key: [redacted], secret = [redacted]'],
	['Failed password for root from 10.0.0.1 port 22', 'Failed password for root from 10.0.0.1 port 22'],
	['max_tokens: 4096 prompt tokens=128000', 'max_tokens: 4096 prompt tokens=128000'],
])('%s is shown as %s', (text, shown) => {
	expect(redaction([])(text)).toBe(shown);
});

test('what was taken out by its name stays named', () => {
	expect(redaction(['DB_PASSWORD=hunter2hunter2'])('DB_PASSWORD=hunter2hunter2')).toBe('DB_PASSWORD=[DB_PASSWORD]');
});
