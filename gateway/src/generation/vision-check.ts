import { ApiError } from "../errors.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import type { ApiAdapter } from "../apis/adapter.ts";
import { factsUnlessAborted } from "./model-facts.ts";

interface MayHoldImages {
  readonly images?: readonly unknown[] | null;
  readonly messages?: readonly ({ readonly images?: readonly unknown[] | null } | null)[];
}

/**
 * Keeps images from a model that cannot see: Ollama would leave them out silently, and the model would make up what it
 * was not shown. The adapter may have a conversation that says so in their place.
 *
 * @throws ApiError `unsupported_parameter` for images that nothing can stand for
 */
export function requireVisionSupport(
  ollama: BackendPool,
  asked: ApiAdapter,
  abortable: { readonly signal: AbortSignal },
): Promise<ApiAdapter> | ApiAdapter {
  const { images, messages } = asked.call.body as MayHoldImages;
  const holders: MayHoldImages["messages"] = images == null ? messages : [{ images }];
  return holders?.some((holder) => holder?.images?.length)
    ? replaceUnlessItSees(ollama, asked, abortable.signal)
    : asked;
}

async function replaceUnlessItSees(
  ollama: BackendPool,
  asked: ApiAdapter,
  signal: AbortSignal,
): Promise<ApiAdapter> {
  const { call, subject, images: holding = subject } = asked;
  const { model } = call.body;
  const { capabilities } = await factsUnlessAborted(ollama, model, signal);
  // An Ollama that does not say what a model can do is left to judge for itself.
  if (capabilities === undefined || capabilities.includes("vision")) return asked;
  const messages = asked.withoutImages?.();
  if (messages !== undefined) {
    const body = { ...call.body, messages };
    return { ...asked, call: { ...call, body } };
  }
  throw new ApiError("unsupported_parameter", {
    message: `The model '${model}' cannot see images; those in '${holding}' would be ignored.`,
    param: holding,
  });
}
