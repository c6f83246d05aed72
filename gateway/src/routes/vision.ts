import { ApiError } from "../errors.ts";
import type { Backends } from "../backends.ts";
import type { OllamaCall } from "../ollama/types.ts";

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
export function refuseUnseenImages(
  ollama: Backends,
  { body }: OllamaCall,
  signal: AbortSignal,
): Promise<void> | undefined {
  const { images, messages } = body as MayHoldImages;
  const holders: MayHoldImages["messages"] = images == null ? messages : [{ images }];
  return holders?.some((holder) => holder?.images?.length)
    ? refuseUnlessItSees(ollama, body.model, signal)
    : undefined;
}

async function refuseUnlessItSees(ollama: Backends, model: string, signal: AbortSignal): Promise<void> {
  const shown = await ollama.ask({ method: "POST", path: "/api/show", model, body: { model } }, signal);
  const { capabilities } = shown as { capabilities?: readonly string[] };
  // An Ollama that does not say what a model can do is left to judge for itself.
  if (capabilities === undefined || capabilities.includes("vision")) return;
  throw new ApiError("unsupported_parameter", {
    message: `The model '${model}' cannot see images; those in 'messages' would be ignored.`,
    param: "messages",
  });
}
