import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { known } from '../../../nodes/VpsHealth/facts';
import { askSystemd, readSystemdFile } from '../../../nodes/VpsHealth/systemd';

const folder = mkdtempSync(join(tmpdir(), 'vps-systemd-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = process.env.PATH;
afterEach(() => (process.env.PATH = path));

// The form in which systemctl of systemd 252 prints its table as JSON.
const units = [
	{ unit: 'ssh.service', load: 'loaded', active: 'active', sub: 'running', description: 'OpenBSD Secure Shell server' },
	{ unit: 'fail2ban.service', load: 'loaded', active: 'failed', sub: 'failed', description: 'Fail2Ban Service' },
];

/** Puts programs of these names and texts on the path, alone. */
function programs(texts: Readonly<Record<string, string>>): void {
	for (const [name, text] of Object.entries(texts))
		writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
	process.env.PATH = `${folder}:/bin:/usr/bin`;
}

test('a file that a timer wrote is as old as the file', async () => {
	const file = join(folder, 'units.json');
	writeFileSync(file, JSON.stringify(units));
	utimesSync(file, 1_700_000_000, 1_700_000_000);
	expect(await readSystemdFile(file)).toMatchObject({
		readAt: '2023-11-14T22:13:20.000Z',
		units: [
			{ name: 'ssh.service', active: 'active' },
			{ name: 'fail2ban.service', active: 'failed' },
		],
		clockSynchronised: { known: false },
	});
	writeFileSync(file, JSON.stringify({ units, NTPSynchronized: 'no' }));
	expect((await readSystemdFile(file)).clockSynchronised).toEqual(known(false));
});

test('a file that is missing or is something else is an error that says so', async () => {
	const file = join(folder, 'other.json');
	await expect(readSystemdFile(file)).rejects.toMatchObject({
		code: 'configuration',
		message: expect.stringContaining('ENOENT'),
	});
	for (const text of ['', 'not json', '{}', '[{"unit":1}]']) {
		writeFileSync(file, text);
		await expect(readSystemdFile(file)).rejects.toMatchObject({ code: 'bad-reply' });
	}
});

test('systemd is asked by fixed words and without a shell', async () => {
	programs({
		systemctl: `echo "$@" > ${folder}/asked; cat <<'E'\n${JSON.stringify(units)}\nE`,
		timedatectl: 'echo yes',
	});
	const facts = await askSystemd(new AbortController().signal);
	expect(facts.units.map(({ name }) => name)).toEqual(['ssh.service', 'fail2ban.service']);
	expect(facts.clockSynchronised).toEqual(known(true));
});

test('where systemd does not run, that is what is said', async () => {
	programs({ systemctl: 'echo "System has not been booted with systemd" >&2; exit 1', timedatectl: 'exit 1' });
	await expect(askSystemd(new AbortController().signal)).rejects.toMatchObject({
		code: 'configuration',
		message: expect.stringContaining('systemd does not run here'),
	});
});
