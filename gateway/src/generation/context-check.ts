import type { ApiAdapter } from "../apis/adapter.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import { ApiError } from "../errors.ts";

/**
 * Refuses a `context` of `/api/generate` with tokens that the model does not have: Ollama's server looks them up without
 * a check, and ends.
 *
 * @throws ApiError `invalid_value`
 */
export function requireKnownTokens(
  ollama: BackendPool,
  { call: { body } }: ApiAdapter,
  abortable: { readonly signal: AbortSignal },
): Promise<void> | undefined {
  const { context } = body as { context?: unknown };
  if (context == null) return undefined;
  if (!Array.isArray(context) || !context.every(isIndex)) throw refusal("it is no list of tokens");
  return context.length === 0
    ? undefined
    : refuseBeyond(highest(context), body.model, ollama, abortable.signal);
}

async function refuseBeyond(
  token: number,
  model: string,
  ollama: BackendPool,
  signal: AbortSignal,
): Promise<void> {
  const shown = await ollama.request({ method: "POST", path: "/api/show", model, body: { model } }, signal);
  const { model_info: info = {} } = shown as { model_info?: Readonly<Record<string, unknown>> };
  const size = Object.entries(info).find(([key]) => key.endsWith(".vocab_size"))?.[1];
  if (typeof size !== "number") throw refusal("Ollama does not say which tokens the model has");
  if (token >= size) throw refusal(`the model has no token ${token}`);
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function highest(tokens: readonly number[]): number {
  return tokens.reduce((most, token) => Math.max(most, token), 0);
}

function refusal(why: string): ApiError {
  return new ApiError("invalid_value", {
    message: `Invalid value for 'context': ${why}. Send what an earlier response of the same model had.`,
    param: "context",
  });
}
