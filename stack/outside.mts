/** What was found of an Ollama server and of the models that are wanted from it. */
export interface OllamaService {
	readonly url: string;
	readonly found: boolean;
	readonly models: readonly string[];
	readonly missing: readonly string[];
	/** The commands that give what is missing. */
	readonly commands: readonly string[];
}

/** Looks for Ollama at `url`, see https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models */
export async function findOllama(url: string, wanted: readonly string[]): Promise<OllamaService> {
	const models = await listModels(url);
	const missing = wanted.filter((name) => !models?.some((have) => have === name || have === `${name}:latest`));
	const install = isLocal(url)
		? 'curl -fsSL https://ollama.com/install.sh | sh'
		: `OLLAMA_URL=<where Ollama answers> npm start`;
	const at = isLocal(url) && new URL(url).port === '11434' ? '' : `OLLAMA_HOST=${new URL(url).host} `;
	return {
		url,
		found: models !== undefined,
		models: models ?? [],
		missing,
		commands: [...(models ? [] : [install]), ...missing.map((name) => `${at}ollama pull ${name}`)],
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
