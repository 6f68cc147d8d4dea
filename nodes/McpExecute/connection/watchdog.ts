// A server that ignores the end of its input would outlive an n8n that is killed with SIGKILL: nothing of n8n runs any
// more that could end it. One small shell per process of n8n therefore holds the other end of a pipe and the list of
// process groups; when the pipe breaks it ends what is left. It is given numbers only, never a command.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

const script = `groups=''
while read -r verb id; do
	case "$verb" in
		add) groups="$groups $id" ;;
		drop)
			kept=''
			for one in $groups; do [ "$one" = "$id" ] || kept="$kept $one"; done
			groups="$kept" ;;
	esac
done
[ -n "$groups" ] || exit 0
sleep 1
for one in $groups; do kill -s KILL -- "-$one" 2>/dev/null; done`;

const groups = new Set<number>();
let watchdog: ChildProcess | undefined;
let listens = false;

/**
 * Sees to it that the process group `group` does not outlive this process, however that one ends; the function it
 * returns is called once the group is gone. Without a /bin/sh only an orderly end of this process is covered.
 */
export function guard(group: number): () => void {
	if (!listens) process.on('exit', () => groups.forEach(killGroup));
	listens = true;
	groups.add(group);
	if (watchdog?.stdin?.writable !== true) startWatchdog();
	else watchdog.stdin.write(`add ${group}\n`);
	return () => {
		if (groups.delete(group) && watchdog?.stdin?.writable === true) watchdog.stdin.write(`drop ${group}\n`);
	};
}

/** Ends every process of a group at once; false when there is none any more. */
export function killGroup(group: number): boolean {
	return signalGroup(group, 'SIGKILL');
}

/** Sends a signal to every process of a group; 0 only asks. False when there is none any more. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
	try {
		return process.kill(-group, signal);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
		throw error;
	}
}

function startWatchdog(): void {
	const child = spawn('/bin/sh', ['-c', script], {
		env: {},
		cwd: '/',
		stdio: ['pipe', 'ignore', 'ignore'],
		// Whoever ends the whole group of n8n must not end the watchdog with it.
		detached: true,
	});
	watchdog = child;
	for (const emitter of [child, child.stdin]) emitter.on('error', () => {});
	child.unref();
	(child.stdin as Socket).unref();
	child.stdin.write([...groups].map((group) => `add ${group}\n`).join(''));
}
