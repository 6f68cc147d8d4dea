import { generateKeyPairSync } from 'node:crypto';

import fc from 'fast-check';

import {
	approvalFault,
	approvalKey,
	readApproval,
	signApproval,
	type Approval,
} from '../../../../nodes/McpExecute/approval/token';

const issuedAt = 1_790_000_000;
const approval: Approval = {
	...{ id: '9c0b6f0e-8b0a-4d8a-9d51-2b8f9a5f1a11', approver: 'ann', task: `sha256:${'a'.repeat(64)}` },
	...{ policy: `sha256:${'b'.repeat(64)}`, issuedAt, expiresAt: issuedAt + 600 },
};
const expected = { task: approval.task, policy: approval.policy, approvers: ['ann'], lifetimeMs: 600_000 };
const pem = (
	key: { export: (options: { type: 'pkcs8' | 'spki'; format: 'pem' }) => string | Buffer },
	type: 'pkcs8' | 'spki',
) => String(key.export({ type, format: 'pem' }));

const pair = generateKeyPairSync('ed25519');
const keys = {
	HS256: approvalKey(Buffer.alloc(32, 9).toString('base64')),
	EdDSA: approvalKey(pem(pair.privateKey, 'pkcs8')),
};

describe.each(Object.entries(keys))('%s', (_, key) => {
	test('an approval is read as it was signed', async () => {
		expect(await readApproval(await signApproval(approval, key), key)).toEqual({ state: 'genuine', approval });
	});

	test('a token with anything changed is refused, or says the very same', async () => {
		const token = await signApproval(approval, key);
		await fc.assert(
			fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...'AZaz09-_.= '), async (at, character) => {
				const read = await readApproval(token.slice(0, at) + character + token.slice(at + 1), key);
				// The last character of Base64 may hold bits that stand for nothing.
				if (read.state === 'genuine') expect(read.approval).toEqual(approval);
				else expect(read.state).toBe('faulty');
			}),
			{ numRuns: 300 },
		);
	});

	test('nothing that is no token is taken for one, or for none', async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.oneof(
					fc.anything(),
					fc.string(),
					fc.tuple(fc.base64String(), fc.base64String(), fc.base64String()).map((all) => all.join('.')),
				),
				async (value) => {
					const nothing = value === undefined || value === null || value === '';
					expect((await readApproval(value, key)).state).toBe(nothing ? 'none' : 'faulty');
				},
			),
			{ numRuns: 300 },
		);
	});
});

test('who holds only the public key can verify and not approve', async () => {
	const verifier = approvalKey(pem(pair.publicKey, 'spki'));
	expect(await readApproval(await signApproval(approval, keys.EdDSA), verifier)).toMatchObject({ state: 'genuine' });
	await expect(signApproval(approval, verifier)).rejects.toMatchObject({ code: 'configuration' });
});

test('a token of the one algorithm is none of the other', async () => {
	expect(await readApproval(await signApproval(approval, keys.HS256), keys.EdDSA)).toMatchObject({ state: 'faulty' });
	expect(await readApproval(await signApproval(approval, keys.EdDSA), keys.HS256)).toMatchObject({ state: 'faulty' });
});

test.each([
	['too short', Buffer.alloc(31).toString('base64')],
	['empty', ''],
	['words', 'correct horse battery staple correct horse'],
	['a key of another kind', pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'pkcs8')],
	['half a PEM', '-----BEGIN PRIVATE KEY-----\nabc'],
])('a key that is %s is refused without a word of it', (_, text) => {
	const thrown = (() => {
		try {
			return approvalKey(text);
		} catch (error) {
			return error as Error;
		}
	})();
	expect(thrown).toMatchObject({ code: 'configuration' });
	expect((thrown as Error).cause).toBeUndefined();
	if (text !== '') expect((thrown as Error).message).not.toContain(text);
});

test.each([
	['in time', issuedAt + 1, {}, null],
	['at its last moment', issuedAt + 599.999, {}, null],
	['at its end', issuedAt + 600, {}, 'APPROVAL_EXPIRED'],
	['from a clock 5 s ahead', issuedAt - 5, {}, null],
	['from a clock 6 s ahead', issuedAt - 6, {}, 'APPROVAL_NOT_YET'],
	['not to be used yet', issuedAt + 1, { notBefore: issuedAt + 60 }, 'APPROVAL_NOT_YET'],
	['that lives too long', issuedAt + 1, { expiresAt: issuedAt + 601 }, 'APPROVAL_LIFETIME'],
	['of a stranger', issuedAt + 1, { approver: 'Ann' }, 'APPROVAL_RBAC'],
	['for another task', issuedAt + 1, { task: `sha256:${'c'.repeat(64)}` }, 'APPROVAL_MISMATCH'],
	['under another policy', issuedAt + 1, { policy: `sha256:${'c'.repeat(64)}` }, 'POLICY'],
])('an approval %s', (_, seconds, changes, code) => {
	expect(approvalFault({ ...approval, ...changes }, expected, seconds * 1000)?.code ?? null).toBe(code);
});
