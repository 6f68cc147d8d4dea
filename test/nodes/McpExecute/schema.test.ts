import { compileSchema, tooManySteps } from '../../../nodes/McpExecute/schema';

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
	['one that answers later', { $async: true, type: 'object' }],
	['one with a part that answers later', { properties: { a: { items: [{ $async: true }] } } }],
	['a part that is named and not pointed at', { $defs: { a: { $anchor: 'here' } }, $ref: '#here' }],
	['a part with an address of its own', { properties: { a: { $id: 'http://example.org/a' } } }],
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
	expect(performance.now() - start).toBeLessThan(1000);
});

test('constants, lists of values and lists without doubles are compared by what they hold', () => {
	const accepts = (schema: object, value: unknown) => compileSchema(schema)(value) === null;
	expect(accepts({ const: { a: 1, b: [null] } }, { b: [null], a: 1 })).toBe(true);
	expect(accepts({ const: 1 }, '1')).toBe(false);
	expect(accepts({ enum: [{ a: 1 }, 'x'] }, { a: 1 })).toBe(true);
	expect(accepts({ enum: [{ a: 1 }, 'x'] }, { a: 2 })).toBe(false);
	expect(accepts({ uniqueItems: true }, [1, '1', [1], { a: 1 }, { a: 2 }])).toBe(true);
	expect(accepts({ uniqueItems: true }, [{ a: 1, b: 2 }, { b: 2, a: 1 }])).toBe(false);
	expect(accepts({ uniqueItems: false }, [1, 1])).toBe(true);
	expect(accepts({ uniqueItems: true }, 'text')).toBe(true);
	expect(compileSchema({ enum: ['a'] })('b')).toBe('value must be equal to one of the allowed values');
});

const many = <T>(count: number, one: (i: number) => T) => Array.from({ length: count }, (_, i) => one(i));
test.each<[string, object, unknown]>([
	['33 KB without doubles', { uniqueItems: true }, many(5000, (i) => [i])],
	['1 MB without doubles', { items: { uniqueItems: true } }, [many(100_000, (i) => [`${i}`])]],
	['a list of 3000 objects', { items: { enum: many(3000, (a) => ({ a })) } }, many(2000, () => ({ a: 2999 }))],
	[
		'a hundred ways at ten thousand places',
		{ items: { anyOf: many(100, (i) => ({ const: i })) } },
		many(10_000, () => -1),
	],
	[
		'patterns of names',
		{ patternProperties: Object.fromEntries(many(150, (i) => [`x{0,9}y${i}`, true])) },
		Object.fromEntries(many(4000, (i) => [`k${i}`, 1])),
	],
	[
		'patterns with many states',
		{ allOf: many(4, (i) => ({ pattern: `^(?:[a-y]{0,400}[a-z]{0,400}Q${i})?` })) },
		'a'.repeat(50_000),
	],
	['itself at the same place', { $ref: '#' }, 1],
])('a value that takes long to check does not hold up the program: %s', (_, schema, value) => {
	try {
		const check = compileSchema(schema);
		const start = performance.now();
		const complaint = check(value);
		expect(performance.now() - start).toBeLessThan(1000);
		expect([null, tooManySteps, expect.stringContaining('cannot be checked')]).toContainEqual(complaint);
	} catch (error) {
		expect(error).toMatchObject({ reason: 'SCHEMA_TOO_COMPLEX' });
	}
});

test('a thousand patterns of names are too complex', () => {
	const patternProperties = Object.fromEntries(many(1000, (i) => [`x{0,9}y${i}`, true]));
	expect(reasonOf({ patternProperties })).toBe('SCHEMA_TOO_COMPLEX');
});

test('long texts and large lists under a plain schema are checked to the end', () => {
	const check = compileSchema({
		type: 'object',
		properties: {
			content: { type: 'string' },
			id: { type: 'string', pattern: '^[a-z0-9-]{1,36}$' },
			rows: { type: 'array', items: { type: 'object', properties: { a: { enum: ['x', 'y'] } } } },
		},
	});
	const rows = many(5000, () => ({ a: 'x' }));
	expect(check({ content: 'x'.repeat(1_000_000), id: 'abc', rows })).toBeNull();
	expect(check({ rows: [...rows, { a: 'z' }] })).toContain('allowed values');
});
