import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { isContainer, ownRoots, readHost, type HostRoots } from '../../../nodes/VpsHealth/host';
import { unknown } from '../../../nodes/VpsHealth/facts';

const folder = mkdtempSync(join(tmpdir(), 'vps-host-'));
afterAll(() => rmSync(folder, { recursive: true }));
const signal = new AbortController().signal;

// Written down from Linux 6.1 on a virtual machine of two processors, shortened.
const kernel: Readonly<Record<string, string>> = {
	'proc/stat':
		'cpu  1000 0 500 8000 400 0 0 100 0 0\ncpu0 500 0 250 4000 200 0 0 50 0 0\ncpu1 500 0 250 4000 200 0 0 50 0 0\n' +
		'intr 1 2 3\nctxt 9\nbtime 1763712000\nprocesses 4\n',
	'proc/loadavg': '17.05 9.41 3.20 3/412 91234\n',
	'proc/meminfo':
		'MemTotal:       24682416 kB\nMemFree:        19298032 kB\nMemAvailable:   21342028 kB\n' +
		'SwapTotal:             0 kB\nSwapFree:              0 kB\n',
	'proc/pressure/cpu':
		'some avg10=48.42 avg60=38.85 avg300=17.01 total=5300154857\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
	'proc/pressure/memory':
		'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
	'proc/pressure/io':
		'some avg10=0.29 avg60=1.20 avg300=0.83 total=296662757\nfull avg10=0.14 avg60=0.65 avg300=0.52 total=143679116\n',
	'proc/sys/fs/file-nr': '2486\t0\t2465610\n',
	'proc/vmstat': 'nr_free_pages 4824508\noom_kill 3\nnuma_hit 5\n',
	'proc/1/mountinfo':
		'22 27 0:21 / /proc rw,relatime - proc proc rw\n' +
		'27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n' +
		'31 27 254:0 /var /srv/again rw,relatime - ext4 /dev/vda rw,discard\n' +
		'32 27 254:16 / /mnt/big\\040disk rw,relatime shared:1 - xfs /dev/vdb ro,attr2\n' +
		'33 27 0:44 / /mnt/nas rw - nfs4 nas:/export rw\n' +
		'34 27 0:45 / /tmp rw - tmpfs tmpfs rw\n' +
		'36 34 0:46 / /tmp rw - tmpfs tmpfs rw\n' +
		'35 27 7:1 / /snap/core ro - squashfs /dev/loop1 ro\n',
	// The keys of memory.events as Documentation/admin-guide/cgroup-v2.rst of Linux 6.1 lists them.
	'sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
	'sys/fs/cgroup/system.slice/memory.events': events(2),
	'sys/fs/cgroup/system.slice/docker-4f0.scope/memory.events': events(2),
	'sys/fs/cgroup/system.slice/ssh.service/memory.events': events(0),
	'sys/fs/cgroup/user.slice/memory.events': events(1),
	'root/run/reboot-required': '',
	'root/mnt/big disk/kept': '',
	'root/tmp/kept': '',
};

function events(kills: number) {
	return `low 0\nhigh 0\nmax 31\noom ${kills}\noom_kill ${kills}\noom_group_kill 0\n`;
}

/** A kernel that shows the files above, some of them changed or (with undefined) not there. */
function machine(name: string, changes: Record<string, string | undefined> = {}): HostRoots {
	const at = join(folder, name);
	for (const [path, text] of Object.entries({ ...kernel, ...changes })) {
		if (text === undefined) continue;
		mkdirSync(dirname(join(at, path)), { recursive: true });
		writeFileSync(join(at, path), text);
	}
	return { proc: join(at, 'proc'), sys: join(at, 'sys'), root: join(at, 'root') };
}

test('every fact of a machine whose kernel is mounted elsewhere', async () => {
	const roots = machine('whole');
	const reading = readHost(roots, 300, signal);
	// What the kernel counts while we look: 100 ticks, of which 20 waited for disks and 30 were stolen.
	setTimeout(
		() =>
			writeFileSync(
				join(roots.proc, 'stat'),
				kernel['proc/stat']!.replace(/^cpu .*$/m, 'cpu  1040 0 500 8010 420 0 0 130 0 0'),
			),
		100,
	);
	const facts = await reading;
	expect(facts).toMatchObject({
		cpuCount: { known: true, value: 2 },
		load: { known: true, value: { one: 17.05, five: 9.41, fifteen: 3.2 } },
		memory: { known: true, value: { totalBytes: 24682416 * 1024, availableBytes: 21342028 * 1024, swapTotalBytes: 0 } },
		pressure: {
			known: true,
			value: { cpu: { some10: 0.4842, some60: 0.3885 }, io: { some60: 0.012, full60: expect.closeTo(0.0065) } },
		},
		oomKills: {
			known: true,
			value: {
				sinceBoot: 3,
				byGroup: {
					known: true,
					value: [
						{ group: 'system.slice/docker-4f0.scope', kills: 2 },
						{ group: 'user.slice', kills: 1 },
					],
				},
			},
		},
		openFiles: { known: true, value: { allocated: 2486, limit: 2465610 } },
		bootedAt: { known: true, value: '2025-11-21T08:00:00.000Z' },
		rebootRequired: { known: true, value: true },
	});
	expect(facts.cpu.known && facts.cpu.value).toMatchObject({ windowMs: 300, ioWait: 0.2, steal: 0.3 });
	expect(facts.cpu.known && facts.cpu.value.busy).toBeCloseTo(0.4);
	const disks = facts.fileSystems.known ? facts.fileSystems.value : [];
	expect(disks.map(({ mountPoint, type, readOnly, use }) => [mountPoint, type, readOnly, use.known])).toEqual([
		['/', 'ext4', false, true],
		['/tmp', 'tmpfs', false, true],
		['/mnt/big disk', 'xfs', true, true],
	]);
});

