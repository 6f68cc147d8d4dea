import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import PdfDocument from 'pdfkit';

import { OllamaExtract } from '../../../nodes/OllamaExtract/OllamaExtract.node';
import { closeIdleReaders } from '../../../nodes/OllamaExtract/pdf/pdfPool';
import { openFolder, runNode, searchList, storeBinary, type NodeOutcome, type NodeRun } from '../../support/host';
import { startOllamaStandIn, type OllamaStandIn } from '../../support/ollamaStandIn';

const run = (setup: NodeRun) => runNode(new OllamaExtract(), setup);
const json = ({ outputs }: NodeOutcome) => outputs.map((items) => items.map((item) => item.json));

/** The JSON of the one item that came out. */
function only(outcome: NodeOutcome) {
	const [items, ...others] = json(outcome);
	expect([items?.length, others]).toEqual([1, []]);
	return items![0]!;
}

async function devis(number: string): Promise<Buffer> {
	const document = new PdfDocument();
	const written = buffer(document);
	document
		.text(`Devis n° ${number}`)
		.text('Date : 22/11/2026')
		.text('Ce devis est valable trente jours, sous réserve de vos remarques.');
	document.end();
	return await written;
}

const closedFolder = mkdtempSync(join(tmpdir(), 'aurastack-closed-'));
afterAll(() => {
	rmSync(closedFolder, { recursive: true });
	closeIdleReaders();
});
beforeEach(() => {
	rmSync(openFolder, { recursive: true });
	mkdirSync(openFolder);
});

describe('three items, one of them bad', () => {
	const setup = {
		parameters: { source: 'text', text: '={{ $json.text }}', engine: 'withoutModel' },
		items: ['Devis n° D-2026-041', '', 'Devis n° D-2026-043'].map((text) => ({ json: { text } })),
	};
	const failed = {
		error: expect.stringContaining('"text" is empty'),
		details: { code: 'invalid-input', hint: expect.any(String) },
	};

	test('stop: the error names the item', async () => {
		const { error, outputs } = await run(setup);
		expect(outputs).toEqual([]);
		expect(error).toMatchObject({ message: failed.error, context: { itemIndex: 1 } });
	});

	test('continue in the regular output', async () => {
		const { outputs } = await run({ ...setup, onError: 'continueRegularOutput' });
		expect(outputs[0]).toMatchObject([
			{ json: { data: { number: 'D-2026-041' } }, pairedItem: { item: 0 } },
			{ json: failed, pairedItem: { item: 1 } },
			{ json: { data: { number: 'D-2026-043' } }, pairedItem: { item: 2 } },
		]);
	});

	test('continue in the error output', async () => {
		const { outputs } = await run({ ...setup, onError: 'continueErrorOutput' });
		expect(outputs).toMatchObject([
			[{ pairedItem: { item: 0 } }, { pairedItem: { item: 2 } }],
			[{ json: failed, pairedItem: { item: 1 } }],
		]);
	});
});

test.each([true, false])('evidence in the output: %s', async (includeEvidence) => {
	const parameters = { source: 'text', text: 'Devis n° D-7', engine: 'withoutModel', options: { includeEvidence } };
	const result = only(await run({ parameters }));
	expect(Object.keys(result).includes('fields')).toBe(includeEvidence);
	expect(Object.keys(result).includes('checks')).toBe(includeEvidence);
	expect(result).toMatchObject({ verdict: 'review', document: { kind: 'text' } });
});

