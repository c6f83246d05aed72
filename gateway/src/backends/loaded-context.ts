import { ApiError, type Subject } from "../errors.ts";
import { estimatePromptTokens } from "../ollama/prompt-size.ts";
import type { Backend } from "./backend.ts";
import type { NeededContext, RunnerRequirement } from "./loaded-models.ts";

/**
 * Checks that the loaded model's context is large enough for a request that may not reload it.
 *
 * @throws ApiError `parameter_not_allowed`
 */
export async function requireContext(
  { loaded, state }: Backend,
  requirement: RunnerRequirement,
  { tokens, param }: NeededContext,
): Promise<void> {
  if (loaded.contextOf(requirement) === undefined) await state.refresh();
  const context = loaded.contextOf(requirement);
  if (context === undefined || tokens <= context) return;
  throw new ApiError("parameter_not_allowed", {
    message:
      `The API key may not use a context of ${tokens} tokens: the model is loaded with ${context} for all keys. ` +
      `Send '${param}' up to that, leave it out, or use a key with the flag 'options'.`,
    param,
  });
}

/**
 * Builds the error for a prompt that exceeds the context, with numbers if the context is known.
 *
 * @param body Ollama's request
 */
export async function contextExceededError(
  { loaded, state }: Backend,
  error: ApiError,
  requirement: RunnerRequirement,
  body: object,
  subject: Subject,
  mayChooseContext: boolean,
): Promise<ApiError> {
  if (loaded.contextOf(requirement) === undefined) await state.refresh();
  const context = loaded.contextOf(requirement);
  if (context === undefined) return new ApiError(error.code, { param: subject, cause: error });
  // Ollama does not report the number of tokens.
  return new ApiError("context_length_exceeded", {
    message:
      `This model's maximum context length is ${context} tokens. However, your ${subject} resulted in at least ` +
      `${context + 1} tokens. Shorten the ${subject}` +
      (mayChooseContext ? ", or request a larger context with 'num_ctx'." : "."),
    param: subject,
    tooLong: { tokens: Math.max(context + 1, estimatePromptTokens(body)), context },
    cause: error,
  });
}
