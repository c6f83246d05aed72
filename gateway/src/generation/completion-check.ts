import type { FastifyRequest } from "fastify";
import type { ApiAdapter } from "../apis/adapter.ts";
import type { AppContext } from "../app-context.ts";
import { type ModelFacts, embedsOnly } from "../backends/model-facts.ts";
import { ApiError } from "../errors.ts";
import { isLoadOnly } from "../ollama/load-only.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import { factsUnlessAborted } from "./model-facts.ts";

/**
 * Rejects a prompt to a model that only embeds. Ollama would as well, but as the failure of a load, which requests that
 * are to embed with that model may wait for.
 *
 * @returns undefined when there is nothing to wait for
 * @throws ApiError `invalid_value`
 */
export function requireCompletion(
  { backends, config }: Pick<AppContext, "backends" | "config">,
  { call: { body } }: ApiAdapter,
  { record, consumer }: FastifyRequest,
): Promise<void> | undefined {
  // That is how a model is unloaded, whatever it is.
  if (isLoadOnly(body)) return undefined;
  const { model } = body;
  // What the model is, is not for everybody to know.
  if (!consumer.allows(model)) return undefined;
  const facts = backends.knownFacts(model);
  if (facts !== undefined) {
    check(facts, model);
    return undefined;
  }
  // A model that no server is known to hold is looked for when the request is admitted.
  if (!backends.placement.knows(canonicalModelName(model))) return undefined;
  return checkUnknown(backends, model, AbortSignal.timeout(config.PROBE_TIMEOUT_MS)).then(() => {
    // Its client has left meanwhile.
    if (record.error !== undefined) throw record.error;
  });
}

async function checkUnknown(
  backends: AppContext["backends"],
  model: string,
  overdue: AbortSignal,
): Promise<void> {
  // Whatever keeps Ollama from saying what the model is, the request itself finds out.
  const facts = await factsUnlessAborted(backends, model, overdue).catch(() => undefined);
  if (facts !== undefined) check(facts, model);
}

function check(facts: ModelFacts, model: string): void {
  if (!embedsOnly(facts)) return;
  throw new ApiError("invalid_value", {
    message: `The model '${model}' only embeds texts. Use it with /v1/embeddings or /api/embed, or use another model.`,
    param: "model",
  });
}
