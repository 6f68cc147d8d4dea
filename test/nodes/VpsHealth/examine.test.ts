import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultThresholds, examine } from '../../../nodes/VpsHealth/examine';

test('a machine is examined in one call, by thresholds of one’s own', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'vps-examine-'));
	try {
		const { facts, diagnosis } = await examine(
			{ backupFolder: folder },
			{ thresholds: { ...defaultThresholds, loadPerCpu: { warning: -1, critical: -1 } } },
		);
		expect(facts.host.load.known).toBe(true);
		const codes = diagnosis.findings.filter(({ severity }) => severity === 'critical').map(({ code }) => code);
		expect(codes).toEqual(expect.arrayContaining(['load-high', 'backup-missing']));
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test('an examination is given up at once', async () => {
	await expect(examine({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
});
