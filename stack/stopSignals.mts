/** The wish to stop, as a person or the system utters it. */
export interface StopSignals {
	/** Aborted at the first Ctrl-C, SIGTERM or SIGHUP, and when the process that launched this one is gone. */
	readonly signal: AbortSignal;
	/** Aborted at the second one. */
	readonly kill: AbortSignal;
	/** Resolves when `signal` aborts. */
	readonly asked: Promise<void>;
}

/** One key press arrives several times, from the terminal, npm and the launcher. */
const oneKeyPressMs = 1000;

/** Listens for the wish to stop from now on. */
export function stopSignals(say: (line: string) => void): StopSignals {
	const first = new AbortController();
	const second = new AbortController();
	let firstAt = 0;
	const heard = () => {
		if (!first.signal.aborted) {
			firstAt = performance.now();
			say('\nStopping, after the running work (Ctrl-C again stops at once)');
			first.abort();
		} else if (performance.now() - firstAt > oneKeyPressMs && !second.signal.aborted) {
			say('Stopping at once');
			second.abort();
		}
	};
	for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, heard);
	process.once('disconnect', heard);
	return {
		signal: first.signal,
		kill: second.signal,
		asked: new Promise((resolve) => first.signal.addEventListener('abort', () => resolve())),
	};
}
