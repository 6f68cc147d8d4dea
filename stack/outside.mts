/** Models that nothing shipped needs, each with what it is good for. */
export const optionalModels: Readonly<Record<string, string>> = { 'qwen2.5vl:3b': 'for images' };

/** What was found of an Ollama server and of the models that are wanted from it. */
export interface OllamaService {
	readonly url: string;
	readonly found: boolean;
	readonly models: readonly string[];
	readonly missing: readonly string[];
	/** The commands that give what is missing. */
	readonly commands: readonly string[];
	/** Models that are not there and may stay away, with what each is good for and the command that gives it. */
	readonly optional: ReadonlyArray<{ readonly name: string; readonly purpose: string; readonly command: string }>;
}

/** Looks for Ollama at `url` and for `wanted` and the optional models there, see https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models */
export async function findOllama(url: string, wanted: readonly string[]): Promise<OllamaService> {
	const models = await listModels(url);
	const isMissing = (name: string) => !models?.some((have) => have === name || have === `${name}:latest`);
	const missing = wanted.filter(isMissing);
	const install = isLocal(url)
		? 'curl -fsSL https://ollama.com/install.sh | sh'
		: `OLLAMA_URL=<where Ollama answers> npm start`;
	const at = isLocal(url) && new URL(url).port === '11434' ? '' : `OLLAMA_HOST=${new URL(url).host} `;
	const pull = (name: string) => `${at}ollama pull ${name}`;
	return {
		url,
		found: models !== undefined,
		models: models ?? [],
		missing,
		commands: [...(models ? [] : [install]), ...missing.map(pull)],
		optional: Object.entries(optionalModels)
			.filter(([name]) => !wanted.includes(name) && isMissing(name))
			.map(([name, purpose]) => ({ name, purpose, command: pull(name) })),
	};
}

async function listModels(url: string): Promise<string[] | undefined> {
	try {
		const response = await fetch(`${url}/api/tags`, { signal: AbortSignal.timeout(3000) });
		const { models } = (await response.json()) as { models?: { name?: unknown }[] };
		const names = models?.map(({ name }) => name);
		return names?.every((name) => typeof name === 'string') ? names : undefined;
	} catch {
		return undefined;
	}
}

function isLocal(url: string): boolean {
	return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);
}
