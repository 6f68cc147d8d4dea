import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBackups } from '../../../nodes/VpsHealth/backups';

const folder = mkdtempSync(join(tmpdir(), 'vps-backups-'));
afterAll(() => rmSync(folder, { recursive: true }));

function backup(name: string, bytes: number, day: number) {
	const file = join(folder, name);
	writeFileSync(file, Buffer.alloc(bytes));
	utimesSync(file, day * 86_400, day * 86_400);
}

test('an empty folder has no newest backup', async () => {
	expect(await readBackups(folder)).toEqual({ folder, newest: null, count: 0, previousSizeBytes: null });
});

test('the newest is compared with the one of the same kind before it', async () => {
	backup('n8n-2026-11-20.dump', 1000, 20_412);
	backup('n8n-2026-11-21.dump', 400, 20_413);
	backup('volumes-2026-11-20.tar', 90_000, 20_412.5);
	backup('n8n-2026-11-22.dump.part', 7, 20_414);
	backup('.hidden', 7, 20_414);
	expect(await readBackups(folder)).toEqual({
		folder,
		newest: { name: 'n8n-2026-11-21.dump', at: '2025-11-21T00:00:00.000Z', sizeBytes: 400 },
		count: 3,
		previousSizeBytes: 1000,
	});
});

test('a backup may be a folder, whose files are summed up', async () => {
	mkdirSync(join(folder, 'all-2026-11-22', 'deep'), { recursive: true });
	writeFileSync(join(folder, 'all-2026-11-22', 'a'), 'abc');
	writeFileSync(join(folder, 'all-2026-11-22', 'deep', 'b'), 'de');
	expect((await readBackups(folder)).newest).toMatchObject({ name: 'all-2026-11-22', sizeBytes: 5 });
});

test('a folder that is not there is an error, not a missing backup', async () => {
	await expect(readBackups(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'configuration' });
});
