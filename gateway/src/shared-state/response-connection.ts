import type { Redis } from "ioredis";
import { evaluate, redisClients, type RedisOptions, withWatchdog } from "./redis-client.ts";
import type { Script } from "./script.ts";
import { type StateStore, StoreAwayError, type StoreUser } from "./state-store.ts";

// Stored responses are large, so slow does not mean unreachable.
const MIN_TIMEOUT_MS = 2_000;

/** A separate connection for stored responses, so that slots and limits need not wait for them. */
export class ResponseConnection implements StoreUser {
  readonly #options: RedisOptions;
  readonly #store: StateStore;
  readonly #timeoutMs: number;
  #client: Redis | undefined;
  #connecting: Promise<Redis> | undefined;

  /** @param timeoutMs command timeout for slots and limits, in milliseconds */
  constructor(options: RedisOptions, store: StateStore, timeoutMs: number) {
    this.#options = options;
    this.#store = store;
    this.#timeoutMs = Math.max(timeoutMs, MIN_TIMEOUT_MS);
    store.addUser(this);
  }

  /** @throws StoreAwayError, or the server's error */
  async run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    if (!this.#store.isUp) throw new StoreAwayError("away");
    // No `await` if connected: the command must be sent before the client can refer to the response.
    const client = this.#client ?? (await this.#connect());
    return withWatchdog(evaluate(client, script, keys, args), this.#timeoutMs, () => {
      client.disconnect();
    });
  }

  onUp(): void {
    this.#connect().catch(() => undefined);
  }

  onDown(): void {
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
    await withWatchdog(client.connect(), this.#timeoutMs, () => {
      client.disconnect();
    });
    if (!this.#store.isUp) {
      client.disconnect();
      throw new StoreAwayError("away");
    }
    this.#client?.disconnect();
    this.#client = client;
    return client;
  }
}
