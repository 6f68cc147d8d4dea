import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import fc from 'fast-check';

import { decide, screen, type DecisionRequest } from '../../../nodes/McpExecute/decide';
import { loadPolicy } from '../../../nodes/McpExecute/policy';
import { definitionHash, inputCheck } from '../../../nodes/McpExecute/task/definitions';
import { resolveOnDisk } from '../../../nodes/McpExecute/task/paths';
import { parseTask, taskHash, type Task } from '../../../nodes/McpExecute/task/task';
import { caller, fileTools, policyText } from '../../support/mcpGate';

const now = Date.UTC(2026, 10, 22);
const policy = loadPolicy(policyText('/data'));
const known = (tool: string) => {
	const definition = fileTools.find(({ name }) => name === tool)!;
	const hash = definitionHash(definition);
	return { definition, hash, pinned: hash, input: inputCheck(definition, hash) };
};
const read = (path: unknown): Task => ({ server: 'filesystem', tool: 'read_text_file', arguments: { path } });
const write: Task = { server: 'filesystem', tool: 'write_file', arguments: { path: '/data/a', content: 'x' } };
/** Everything that is to be known, paths leading where they say. */
const asked = (task: Task, more: Partial<DecisionRequest> = {}): DecisionRequest => {
	const screened = screen({ ...task, caller }, policy);
	const paths = 'paths' in screened ? screened.paths : [];
	const resolvedPaths = new Map(paths.map((path) => [path, resolve(path)]));
	return { ...task, caller, resolvedPaths, definition: known(task.tool), ...more };
};
const approved = (task: Task, changes: object = {}): DecisionRequest['approval'] => ({
	state: 'genuine',
	approval: {
		id: '9c0b6f0e-8b0a-4d8a-9d51-2b8f9a5f1a11',
		approver: 'bob',
		task: taskHash(task, caller, known(task.tool).hash, policy.version),
		policy: policy.version,
		issuedAt: now / 1000 - 1,
		expiresAt: now / 1000 + 60,
		...changes,
	},
});

test('a call is allowed, waits for approval, or is refused', () => {
	expect(decide(asked(read('/data/a')), policy, now)).toMatchObject({ decision: 'allow', code: 'ALLOWED' });
	expect(decide(asked(write), policy, now)).toMatchObject({ decision: 'pending', code: 'APPROVAL_NEEDED' });
	expect(decide(asked(write, { approval: approved(write)! }), policy, now)).toMatchObject({ decision: 'allow' });
	expect(decide(asked(read('/etc/passwd')), policy, now)).toMatchObject({ decision: 'refuse', code: 'POLICY_PATH' });
});

test('what was not looked up counts against the call', () => {
	const { definition, resolvedPaths, ...bare } = asked(read('/data/a'));
	expect(decide({ ...bare, definition: definition! }, policy, now)).toMatchObject({ code: 'POLICY_PATH' });
	expect(decide({ ...bare, resolvedPaths: resolvedPaths! }, policy, now)).toMatchObject({ code: 'TOOL_MISSING' });
	expect(decide({ ...bare, resolvedPaths: resolvedPaths!, definition: null }, policy, now)).toMatchObject({
		code: 'TOOL_MISSING',
	});
});

test('another definition than the pinned one is refused, with and without approval', () => {
	const changed = { ...known('write_file'), pinned: `sha256:${'0'.repeat(64)}` };
	expect(decide(asked(write, { definition: changed }), policy, now)).toMatchObject({ code: 'TOOL_CHANGED' });
	expect(decide(asked(write, { definition: changed, approval: approved(write)! }), policy, now)).toMatchObject({
		code: 'TOOL_CHANGED',
	});
});

test('an argument without a rule is refused though the tool knows it', () => {
	const narrow = loadPolicy(policyText('/data').replace(', head: any, tail: any', ''));
	const task = { ...read('/data/a'), arguments: { path: '/data/a', head: 3 } };
	expect(screen({ ...task, caller }, policy)).not.toHaveProperty('refusal');
	expect(screen({ ...task, caller }, narrow)).toMatchObject({ refusal: { code: 'POLICY_ARGS' } });
});

test('only who is named may call, in every part that is named', () => {
	const text = (callers: string) => `
callers: { flow: { workflowId: w1 }, node: { workflowId: w1, nodeName: Run }, ann: { user: ann } }
servers: { s: { stdio: { command: node }, callers: ${callers}, tools: { t: { approval: never, risk: r, arguments: any } } } }`;
	const may = (callers: string, who: object) => {
		const named = { workflowId: 'w0', nodeName: 'n', ...who };
		return !('refusal' in screen({ server: 's', tool: 't', arguments: {}, caller: named }, loadPolicy(text(callers))));
	};
	expect(may('anyone', {})).toBe(true);
	expect(may('[]', {})).toBe(false);
	expect(may('[flow]', { workflowId: 'w1' })).toBe(true);
	expect(may('[flow]', {})).toBe(false);
	expect(may('[node]', { workflowId: 'w1', nodeName: 'Run' })).toBe(true);
	expect(may('[node]', { workflowId: 'w1' })).toBe(false);
	expect(may('[ann, flow]', { user: 'ann' })).toBe(true);
	expect(may('[ann]', {})).toBe(false);
});