describe('source: binary field', () => {
	const parameters = { source: 'binary', engine: 'withoutModel' };

	test('a PDF of the previous node is read, and keeps its name', async () => {
		const data = await storeBinary(await devis('D-2026-041'), 'Devis été.pdf', 'application/pdf');
		const result = only(await run({ parameters, items: [{ json: {}, binary: { data } }] }));
		expect(result).toMatchObject({
			data: { number: 'D-2026-041' },
			document: { kind: 'pdf', fileName: 'Devis été.pdf', pages: 1 },
		});
	});

	test('an item without that field is named', async () => {
		const data = await storeBinary(await devis('D-1'), 'a.pdf', 'application/pdf');
		const { error } = await run({ parameters, items: [{ json: {}, binary: { data } }, { json: {} }] });
		expect(error).toMatchObject({ message: expect.stringContaining("'data'"), context: { itemIndex: 1 } });
	});

	test('what is no PDF and no image fails with its name', async () => {
		const data = await storeBinary(Buffer.from('MZ a program'), 'setup.pdf', 'application/pdf');
		const { error } = await run({ parameters, items: [{ json: {}, binary: { data } }] });
		expect(error).toMatchObject({ description: expect.any(String), context: { itemIndex: 0 } });
	});

	test('a password is never told', async () => {
		const data = await storeBinary(Buffer.from('no PDF'), 'a.pdf', 'application/pdf');
		const outcome = await run({
			parameters: { ...parameters, options: { password: 'hunter2' } },
			items: [{ json: {}, binary: { data } }],
			onError: 'continueRegularOutput',
		});
		expect(JSON.stringify(outcome)).not.toContain('hunter2');
	});
});

describe('source: file path', () => {
	const read = (filePath: string) => run({ parameters: { source: 'file', filePath, engine: 'withoutModel' } });

	test('a file in an allowed folder is read', async () => {
		writeFileSync(join(openFolder, 'Devis n° 1.pdf'), await devis('D-1'));
		const result = only(await read(join(openFolder, 'Devis n° 1.pdf')));
		expect(result).toMatchObject({ data: { number: 'D-1' }, document: { fileName: 'Devis n° 1.pdf' } });
	});

	test.each([
		['a path elsewhere', () => join(closedFolder, 'secret.pdf')],
		['a path elsewhere where nothing is', () => join(closedFolder, 'no', 'such.pdf')],
		['a path that climbs out', () => `${openFolder}/../../${basename(closedFolder)}/secret.pdf`],
		['a symbolic link out', () => link('link.pdf', join(closedFolder, 'secret.pdf'))],
		['a folder that is a symbolic link out', () => join(link('folder', closedFolder), 'secret.pdf')],
		["n8n's own folder", () => join(openFolder, '..', '.n8n', 'config')],
	])('%s is refused', async (_, path) => {
		writeFileSync(join(closedFolder, 'secret.pdf'), await devis('D-1'));
		const { error } = await read(path());
		expect(error).toMatchObject({
			message: expect.stringContaining('may not open'),
			description: expect.stringContaining('N8N_RESTRICT_FILE_ACCESS_TO'),
		});
	});

	test.each([
		['nothing there', 'no.pdf', 'There is no file'],
		['a folder', '.', 'is not a file'],
	])('%s', async (_, name, message) => {
		const { error } = await read(join(openFolder, name));
		expect(error?.message).toContain(message);
	});

	function link(name: string, to: string) {
		symlinkSync(to, join(openFolder, name));
		return join(openFolder, name);
	}
});

describe('engine', () => {
	const text = { source: 'text', text: 'Devis n° D-1' };

	test('Automatic without a credential reads the page and marks what is missing', async () => {
		const result = only(await run({ parameters: { ...text, engine: 'automatic' } }));
		expect(result).toMatchObject({ data: { number: 'D-1' }, verdict: 'review', usage: { calls: 0 } });
	});

	test('Model Only without a credential says what to choose', async () => {
		const { error } = await run({ parameters: { ...text, engine: 'modelOnly' } });
		expect(error).toMatchObject({
			description: expect.stringContaining('Ollama credential'),
			failure: { cause: 'configuration-invalid' },
		});
	});

	test.each([
		['{ "type": ', 'not valid JSON'],
		['[1]', 'not a JSON object'],
	])('the JSON Schema %s is refused', async (jsonSchema, message) => {
		const { error } = await run({ parameters: { ...text, schema: 'jsonSchema', jsonSchema } });
		expect(error?.message).toContain(message);
	});

	test.each([
		[{ numCtx: 'many' }, '"numCtx"'],
		[{ maxCalls: 0 }, '"maxCalls"'],
		[{ unproven: 'guess' }, '"unproven"'],
	])('the option %j is refused by its name', async (options, message) => {
		const { error } = await run({ parameters: { ...text, options } });
		expect(error).toMatchObject({ message: expect.stringContaining(message), context: { itemIndex: 0 } });
	});

	test('an option whose expression gives nothing keeps its default', async () => {
		const { status } = await run({
			parameters: { ...text, options: { password: '={{ $json.none }}', maxPages: '={{ "3" }}' } },
		});
		expect(status).toBe('success');
	});

	test('an operation that an expression made up is refused with the ones there are', async () => {
		const { error } = await run({ parameters: { operation: '={{ "explode" }}' } });
		expect(error).toMatchObject({
			message: expect.stringContaining('explode'),
			description: expect.stringContaining('archive'),
		});
	});
});

