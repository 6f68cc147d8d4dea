import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Whether a request brings this bearer token (RFC 6750, the scheme in any case), compared in a time that tells nothing of it. */
export function bearsToken({ headers }: Pick<IncomingMessage, 'headers'>, token: string): boolean {
	const [, given = ''] = /^Bearer ([^\s]+)$/i.exec(headers.authorization ?? '') ?? [];
	const digest = (text: string) => createHash('sha256').update(text).digest();
	return timingSafeEqual(digest(given), digest(token)) && given !== '';
}
