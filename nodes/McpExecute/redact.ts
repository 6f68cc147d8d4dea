/**
 * A function that puts `[redacted]` in the place of each secret in every text of a value, keys included, whether it
 * stands there as it is, in Base64 or encoded for an address. Secrets of fewer than six characters are left: they would
 * blot out ordinary words.
 */
export function redactor(secrets: readonly string[]): <T>(value: T) => T {
	const forms = secrets
		.filter((secret) => secret.length >= 6)
		.flatMap((secret) => {
			const bytes = Buffer.from(secret);
			const base64 = bytes.toString('base64').replace(/=+$/, '');
			return [
				secret,
				JSON.stringify(secret).slice(1, -1),
				encodeURIComponent(secret.toWellFormed()),
				base64,
				bytes.toString('base64url'),
			];
		});
	const all = [...new Set(forms)].sort((a, b) => b.length - a.length);
	if (all.length === 0) return (value) => value;

	const inText = (text: string) => all.reduce((rest, form) => rest.replaceAll(form, '[redacted]'), text);
	const inValue = (value: unknown): unknown => {
		if (typeof value === 'string') return inText(value);
		if (Array.isArray(value)) return value.map(inValue);
		if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
		return Object.fromEntries(Object.entries(value).map(([key, inner]) => [inText(key), inValue(inner)]));
	};
	return <T>(value: T) => inValue(value) as T;
}
