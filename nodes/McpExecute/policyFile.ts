import { readFile, stat } from 'node:fs/promises';

import { LocalAiError } from '../shared/errors';
import { loadPolicy, type Policy } from './policy';

interface Kept {
	readonly mark: string;
	readonly policy: Policy;
}

const kept = new Map<string, Kept>();
const maxKept = 20;

/**
 * The policy in a file, read anew once the file has changed. Rejects with LocalAiError `configuration` where it cannot
 * be read or is faulty; the policy that was good before no longer counts then.
 */
export async function readPolicy(path: string, variables: Readonly<Record<string, string>>): Promise<Policy> {
	const { ino, size, mtimeNs } = await stat(path, { bigint: true }).catch((cause: unknown) => {
		throw unreadable(path, cause);
	});
	const place = JSON.stringify([path, Object.entries(variables).sort()]);
	const mark = [ino, size, mtimeNs].join(' ');
	const known = kept.get(place);
	if (known?.mark === mark) return known.policy;
	kept.delete(place);
	const text = await readFile(path, 'utf8').catch((cause: unknown) => {
		throw unreadable(path, cause);
	});
	const policy = loadPolicy(text, variables);
	if (kept.size >= maxKept) kept.clear();
	kept.set(place, { mark, policy });
	return policy;
}

function unreadable(path: string, cause: unknown): LocalAiError {
	const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : 'cannot be read by n8n';
	return new LocalAiError('configuration', `The MCP policy file "${path}" ${why}`, {
		hint: 'Name it in the MCP Policy credential as the machine sees it that runs the workflow. Until then no tool is called.',
		cause,
	});
}
