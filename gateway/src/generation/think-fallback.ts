import { ApiError } from "../errors.ts";
import type { GenerateRequest } from "../ollama/types.ts";

/**
 * Sends a call that asks the model to think, which is a preference: where the model cannot think as much as it is told,
 * it thinks as it can, and one that cannot think at all does not. Ollama refuses such a call before it does anything.
 *
 * @param onIgnored called when the preference is given up
 * @throws ApiError of the call
 */
export async function sendWithThinking(
  call: GenerateRequest,
  send: (call: GenerateRequest) => Promise<void>,
  onIgnored: () => void,
): Promise<void> {
  const { think, ...others } = call.body as GenerateRequest["body"] & { think?: unknown };
  try {
    await send(call);
  } catch (error) {
    if (!refusesThinking(error)) throw error;
    onIgnored();
    if (typeof think !== "string") return send({ ...call, body: others });
    const thinking = { ...call, body: { ...others, think: true } };
    return sendWithThinking(thinking, send, () => undefined);
  }
}

/** Whether a call asks the model to think. */
export function asksToThink({ body }: GenerateRequest): boolean {
  return Boolean((body as { think?: unknown }).think);
}

function refusesThinking(error: unknown): boolean {
  return error instanceof ApiError && error.code === "unsupported_parameter" && error.param === "think";
}
