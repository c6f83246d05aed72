import type { Consumer } from "../auth/consumer.ts";
import type { AppContext } from "../app-context.ts";
import type { OllamaModel } from "../ollama/types.ts";

/**
 * The models that are present and that the consumer may use: any other is, for whoever looks, as one that is not there.
 *
 * @throws ApiError when no server answers
 */
export async function visibleModels(
  { backends }: AppContext,
  consumer: Consumer,
): Promise<readonly OllamaModel[]> {
  return (await backends.models()).filter(({ name }) => consumer.allows(name));
}
