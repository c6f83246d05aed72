import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { CONNECT_MS, evaluate, redisClients, type RedisOptions, watched } from "./redis-client.ts";
import { script, type Script } from "./script.ts";

export interface StateStoreOptions extends RedisOptions {
  /** What all keys of the stack begin with. */
  readonly prefix: string;
  /** How long a command may take before the store counts as away, ms. */
  readonly timeoutMs: number;
}

interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** The store is away, or was too slow. */
export class StoreAway extends Error {
  override readonly name = "StoreAway";
}

/** What is notified of the store. */
export interface StoreUser {
  /** It is there. What is sent now arrives before anything that is sent later. @param former this gateway's last name */
  came(former: string): void;
  /** It is away. Commands under way have failed, or are about to. */
  went(): void;
}

interface Connection {
  readonly commands: Redis;
  readonly messages: Redis;
}

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

// A server that is full, or a replica, takes connections all the same. KEYS: one of its own. ARGV: channel.
const PROBE = script(`
redis.call('SET', KEYS[1], 1, 'PX', 60000)
redis.call('PUBLISH', ARGV[1], '')
return 1
`);

/** A connection to Valkey or Redis that is made again when it is lost, and given up when it is slow. */
export class StateStore {
  readonly channel: string;
  /** What the other gateways know this one by. Each connection has a name of its own: what is left of one counts for nothing. */
  name = "";
  /** Takes the messages of the channel. */
  onMessage: (message: string) => void = () => undefined;
  readonly #options: StateStoreOptions;
  readonly #logger: Logger;
  readonly #users: StoreUser[] = [];
  #connection: Connection | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #reported = false;
  /** A command has succeeded since the connection was made. */
  #proven = false;
  /** When that was made, ms. */
  #since = 0;
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

  /** How often it went away. */
  get failures(): number {
    return this.#failures;
  }

  key(...parts: readonly string[]): string {
    return [this.#options.prefix, ...parts].join(":");
  }

  /** Those that are added first are notified first. */
  addUser(user: StoreUser): void {
    this.#users.push(user);
  }

  /** Tries to reach it once, and again later if that fails. Never rejects. */
  async start(): Promise<void> {
    let connection: Connection | undefined;
    try {
      connection = await this.#connect();
      await within(CONNECT_MS, this.#prepare(connection));
      if (this.#closed) throw new StoreAway("closed");
      this.#use(connection);
    } catch (error) {
      if (connection !== undefined) discard(connection);
      this.#away(error);
    }
  }

  /** @throws StoreAway */
  async run(task: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const connection = this.#connection;
    if (connection === undefined) throw new StoreAway("away");
    let result: unknown;
    try {
      result = await this.#inTime(connection, evaluate(connection.commands, task, keys, args));
    } catch (error) {
      // After an error of the server, too, this gateway comes again: what it has there is not known any more.
      this.#lose(connection, error);
      throw new StoreAway("lost", { cause: error });
    }
    if (!this.#proven && this.#connection === connection) this.#succeeded();
    return result;
  }

  /** Finds out whether messages would still arrive. Never rejects. */
  async checkMessages(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    try {
      await this.#inTime(connection, connection.messages.ping(), " on the connection for messages");
    } catch (error) {
      this.#lose(connection, error);
    }
  }

  /** Makes a new connection under a new name: this gateway was taken for dead. */
  restart(reason: string): void {
    if (this.#connection !== undefined) this.#lose(this.#connection, new StoreAway(reason));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    if (this.#connection !== undefined) discard(this.#connection);
    this.#connection = undefined;
  }

  #inTime<Result>(connection: Connection, work: Promise<Result>, where = ""): Promise<Result> {
    const { timeoutMs } = this.#options;
    return watched(work, timeoutMs, () => {
      this.#lose(connection, new StoreAway(`no response${where} in ${timeoutMs} ms`));
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
        this.#lose(connection, failure ?? new StoreAway("the connection was closed"));
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

  /** Takes no longer than what comes after it may take. */
  async #probe(commands: Redis): Promise<void> {
    const { timeoutMs } = this.#options;
    let overdue: StoreAway | undefined;
    try {
      await watched(evaluate(commands, PROBE, [this.key("probe")], [this.channel]), timeoutMs, () => {
        overdue = new StoreAway(`no response in ${timeoutMs} ms`);
        commands.disconnect();
      });
    } catch (error) {
      throw overdue ?? error;
    }
  }

  #use(connection: Connection): void {
    this.#connection = connection;
    this.#proven = false;
    this.#since = performance.now();
    const former = this.name;
    this.name = randomUUID();
    for (const user of this.#users) user.came(former);
  }

  #succeeded(): void {
    this.#proven = true;
    if (this.#reported) this.#logger.info({}, "shared state is back");
    this.#reported = false;
  }

  #lose(connection: Connection, error: unknown): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#failures += 1;
    // One that fails again and again is not tried more often for having been there in between.
    if (performance.now() - this.#since > MAX_RETRY_MS) this.#retryMs = FIRST_RETRY_MS;
    discard(connection);
    for (const user of this.#users) user.went();
    this.#away(error);
  }

  #away(error: unknown): void {
    if (this.#closed) return;
    if (!this.#reported) {
      this.#logger.warn(
        { error: messageOf(error) },
        "shared state is away, this gateway goes on with its share of slots and limits",
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

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new StoreAway(`no connection in ${ms} ms`));
    }, ms);
  });
  try {
    await Promise.race([work, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
