import { Ollama } from "ollama";

/**
 * When Ollama will unload a model, from `/api/ps`, in milliseconds; undefined if it is not loaded. It is constant while
 * requests are in flight, and set again when the last one ends.
 */
export async function expiry(ollamaUrl: string, model: string): Promise<number | undefined> {
  const { models } = await new Ollama({ host: ollamaUrl }).ps().catch(() => ({ models: [] }));
  const loaded = models.find(({ name }) => name === model);
  return loaded && new Date(loaded.expires_at).getTime();
}

/** Whether a model is loaded and will not be unloaded. */
export async function keptLoaded(ollamaUrl: string, model: string): Promise<boolean> {
  const years = 24 * 365 * 3_600_000;
  return ((await expiry(ollamaUrl, model)) ?? 0) - Date.now() > 100 * years;
}
