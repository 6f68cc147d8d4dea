import { describeServer, type OllamaServer } from '../shared/ollama';
import type { ModelFacts } from './facts';

/** What Ollama holds, and which of the `wanted` models it does not. Rejects with LocalAiError. */
export async function readModels(
	server: OllamaServer & { readonly timeoutMs?: number },
	wanted: readonly string[],
	signal: AbortSignal,
): Promise<ModelFacts> {
	const { version, installed, loaded } = await describeServer(server, signal);
	const held = new Set(installed.map(({ name }) => name));
	return {
		version,
		installed: installed.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
		loaded,
		wanted,
		missing: wanted.filter((name) => !held.has(fullName(name))),
	};
}

/** Ollama takes a name without a tag for its latest. */
const fullName = (name: string) => (/:[^/]*$/.test(name) ? name : `${name}:latest`);
