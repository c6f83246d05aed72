import type { OllamaOptions } from "../../ollama/types.ts";
import type { Extensions, Sampling } from "../openai-chat/schema.ts";

interface Extensible {
  options: OllamaOptions;
  truncate: boolean;
  shift: boolean;
  keep_alive?: string | number;
}

/** @param limit how many tokens may be generated; 0 is no limit, and negative ones are Ollama's own */
export function toOllamaOptions(asked: Partial<Sampling>, limit?: number | null): OllamaOptions {
  const options: OllamaOptions = {};
  if (limit) options.num_predict = limit;
  if (asked.temperature != null) options.temperature = asked.temperature;
  if (asked.top_p != null) options.top_p = asked.top_p;
  if (asked.seed != null) options.seed = asked.seed;
  if (asked.stop != null) {
    // An empty text would stop every response before its first token.
    const stops = [asked.stop].flat().filter((stop) => stop !== "");
    if (stops.length > 0) options.stop = stops;
  }
  if (asked.presence_penalty != null) options.presence_penalty = asked.presence_penalty;
  if (asked.frequency_penalty != null) options.frequency_penalty = asked.frequency_penalty;
  return options;
}

/** Writes the parameters beyond the API's own into Ollama's request. */
export function applyExtensions(request: Extensible, asked: Extensions): void {
  if (asked.options != null) request.options = { ...asked.options, ...request.options };
  if (asked.num_ctx != null) request.options.num_ctx = asked.num_ctx;
  if (asked.keep_alive != null) request.keep_alive = asked.keep_alive;
  if (asked.truncate === true) {
    request.truncate = true;
    request.shift = true;
  }
}
