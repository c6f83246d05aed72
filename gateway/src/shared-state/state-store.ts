import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { CONNECT_MS, evaluate, redisClients, type RedisOptions, withWatchdog } from "./redis-client.ts";
import { script, type Script } from "./script.ts";

interface StateStoreOptions extends RedisOptions {
  /** Prefix of all keys of the stack. */
  readonly prefix: string;
  /** Command timeout in milliseconds, after which the store counts as unreachable. */
  readonly timeoutMs: number;
}

interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** The store is unreachable or too slow. */
export class StoreAwayError extends Error {
  override readonly name = "StoreAwayError";
}

/** Notified of the store's availability. */
export interface StoreUser {
  /**
   * The store is reachable. Commands sent from here precede all later ones.
   *
   * @param former previous name of this gateway
   */
  onUp(former: string): void;
  /** The store is unreachable. Commands in flight have failed or are about to. */
  onDown(): void;
}

interface Connection {
  readonly commands: Redis;
  readonly messages: Redis;
}

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

// Detects a server that is full or read-only, which still accepts connections. KEYS: a key of its own. ARGV: channel.
const PROBE = script(`
redis.call('SET', KEYS[1], 1, 'PX', 60000)
redis.call('PUBLISH', ARGV[1], '')
return 1
`);

/** A connection to Valkey or Redis that is re-established when lost, and dropped when too slow. */
export class StateStore {
  readonly channel: string;
  /**
   * Identifies this gateway to the others. Each connection has a new name, so that remains of an old one do not count.
   */
  name = "";
  /** Receives the messages of the channel. */
  onMessage: (message: string) => void = () => undefined;
  readonly #options: StateStoreOptions;
  readonly #logger: Logger;
  readonly #users: StoreUser[] = [];
  #connection: Connection | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #reported = false;
  /** Whether a command has succeeded on this connection. */
  #hasSucceeded = false;
  /** Time of connecting, by `performance.now()`. */
  #connectedAt = 0;
  #closed = false;
  #failures = 0;

  constructor(options: StateStoreOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    this.channel = this.key("channel");
  }

  get isUp(): boolean {
    return this.#connection !== undefined;
  }

  /** Number of times that the store became unreachable. */
  get failures(): number {
    return this.#failures;
  }

  key(...parts: readonly string[]): string {
    return [this.#options.prefix, ...parts].join(":");
  }

  /** Users are notified in the order in which they were added. */
  addUser(user: StoreUser): void {
    this.#users.push(user);
  }

  /** Connects once, and keeps retrying in the background if that fails. Never rejects. */
  async start(): Promise<void> {
    let connection: Connection | undefined;
    try {
      connection = await this.#connect();
      await withConnectTimeout(CONNECT_MS, this.#prepare(connection));
      if (this.#closed) throw new StoreAwayError("closed");
      this.#use(connection);
    } catch (error) {
      if (connection !== undefined) discard(connection);
      this.#onFailure(error);
    }
  }

  /** @throws StoreAwayError */
  async run(task: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const connection = this.#connection;
    if (connection === undefined) throw new StoreAwayError("away");
    let result: unknown;
    try {
      result = await this.#withTimeout(connection, evaluate(connection.commands, task, keys, args));
    } catch (error) {
      // Rejoin after a server error as well: what the server has of this gateway is unknown.
      this.#lose(connection, error);
      throw new StoreAwayError("lost", { cause: error });
    }
    if (!this.#hasSucceeded && this.#connection === connection) this.#succeeded();
    return result;
  }

  /** Checks that messages still arrive. Never rejects. */
  async checkMessages(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    try {
      await this.#withTimeout(connection, connection.messages.ping(), " on the connection for messages");
    } catch (error) {
      this.#lose(connection, error);
    }
  }

  /** Reconnects under a new name, because this gateway's lease has expired. */
  restart(reason: string): void {
    if (this.#connection !== undefined) this.#lose(this.#connection, new StoreAwayError(reason));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    if (this.#connection !== undefined) discard(this.#connection);
    this.#connection = undefined;
  }

  #withTimeout<Result>(connection: Connection, work: Promise<Result>, where = ""): Promise<Result> {
    const { timeoutMs } = this.#options;
    return withWatchdog(work, timeoutMs, () => {
      this.#lose(connection, new StoreAwayError(`no response${where} in ${timeoutMs} ms`));
    });
  }

  async #connect(): Promise<Connection> {
    const newClient = await redisClients(this.#options);
    return { commands: newClient(), messages: newClient() };
  }

  async #prepare(connection: Connection): Promise<void> {
    const { commands, messages } = connection;
    let failure: unknown;
    for (const each of [commands, messages]) {
      each.on("error", (error) => {
        failure = error;
      });
      each.on("end", () => {
        this.#lose(connection, failure ?? new StoreAwayError("the connection was closed"));
      });
    }
    try {
      await Promise.all([commands.connect(), messages.connect()]);
      await messages.subscribe(this.channel);
      await this.#probe(commands);
    } catch (error) {
      throw failure ?? error;
    }
    messages.on("message", (_channel: string, message: string) => {
      this.onMessage(message);
    });
  }

  /** Uses the timeout of the commands that follow. */
  async #probe(commands: Redis): Promise<void> {
    const { timeoutMs } = this.#options;
    let timeoutError: StoreAwayError | undefined;
    try {
      await withWatchdog(evaluate(commands, PROBE, [this.key("probe")], [this.channel]), timeoutMs, () => {
        timeoutError = new StoreAwayError(`no response in ${timeoutMs} ms`);
        commands.disconnect();
      });
    } catch (error) {
      throw timeoutError ?? error;
    }
  }

  #use(connection: Connection): void {
    this.#connection = connection;
    this.#hasSucceeded = false;
    this.#connectedAt = performance.now();
    const former = this.name;
    this.name = randomUUID();
    for (const user of this.#users) user.onUp(former);
  }

  #succeeded(): void {
    this.#hasSucceeded = true;
    if (this.#reported) this.#logger.info({}, "shared state is back");
    this.#reported = false;
  }

  #lose(connection: Connection, error: unknown): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#failures += 1;
    // Do not reset the backoff of a connection that keeps failing after a short time.
    if (performance.now() - this.#connectedAt > MAX_RETRY_MS) this.#retryMs = FIRST_RETRY_MS;
    discard(connection);
    for (const user of this.#users) user.onDown();
    this.#onFailure(error);
  }

  #onFailure(error: unknown): void {
    if (this.#closed) return;
    if (!this.#reported) {
      this.#logger.warn(
        { error: messageOf(error) },
        "shared state is away, continuing with this gateway's share of slots and limits",
      );
    }
    this.#reported = true;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.start(), this.#retryMs).unref();
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
  }
}

function discard({ commands, messages }: Connection): void {
  commands.disconnect();
  messages.disconnect();
}

function messageOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return [code, message].filter(Boolean).join(" ") || String(error);
}

async function withConnectTimeout(ms: number, work: Promise<void>): Promise<void> {
  const done = new AbortController();
  const timeout = sleep(ms, undefined, done).then(() => {
    throw new StoreAwayError(`no connection in ${ms} ms`);
  });
  await Promise.race([work, timeout]).finally(() => {
    done.abort();
  });
}
