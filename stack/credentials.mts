import type { RedisAddress } from './redis.mts';

/** A credential as `n8n import:credentials` reads it. */
export interface Credential {
	readonly id: string;
	readonly name: string;
	readonly type: string;
	readonly data: Readonly<Record<string, unknown>>;
}

/**
 * The headers that the stack's webhooks ask for, by the id of their credential, and the secret that is their value. Who
 * approves holds another one than who asks.
 */
export const webhookHeaders = {
	AURAwebhookToken: { name: 'X-AuraStack-Token', secret: 'webhook-token' },
	AURAapproverTok1: { name: 'X-AuraStack-Approver', secret: 'approver-token' },
} as const;

/** What calling tools stands on: the policy with its keys, and the gateway that owns the servers. */
export interface ToolCalling {
	readonly policyFile: string;
	readonly variables: Readonly<Record<string, string>>;
	readonly approvalKey: string;
	readonly auditKey: string;
	readonly gatewayUrl: string;
	readonly gatewayToken: string;
}

/** The credentials that shipped workflows refer to, by ids that never change. */
export function shippedCredentials(facts: {
	ollamaUrl: string;
	databaseUrl: string;
	/** n8n's own database, as a role that sees how it is doing. */
	watcherUrl: string;
	/** Absent in regular mode. */
	redis?: RedisAddress;
	webhookToken: string;
	approverToken: string;
	tools: ToolCalling;
	editorUrl: string;
	/** May list executions, and nothing else: a workflow's credential is open to whoever may edit workflows. */
	executionsKey: string;
}): Credential[] {
	return [
		{ id: 'AURAollamaLocal1', name: 'AuraStack Ollama', type: 'ollamaApi', data: { baseUrl: facts.ollamaUrl } },
		{
			id: 'AURApostgresMain',
			name: 'AuraStack PostgreSQL',
			type: 'postgres',
			data: postgresData(facts.databaseUrl),
		},
		{
			id: 'AURApostgresSeer',
			name: 'AuraStack PostgreSQL Monitor',
			type: 'postgres',
			data: postgresData(facts.watcherUrl),
		},
		...(facts.redis ? [redisCredential(facts.redis)] : []),
		{
			id: 'AURAwebhookToken',
			name: 'AuraStack Webhook',
			type: 'httpHeaderAuth',
			data: { name: webhookHeaders.AURAwebhookToken.name, value: facts.webhookToken },
		},
		{
			id: 'AURAapproverTok1',
			name: 'AuraStack Approver',
			type: 'httpHeaderAuth',
			data: { name: webhookHeaders.AURAapproverTok1.name, value: facts.approverToken },
		},
		{
			id: 'AURAmcpPolicy001',
			name: 'AuraStack MCP Policy',
			type: 'mcpPolicy',
			data: {
				policyFile: facts.tools.policyFile,
				variables: JSON.stringify(facts.tools.variables),
				approvalKey: facts.tools.approvalKey,
				auditKey: facts.tools.auditKey,
			},
		},
		{
			id: 'AURAmcpGateway01',
			name: 'AuraStack MCP Gateway',
			type: 'mcpGateway',
			data: { baseUrl: facts.tools.gatewayUrl, token: facts.tools.gatewayToken },
		},
		{
			id: 'AURAn8nPublicApi',
			name: 'AuraStack n8n',
			type: 'n8nApi',
			data: { apiKey: facts.executionsKey, baseUrl: `${facts.editorUrl}/api/v1` },
		},
	];
}

function postgresData(address: string) {
	const url = new URL(address);
	return {
		host: url.hostname,
		port: Number(url.port),
		database: url.pathname.slice(1),
		user: decodeURIComponent(url.username),
		password: decodeURIComponent(url.password),
		ssl: 'disable',
	};
}

function redisCredential({ host, port, username, password, database, tls }: RedisAddress): Credential {
	return {
		id: 'AURAredisOfQueue',
		name: 'AuraStack Redis',
		type: 'redis',
		data: { host, port, user: username ?? '', password: password ?? '', database, ssl: tls },
	};
}
