import { ApiError } from "../errors.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import type { ApiAdapter } from "../apis/adapter.ts";

interface MayHoldImages {
  readonly images?: readonly unknown[] | null;
  readonly messages?: readonly ({ readonly images?: readonly unknown[] | null } | null)[];
}

/**
 * Refuses images to a model that cannot see. Ollama would leave them out without a word, and the model would make up
 * what it was not shown.
 *
 * @throws ApiError `unsupported_parameter`
 */
export function requireVisionSupport(
  ollama: BackendPool,
  { call: { body }, subject, images: holding = subject }: ApiAdapter,
  abortable: { readonly signal: AbortSignal },
): Promise<void> | undefined {
  const { images, messages } = body as MayHoldImages;
  const holders: MayHoldImages["messages"] = images == null ? messages : [{ images }];
  return holders?.some((holder) => holder?.images?.length)
    ? refuseUnlessItSees(ollama, body.model, holding, abortable.signal)
    : undefined;
}

async function refuseUnlessItSees(
  ollama: BackendPool,
  model: string,
  holding: string,
  signal: AbortSignal,
): Promise<void> {
  const shown = await ollama.request({ method: "POST", path: "/api/show", model, body: { model } }, signal);
  const { capabilities } = shown as { capabilities?: readonly string[] };
  // An Ollama that does not say what a model can do is left to judge for itself.
  if (capabilities === undefined || capabilities.includes("vision")) return;
  throw new ApiError("unsupported_parameter", {
    message: `The model '${model}' cannot see images; those in '${holding}' would be ignored.`,
    param: holding,
  });
}
