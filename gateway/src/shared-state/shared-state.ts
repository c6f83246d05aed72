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

/** What several gateways of a stack have in common, in Valkey or Redis. */
export class SharedState {
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
    // First: what a gateway has counts only once the others know it.
    this.slots = new SlotPool(this.#store, backends, config.SHARED_STATE_LEASE_MS);
    this.usage = new UsagePool(this.#store);
    this.#responseConnection = new ResponseConnection(options, this.#store, options.timeoutMs);
  }

  /** @param local what this gateway stores while the store is away, or what is too large for it */
  responses(local: ResponseStore<StoredItem>, limits: ResponseLimits): SharedResponses {
    return new SharedResponses(this.#store, this.#responseConnection, local, limits);
  }

  /** The store responds, so that the other gateways' requests count here. */
  get isUp(): boolean {
    return this.#store.isUp;
  }

  /** How often it went away. */
  get failures(): number {
    return this.#store.failures;
  }

  /** Gateways that share it, as it was known last. */
  get gateways(): number {
    return this.slots.gateways;
  }

  /** Tries to reach the store once, and goes on trying if that fails. */
  start(): Promise<void> {
    return this.#store.start();
  }

  async close(): Promise<void> {
    await this.slots.close();
    this.#store.close();
    this.#responseConnection.close();
  }
}

/** Undefined: this gateway has its state to itself. */
export function sharedState(config: Config, backends: BackendPool, logger: Logger): SharedState | undefined {
  return config.SHARED_STATE === "memory" ? undefined : new SharedState(config, backends, logger);
}
