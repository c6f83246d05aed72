import type { Redis } from "ioredis";
import { evaluate, redisClients, type RedisOptions, watched } from "./redis-client.ts";
import type { Script } from "./script.ts";
import { type StateStore, StoreAway, type StoreUser } from "./state-store.ts";

// Stored responses are long: what takes this is slow, not away.
const MIN_TIMEOUT_MS = 2_000;

/** A connection for stored responses alone: slots and limits do not wait for these, and do not depend on them. */
export class ResponseConnection implements StoreUser {
  readonly #options: RedisOptions;
  readonly #store: StateStore;
  readonly #timeoutMs: number;
  #client: Redis | undefined;
  #connecting: Promise<Redis> | undefined;

  /** @param timeoutMs how long a command of slots and limits may take */
  constructor(options: RedisOptions, store: StateStore, timeoutMs: number) {
    this.#options = options;
    this.#store = store;
    this.#timeoutMs = Math.max(timeoutMs, MIN_TIMEOUT_MS);
    store.addUser(this);
  }

  /** @throws StoreAway, or what the server responded */
  async run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    if (!this.#store.isUp) throw new StoreAway("away");
    // Without a wait where it is connected: a response is on its way before its client can refer to it.
    const client = this.#client ?? (await this.#connect());
    return watched(evaluate(client, script, keys, args), this.#timeoutMs, () => {
      client.disconnect();
    });
  }

  came(): void {
    this.#connect().catch(() => undefined);
  }

  went(): void {
    this.close();
  }

  close(): void {
    this.#client?.disconnect();
    this.#client = undefined;
  }

  #connect(): Promise<Redis> {
    this.#connecting ??= this.#newClient().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #newClient(): Promise<Redis> {
    const client = (await redisClients(this.#options))();
    client.on("error", () => undefined);
    client.on("end", () => {
      if (this.#client === client) this.#client = undefined;
    });
    await watched(client.connect(), this.#timeoutMs, () => {
      client.disconnect();
    });
    if (!this.#store.isUp) {
      client.disconnect();
      throw new StoreAway("away");
    }
    this.#client?.disconnect();
    this.#client = client;
    return client;
  }
}