describe('rules of arguments', () => {
	const rule = (argument: string, value: unknown) => {
		const own = loadPolicy(
			`servers: { s: { stdio: { command: node }, callers: anyone, tools: { t: { approval: never, risk: r, arguments: { v: ${argument} } } } } }`,
		);
		const screened = screen({ server: 's', tool: 't', arguments: { v: value }, caller }, own);
		return 'refusal' in screened ? screened.refusal.code : 'fine';
	};

	test.each([
		['{ pattern: "[a-z]+" }', 'abc', 'fine'],
		['{ pattern: "[a-z]+" }', 'abc1', 'POLICY_ARGS'],
		['{ pattern: "[a-z]+" }', 'abc\n', 'POLICY_ARGS'],
		['{ pattern: "[a-z]+" }', ['a', 'b'], 'fine'],
		['{ pattern: "[a-z]+" }', ['a', '1'], 'POLICY_ARGS'],
		['{ pattern: "[a-z]+" }', 7, 'SCHEMA'],
		['{ schema: { enum: [1, 2] } }', 2, 'fine'],
		['{ schema: { enum: [1, 2] } }', '2', 'POLICY_ARGS'],
		['{ in: [] }', '/data', 'POLICY_PATH'],
		['{ in: [] }', [], 'fine'],
		['{ in: [] }', null, 'SCHEMA'],
		['any', null, 'fine'],
	])('%s and %j: %s', (argument, value, code) => {
		expect(rule(argument, value)).toBe(code);
	});
});

const names = [
	'data',
	'data-evil',
	'sub',
	'..',
	'.',
	'',
	'..hidden',
	'...',
	'a\0b',
	'~',
	'in',
	'out',
	'deep',
	'loop',
	'dangling',
	'etc',
	'é',
	' ',
	'"',
	'%2e%2e',
];
const anyPath = fc
	.tuple(
		fc.constantFrom('/data/', '/', '', '//', 'data/', '~/', 'file:///data/'),
		fc.array(fc.constantFrom(...names), { maxLength: 6 }),
	)
	.map(([start, parts]) => start + parts.join('/'));

test('no path outside the folders is allowed, however it is spelt', () => {
	fc.assert(
		fc.property(anyPath, (path) => {
			const { decision } = decide(asked(read(path)), policy, now);
			const inside = /^\/data(\/|$)/.test(resolve('/nowhere', path));
			if (decision === 'allow' && !inside) throw new Error(`${JSON.stringify(path)} was allowed`);
		}),
		{ numRuns: 20_000 },
	);
});

test('no path outside the folders is allowed through a link on a real disk', async () => {
	const root = mkdtempSync(join(tmpdir(), 'decide-'));
	try {
		const data = join(root, 'data');
		for (const folder of ['data/sub/deep', 'data-evil']) mkdirSync(join(root, folder), { recursive: true });
		writeFileSync(join(root, 'data-evil', 'a'), '');
		for (const [name, target] of [
			['in', 'sub'],
			['out', '../data-evil'],
			['sub/out', '/etc'],
			['sub/in', '../../data/sub/deep'],
			['loop', 'loop'],
			['dangling', '../data-evil/not-yet'],
			['etc', '../../../../../../../../etc/passwd'],
		]) {
			symlinkSync(target!, join(data, name!));
		}
		const here = loadPolicy(policyText(data));
		let allowed = 0;
		await fc.assert(
			fc.asyncProperty(anyPath, async (spelt) => {
				const path = spelt.replace(/^\/data/, data);
				const resolvedPaths = new Map<string, string | null>();
				for (const one of [path, data]) resolvedPaths.set(one, await resolveOnDisk(one));
				const request = { ...read(path), caller, resolvedPaths, definition: known('read_text_file') };
				if (decide(request, here, now).decision !== 'allow') return;
				allowed += 1;
				const end = realOrParent(path);
				if (end !== data && !end.startsWith(`${data}/`)) throw new Error(`${path} leads to ${end}`);
			}),
			{ numRuns: 3000 },
		);
		expect(allowed).toBeGreaterThan(100);
		const opened = async (path: string) => [await resolveOnDisk(join(data, path))];
		expect(await opened('in/deep')).toEqual([join(data, 'sub', 'deep')]);
		expect(await opened('out/a')).toEqual([join(root, 'data-evil', 'a')]);
		expect(await opened('dangling')).toEqual([null]);
		expect(await opened('loop')).toEqual([null]);
		expect(await opened('new/file')).toEqual([join(data, 'new', 'file')]);
	} finally {
		rmSync(root, { recursive: true });
	}
});

