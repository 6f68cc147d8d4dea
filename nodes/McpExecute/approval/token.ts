import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { CompactSign, compactVerify, decodeProtectedHeader } from 'jose';
import { z } from 'zod';
import { LocalAiError } from '../../shared/errors';
import { refusal, type Refusal } from '../codes';

/** One person's word for one task. */
export interface Approval {
	/** The request that it answers; it is used once. */
	readonly id: string;
	readonly approver: string;
	/** The `taskHash` of the task. */
	readonly task: string;
	/** The version of the policy that it was given under. */
	readonly policy: string;
	/** In seconds since 1970. */
	readonly issuedAt: number;
	readonly notBefore?: number;
	readonly expiresAt: number;
}

/** A token that was read: there is none, it is none of ours, or it is genuine, whatever it was given for. */
export type ReadApproval =
	| { readonly state: 'none' }
	| { readonly state: 'faulty'; readonly refusal: Refusal }
	| { readonly state: 'genuine'; readonly approval: Approval };

/** With EdDSA who only executes holds no key that could approve. */
export type ApprovalKey =
	| { readonly algorithm: 'HS256'; readonly secret: Uint8Array }
	| { readonly algorithm: 'EdDSA'; readonly publicKey: KeyObject; readonly privateKey?: KeyObject };

/** What an approval must be to serve for a call. */
export interface ExpectedApproval {
	readonly task: string;
	readonly policy: string;
	/** Who may approve this risk. */
	readonly approvers: readonly string[];
	readonly lifetimeMs: number;
}

/**
 * Reads a key file: an Ed25519 key in PEM (private, or public to verify only), or a secret of at least 32 bytes in
 * Base64 for HS256. Throws LocalAiError `configuration`.
 */
export function approvalKey(text: string): ApprovalKey {
	const trimmed = text.trim();
	try {
		if (trimmed.startsWith('-----BEGIN')) {
			const privateKey = /PRIVATE KEY/.test(trimmed) ? createPrivateKey(trimmed) : undefined;
			const publicKey = createPublicKey(trimmed);
			if (publicKey.asymmetricKeyType !== 'ed25519') throw new Error('another kind of key');
			return { algorithm: 'EdDSA', publicKey, ...(privateKey && { privateKey }) };
		}
		if (!/^[\w+/-]+={0,2}$/.test(trimmed)) throw new Error('not Base64');
		const secret = new Uint8Array(Buffer.from(trimmed, 'base64'));
		if (secret.length < 32) throw new Error('too short');
		return { algorithm: 'HS256', secret };
	} catch {
		throw new LocalAiError('configuration', 'The key that signs approvals cannot be used', {
			hint: 'Give an Ed25519 key in PEM, or 32 random bytes or more in Base64 (openssl rand -base64 32).',
		});
	}
}

/** The approval as a compact JWS (RFC 7515) of the type `mcp-approval+jwt`. Throws where the key can only verify. */
export async function signApproval(approval: Approval, key: ApprovalKey): Promise<string> {
	const signingKey = key.algorithm === 'HS256' ? key.secret : key.privateKey;
	if (signingKey === undefined) {
		throw new LocalAiError('configuration', 'Approvals cannot be signed with a public key', {
			hint: 'Give the private key where approvals are granted.',
		});
	}
	const claims: z.input<typeof claimsSchema> = {
		iss: issuer,
		aud: audience,
		sub: approval.approver,
		jti: approval.id,
		iat: approval.issuedAt,
		exp: approval.expiresAt,
		...(approval.notBefore !== undefined && { nbf: approval.notBefore }),
		task: approval.task,
		policy: approval.policy,
	};
	return await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
		.setProtectedHeader({ alg: key.algorithm, typ: mediaType })
		.sign(signingKey);
}

/**
 * Reads what a caller brought as an approval and checks its signature, by the algorithm of the key and no other. Nothing
 * that its header says of keys is used: a header with more than `alg` and `typ` is refused.
 */
export async function readApproval(token: unknown, key: ApprovalKey): Promise<ReadApproval> {
	if (token === undefined || token === null || token === '') return { state: 'none' };
	if (typeof token === 'string' && token.length > maxTokenLength) return faulty('LIMIT');
	if (typeof token !== 'string' || token.split('.').length !== 3) return faulty('APPROVAL_FORMAT');
	try {
		const { alg, typ, ...others } = decodeProtectedHeader(token);
		if (alg !== key.algorithm || typ !== mediaType || Object.keys(others).length > 0) return faulty('APPROVAL_SIG');
		const { payload } = await compactVerify(token, key.algorithm === 'HS256' ? key.secret : key.publicKey, {
			algorithms: [key.algorithm],
		});
		const claims = claimsSchema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)));
		return {
			state: 'genuine',
			approval: {
				id: claims.jti,
				approver: claims.sub,
				task: claims.task,
				policy: claims.policy,
				issuedAt: claims.iat,
				...(claims.nbf !== undefined && { notBefore: claims.nbf }),
				expiresAt: claims.exp,
			},
		};
	} catch {
		// Whatever is wrong with a token, an attacker learns only that it is.
		return faulty('APPROVAL_SIG');
	}
}

/** Why a genuine approval does not serve for a call at the moment `now`, in milliseconds; null when it does. */
export function approvalFault(approval: Approval, expected: ExpectedApproval, now: number): Refusal | null {
	if (approval.expiresAt * 1000 <= now) return refusal('APPROVAL_EXPIRED');
	if ((approval.expiresAt - approval.issuedAt) * 1000 > expected.lifetimeMs) return refusal('APPROVAL_LIFETIME');
	if (Math.max(approval.issuedAt, approval.notBefore ?? 0) * 1000 > now + clockSkewMs) {
		return refusal('APPROVAL_NOT_YET');
	}
	if (!expected.approvers.includes(approval.approver)) return refusal('APPROVAL_RBAC');
	if (approval.policy !== expected.policy) return refusal('POLICY');
	if (approval.task !== expected.task) return refusal('APPROVAL_MISMATCH');
	return null;
}

const issuer = 'n8n-nodes-aurastack';
const audience = 'n8n-nodes-aurastack/mcp';
const mediaType = 'mcp-approval+jwt';
const maxTokenLength = 4096;
// Between the machine that approves and the one that executes.
const clockSkewMs = 5000;

const claimsSchema = z.strictObject({
	iss: z.literal(issuer),
	aud: z.literal(audience),
	sub: z.string().min(1).max(200),
	jti: z.uuid(),
	iat: z.int(),
	exp: z.int(),
	nbf: z.int().optional(),
	task: z.string().regex(/^sha256:[0-9a-f]{64}$/),
	policy: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});

function faulty(code: Refusal['code']): ReadApproval {
	return { state: 'faulty', refusal: refusal(code) };
}
