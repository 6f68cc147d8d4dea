import { compileSchema } from '../../../nodes/McpExecute/schema';

const reasonOf = (schema: unknown) => {
	try {
		return typeof compileSchema(schema);
	} catch (error) {
		return (error as { reason?: string }).reason;
	}
};

test('a value fits, or the complaint names the place', () => {
	const check = compileSchema({ type: 'object', properties: { a: { type: 'array', items: { type: 'integer' } } } });
	expect(check({ a: [1, 2] })).toBeNull();
	expect(check({ a: [1, 'x'] })).toBe('value/a/1 must be integer');
});

test('a draft 7 schema is read as such', () => {
	const items = [{ type: 'string' }, { type: 'integer' }];
	const check = compileSchema({ $schema: 'http://json-schema.org/draft-07/schema#', items });
	expect(check(['a', 1])).toBeNull();
	expect(check(['a', 'b'])).toContain('integer');
	expect(compileSchema({ prefixItems: items })(['a', 'b'])).toContain('integer');
});

test.each([
	['another document', { $ref: 'http://example.org/schema' }],
	['a file', { properties: { a: { $ref: 'file:///etc/passwd' } } }],
	['a place that is not there', { $ref: '#/$defs/none' }],
	['a pattern that looks back', { pattern: '(?<=a)b' }],
	['a pattern that refers back', { pattern: '(a)\\1' }],
	['a type that is none', { type: 'thing' }],
	['no schema at all', 'text'],
])('%s cannot be used', (_, schema) => {
	expect(reasonOf(schema)).toBe('SCHEMA_UNSUPPORTED');
});

test('a pattern that takes exponential time elsewhere takes none here', () => {
	const check = compileSchema({ pattern: '^(a+)+$' });
	check('a');
	const start = performance.now();
	expect(check(`${'a'.repeat(5000)}!`)).not.toBeNull();
	expect(performance.now() - start).toBeLessThan(500);
});

test('each pattern of a schema is its own', () => {
	const check = compileSchema({
		properties: { a: { pattern: '^a$' }, b: { pattern: '^b$' } },
		patternProperties: { '^c': false },
	});
	expect(check({ a: 'a', b: 'b' })).toBeNull();
	expect([{ a: 'b' }, { b: 'a' }, { c: 1 }].map((value) => check(value) === null)).toEqual([false, false, false]);
});

test('a tree may refer to itself once', () => {
	const tree = {
		type: 'object',
		properties: { children: { type: 'array', items: { $ref: '#' } }, name: { type: 'string' } },
	};
	expect(compileSchema(tree)({ children: [{ name: 'a' }] })).toBeNull();
	expect(compileSchema(tree)({ children: [{ name: 1 }] })).toContain('string');
});

test.each([
	[
		'references that double',
		() => {
			const $defs: Record<string, unknown> = { d0: {} };
			for (let i = 1; i <= 20; i += 1)
				$defs[`d${i}`] = { allOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] };
			return { $defs, $ref: '#/$defs/d20' };
		},
	],
	[
		'a circle that doubles with every level',
		() => ({ anyOf: [{ properties: { a: { $ref: '#' } } }, { properties: { a: { $ref: '#' } } }] }),
	],
	[
		'nesting without end',
		() => {
			let schema: object = {};
			for (let i = 0; i < 5000; i += 1) schema = { not: schema };
			return schema;
		},
	],
	['a thousand ways of ten thousand', () => ({ anyOf: Array.from({ length: 20_000 }, () => ({ type: 'object' })) })],
	[
		'the same hidden under a property named definitions',
		() => ({
			properties: { definitions: { anyOf: Array.from({ length: 20_000 }, () => ({ type: 'object' })) } },
		}),
	],
])('%s is too complex, and known to be at once', (_, schema) => {
	const made = schema();
	const start = performance.now();
	expect(reasonOf(made)).toBe('SCHEMA_TOO_COMPLEX');
	expect(performance.now() - start).toBeLessThan(200);
});
