import { Ollama } from "ollama";

/**
 * When Ollama is to unload a model, as its `/api/ps` says, in milliseconds; undefined while it is not loaded. It stands
 * still while something is under way, and is set anew as soon as nothing is.
 */
export async function expiry(ollamaUrl: string, model: string): Promise<number | undefined> {
  const { models } = await new Ollama({ host: ollamaUrl }).ps().catch(() => ({ models: [] }));
  const loaded = models.find(({ name }) => name === model);
  return loaded && new Date(loaded.expires_at).getTime();
}

/** Whether a model is loaded, and not to be unloaded. */
export async function keptLoaded(ollamaUrl: string, model: string): Promise<boolean> {
  const years = 24 * 365 * 3_600_000;
  return ((await expiry(ollamaUrl, model)) ?? 0) - Date.now() > 100 * years;
}
