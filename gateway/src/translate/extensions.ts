import type { OllamaOptions } from "../ollama/types.ts";
import type { Extensions } from "./chat-schema.ts";

interface Extensible {
  options: OllamaOptions;
  truncate: boolean;
  shift: boolean;
  keep_alive?: string | number;
}

/** Writes what was asked for beyond the API's own parameters into Ollama's request. */
export function applyExtensions(request: Extensible, asked: Extensions): void {
  if (asked.options != null) request.options = { ...asked.options, ...request.options };
  if (asked.num_ctx != null) request.options.num_ctx = asked.num_ctx;
  if (asked.keep_alive != null) request.keep_alive = asked.keep_alive;
  if (asked.truncate === true) {
    request.truncate = true;
    request.shift = true;
  }
}
