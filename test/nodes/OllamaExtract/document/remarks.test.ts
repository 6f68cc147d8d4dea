import { extract } from '../../../../nodes/OllamaExtract/extract';

const devis = (
	lines: readonly string[],
	net = '100,00 €',
	head = 'Qté     PU HT     Total HT',
	title = 'DEVIS N° D-7',
) =>
	[
		`${title}     Date : 14/09/2026`,
		'Client : Mme Hélène Dubois',
		'',
		`Désignation                    ${head}`,
		...lines,
		'',
		`Total HT                                         ${net}`,
		'TVA 20 %                                          20,00 €',
		'Total TTC                                        120,00 €',
	].join('\n');
const pose = 'Pose de parquet                2       50,00     100,00';
const reasonsOf = async (text: string, schema: 'devis' | 'invoice' = 'devis') =>
	(await extract({ text }, { schema, engine: 'without-model' })).reasons.map(({ code, path }) => [code, path ?? null]);

test('a plain devis needs no remark', async () => {
	expect(await reasonsOf(devis([pose]))).toEqual([]);
});

test('an option that the total leaves out is said to be one, and accuses nobody', async () => {
	const option = 'Option : plinthes assorties    1       30,00     30,00';
	expect(await reasonsOf(devis([pose, option]))).toEqual([['not-in-total', 'lines.1']]);
	const { checks } = await extract({ text: devis([pose, option]) }, { schema: 'devis', engine: 'without-model' });
	expect(checks.filter(({ ok }) => !ok)).toEqual([]);
});

test('an option that the total contains is a line like any other', async () => {
	const half = 'Pose de parquet                1       70,00     70,00';
	const option = 'Option : plinthes assorties    1       30,00     30,00';
	expect(await reasonsOf(devis([half, option]))).toEqual([]);
});

test('prices with tax are never taken for net ones in silence', async () => {
	const line = 'Pose de parquet                2       60,00     120,00';
	expect(await reasonsOf(devis([line], '100,00 €', 'Qté     PU TTC    Total TTC'))).toEqual([
		['prices-with-tax', null],
	]);
});

test('who states that no tax is charged has no prices with tax', async () => {
	const text = [
		'DEVIS N° D-7     Date : 14/09/2026',
		'Client : Mme Hélène Dubois',
		'',
		'Désignation                    Qté     PU TTC    Total TTC',
		'Pose de parquet                2       60,00     120,00',
		'',
		'Total                                            120,00 €',
		'TVA non applicable, art. 293 B du CGI',
	].join('\n');
	expect(await reasonsOf(text)).toEqual([]);
});

test('an invoice among devis is said to be one, a devis among invoices too', async () => {
	const invoice = devis([pose], '100,00 €', 'Qté     PU HT     Total HT', 'FACTURE N° F-2026-900');
	expect(await reasonsOf(invoice)).toEqual([['other-document', null]]);
	expect(await reasonsOf(devis([pose]), 'invoice')).toContainEqual(['other-document', null]);
	expect(await reasonsOf(devis([pose], '100,00 €', undefined, 'Facture proforma — DEVIS N° D-7'))).toEqual([]);
});

test('a row that was not read is no fault of the sender', async () => {
	const row = 'Fourniture, selon détail du fabricant      lot A / lot B      50,00 €';
	const reasons = await reasonsOf(devis([row, 'Pose de parquet                1       50,00     50,00']));
	expect(reasons.map(([code]) => code)).not.toContain('arithmetic');
	const accused = await reasonsOf(devis(['Pose de parquet                1       50,00     50,00']));
	expect(accused.map(([code]) => code)).toContain('arithmetic');
});

test('a row among the lines that may belong to one is never left out in silence', async () => {
	const line = 'Pose                           1       100,00    100,00';
	const text = (next: string) => devis([line, next]);
	expect(await reasonsOf(text('Chêne massif 14 mm'))).toEqual([['partly-read', 'lines.0']]);
	expect(await reasonsOf(text('Nettoyage                                        Offert'))).toEqual([
		['partly-read', 'lines.0'],
	]);
	expect(await reasonsOf(text('de parquet chêne massif 14 mm'))).toEqual([]);
});
