import type { Admission } from "./admission.ts";
import type { Config } from "./config.ts";
import type { Metrics } from "./metrics.ts";
import type { OllamaClient } from "./ollama/client.ts";

/** What the routes work with. */
export interface Gateway {
  readonly config: Config;
  readonly ollama: OllamaClient;
  readonly admission: Admission;
  readonly metrics: Metrics;
}
