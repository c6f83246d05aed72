import type { OllamaOptions } from "../../ollama/types.ts";
import type { Extensions, Sampling } from "../openai-chat/schema.ts";

interface Extensible {
  options: OllamaOptions;
  truncate: boolean;
  shift: boolean;
  keep_alive?: string | number;
}

/** @param limit maximum number of tokens; 0 for none, negative values as in Ollama */
export function toOllamaOptions(parameters: Partial<Sampling>, limit?: number | null): OllamaOptions {
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

/** Applies extension parameters to Ollama's request. */
export function applyExtensions(request: Extensible, parameters: Extensions): void {
  if (parameters.options != null) request.options = { ...parameters.options, ...request.options };
  if (parameters.num_ctx != null) request.options.num_ctx = parameters.num_ctx;
  if (parameters.keep_alive != null) request.keep_alive = parameters.keep_alive;
  if (parameters.truncate === true) {
    request.truncate = true;
    request.shift = true;
  }
}
