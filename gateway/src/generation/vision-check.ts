import { ApiError } from "../errors.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import type { ApiAdapter } from "../apis/adapter.ts";
import { raceAbort } from "../lib/race-abort.ts";

interface MayHoldImages {
  readonly images?: readonly unknown[] | null;
  readonly messages?: readonly ({ readonly images?: readonly unknown[] | null } | null)[];
}

/**
 * Rejects images for a model without vision support: Ollama drops them silently, and the model invents their content.
 * An adapter may provide a conversation with placeholders instead.
 *
 * @throws ApiError `unsupported_parameter` if the adapter has no replacement
 */
export function requireVisionSupport(
  ollama: BackendPool,
  adapter: ApiAdapter,
  abortable: { readonly signal: AbortSignal },
): Promise<ApiAdapter> | ApiAdapter {
  const { images, messages } = adapter.call.body as MayHoldImages;
  const holders: MayHoldImages["messages"] = images == null ? messages : [{ images }];
  return holders?.some((holder) => holder?.images?.length)
    ? withoutUnsupportedImages(ollama, adapter, abortable.signal)
    : adapter;
}

async function withoutUnsupportedImages(
  ollama: BackendPool,
  adapter: ApiAdapter,
  signal: AbortSignal,
): Promise<ApiAdapter> {
  const { call, subject, images: imagesParam = subject } = adapter;
  const { model } = call.body;
  const { capabilities } = await raceAbort(ollama.facts(model), signal);
  // Older Ollama versions do not report capabilities; leave the check to them.
  if (capabilities === undefined || capabilities.includes("vision")) return adapter;
  const messages = adapter.withoutImages?.();
  if (messages !== undefined) {
    const body = { ...call.body, messages };
    return { ...adapter, call: { ...call, body } };
  }
  throw new ApiError("unsupported_parameter", {
    message: `The model '${model}' cannot see images; those in '${imagesParam}' would be ignored.`,
    param: imagesParam,
  });
}