describe('with an Ollama server', () => {
	const text = 'Devis n° D-2026-041';
	let ollama: OllamaStandIn;
	beforeAll(async () => {
		ollama = await startOllamaStandIn({ apiKey: 's3cret', models: ['qwen2.5-coder:3b-instruct', 'llava:7b'] });
	});
	afterAll(() => ollama.close());
	const credentials = () => ({ ollamaApi: { baseUrl: ollama.baseUrl, apiKey: 's3cret' } });
	const modelOnly = {
		source: 'text',
		text,
		engine: 'modelOnly',
		model: { __rl: true, mode: 'name', value: 'llava:7b' },
	};

	test('the model of each item is asked with the limits of that item, and its usage is told', async () => {
		const [results] = json(
			await run({
				parameters: { ...modelOnly, options: { numCtx: '={{ $json.numCtx }}', maxReplyTokens: 500 } },
				credentials: credentials(),
				items: [{ json: { numCtx: 4096 } }, { json: { numCtx: 16384 } }],
			}),
		);
		expect(ollama.chats().map(({ model, options }) => ({ model, ...options }))).toEqual([
			expect.objectContaining({ model: 'llava:7b', num_ctx: 4096, num_predict: 500, temperature: 0 }),
			expect.objectContaining({ model: 'llava:7b', num_ctx: 16384, num_predict: 500, temperature: 0 }),
		]);
		expect(results).toMatchObject([{ usage: { model: 'llava:7b', calls: 1 } }, { usage: { calls: 1 } }]);
	});

	test('an image goes to the vision model of the options', async () => {
		const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3]).toString('base64');
		const [results] = json(
			await run({
				parameters: {
					...modelOnly,
					source: 'binary',
					model: { __rl: true, mode: 'name', value: 'qwen2.5-coder:3b-instruct' },
					options: { visionModel: 'llava:7b' },
				},
				credentials: credentials(),
				items: [{ json: {}, binary: { data: { data: png, mimeType: 'image/png' } } }],
			}),
		);
		expect(results).toMatchObject([{ verdict: expect.any(String), usage: { model: 'llava:7b', calls: 1 } }]);
	});

	test.each([
		['a wrong key', { apiKey: 'wr0ng' }, 'credential-invalid', /key/],
		['no server', { baseUrl: 'http://127.0.0.1:1' }, 'temporarily-unavailable', /ollama serve/],
		['no address', { baseUrl: 'here' }, 'configuration-invalid', /http/],
	])('%s says what to do', async (_, wrong, cause, hint) => {
		const { error } = await run({
			parameters: modelOnly,
			credentials: { ollamaApi: { ...credentials().ollamaApi, ...wrong } },
		});
		expect(error).toMatchObject({ failure: { cause }, description: expect.stringMatching(hint) });
		expect(JSON.stringify(error)).not.toMatch(/s3cret|wr0ng/);
	});

	test('cancelling the execution ends the request to the model', async () => {
		ollama.script({ kind: 'stall' });
		const stop = new AbortController();
		let finished = false;
		const running = run({ parameters: modelOnly, credentials: credentials(), signal: stop.signal }).finally(
			() => (finished = true),
		);
		while (ollama.open() === 0 && !finished) await new Promise(setImmediate);
		stop.abort();
		await ollama.settled();
		await running;
	});

	test('the list search offers what the server holds', async () => {
		const setup = { parameters: modelOnly, credentials: credentials() };
		const all = await searchList(new OllamaExtract(), 'searchModels', setup);
		expect(all.results.map(({ value }) => value)).toEqual(['llava:7b', 'qwen2.5-coder:3b-instruct']);
		expect(all.results[0]?.description).toMatch(/^\d+\.\d GB$/);
		const some = await searchList(new OllamaExtract(), 'searchModels', { ...setup, filter: 'QWEN' });
		expect(some.results).toHaveLength(1);
	});

	test('a list search that finds no server says how to start one', async () => {
		const setup = { parameters: modelOnly, credentials: { ollamaApi: { baseUrl: 'http://127.0.0.1:1' } } };
		await expect(searchList(new OllamaExtract(), 'searchModels', setup)).rejects.toMatchObject({
			description: expect.stringContaining('ollama serve'),
		});
	});
});

