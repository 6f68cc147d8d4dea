/** A credential as `n8n import:credentials` reads it. */
export interface Credential {
	readonly id: string;
	readonly name: string;
	readonly type: string;
	readonly data: Readonly<Record<string, unknown>>;
}

/** The header that the stack's own webhooks ask for, with the token as its value. */
export const webhookHeader = 'X-AuraStack-Token';

/** The id of the credential that holds the webhook token. */
export const webhookCredentialId = 'AURAwebhookToken';

/** The credentials that shipped workflows refer to, by ids that never change. */
export function shippedCredentials(facts: {
	ollamaUrl: string;
	databaseUrl: string;
	webhookToken: string;
	editorUrl: string;
	/** May list executions, and nothing else: a workflow's credential is open to whoever may edit workflows. */
	executionsKey: string;
}): Credential[] {
	const database = new URL(facts.databaseUrl);
	return [
		{ id: 'AURAollamaLocal1', name: 'AuraStack Ollama', type: 'ollamaApi', data: { baseUrl: facts.ollamaUrl } },
		{
			id: 'AURApostgresMain',
			name: 'AuraStack PostgreSQL',
			type: 'postgres',
			data: {
				host: database.hostname,
				port: Number(database.port),
				database: database.pathname.slice(1),
				user: decodeURIComponent(database.username),
				password: decodeURIComponent(database.password),
				ssl: 'disable',
			},
		},
		{
			id: webhookCredentialId,
			name: 'AuraStack Webhook',
			type: 'httpHeaderAuth',
			data: { name: webhookHeader, value: facts.webhookToken },
		},
		{
			id: 'AURAn8nPublicApi',
			name: 'AuraStack n8n',
			type: 'n8nApi',
			data: { apiKey: facts.executionsKey, baseUrl: `${facts.editorUrl}/api/v1` },
		},
	];
}
