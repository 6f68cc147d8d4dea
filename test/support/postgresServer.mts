// Runs a PostgreSQL of its own in a new folder, writes its address to the standard output, and ends with its input.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { postgresProgram, superuserUrl } from '../../stack/postgres.mts';

const folder = mkdtempSync(join(tmpdir(), 'postgres-'));
const password = randomUUID();
const probe = createServer().listen(0, '127.0.0.1');
await once(probe, 'listening');
const { port } = probe.address() as AddressInfo;
probe.close();
await once(probe, 'close');

const program = postgresProgram(join(folder, 'postgres'), port, password);
// Its data is thrown away, so nothing has to survive a power cut; unless what that costs is to be measured.
const careless = process.argv.includes('--durable') ? [] : ['-c', 'fsync=off', '-c', 'full_page_writes=off'];
const [file, ...args] = [...program.command, ...careless];
const server = spawn(file!, args, { env: program.env, cwd: program.cwd, stdio: ['ignore', 'ignore', 'inherit'] });
const ended = once(server, 'exit');
void ended.then(() => {
	rmSync(folder, { recursive: true, force: true });
	process.exit();
});
// Without a last checkpoint, which a busy disk makes long.
process.stdin.resume().on('end', () => server.kill(program.killSignal));

const deadline = Date.now() + program.readyWithinMs;
while (!(await program.isReady().catch(() => false))) {
	if (Date.now() > deadline) throw new Error('PostgreSQL did not become ready.');
	await wait(100);
}
process.stdout.write(`${superuserUrl(port, password)}\n`);
