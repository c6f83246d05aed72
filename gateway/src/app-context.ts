import type { Scheduler } from "./scheduling/scheduler.ts";
import type { BackendPool } from "./backends/backend-pool.ts";
import type { BodyBudget } from "./plugins/body-budget.ts";
import type { Config } from "./config/config.ts";
import type { DrainController } from "./scheduling/drain-controller.ts";
import type { ResponseStore } from "./response-store/response-store.ts";
import type { SharedResponseStore, StoredItem } from "./response-store/stored-conversation.ts";
import type { Log } from "./observability/log.ts";
import type { SharedStateStatus, StandbyStatus } from "./observability/gauges.ts";
import type { Metrics } from "./observability/metrics.ts";
import type { UsageStore } from "./usage/usage-store.ts";

/** What the routes work with. */
export interface AppContext {
  readonly config: Config;
  readonly backends: BackendPool;
  readonly scheduler: Scheduler;
  readonly drainController: DrainController;
  readonly metrics: Metrics;
  /** What the bodies of requests and large responses may take of memory. */
  readonly bodies: BodyBudget;
  readonly responses: ResponseStore<StoredItem>;
  /** Those that all gateways have in common, where there are several. */
  readonly sharedResponses: SharedResponseStore | undefined;
  readonly log: Log;
  /** What requests came to by day, key and model. */
  readonly usage: UsageStore;
  /** What other gateways share with this one. */
  readonly shared: SharedStateStatus | undefined;
  /** Whether this gateway is the active one, where others stand by. */
  readonly standby: StandbyStatus | undefined;
}
