import type { OllamaGenerateRequest, OllamaOptions } from "../../ollama/types.ts";
import type { Extensions, Sampling } from "../openai-chat/schema.ts";

/** Parameters that a generation request has in every API. */
interface GenerationParameters extends Partial<Sampling>, Extensions {
  readonly model: string;
  readonly stream?: boolean | null | undefined;
}

/** What all of Ollama's generation requests have in common. */
type CommonRequest = Pick<
  OllamaGenerateRequest,
  "model" | "stream" | "options" | "truncate" | "shift" | "keep_alive"
>;

/**
 * Translates the parameters that every API has.
 *
 * @param limit maximum number of tokens; 0 for none, negative values as in Ollama
 */
export function toCommonRequest(parameters: GenerationParameters, limit?: number | null): CommonRequest {
  const { model, stream, options: extensions, num_ctx: context, keep_alive: keepAlive } = parameters;
  const options = { ...extensions, ...toOllamaOptions(parameters, limit) };
  if (context != null) options.num_ctx = context;
  const truncate = parameters.truncate === true;
  return {
    model,
    stream: stream === true,
    options,
    truncate,
    shift: truncate,
    ...(keepAlive == null ? {} : { keep_alive: keepAlive }),
  };
}

function toOllamaOptions(parameters: Partial<Sampling>, limit?: number | null): OllamaOptions {
  const options: OllamaOptions = {};
  if (limit) options.num_predict = limit;
  if (parameters.temperature != null) options.temperature = parameters.temperature;
  if (parameters.top_p != null) options.top_p = parameters.top_p;
  if (parameters.seed != null) options.seed = parameters.seed;
  if (parameters.stop != null) {
    // An empty stop sequence would end every response before its first token.
    const stops = [parameters.stop].flat().filter((stop) => stop !== "");
    if (stops.length > 0) options.stop = stops;
  }
  if (parameters.presence_penalty != null) options.presence_penalty = parameters.presence_penalty;
  if (parameters.frequency_penalty != null) options.frequency_penalty = parameters.frequency_penalty;
  return options;
}
