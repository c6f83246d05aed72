import type { ApiAdapter } from "../apis/adapter.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import { type ApiError, invalidValue } from "../errors.ts";

/**
 * Rejects a `context` of `/api/generate` with token IDs outside the model's vocabulary: Ollama's runner looks them up
 * unchecked and crashes.
 *
 * @returns undefined if the check completed synchronously
 * @throws ApiError `invalid_value`
 */
export function requireKnownTokens(
  ollama: BackendPool,
  { call: { body } }: ApiAdapter,
  abortable: { readonly signal: AbortSignal },
): Promise<void> | undefined {
  const { context } = body as { context?: unknown };
  if (context == null) return undefined;
  if (!Array.isArray(context) || !context.every(isIndex))
    throw invalidContext("it is not a list of token IDs");
  return context.length === 0
    ? undefined
    : requireInVocabulary(highest(context), body.model, ollama, abortable.signal);
}

async function requireInVocabulary(
  token: number,
  model: string,
  ollama: BackendPool,
  signal: AbortSignal,
): Promise<void> {
  const details = await ollama.request({ method: "POST", path: "/api/show", model, body: { model } }, signal);
  const { model_info: info = {} } = details as { model_info?: Readonly<Record<string, unknown>> };
  const size = Object.entries(info).find(([key]) => key.endsWith(".vocab_size"))?.[1];
  if (typeof size !== "number")
    throw invalidContext("Ollama does not report the size of the model's vocabulary");
  if (token >= size) throw invalidContext(`the model has no token ${token}`);
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function highest(tokens: readonly number[]): number {
  return tokens.reduce((max, token) => Math.max(max, token), 0);
}

function invalidContext(reason: string): ApiError {
  return invalidValue("context", `${reason}. Send the 'context' of an earlier response of the same model.`);
}
