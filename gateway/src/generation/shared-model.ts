import type { AppContext } from "../app-context.ts";
import type { NeededContext } from "../backends/loaded-models.ts";
import { ApiError, invalidValue } from "../errors.ts";
import { keepAliveMs } from "../ollama/keep-alive.ts";
import { isLoadOnly } from "../ollama/load-only.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import { runnerOptionsOf } from "../ollama/runner-options.ts";

// On a gateway with keys, all keys share the loaded models. One key's request must neither reload a model with other
// options nor unload it while others use it.

interface Body {
  readonly model: string;
  readonly options?: Readonly<Record<string, unknown>> | null;
  readonly keep_alive?: unknown;
}

/** Whether a request cannot change how its model is loaded. */
export function runsAsLoaded(body: object): boolean {
  const { options, keep_alive: keepAlive } = body as Partial<Body>;
  return keepAlive == null && runnerOptionsOf(options) === undefined;
}

interface SharedBody<Content> {
  readonly body: Content;
  /** The context that the loaded model must have. */
  readonly context?: NeededContext;
}

/**
 * Rewrites a request to run on the model as already loaded: removes `num_ctx`, and keeps `keep_alive` only if it
 * extends the model's lifetime.
 *
 * @param original the body as the client sent it, for parameter names in errors
 * @throws ApiError `parameter_not_allowed` for options that need a reload, or for an unload
 */
export function shareModel<Content extends object>(
  body: Content,
  original: unknown,
  gateway: Pick<AppContext, "config" | "backends">,
): SharedBody<Content> {
  const { model, options, keep_alive: keepAlive } = body as unknown as Body;
  if (runsAsLoaded(body)) return { body };
  const { num_ctx: context, ...others } = runnerOptionsOf(options) ?? {};
  const [forbidden] = Object.keys(others);
  if (forbidden !== undefined) {
    const param = paramNameOf(forbidden, original);
    throw new ApiError("parameter_not_allowed", {
      message:
        `The API key may not set '${param}', which would reload the model for every key. ` +
        "Leave it out, or use a key with the flag 'options'.",
      param,
    });
  }
  if (keepAliveMs(keepAlive) === 0 && isLoadOnly(body)) {
    throw new ApiError("parameter_not_allowed", {
      message:
        `The API key may not unload the model '${model}', which others use. ` +
        "Leave 'keep_alive' out, or use a key with the flag 'options'.",
      param: "keep_alive",
    });
  }
  const keepAliveOrNone = keepAlive == null ? undefined : longerKeepAlive(keepAlive, model, gateway);
  const shared = {
    ...body,
    keep_alive: keepAliveOrNone,
    ...(options == null ? {} : { options: { ...options, num_ctx: undefined } }),
  };
  if (typeof context !== "number") return { body: shared };
  return { body: shared, context: { tokens: context, param: paramNameOf("num_ctx", original) } };
}

/** Returns the `keep_alive` to forward; undefined unless it extends the model's lifetime. */
function longerKeepAlive(
  keepAlive: unknown,
  model: string,
  { config, backends }: Pick<AppContext, "config" | "backends">,
): string | undefined {
  const requestedMs = keepAliveMs(keepAlive);
  if (requestedMs === undefined) {
    throw invalidValue(
      "keep_alive",
      'it is not a duration. Send a number of seconds, or a text such as "10m".',
    );
  }
  // Before the first probe, the model's remaining lifetime is unknown and may be longer.
  if (!backends.probed) return undefined;
  const longest = Math.floor(Math.min(requestedMs, config.KEEP_ALIVE_LIMIT_MS));
  const kept = Math.max(config.OLLAMA_KEEP_ALIVE, backends.staysMs(canonicalModelName(model)));
  return longest > kept ? `${longest}ms` : undefined;
}

/** Most APIs accept `num_ctx` at top level as well as in Ollama's `options`. */
function paramNameOf(option: string, original: unknown): string {
  const topLevel = (original as Readonly<Record<string, unknown>> | null)?.[option];
  return topLevel == null ? `options.${option}` : option;
}
