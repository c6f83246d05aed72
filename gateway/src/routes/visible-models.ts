import type { Caller } from "../auth/consumer.ts";
import type { Gateway } from "../app-context.ts";
import type { OllamaModel } from "../ollama/types.ts";

/**
 * The models that are present and that the caller may use: any other is, for whoever looks, as one that is not there.
 *
 * @throws ApiError when no server answers
 */
export async function visibleModels({ ollama }: Gateway, caller: Caller): Promise<readonly OllamaModel[]> {
  return (await ollama.models()).filter(({ name }) => caller.allows(name));
}
