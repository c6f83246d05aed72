import type { Backend } from "../backends/backend.ts";
import type { ThinkSupport } from "../backends/think-support.ts";
import { ApiError } from "../errors.ts";
import type { GenerateRequest } from "../ollama/types.ts";

type Think = boolean | string | undefined;

/** Where a call runs. */
interface Place {
  readonly backend: Backend | undefined;
  readonly requirement: { readonly model: string };
}

/**
 * Sends a call whose model should think, which is a preference: a model that does not know the requested effort thinks
 * at its own, and one that cannot think at all does not. Ollama rejects such a call before anything runs, but may have
 * counted its prompt for that; what it has rejected once is not tried again.
 *
 * @param onIgnored called when the preference is given up
 * @throws ApiError of the call
 */
export async function sendWithThinking(
  call: GenerateRequest,
  { backend, requirement: { model } }: Place,
  send: (call: GenerateRequest) => Promise<void>,
  onIgnored: () => void,
): Promise<void> {
  const preferred = thinkOf(call);
  let support = backend?.thinkSupport(model);
  for (;;) {
    const think = supported(preferred, support);
    if (think !== preferred) onIgnored();
    try {
      await send(think === preferred ? call : withThink(call, think));
      return;
    } catch (error) {
      if (think === undefined || !refusesThinking(error)) throw error;
      support = typeof think === "string" ? "switch" : "none";
      backend?.learnThinkSupport(model, support);
    }
  }
}

/** Whether a call asks the model to think. */
export function asksToThink(call: GenerateRequest): boolean {
  return Boolean(thinkOf(call));
}

function thinkOf({ body }: GenerateRequest): Think {
  return (body as { think?: Think }).think;
}

function supported(preferred: Think, support: ThinkSupport | undefined): Think {
  if (support === undefined) return preferred;
  return support === "switch" ? true : undefined;
}

function withThink(call: GenerateRequest, think: Think): GenerateRequest {
  const body = { ...call.body, think };
  return { ...call, body };
}

function refusesThinking(error: unknown): boolean {
  return error instanceof ApiError && error.code === "unsupported_parameter" && error.param === "think";
}