/** The model: what the kernel finds, or the nearest folder above that is there. */
function realOrParent(path: string): string {
	try {
		return realpathSync(path);
	} catch {
		return realOrParent(resolve(path, '..'));
	}
}

test('no name but the exact one is allowed', () => {
	const around = fc.constantFrom('', ' ', '\0', '\u200b', '\ufeff', '.', '/', 'а', '\u0301');
	const name = fc.oneof(
		fc.string(),
		fc
			.tuple(around, fc.constantFrom('read_text_file', 'Read_Text_File', 'constructor', '__proto__'), around)
			.map((all) => all.join('')),
	);
	fc.assert(
		fc.property(name, (tool) => {
			const screened = screen({ ...read('/data/a'), tool, caller }, policy);
			expect('refusal' in screened).toBe(
				!policy.servers.get('filesystem')!.tools.has(tool) || tool !== 'read_text_file',
			);
		}),
		{ numRuns: 5000 },
	);
});

test('an approval serves for no task that differs in a single place', () => {
	const lenient = loadPolicy(policyText('/data').replaceAll('content: any }', 'content: any, extra: any }'));
	const free = { ...known('write_file'), input: () => null };
	const at = (task: Task, more: object = {}) => ({
		...task,
		caller,
		resolvedPaths: new Map(['/data', '/data/sub', String(task.arguments.path)].map((path) => [path, resolve(path)])),
		definition: free,
		...more,
	});
	fc.assert(
		fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), fc.string(), (extra, other, content) => {
			const task: Task = { ...write, arguments: { ...write.arguments, content, extra } };
			const approval = approved(task, {
				task: taskHash(task, caller, free.hash, lenient.version),
				policy: lenient.version,
			});
			expect(decide(at(task, { approval }), lenient, now).decision).toBe('allow');
			const same =
				JSON.stringify(extra) === JSON.stringify(other) ||
				taskHash({ ...task, arguments: { extra } }, caller, '', '') ===
					taskHash({ ...task, arguments: { extra: other } }, caller, '', '');
			const changed: object[] = [
				at({ ...task, server: 'other' }, { approval }),
				at({ ...task, arguments: { ...task.arguments, content: `${content} ` } }, { approval }),
				at({ ...task, arguments: { ...task.arguments, path: '/data/b' } }, { approval }),
				at({ ...task, arguments: { content, extra, path: '/data/a', more: 1 } }, { approval }),
				at({ ...task, arguments: { path: '/data/a', content } }, { approval }),
				at(task, { approval, definition: { ...free, hash: 'sha256:b', pinned: 'sha256:b' } }),
				...(same ? [] : [at({ ...task, arguments: { ...task.arguments, extra: other } }, { approval })]),
			];
			for (const one of changed) expect(decide(one as DecisionRequest, lenient, now).decision).toBe('refuse');
			expect(decide(at(task, { approval }), policy, now)).toMatchObject({ decision: 'refuse', code: 'POLICY' });
		}),
		{ numRuns: 300 },
	);
});

test('a task is read once: what changes it later changes nothing', () => {
	const given = { path: '/data/a', content: 'x', list: [1] };
	const parsed = parseTask({ server: 'filesystem', tool: 'write_file', arguments: given });
	given.list.push(2);
	given.path = '/etc/passwd';
	expect(parsed).toEqual({
		task: { server: 'filesystem', tool: 'write_file', arguments: { path: '/data/a', content: 'x', list: [1] } },
	});
	expect(() => Object.assign((parsed as { task: Task }).task.arguments, { path: '/b' })).toThrow();
});

test.each([
	['not JSON', '{', 'PARSE'],
	['no object', '[]', 'PARSE'],
	['no object', 7, 'PARSE'],
	['no server', '{"tool":"t"}', 'SERVER_NOT_ALLOWED'],
	['no tool', '{"server":"s"}', 'TOOL_NOT_ALLOWED'],
	['a list of arguments', '{"server":"s","tool":"t","arguments":[]}', 'SCHEMA'],
	['a prototype', '{"server":"s","tool":"t","arguments":{"a":{"__proto__":{"b":1}}}}', 'SCHEMA'],
	[
		'a circle',
		(() => {
			const a: Record<string, unknown> = { server: 's', tool: 't' };
			a.arguments = { a };
			return a;
		})(),
		'LIMIT',
	],
	['too much', JSON.stringify({ server: 's', tool: 't', arguments: { a: 'x'.repeat(1_000_001) } }), 'LIMIT'],
	['too much, no text', { server: 's', tool: 't', arguments: { a: 'x'.repeat(1_000_001) } }, 'LIMIT'],
])('a task with %s is refused', (_, input, code) => {
	expect(parseTask(input)).toMatchObject({ refusal: { code } });
});
