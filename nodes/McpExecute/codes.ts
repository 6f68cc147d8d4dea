/** Every answer of `decide` and of a call, and what it means. The policy's README explains them in the same words. */
export const codes = {
	ALLOWED: 'The policy allows the call, and an approval that it needs is there.',
	APPROVAL_NEEDED: 'The policy allows the call once somebody approves it.',
	INPUT_REQUIRED: 'The tool was called, and asks for more before it can answer.',
	PARSE: 'The task is not JSON.',
	LIMIT: 'The task or the approval is larger, or nested deeper, than any honest one.',
	SERVER_NOT_ALLOWED: 'The policy names no such server. A server is named, never described.',
	TOOL_NOT_ALLOWED: 'The policy names no such tool of that server.',
	CALLER_NOT_ALLOWED: 'The policy does not let this workflow, node or user call the tool.',
	SCHEMA: 'An argument has the wrong type or form, or the tool does not know it.',
	SCHEMA_UNSUPPORTED: "The tool's schema cannot be checked safely: it refers elsewhere or needs backtracking.",
	SCHEMA_TOO_COMPLEX: "The tool's schema takes too many steps to check.",
	POLICY_PATH: 'A path leaves the folders that the policy names, itself or through a symbolic link.',
	POLICY_ARGS: 'An argument breaks its rule in the policy, or has none.',
	POLICY: 'The policy was changed after the approval was given.',
	TOOL_MISSING: 'The server no longer offers the tool.',
	TOOL_CHANGED: 'The definition of the tool is not the one that was pinned.',
	APPROVAL_FORMAT: 'The approval is not a signed token.',
	APPROVAL_SIG: 'The approval is not signed by the right key in the right way.',
	APPROVAL_EXPIRED: 'The approval has expired, or the request for it has.',
	APPROVAL_LIFETIME: 'The approval claims to live longer than any may.',
	APPROVAL_NOT_YET: 'The approval is dated in the future.',
	APPROVAL_RBAC: 'The approver may not approve calls of this risk.',
	APPROVAL_REPLAY: 'The approval was used before.',
	APPROVAL_MISMATCH: 'The approval was given for another task.',
	REQUEST_UNKNOWN: 'There is no such request for approval, or it was answered before.',
	REQUEST_TAMPERED: 'The request for approval was changed in the database after it was opened, or answered twice.',
	AUDIT: 'The call could not be recorded, so it was not made.',
} as const;

export type Code = keyof typeof codes;

/** Why a call is not made. */
export interface Refusal {
	readonly code: Exclude<Code, 'ALLOWED' | 'APPROVAL_NEEDED' | 'INPUT_REQUIRED'>;
	/** One sentence for a person, without the values of arguments. */
	readonly reason: string;
}

/** A refusal with the code's own words, or with more exact ones. */
export function refusal(code: Refusal['code'], reason: string = codes[code]): Refusal {
	return { code, reason };
}
