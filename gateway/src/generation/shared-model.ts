import type { AppContext } from "../app-context.ts";
import type { NeededContext } from "../backends/loaded-models.ts";
import { ApiError } from "../errors.ts";
import { keepAliveMs } from "../ollama/keep-alive.ts";
import { isLoadOnly } from "../ollama/load-only.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import { runnerOptionsOf } from "../ollama/runner-options.ts";

// On a gateway with keys a loaded model belongs to all of them. A request of one key must not have it loaded again, with
// another context or other options, nor unloaded, while others use it.

interface Body {
  readonly model: string;
  readonly options?: Readonly<Record<string, unknown>> | null;
  readonly keep_alive?: unknown;
}

/** Whether a request to Ollama has nothing that could have its model loaded otherwise. */
export function runsAsLoaded(body: object): boolean {
  const { options, keep_alive: keepAlive } = body as Partial<Body>;
  return keepAlive == null && runnerOptionsOf(options) === undefined;
}

export interface SharedBody<Content> {
  readonly body: Content;
  /** What the loaded model has to offer. */
  readonly context?: NeededContext;
}

/**
 * Rewrites a request to Ollama so that it runs on the model as the server loads it for everybody: without a context of
 * its own, and with a `keep_alive` only where that is longer than the model stays anyway.
 *
 * @param given the request as the client wrote it, for the names in errors
 *
 * @throws ApiError `parameter_not_allowed` for what only another load, or an unload, could do
 */
export function shareModel<Content extends object>(
  body: Content,
  given: unknown,
  gateway: Pick<AppContext, "config" | "backends">,
): SharedBody<Content> {
  const { model, options, keep_alive: keepAlive } = body as unknown as Body;
  if (runsAsLoaded(body)) return { body };
  const { num_ctx: context, ...others } = runnerOptionsOf(options) ?? {};
  const [refused] = Object.keys(others);
  if (refused !== undefined) {
    const param = nameOf(refused, given);
    throw new ApiError("parameter_not_allowed", {
      message:
        `The API key may not set '${param}', which loads the model anew for everybody. ` +
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
  const kept = keepAlive == null ? undefined : longerKeepAlive(keepAlive, model, gateway);
  const shared = {
    ...body,
    keep_alive: kept,
    ...(options == null ? {} : { options: { ...options, num_ctx: undefined } }),
  };
  if (typeof context !== "number") return { body: shared };
  return { body: shared, context: { tokens: context, param: nameOf("num_ctx", given) } };
}

/** What is passed on of a `keep_alive`: nothing, unless the model stays longer by it. */
function longerKeepAlive(
  keepAlive: unknown,
  model: string,
  { config, backends }: Pick<AppContext, "config" | "backends">,
): string | undefined {
  const asked = keepAliveMs(keepAlive);
  if (asked === undefined) {
    throw new ApiError("invalid_value", {
      message:
        "Invalid value for 'keep_alive': it is no duration. Send a number of seconds, or a text such as \"10m\".",
      param: "keep_alive",
    });
  }
  // Until the servers have been looked at, the model may stay longer than anybody here knows.
  if (!backends.looked) return undefined;
  const longest = Math.floor(Math.min(asked, config.KEEP_ALIVE_LIMIT_MS));
  const kept = Math.max(config.OLLAMA_KEEP_ALIVE, backends.staysMs(canonicalModelName(model)));
  return longest > kept ? `${longest}ms` : undefined;
}

/** Most APIs have `num_ctx` beside Ollama's `options`. */
function nameOf(option: string, given: unknown): string {
  const beside = (given as Readonly<Record<string, unknown>> | null)?.[option];
  return beside == null ? `options.${option}` : option;
}
