import type { Scheduler } from "./scheduling/scheduler.ts";
import type { BackendPool } from "./backends/backend-pool.ts";
import type { BodyBudget } from "./plugins/body-budget.ts";
import type { Config } from "./config/config.ts";
import type { DrainController } from "./scheduling/drain-controller.ts";
import type { ForwardedRequests } from "./scheduling/forwarded-requests.ts";
import type { ResponseStore } from "./response-store/response-store.ts";
import type { SharedResponseStore, StoredItem } from "./response-store/stored-conversation.ts";
import type { Log } from "./observability/log.ts";
import type { SharedStateStatus, StandbyStatus } from "./observability/gauges.ts";
import type { Metrics } from "./observability/metrics.ts";
import type { UsageStore } from "./usage/usage-store.ts";

/** Services and configuration that the routes use. */
export interface AppContext {
  readonly config: Config;
  readonly backends: BackendPool;
  readonly scheduler: Scheduler;
  readonly forwarded: ForwardedRequests;
  readonly drainController: DrainController;
  readonly metrics: Metrics;
  /** Memory budget for bodies and large responses. */
  readonly bodies: BodyBudget;
  readonly responses: ResponseStore<StoredItem>;
  /** Stored responses shared by all gateways, if there are several. */
  readonly sharedResponses: SharedResponseStore | undefined;
  readonly log: Log;
  /** Usage by day, key and model. */
  readonly usage: UsageStore;
  /** State shared with other gateways, if there are several. */
  readonly shared: SharedStateStatus | undefined;
  /** Standby election, if there is one. */
  readonly standby: StandbyStatus | undefined;
}
