import type { FastifyRequest } from "fastify";
import type { ApiAdapter } from "../apis/adapter.ts";
import type { AppContext } from "../app-context.ts";
import { type ModelFacts, embedsOnly } from "../backends/model-facts.ts";
import { ApiError } from "../errors.ts";
import { raceAbort } from "../lib/race-abort.ts";
import { isLoadOnly } from "../ollama/load-only.ts";
import { canonicalModelName } from "../ollama/model-name.ts";

/**
 * Rejects a prompt to an embedding-only model. Ollama would reject it as a failed load, which would also fail embedding
 * requests that wait for the same load.
 *
 * @returns undefined if the check completed synchronously
 * @throws ApiError `invalid_value`
 */
export function requireCompletion(
  { backends, config }: Pick<AppContext, "backends" | "config">,
  { call: { body } }: ApiAdapter,
  { record, consumer }: FastifyRequest,
): Promise<void> | undefined {
  // An empty prompt with `keep_alive: 0` unloads any kind of model.
  if (isLoadOnly(body)) return undefined;
  const { model } = body;
  // Do not reveal the capabilities of a model that the key may not use.
  if (!consumer.allows(model)) return undefined;
  const facts = backends.knownFacts(model);
  if (facts !== undefined) {
    check(facts, model);
    return undefined;
  }
  // Admission looks for models that no backend is known to hold.
  if (!backends.placement.knows(canonicalModelName(model))) return undefined;
  return checkUnknown(backends, model, AbortSignal.timeout(config.PROBE_TIMEOUT_MS)).then(() => {
    // The client disconnected in the meantime.
    if (record.error !== undefined) throw record.error;
  });
}

async function checkUnknown(
  backends: AppContext["backends"],
  model: string,
  timeout: AbortSignal,
): Promise<void> {
  // If the lookup fails, the request itself reports why.
  const facts = await raceAbort(backends.facts(model), timeout).catch(() => undefined);
  if (facts !== undefined) check(facts, model);
}

function check(facts: ModelFacts, model: string): void {
  if (!embedsOnly(facts)) return;
  throw new ApiError("invalid_value", {
    message: `The model '${model}' only embeds texts. Use it with /v1/embeddings or /api/embed, or use another model.`,
    param: "model",
  });
}
