import type {
	ICredentialDataDecryptedObject,
	ICredentialsDecrypted,
	ICredentialTestFunctions,
	IDataObject,
	IExecuteFunctions,
	INodeCredentialTestResult,
	INodeExecutionData,
	INodeType,
} from 'n8n-workflow';

import { forEachItem, type ItemOutput } from '../shared/n8n';
import { runCommand } from './commands';
import { compare } from './compare';
import { description } from './description';
import { collectFacts, diagnose } from './diagnose';
import { containerLogs, countContainers, listContainers, restartContainer } from './docker';
import { searchContainers } from './listSearch';
import {
	commandRequest,
	containerOf,
	diagnoseRequest,
	dockerFrom,
	dockerOf,
	listRequest,
	logsRequest,
	machineOf,
	modelsRequest,
	operationOf,
	queryRequest,
	queueRequest,
	restartRequest,
	unitsRequest,
	type DiagnoseRequest,
} from './parameters';
import { queryPostgres } from './postgres';
import { asHtml, asJson, asMessage, asText } from './report';
import { sourcesOf } from './sources';

export class VpsHealth implements INodeType {
	description = description;

	methods = { listSearch: { searchContainers }, credentialTest: { dockerHostTest } };

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return await forEachItem(this, async (itemIndex, signal) => {
			const operation = operationOf(this, itemIndex);
			switch (operation) {
				case 'command':
					return output(await runCommand({ ...commandRequest(this, itemIndex), signal }));
				case 'containers':
					return output(
						await listContainers(await dockerOf(this, itemIndex), { ...listRequest(this, itemIndex), signal }),
					);
				case 'diagnose':
					return await diagnosed(this, await diagnoseRequest(this, itemIndex), signal);
				case 'logs': {
					const docker = await dockerOf(this, itemIndex);
					const request = { ...logsRequest(this, itemIndex), signal };
					return output(await containerLogs(docker, containerOf(this, itemIndex), request));
				}
				case 'models':
					return output(await sourcesOf(await modelsRequest(this, itemIndex)).models!(signal));
				case 'query': {
					const { address, request } = await queryRequest(this, itemIndex);
					return output(await queryPostgres(address, request, signal));
				}
				case 'queue': {
					const sources = sourcesOf(await queueRequest(this, itemIndex));
					const [queue, redis] = await Promise.all([sources.queue!(signal), sources.redis!(signal)]);
					return output({ queue, redis });
				}
				case 'resources': {
					const { host } = sourcesOf(await machineOf(this, itemIndex));
					const facts = await collectFacts({ ...(host && { host }) }, { signal });
					return output({ takenAt: facts.takenAt, ...facts.host });
				}
				case 'restart': {
					const docker = await dockerOf(this, itemIndex);
					const request = { ...restartRequest(this, itemIndex), protected: docker.protected, signal };
					return output(await restartContainer(docker, containerOf(this, itemIndex), request));
				}
				case 'units': {
					const { which, reachable } = await unitsRequest(this, itemIndex);
					const { units, ...systemd } = await sourcesOf(reachable).systemd!(signal);
					const wanted = units.filter(({ active }) => which === 'all' || active === 'failed');
					return output({ ...systemd, count: units.length, units: wanted });
				}
				default:
					return operation satisfies never;
			}
		});
	}
}

async function diagnosed(
	host: IExecuteFunctions,
	{ reachable, language, html, timeoutMs, last }: DiagnoseRequest,
	signal: AbortSignal,
): Promise<ItemOutput> {
	const facts = await collectFacts(sourcesOf(reachable), { timeoutMs, signal });
	const diagnosis = diagnose(facts, undefined, undefined, last?.seen);
	const changes = compare(last ?? null, diagnosis);
	const { data } = output({
		...asJson(diagnosis, language),
		text: asText(diagnosis, language),
		...(last !== undefined && {
			changes: { worse: changes.worse.length, better: changes.better.length },
			message: asMessage(changes, last, language),
		}),
		state: changes.state,
	});
	if (!html) return { data };
	const page = Buffer.from(asHtml(diagnosis, facts, language));
	const fileName = `health-${facts.takenAt.replace(/[:.]/g, '-')}.html`;
	return { data, files: { data: await host.helpers.prepareBinaryData(page, fileName, 'text/html') } };
}

function output(result: object): ItemOutput {
	return { data: { ...result } as IDataObject };
}

async function dockerHostTest(
	this: ICredentialTestFunctions,
	credential: ICredentialsDecrypted<ICredentialDataDecryptedObject>,
): Promise<INodeCredentialTestResult> {
	try {
		const { address, allowed } = dockerFrom(credential.data ?? {});
		const count = await countContainers(address);
		return { status: 'OK', message: `Docker answers with ${count} containers; the credential names ${allowed.length}` };
	} catch (error) {
		return { status: 'Error', message: error instanceof Error ? error.message : String(error) };
	}
}
