import canonicalize from 'canonicalize';
import { createHash } from 'node:crypto';

/**
 * The one form of a JSON value (RFC 8785): equal values give equal text, whatever the order of keys. Throws on what JSON
 * cannot say the same way everywhere: lone surrogates, infinite numbers, circles.
 */
export function canonical(value: unknown): string {
	const text = canonicalize(value);
	if (text === undefined) throw new Error('Only JSON values have a canonical form');
	return text;
}

/** `sha256:` and the hexadecimal SHA-256 of a value's canonical form. */
export function canonicalHash(value: unknown): string {
	return `sha256:${createHash('sha256').update(canonical(value)).digest('hex')}`;
}
