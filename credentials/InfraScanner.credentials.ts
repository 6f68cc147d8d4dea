import type { IAuthenticateGeneric, ICredentialTestRequest, ICredentialType, INodeProperties } from 'n8n-workflow';

/** The small program on the machine that tells an n8n in a container what the machine looks like. */
export class InfraScanner implements ICredentialType {
	name = 'infraScanner';

	displayName = 'Infra Scanner';

	icon = { light: 'file:infraScanner.svg', dark: 'file:infraScanner.dark.svg' } as const;

	documentationUrl = 'https://github.com/aurastack/n8n-nodes-aurastack#vps-health';

	/** No other node, such as HTTP Request, sends the token to an address of its own. */
	restrictToSupportedNodes = true as const;

	properties: INodeProperties[] = [
		{
			displayName: 'Base URL',
			name: 'baseUrl',
			type: 'string',
			required: true,
			default: 'http://infra-scanner:8095',
		},
		{
			displayName: 'Token',
			name: 'token',
			type: 'string',
			typeOptions: { password: true },
			required: true,
			default: '',
			description: 'What stands in the file that SCANNER_TOKEN_FILE names',
		},
	];

	authenticate: IAuthenticateGeneric = {
		type: 'generic',
		properties: { headers: { Authorization: '=Bearer {{ $credentials.token }}' } },
	};

	test: ICredentialTestRequest = {
		request: { baseURL: '={{ $credentials.baseUrl }}', url: '/facts' },
	};
}
