import type { Admission } from "./scheduling/scheduler.ts";
import type { Backends } from "./backends/backend-pool.ts";
import type { BodyBudget } from "./plugins/body-budget.ts";
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
  /** What the bodies of requests and large responses may take of memory. */
  readonly bodies: BodyBudget;
  readonly log: Log;
}
