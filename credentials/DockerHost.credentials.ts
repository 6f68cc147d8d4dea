import type { ICredentialType, INodeProperties } from 'n8n-workflow';

/** A Docker engine, or the socket proxy in front of one, and the containers on it that workflows may see. */
export class DockerHost implements ICredentialType {
	name = 'dockerHost';

	displayName = 'Docker Host';

	icon = { light: 'file:dockerHost.svg', dark: 'file:dockerHost.dark.svg' } as const;

	documentationUrl = 'https://github.com/aurastack/n8n-nodes-aurastack#vps-health';

	/** No other node is given it. */
	restrictToSupportedNodes = true as const;

	properties: INodeProperties[] = [
		{
			displayName: 'Connection',
			name: 'connection',
			type: 'options',
			options: [
				{ name: 'TCP', value: 'tcp', description: 'In clear: only to a socket proxy on a network of its own' },
				{ name: 'TCP with TLS', value: 'tls', description: 'With certificates for both sides' },
				{ name: 'Unix Socket', value: 'socket' },
			],
			default: 'socket',
		},
		{
			displayName: 'Socket Path',
			name: 'socketPath',
			type: 'string',
			required: true,
			default: '/var/run/docker.sock',
			hint: 'Who may write to this socket is root on the machine: a socket proxy is safer',
			displayOptions: { show: { connection: ['socket'] } },
		},
		{
			displayName: 'Host',
			name: 'host',
			type: 'string',
			required: true,
			default: '',
			placeholder: 'e.g. docker-socket-proxy',
			displayOptions: { show: { connection: ['tcp', 'tls'] } },
		},
		{
			displayName: 'Port',
			name: 'port',
			type: 'number',
			required: true,
			default: 2375,
			displayOptions: { show: { connection: ['tcp', 'tls'] } },
		},
		...(['CA Certificate', 'Client Certificate', 'Client Key'] as const).map(
			(displayName): INodeProperties => ({
				displayName,
				name: { 'CA Certificate': 'ca', 'Client Certificate': 'cert', 'Client Key': 'key' }[displayName],
				type: 'string',
				typeOptions: { password: true, rows: 3 },
				required: true,
				default: '',
				description: 'In PEM',
				displayOptions: { show: { connection: ['tls'] } },
			}),
		),
		{
			displayName: 'Allowed Containers',
			name: 'allowedContainers',
			type: 'string',
			default: '',
			placeholder: 'e.g. n8n, n8n-worker-1, ollama',
			description:
				'Exact names, separated by commas. Containers that are not named here are neither shown nor touched; ids are not taken.',
		},
		{
			displayName: 'Protected Containers',
			name: 'protectedContainers',
			type: 'string',
			default: '',
			placeholder: 'e.g. traefik',
			description:
				'Names of those that no workflow restarts unless its node says so. PostgreSQL, Redis and n8n itself always are.',
		},
	];
}
