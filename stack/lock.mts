import { createHash } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { LocalAiError } from '../nodes/shared/errors.ts';

/**
 * Lets one process at a time work on `folder`; returns the release. The lock is a socket name of the kernel's (Linux
 * abstract namespace), so it ends with its owner however that one ends, and no stale file can remain.
 * Throws `refused` naming the owner's process.
 */
export async function lock(folder: string, what: string): Promise<() => Promise<void>> {
	const name = `\0aurastack-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`;
	const server = createServer((socket) => {
		socket.on('error', () => socket.destroy());
		socket.end(String(process.pid));
	});
	server.unref();
	await new Promise<void>((resolve, reject) => {
		server.once('error', async (error: NodeJS.ErrnoException) => {
			if (error.code !== 'EADDRINUSE') return reject(error);
			const owner = await ownerOf(name);
			reject(
				new LocalAiError('refused', `${what} is already under way in ${folder}${owner && ` (process ${owner})`}.`, {
					hint: 'Use that one, or stop it with Ctrl-C in its own window (or kill its process) and start again.',
				}),
			);
		});
		server.listen(name, resolve);
	});
	return () => new Promise((resolve) => server.close(() => resolve()));
}

async function ownerOf(name: string): Promise<string> {
	const socket = connect(name);
	socket.setTimeout(1000, () => socket.destroy());
	return await text(socket).catch(() => '');
}
