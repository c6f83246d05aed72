import { setTimeout as sleep } from "node:timers/promises";
import type { AppContext } from "../app-context.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import type { OllamaModel } from "../ollama/types.ts";

// How many models are looked up at Ollama at the same time.
const IN_PARALLEL = 8;

/**
 * Describes models as OpenAI does, and with what clients show in a list of models: what each can do, and how many tokens
 * it takes. What Ollama does not say in time is left out.
 */
export async function describeModels(
  { backends, config }: Pick<AppContext, "backends" | "config">,
  models: readonly OllamaModel[],
): Promise<readonly object[]> {
  const unknown = models.filter(({ name }) => backends.knownFacts(name) === undefined).values();
  let isOver = false;
  const learn = async (): Promise<void> => {
    for (const { name } of unknown) {
      if (isOver) return;
      await backends.facts(name).catch(() => undefined);
    }
  };
  const learning = Promise.all(Array.from({ length: IN_PARALLEL }, learn));
  const overdue = new AbortController();
  const { signal } = overdue;
  await Promise.race([learning, sleep(config.PROBE_TIMEOUT_MS, undefined, { signal, ref: false })]);
  isOver = true;
  overdue.abort();
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
    // The first name is OpenRouter's, the second vLLM's.
    ...(context === undefined ? {} : { context_length: context, max_model_len: context }),
    ...(capabilities === undefined ? {} : { capabilities }),
  };
}

/** Tokens that a request to the model may take, as far as it is known: as loaded, as configured, or as trained. */
function contextOf(backends: BackendPool, name: string): number | undefined {
  const { ownContext, trainedContext } = backends.knownFacts(name) ?? {};
  const loaded = backends.loadedContextOf(name);
  if (loaded !== undefined) return loaded;
  if (ownContext === undefined || trainedContext === undefined) return ownContext ?? trainedContext;
  return Math.min(ownContext, trainedContext);
}
