/**
 * Takes the values of secret variables out of a text, what stands between `//` and `@` in addresses, and what follows
 * `password=`, `token:` and the like.
 */
export function redaction(environment: readonly string[] | null | undefined): (text: string) => string {
	const secrets = (environment ?? [])
		.map((entry) => /^([^=]*)=(.*)$/s.exec(entry))
		.filter((entry) => entry !== null)
		.filter(([, name, value]) => secretName.test(name!) && value!.length >= 6)
		.map(([, name, value]) => ({ name: name!, value: value! }))
		.sort((a, b) => b.value.length - a.value.length);
	return (text) =>
		secrets
			.reduce((rest, { name, value }) => rest.replaceAll(value, `[${name}]`), text)
			.replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1[redacted]@')
			.replace(/\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}/gi, '$1 [redacted]')
			.replace(assignment, '$1[redacted]');
}

const secretName = /pass|secret|token|key|credential|auth|dsn|private|salt|cert|url|uri|connection/i;
const assignment = /((?:passw(?:or)?d|secret|token|api[_-]?key)["']?\s*[=:]\s*["']?)(?!\[)[^\s"',;&]{6,}/gi;
