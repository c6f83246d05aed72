import type { Admission } from "./admission.ts";
import type { Backends } from "./backends.ts";
import type { Config } from "./config.ts";
import type { Drains } from "./drains.ts";
import type { Metrics } from "./metrics.ts";

/** What the routes work with. */
export interface Gateway {
  readonly config: Config;
  readonly ollama: Backends;
  readonly admission: Admission;
  readonly drains: Drains;
  readonly metrics: Metrics;
}
