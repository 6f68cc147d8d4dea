import type { CallToolResult } from '@modelcontextprotocol/client';
import fc from 'fast-check';
import { readContent } from '../../../nodes/McpExecute/content';

const png = 'iVBORw0KGgo=';
const read = (content: CallToolResult['content'], more: Partial<CallToolResult> = {}, outputSchema?: unknown) =>
	readContent('t', { content, ...more }, outputSchema);
const image = (mimeType: string, data = png) => read([{ type: 'image', mimeType, data }]).binaries[0]!;

test('an answer is taken apart', () => {
	const answer = read(
		[
			{ type: 'text', text: 'one' },
			{ type: 'image', mimeType: 'image/png', data: png },
			{ type: 'text', text: 'two' },
			{ type: 'audio', mimeType: 'audio/mpeg; codecs=mp3', data: 'AAAA' },
			{ type: 'resource', resource: { uri: 'file:///a/report.pdf?x', mimeType: 'application/pdf', blob: 'JVBERg==' } },
			{ type: 'resource', resource: { uri: 'note://1', text: 'words' } },
			{ type: 'resource_link', uri: 'https://example.com/x', name: 'x' },
		],
		{ structuredContent: { a: 1 } },
	);
	expect(answer).toEqual({
		isError: false,
		structured: { a: 1 },
		text: 'one\ntwo',
		binaries: [
			{ kind: 'image', mimeType: 'image/png', fileName: 'image-1.png', bytes: Buffer.from(png, 'base64') },
			{ kind: 'audio', mimeType: 'audio/mpeg', fileName: 'audio-2.mp3', bytes: Buffer.from([0, 0, 0]) },
			{
				kind: 'resource',
				mimeType: 'application/pdf',
				fileName: 'report.pdf',
				bytes: Buffer.from('%PDF'),
				uri: 'file:///a/report.pdf?x',
			},
		],
		resources: [{ uri: 'note://1', mimeType: 'text/plain', text: 'words' }],
		links: [{ uri: 'https://example.com/x', name: 'x' }],
	});
});

test('a failure that the tool reports is not held against its output schema', () => {
	const failed = read([{ type: 'text', text: 'no such file' }], { isError: true }, { type: 'object', required: ['a'] });
	expect(failed).toMatchObject({ isError: true, text: 'no such file' });
});

test.each([
	['none', undefined],
	['an empty object', {}],
	['a wrong type', { a: 1 }],
])('structured content that breaks the output schema is no answer: %s', (_, structuredContent) => {
	const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
	expect(() => read([], structuredContent && { structuredContent }, schema)).toThrow(
		expect.objectContaining({ code: 'bad-reply', reason: 'OUTPUT_SCHEMA' }),
	);
	expect(read([], { structuredContent: { a: 'x' } }, schema).structured).toEqual({ a: 'x' });
});

test('an output schema that refers elsewhere is not followed', () => {
	const schema = { $ref: 'http://169.254.169.254/latest/meta-data' };
	expect(() => read([], { structuredContent: {} }, schema)).toThrow(
		expect.objectContaining({ code: 'bad-reply', reason: 'SCHEMA_UNSUPPORTED' }),
	);
});

test.each(['text/html', 'image/svg+xml', 'application/xhtml+xml', 'audio/mpeg', 'IMAGE/PNG ; x', '', 'image/../html'])(
	'an image that calls itself %j is shown by nothing that runs it',
	(mimeType) => {
		const { mimeType: given, fileName } = image(mimeType);
		const isPng = mimeType.startsWith('IMAGE/PNG');
		expect([given, fileName]).toEqual(
			isPng ? ['image/png', 'image-1.png'] : ['application/octet-stream', 'image-1.bin'],
		);
	},
);

test.each(['???', 'AAA', 'AA=A', 'A A=', '\u0000\u0000\u0000\u0000'])('%j is no base64', (data) => {
	expect(() => image('image/png', data)).toThrow(expect.objectContaining({ code: 'bad-reply', reason: 'PROTOCOL' }));
});

test('bytes arrive as they were sent, and a file name is a plain one whatever the address says', () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 60 }), (bytes, name) => {
			const blob = Buffer.from(bytes).toString('base64');
			const [one] = read([{ type: 'resource', resource: { uri: `file:///x/${name}`, blob } }]).binaries;
			expect(Buffer.compare(one!.bytes, Buffer.from(bytes))).toBe(0);
			expect(one!.fileName).toMatch(/^[\p{L}\p{N}_-][\p{L}\p{N} _.-]*\.bin$/u);
		}),
	);
});

test('an answer nested without end is no answer', () => {
	let structuredContent: Record<string, unknown> = {};
	for (let level = 0; level < 600; level += 1) structuredContent = { a: structuredContent };
	expect(() => read([], { structuredContent })).toThrow(expect.objectContaining({ reason: 'PROTOCOL' }));
});
