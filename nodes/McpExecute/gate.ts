import { createHash } from 'node:crypto';
import { Pool } from 'pg';
import { z } from 'zod';

import { LocalAiError } from '../shared/errors';
import { connectionTo, type PostgresAddress } from '../shared/postgresAddress';
import { approvalKey, auditKey, type Access, type Gate } from './call';
import { throughGateway } from './gateway';
import { readPolicy } from './policyFile';
import { createSessions } from './sessions';

/** Where a node's calls go: the gate that judges them, and in whose name the servers are reached. */
export interface Way {
	readonly gate: Gate;
	readonly access: Access;
}

export interface GatewayAddress {
	readonly baseUrl: string;
	readonly token: string;
}

/** The credential that says who may call what, checked. Rejects with LocalAiError `configuration`. */
export async function policyOf(fields: unknown) {
	const { data, error } = policyFields.safeParse(fields);
	if (data) {
		return {
			policy: await readPolicy(data.policyFile, data.variables),
			approvalKey: approvalKey(data.approvalKey),
			auditKey: auditKey(data.auditKey),
		};
	}
	const [{ path, message }] = error.issues as [z.core.$ZodIssue];
	throw new LocalAiError('configuration', `The MCP Policy credential, field "${path.join('.')}": ${message}`, {
		hint: 'Correct the credential. Until then no tool is called.',
	});
}

/**
 * The way that three credentials make: the policy, the database of approvals and audit, and the gateway; without one
 * this process starts the servers. Rejects with LocalAiError `configuration`.
 */
export async function openWay(policy: unknown, database: PostgresAddress, gateway?: GatewayAddress): Promise<Way> {
	const gate = { ...(await policyOf(policy)), database: poolOf(database), sessions };
	if (gateway === undefined) return { gate, access: { key: 'own' } };
	const { baseUrl, token } = gateway;
	return {
		gate: { ...gate, policy: throughGateway(gate.policy, baseUrl) },
		access: { key: digest([baseUrl, token]), bearerToken: token },
	};
}

// Both outlive an execution on purpose: connecting takes a hundred times longer than a call.
const sessions = createSessions();
const pools = new Map<string, Pool>();

function poolOf(address: PostgresAddress): Pool {
	const key = digest(address);
	const known = pools.get(key);
	if (known) return known;
	const pool = new Pool({
		...connectionTo(address),
		max: 5,
		idleTimeoutMillis: 30_000,
		connectionTimeoutMillis: 10_000,
		allowExitOnIdle: true,
	});
	// An idle connection that breaks is replaced at the next call; without a listener it would end the process.
	pool.on('error', () => undefined);
	pools.set(key, pool);
	return pool;
}

const secret = z
	.string()
	.trim()
	.regex(/^[\w+/-]+={0,2}$/, 'is not Base64')
	.transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
	.refine(({ length }) => length >= 32, 'has fewer than 32 bytes');

const policyFields = z.object({
	policyFile: z.string().trim().min(1, 'is empty'),
	variables: z
		.union([z.string(), z.record(z.string(), z.string())])
		.optional()
		.transform((value, context) => {
			if (typeof value === 'object') return value;
			const { data, error } = z.record(z.string(), z.string()).safeParse(jsonOf(value?.trim() || '{}'));
			if (error) context.addIssue('is not a JSON object of texts');
			return data ?? z.NEVER;
		}),
	approvalKey: z.string().min(1, 'is empty'),
	auditKey: secret,
});

function jsonOf(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

function digest(value: unknown): string {
	return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
