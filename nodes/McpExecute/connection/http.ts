import { lookup } from 'node:dns';
import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { BlockList, isIP } from 'node:net';
import { Readable } from 'node:stream';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { LocalAiError } from '../../shared/errors';
import { fetchWithin } from '../../shared/http';

/** How a server is reached over Streamable HTTP. */
export interface HttpAddress {
	readonly url: string;
	readonly addresses: 'public' | 'any';
}

export interface HttpLimits {
	readonly bearerToken?: string;
	/** Of one reply, before it is parsed. */
	readonly maxOutputBytes: number;
	/** Of one exchange, streams included. */
	readonly timeoutMs: number;
	/** Told when a reply was cut off because of its size. */
	readonly onOverflow: (error: LocalAiError) => void;
	/** Told why a request came to nothing; the SDK's own error may not say. */
	readonly onFailure: (error: LocalAiError) => void;
}

/**
 * The SDK's Streamable HTTP transport over connections of its own, so that no other credential shares them. Unless
 * `addresses` is `any`, an address that is not public is refused when the connection is made (`refused`, SSRF).
 */
export function httpTransport(name: string, { url, addresses }: HttpAddress, limits: HttpLimits) {
	const target = new URL(url);
	const settings: AgentOptions = { keepAlive: true, ...(addresses === 'public' && { lookup: publicOnly }) };
	const agent = target.protocol === 'https:' ? new HttpsAgent(settings) : new HttpAgent(settings);
	const overflow = () =>
		new LocalAiError('bad-reply', `The MCP server ${name} sent more than ${limits.maxOutputBytes} bytes`, {
			hint: 'Ask the tool for less, or raise maxOutputBytes of this server in the policy.',
			reason: 'LIMIT_OUTPUT',
		});
	const send = fetchWithin({
		service: `The MCP server ${name}`,
		startHint: `Start the server, and check its address in the policy.`,
		timeoutMs: limits.timeoutMs,
		maxReplyBytes: limits.maxOutputBytes,
		agent,
	});
	const reach: typeof fetch = async (input, init) => {
		const host = target.hostname.replace(/^\[|\]$/g, '');
		// No name to resolve: the check at the connection is never asked.
		if (addresses === 'public' && isIP(host) !== 0 && !isPublic(host)) throw notPublic(target.hostname);
		return await send(input, init);
	};
	const transport = new StreamableHTTPClientTransport(target, {
		...(limits.bearerToken !== undefined && {
			requestInit: { headers: { authorization: `Bearer ${limits.bearerToken}` } },
		}),
		reconnectionOptions: {
			maxRetries: 0,
			initialReconnectionDelay: 1000,
			maxReconnectionDelay: 1000,
			reconnectionDelayGrowFactor: 1,
		},
		fetch: async (input, init) => {
			// The stream on which a server may speak unasked: nothing here listens to it.
			if (init?.method === 'GET') return new Response(null, { status: 405 });
			const reply = await reach(input, init).catch((error: unknown) => {
				if (error instanceof LocalAiError) limits.onFailure(error);
				throw error;
			});
			if (reply.body === null) return reply;
			const watched = Readable.from(watch(Readable.fromWeb(reply.body as never), overflow, limits.onOverflow));
			return new Response(Readable.toWeb(watched) as ReadableStream, reply);
		},
	});
	return { transport, closeConnections: () => agent.destroy() };
}

/**
 * Whether an IP address belongs to the public internet: any of IPv4, or of what is given out of IPv6 (2000::/3), but none
 * of the special-purpose ranges of RFC 6890.
 */
export function isPublic(address: string): boolean {
	// An IPv4 address that is written as an IPv6 one is looked up among the IPv4 ones.
	const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
	return global.check(address, family) && !special.check(address, family);
}

async function* watch(
	body: AsyncIterable<unknown>,
	overflow: () => LocalAiError,
	onOverflow: (error: LocalAiError) => void,
) {
	try {
		yield* body;
	} catch (error) {
		if (!(error instanceof LocalAiError) || error.code !== 'bad-reply') throw error;
		const limit = overflow();
		onOverflow(limit);
		throw limit;
	}
}

/** Resolves a name for a connection, and refuses when any of its addresses is not public: what is checked is used. */
const publicOnly: NonNullable<AgentOptions['lookup']> = (hostname, options, callback) => {
	lookup(hostname, { ...options, all: true }, (error, found) => {
		if (error) return callback(error, '', 0);
		if (found.length === 0 || !found.every(({ address }) => isPublic(address))) {
			return callback(notPublic(hostname), '', 0);
		}
		if (options.all === true) return callback(null, found);
		callback(null, found[0]!.address, found[0]!.family);
	});
};

function notPublic(host: string): LocalAiError {
	return new LocalAiError('refused', `The MCP server at ${host} is not on a public address`, {
		hint: 'If it belongs to this machine or network, say "addresses: any" beside its url in the policy.',
		reason: 'SSRF',
	});
}

const global = new BlockList();
global.addSubnet('0.0.0.0', 0, 'ipv4');
global.addSubnet('2000::', 3, 'ipv6');
const special = new BlockList();
for (const [network, bits] of [
	...([
		['0.0.0.0', 8],
		['10.0.0.0', 8],
		['100.64.0.0', 10],
		['127.0.0.0', 8],
		['169.254.0.0', 16],
		['172.16.0.0', 12],
		['192.0.0.0', 24],
		['192.0.2.0', 24],
		['192.88.99.0', 24],
		['192.168.0.0', 16],
		['198.18.0.0', 15],
		['198.51.100.0', 24],
		['203.0.113.0', 24],
		['224.0.0.0', 3],
	] as const),
	...([
		['::', 96],
		['64:ff9b::', 96],
		['64:ff9b:1::', 48],
		['100::', 64],
		['2001::', 23],
		['2001:db8::', 32],
		['2002::', 16],
		['fc00::', 7],
		['fe80::', 10],
		['ff00::', 8],
	] as const),
] as const) {
	special.addSubnet(network, bits, network.includes(':') ? 'ipv6' : 'ipv4');
}
