import type { Consumer } from "../auth/consumer.ts";
import type { AppContext } from "../app-context.ts";
import type { OllamaModel } from "../ollama/types.ts";

/**
 * The installed models that the consumer may use; all others are hidden as if they did not exist.
 *
 * @throws ApiError if no backend responds
 */
export async function visibleModels(
  { backends }: AppContext,
  consumer: Consumer,
): Promise<readonly OllamaModel[]> {
  return (await backends.models()).filter(({ name }) => consumer.allows(name));
}
