export const localAiErrorCodes = [
	'invalid-input',
	'configuration',
	'unauthorized',
	'unreachable',
	'timeout',
	'overloaded',
	'bad-reply',
	'tool-failed',
	'refused',
	'cancelled',
	'defect',
] as const;

export type LocalAiErrorCode = (typeof localAiErrorCodes)[number];

/**
 * The one error this package throws. `message` says what failed, where and with which value; `hint` says the next
 * step. Neither ever holds a secret, audio, or a raw HTTP client error.
 */
export class LocalAiError extends Error {
	override readonly name = 'LocalAiError';
	readonly code: LocalAiErrorCode;
	readonly hint: string;
	/** Set for `overloaded` when the server said how long to wait. */
	readonly retryAfterMs?: number;
	/** A finer name of what happened, where a `code` covers several outcomes that programs tell apart. */
	readonly reason?: string;
	/** Set for `unreachable` when nothing answers at that address: trying again at once changes nothing. */
	readonly nothingAnswers?: true;

	constructor(
		code: LocalAiErrorCode,
		message: string,
		options: {
			hint: string;
			cause?: unknown;
			reason?: string;
			retryAfterMs?: number;
			nothingAnswers?: boolean;
		},
	) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.code = code;
		this.hint = options.hint;
		if (options.reason !== undefined) this.reason = options.reason;
		if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
		if (options.nothingAnswers === true) this.nothingAnswers = true;
	}
}
