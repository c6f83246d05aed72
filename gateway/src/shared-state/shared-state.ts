import type { BackendPool } from "../backends/backend-pool.ts";
import type { Config } from "../config/config.ts";
import type { ResponseStore } from "../response-store/response-store.ts";
import type { StoredItem } from "../response-store/stored-conversation.ts";
import { ResponseConnection } from "./response-connection.ts";
import { type ResponseLimits, SharedResponses } from "./shared-responses.ts";
import { SlotPool } from "./slot-pool.ts";
import { StateStore } from "./state-store.ts";
import { UsagePool } from "./usage-pool.ts";

type Logger = ConstructorParameters<typeof StateStore>[1];

/** State shared by the gateways of a stack, in Valkey or Redis. */
class SharedState {
  readonly slots: SlotPool;
  readonly usage: UsagePool;
  readonly #store: StateStore;
  readonly #responseConnection: ResponseConnection;

  constructor(config: Config, backends: BackendPool, logger: Logger) {
    const options = {
      url: config.SHARED_STATE,
      passwordFile: config.SHARED_STATE_PASSWORD_FILE,
      prefix: config.SHARED_STATE_PREFIX,
      timeoutMs: config.SHARED_STATE_TIMEOUT_MS,
    };
    this.#store = new StateStore(options, logger);
    // Must be the first user: what a gateway holds only counts once it has joined.
    this.slots = new SlotPool(this.#store, backends, config.SHARED_STATE_LEASE_MS);
    this.usage = new UsagePool(this.#store);
    this.#responseConnection = new ResponseConnection(options, this.#store, options.timeoutMs);
  }

  /** @param local stores responses while the store is unreachable, and those too large for it */
  responses(local: ResponseStore<StoredItem>, limits: ResponseLimits): SharedResponses {
    return new SharedResponses(this.#store, this.#responseConnection, local, limits);
  }

  /** Whether the store is reachable, so that the other gateways' requests are counted. */
  get isUp(): boolean {
    return this.#store.isUp;
  }

  /** Number of times that the store became unreachable. */
  get failures(): number {
    return this.#store.failures;
  }

  /** Number of gateways that share it, as last reported. */
  get gateways(): number {
    return this.slots.gateways;
  }

  /** Connects once, and keeps retrying in the background if that fails. */
  start(): Promise<void> {
    return this.#store.start();
  }

  async close(): Promise<void> {
    await this.slots.close();
    this.#store.close();
    this.#responseConnection.close();
  }
}

/** Undefined if this gateway does not share its state. */
export function sharedState(config: Config, backends: BackendPool, logger: Logger): SharedState | undefined {
  return config.SHARED_STATE === "memory" ? undefined : new SharedState(config, backends, logger);
}
