import type { Backend, ThinkSupport } from "../backends/backend.ts";
import { ApiError } from "../errors.ts";
import type { GenerateRequest } from "../ollama/types.ts";

type Think = boolean | string | undefined;

/** Where a call runs. */
interface Target {
  readonly backend: Backend | undefined;
  readonly requirement: { readonly model: string };
}

/**
 * Sends a call that prefers to think. Falls back to the model's own effort if the model does not support the requested
 * one, and to no thinking if it cannot think. Ollama rejects such calls before generating, so that the retry is safe;
 * the result is remembered per model.
 *
 * @param onIgnored called for each call sent without the preference
 * @throws ApiError of the call
 */
export async function sendWithThinking(
  call: GenerateRequest,
  { backend, requirement: { model } }: Target,
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
      if (think === undefined || !rejectsThinking(error)) throw error;
      support = typeof think === "string" ? "switch" : "none";
      backend?.learnThinkSupport(model, support);
    }
  }
}

/** Whether a call enables thinking. */
export function enablesThinking(call: GenerateRequest): boolean {
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

function rejectsThinking(error: unknown): boolean {
  return error instanceof ApiError && error.code === "unsupported_parameter" && error.param === "think";
}
