import { LocalAiError } from '../../nodes/shared/errors';

/** The LocalAiError that work ends in; work that succeeds, or ends in anything else, fails the test. */
export async function failure(work: Promise<unknown>): Promise<LocalAiError> {
	const error: unknown = await work.then(
		() => null,
		(reason: unknown) => reason,
	);
	if (!(error instanceof LocalAiError)) throw new Error(`expected a LocalAiError, got ${String(error)}`);
	return error;
}
