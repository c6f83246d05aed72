import type { Admission } from "./scheduling/scheduler.ts";
import type { Backends } from "./backends/backend-pool.ts";
import type { Config } from "./config/config.ts";
import type { Drains } from "./scheduling/drain-controller.ts";
import type { Log } from "./observability/log.ts";
import type { Metrics } from "./observability/metrics.ts";

/** What the routes work with. */
export interface Gateway {
  readonly config: Config;
  readonly ollama: Backends;
  readonly admission: Admission;
  readonly drains: Drains;
  readonly metrics: Metrics;
  readonly log: Log;
}
