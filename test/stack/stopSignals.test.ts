import { stopSignals } from '../../stack/stopSignals.mts';

const events = ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const;
const before = events.map((name) => process.rawListeners(name));
beforeEach(() => jest.useFakeTimers());
afterEach(() => {
	jest.useRealTimers();
	events.forEach((name, index) => {
		for (const listener of process.rawListeners(name)) {
			if (!before[index]!.includes(listener)) process.off(name, listener as () => void);
		}
	});
});

const listen = () => {
	const said: string[] = [];
	return { ...stopSignals((line) => said.push(line)), said };
};

test('one key press arrives several times and asks once', async () => {
	const { signal, kill, asked, said } = listen();
	expect(signal.aborted).toBe(false);
	process.emit('SIGINT');
	jest.advanceTimersByTime(300);
	process.emit('SIGINT');
	await asked;
	expect(signal.aborted).toBe(true);
	expect(kill.aborted).toBe(false);
	expect(said).toHaveLength(1);
});

test('a second key press stops at once', () => {
	const { kill, said } = listen();
	process.emit('SIGINT');
	jest.advanceTimersByTime(2000);
	process.emit('SIGINT');
	expect(kill.aborted).toBe(true);
	expect(said).toHaveLength(2);
});

test('the end of the launcher is a wish to stop', () => {
	const { signal } = listen();
	process.emit('disconnect');
	expect(signal.aborted).toBe(true);
});
