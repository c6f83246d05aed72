import type { FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import { minPromptTokens } from "../ollama/prompt-size.ts";
import type { AdmittedRequest } from "../scheduling/admitted-request.ts";

// Shorter prompts are too cheap for Ollama to be worth a check.
const LONG_BYTES = 64 * 1024;

/** Whether a request is large enough to check its prompt against the context length. */
export function isLong({ bodyCost }: FastifyRequest): boolean {
  return bodyCost > LONG_BYTES;
}

/**
 * Rejects a prompt that exceeds the model's context even by the lowest estimate of its tokens. Ollama would have to
 * tokenize it completely first, at 3 s per megabyte, and blocks all other requests to the model meanwhile.
 *
 * @throws ApiError `context_length_exceeded`
 */
export async function requireContextRoom(
  { backend, requirement }: AdmittedRequest,
  body: object,
): Promise<void> {
  if (backend === undefined) return;
  if (backend.loaded.contextOf(requirement) === undefined) await backend.state.refresh();
  const context = backend.loaded.contextOf(requirement);
  if (context !== undefined && minPromptTokens(body) > context) {
    throw new ApiError("context_length_exceeded");
  }
}
