import type { ICredentialType, INodeProperties } from 'n8n-workflow';

/** Which MCP tools may be called, and the keys that approvals and the audit are signed with. */
export class McpPolicy implements ICredentialType {
	name = 'mcpPolicy';

	displayName = 'MCP Policy';

	icon = { light: 'file:mcpPolicy.svg', dark: 'file:mcpPolicy.dark.svg' } as const;

	documentationUrl = 'https://github.com/aurastack/n8n-nodes-aurastack#mcp-execute';

	/** No other node is given it. */
	restrictToSupportedNodes = true as const;

	properties: INodeProperties[] = [
		{
			displayName: 'Policy File',
			name: 'policyFile',
			type: 'string',
			required: true,
			default: '',
			placeholder: 'e.g. /opt/aurastack/mcp-policy.yaml',
			description: 'The YAML file that names servers, tools and who may call them, on every machine that runs n8n',
		},
		{
			displayName: 'Variables',
			name: 'variables',
			type: 'json',
			default: '{}',
			description: 'What ${NAME} in the policy file stands for, as a JSON object of texts',
		},
		{
			displayName: 'Approval Key',
			name: 'approvalKey',
			type: 'string',
			typeOptions: { password: true, rows: 3 },
			required: true,
			default: '',
			description: 'Signs approvals: 32 random bytes or more in Base64, or an Ed25519 private key in PEM',
		},
		{
			displayName: 'Audit Key',
			name: 'auditKey',
			type: 'string',
			typeOptions: { password: true },
			required: true,
			default: '',
			description: 'Signs the audit: 32 random bytes or more in Base64. Keep a copy elsewhere',
		},
	];
}
