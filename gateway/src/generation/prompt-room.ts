import type { FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import { leastPromptTokens } from "../ollama/prompt-size.ts";
import type { AdmittedRequest } from "../scheduling/admitted-request.ts";

// What is shorter costs Ollama too little to be worth a look.
const LONG_BYTES = 64 * 1024;

/** Whether a request's prompt may be too long for any model. */
export function isLong({ bodyCost }: FastifyRequest): boolean {
  return bodyCost > LONG_BYTES;
}

/**
 * Refuses a prompt that fits the model's context by no count of its tokens. Ollama finds that out by making tokens of all
 * of it, 3 s for each megabyte, and every other client of the model waits meanwhile.
 *
 * @throws ApiError `context_length_exceeded`
 */
export async function requireRoom({ backend, requirement }: AdmittedRequest, body: object): Promise<void> {
  if (backend === undefined) return;
  if (backend.loaded.contextOf(requirement) === undefined) await backend.state.refresh();
  const context = backend.loaded.contextOf(requirement);
  if (context !== undefined && leastPromptTokens(body) > context) {
    throw new ApiError("context_length_exceeded");
  }
}
