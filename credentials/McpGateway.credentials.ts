import type { IAuthenticateGeneric, ICredentialTestRequest, ICredentialType, INodeProperties } from 'n8n-workflow';

/** The gateway that starts the MCP servers and owns them, for every worker of n8n. */
export class McpGateway implements ICredentialType {
	name = 'mcpGateway';

	displayName = 'MCP Gateway';

	icon = { light: 'file:mcpGateway.svg', dark: 'file:mcpGateway.dark.svg' } as const;

	documentationUrl = 'https://github.com/aurastack/n8n-nodes-aurastack#mcp-execute';

	/** The HTTP Request node could ask a server for anything with it, past the policy, the approvals and the audit. */
	restrictToSupportedNodes = true as const;

	properties: INodeProperties[] = [
		{
			displayName: 'Base URL',
			name: 'baseUrl',
			type: 'string',
			required: true,
			default: 'http://127.0.0.1:5680',
			description: 'Where the gateway listens, without the name of a server',
		},
		{
			displayName: 'Token',
			name: 'token',
			type: 'string',
			typeOptions: { password: true },
			required: true,
			default: '',
			description: 'What the file says that the gateway was started with',
		},
	];

	authenticate: IAuthenticateGeneric = {
		type: 'generic',
		properties: { headers: { Authorization: '=Bearer {{$credentials.token}}' } },
	};

	test: ICredentialTestRequest = {
		request: { baseURL: '={{ $credentials.baseUrl.replace(/\\/+$/, "") }}', url: '/servers' },
	};
}