test('what this machine really says agrees with what other programs say', async () => {
	const { memory, cpuCount, cpu, fileSystems, bootedAt } = await readHost(ownRoots, 200, signal);
	expect(memory.known && memory.value.totalBytes).toBe(totalmem());
	expect(cpuCount.known && cpuCount.value).toBeGreaterThanOrEqual(availableParallelism());
	expect(cpu.known && cpu.value.busy).toBeGreaterThanOrEqual(0);
	expect(bootedAt.known && Date.parse(bootedAt.value)).toBeLessThan(Date.now());
	const [disk] = fileSystems.known ? fileSystems.value : [];
	const [, said] = execFileSync('df', ['--output=size', '-B1', disk!.mountPoint], { encoding: 'utf8' }).split('\n');
	expect(disk!.use.known && disk!.use.value.totalBytes).toBe(Number(said));
});

test('what is missing, forbidden or not as expected is unknown, and never 0', async () => {
	const roots = machine('broken', {
		'proc/stat': 'cpu  1 2\n',
		'proc/loadavg': '\n',
		'proc/meminfo': 'MemTotal: 0 kB\n',
		'proc/pressure/cpu': undefined,
		'proc/vmstat': 'nr_free_pages 1\n',
		'proc/1/mountinfo': '22 27 0:21 / /proc rw - proc proc rw\n',
		'proc/sys/fs/file-nr': '1\n',
		'sys/fs/cgroup/cgroup.controllers': undefined,
		'root/run/reboot-required': undefined,
	});
	const facts = await readHost({ ...roots, root: join(roots.root, 'nowhere') }, 20, signal);
	expect(Object.entries(facts).filter(([, fact]) => fact.known)).toEqual([]);
	expect(facts.cpu).toEqual(unknown('/proc/stat: there is no line of all processors.'));
	expect(facts.pressure).toEqual(unknown('/proc/pressure could not be read (ENOENT).'));
	expect(facts.rebootRequired).toEqual(unknown('/run could not be read (ENOENT).'));
});

test('control groups of version 1 leave only the groups unknown', async () => {
	const { oomKills } = await readHost(machine('v1', { 'sys/fs/cgroup/cgroup.controllers': undefined }), 20, signal);
	expect(oomKills).toMatchObject({
		known: true,
		value: { sinceBoot: 3, byGroup: unknown('/sys/fs/cgroup: control groups of version 2 are not mounted there.') },
	});
});

test('a disk that cannot be asked is unknown by itself', async () => {
	const { fileSystems } = await readHost(
		machine('gone', {
			'proc/1/mountinfo': '27 1 254:0 / / rw - ext4 /dev/vda rw\n28 1 254:9 / /gone rw - ext4 /dev/vdz rw\n',
		}),
		20,
		signal,
	);
	expect(fileSystems).toMatchObject({
		known: true,
		value: [
			{ mountPoint: '/', use: { known: true } },
			{ mountPoint: '/gone', use: unknown('/gone could not be read (ENOENT).') },
		],
	});
});

test('where the first process is hidden, the mounts below the mounted root are the host’s', async () => {
	const roots = machine('hidden', { 'proc/1/mountinfo': undefined });
	mkdirSync(join(roots.proc, 'self'));
	writeFileSync(
		join(roots.proc, 'self', 'mountinfo'),
		`1 0 0:99 / / rw - overlay overlay rw\n2 1 254:0 / ${roots.root} ro - ext4 /dev/vda rw\n` +
			`3 2 254:1 / ${roots.root}/tmp ro - ext4 /dev/vdb rw\n4 1 254:2 / /data rw - ext4 /dev/vdc rw\n`,
	);
	const { fileSystems } = await readHost(roots, 20, signal);
	expect(fileSystems).toMatchObject({
		known: true,
		value: [
			{ mountPoint: '/', readOnly: false, use: { known: true } },
			{ mountPoint: '/tmp', readOnly: false, use: { known: true } },
		],
	});
});

test('a container is told from a machine by what is mounted', () => {
	const engineMade = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf']
		.map((file) => `9 1 254:1 /x ${file} rw - ext4 /dev/vda rw`)
		.join('\n');
	expect(isContainer('1 0 0:50 / / rw - overlay overlay rw')).toBe(true);
	expect(isContainer(`1 0 0:50 / / rw - btrfs /dev/vda rw\n${engineMade}`)).toBe(true);
	expect(isContainer(kernel['proc/1/mountinfo']!)).toBe(false);
});
