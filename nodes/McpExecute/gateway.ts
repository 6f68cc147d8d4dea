import type { Policy, ServerPolicy } from './policy';

/** The same policy with every server reached through the gateway at `baseUrl`, which starts them and owns them. */
export function throughGateway(policy: Policy, baseUrl: string): Policy {
	const base = baseUrl.replace(/\/+$/, '');
	const servers = [...policy.servers].map(([name, server]): [string, ServerPolicy] => [
		name,
		{ ...server, transport: { kind: 'http', url: `${base}/${encodeURIComponent(name)}/mcp`, addresses: 'any' } },
	]);
	return { ...policy, servers: new Map(servers) };
}
