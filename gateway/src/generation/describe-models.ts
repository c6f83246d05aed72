import { setTimeout as sleep } from "node:timers/promises";
import type { AppContext } from "../app-context.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import type { OllamaModel } from "../ollama/types.ts";

// Number of concurrent model lookups.
const CONCURRENCY = 8;

/**
 * Describes models in OpenAI format, extended with the capabilities and context length that clients display. Fields
 * that Ollama does not return within `PROBE_TIMEOUT_MS` are omitted.
 */
export async function describeModels(
  { backends, config }: Pick<AppContext, "backends" | "config">,
  models: readonly OllamaModel[],
): Promise<readonly object[]> {
  const unknown = models.filter(({ name }) => backends.knownFacts(name) === undefined).values();
  let timedOut = false;
  const lookUp = async (): Promise<void> => {
    for (const { name } of unknown) {
      if (timedOut) return;
      await backends.facts(name).catch(() => undefined);
    }
  };
  const lookups = Promise.all(Array.from({ length: CONCURRENCY }, lookUp));
  const timeout = new AbortController();
  const { signal } = timeout;
  await Promise.race([lookups, sleep(config.PROBE_TIMEOUT_MS, undefined, { signal, ref: false })]);
  timedOut = true;
  timeout.abort();
  return models.map((model) => toOpenAiModel(backends, model));
}

function toOpenAiModel(backends: BackendPool, { name, modified_at: modifiedAt }: OllamaModel): object {
  const slash = name.lastIndexOf("/");
  const { capabilities } = backends.knownFacts(name) ?? {};
  const context = contextOf(backends, name);
  return {
    id: name,
    object: "model",
    created: Math.floor(Date.parse(modifiedAt) / 1000),
    owned_by: slash === -1 ? "library" : name.slice(0, slash),
    // OpenRouter calls it `context_length`, vLLM `max_model_len`.
    ...(context === undefined ? {} : { context_length: context, max_model_len: context }),
    ...(capabilities === undefined ? {} : { capabilities }),
  };
}

/** Context length in tokens: as loaded, else as configured, else as trained; undefined if unknown. */
function contextOf(backends: BackendPool, name: string): number | undefined {
  const { ownContext, trainedContext } = backends.knownFacts(name) ?? {};
  const loaded = backends.loadedContextOf(name);
  if (loaded !== undefined) return loaded;
  if (ownContext === undefined || trainedContext === undefined) return ownContext ?? trainedContext;
  return Math.min(ownContext, trainedContext);
}
