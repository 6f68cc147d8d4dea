import { lock } from '../../stack/lock.mts';

const folder = `/tmp/lock-test-${process.pid}`;

test('a folder has one owner at a time, who is named to the others', async () => {
	const release = await lock(folder, 'A stack');
	await expect(lock(folder, 'A stack')).rejects.toMatchObject({
		code: 'refused',
		message: `A stack is already under way in ${folder} (process ${process.pid}).`,
	});
	await release();
	await (
		await lock(folder, 'A stack')
	)();
});

test('other folders are free', async () => {
	const release = await lock(folder, 'A stack');
	await (
		await lock(`${folder}-other`, 'A stack')
	)();
	await release();
});

test('of many at once exactly one wins', async () => {
	const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lock(folder, 'A stack')));
	const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
	expect(winners).toHaveLength(1);
	await Promise.all(winners.map(({ value: release }) => release()));
});