describe('archive', () => {
	const drop = (name: string) => {
		writeFileSync(join(openFolder, name), name);
		return join(openFolder, name);
	};

	test('each verdict has its folder', async () => {
		const items = ['complete', 'review', 'failed'].map((verdict) => ({
			json: { verdict, path: drop(`${verdict}.pdf`) },
		}));
		const parameters = { operation: 'archive', filePath: '={{ $json.path }}', archiveFolder: openFolder };
		const [results] = json(await run({ parameters, items }));
		expect(results?.map(({ path }) => path)).toEqual([
			join(openFolder, 'processed', 'complete.pdf'),
			join(openFolder, 'review', 'review.pdf'),
			join(openFolder, 'rejected', 'failed.pdf'),
		]);
		expect(results?.[0]).toMatchObject({ outcome: 'moved', from: items[0]?.json.path, bytes: 12 });
	});

	test('a folder by name, the content checked', async () => {
		const setup = (sha256: string) => ({
			parameters: {
				operation: 'archive',
				filePath: drop('a.pdf'),
				destination: 'folder',
				folder: join(openFolder, 'done'),
				options: { sha256 },
			},
		});
		expect((await run(setup('0'.repeat(64)))).error?.message).toContain('no longer the file');
		const result = only(await run(setup('')));
		expect(result?.path).toBe(join(openFolder, 'done', 'a.pdf'));
	});

	test('neither end may lie outside the allowed folders', async () => {
		writeFileSync(join(closedFolder, 'theirs.pdf'), 'theirs');
		const out = { operation: 'archive', filePath: drop('ours.pdf'), destination: 'folder', folder: closedFolder };
		const into = { ...out, filePath: join(closedFolder, 'theirs.pdf'), folder: join(openFolder, 'done') };
		for (const parameters of [out, into]) {
			const { error } = await run({ parameters });
			expect(error?.message).toContain('may not open');
		}
		expect(readdirSync(openFolder)).toEqual(['ours.pdf']);
		expect(readFileSync(join(closedFolder, 'theirs.pdf'), 'utf8')).toBe('theirs');
		rmSync(join(closedFolder, 'theirs.pdf'));
	});

	test('a symbolic link is refused, what it points at stays', async () => {
		symlinkSync(drop('real.pdf'), join(openFolder, 'link.pdf'));
		const { error } = await run({
			parameters: {
				operation: 'archive',
				filePath: join(openFolder, 'link.pdf'),
				destination: 'folder',
				folder: join(openFolder, 'done'),
			},
		});
		expect(error?.message).toContain('symbolic link');
		expect(readdirSync(openFolder).sort()).toEqual(['link.pdf', 'real.pdf']);
	});
});

describe('find', () => {
	const find = (folder: string, options = {}) =>
		run({ parameters: { operation: 'find', folder, options: { stillSeconds: 0, ...options } } });

	test('one item lists the files, also when there are none', async () => {
		const empty = json(await find(openFolder));
		expect(empty).toEqual([[{ folder: openFolder, documents: [] }]]);
		writeFileSync(join(openFolder, 'a.PDF'), 'a');
		writeFileSync(join(openFolder, 'b.txt'), 'b');
		expect(json(await find(openFolder))).toMatchObject([[{ documents: [{ fileName: 'a.PDF', bytes: 1 }] }]]);
		expect(json(await find(openFolder, { extensions: '.txt, .PDF' }))).toMatchObject([[{ documents: [{}, {}] }]]);
	});

	test('a folder that is closed to workflows is refused', async () => {
		expect((await find(closedFolder)).error?.message).toContain('may not open');
	});
});
