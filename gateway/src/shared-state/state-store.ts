import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Redis } from "ioredis";
import type { Script } from "./script.ts";

export interface StateStoreOptions {
  /** redis:// or rediss://, without a password. */
  readonly url: string;
  /** File with the password, read for each connection; empty: there is none. */
  readonly passwordFile: string;
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

// Making a connection takes several commands, and a lookup of the name.
const CONNECT_MS = 2_000;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

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
  async run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const connection = this.#connection;
    if (connection === undefined) throw new StoreAway("away");
    const { commands } = connection;
    let settled = false;
    // A process that was held up finds the response behind its timers.
    const overdue = setTimeout(() => {
      setImmediate(() => {
        setImmediate(() => {
          if (!settled) this.#lose(connection, new StoreAway(`no response in ${this.#options.timeoutMs} ms`));
        });
      });
    }, this.#options.timeoutMs);
    try {
      return await commands.evalsha(script.sha, keys.length, ...keys, ...args);
    } catch (error) {
      // It has lost its scripts: it was started again behind the connection's back.
      if (isNoScript(error)) return await this.#runText(connection, script, keys, args);
      this.#lose(connection, error);
      throw new StoreAway("lost", { cause: error });
    } finally {
      settled = true;
      clearTimeout(overdue);
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

  async #runText(
    connection: Connection,
    { lua }: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    try {
      return await connection.commands.eval(lua, keys.length, ...keys, ...args);
    } catch (error) {
      this.#lose(connection, error);
      throw new StoreAway("lost", { cause: error });
    }
  }

  async #connect(): Promise<Connection> {
    const { url, passwordFile } = this.#options;
    const { Redis } = await import("ioredis");
    const password = passwordFile === "" ? "" : (await readFile(passwordFile, "utf8")).trim();
    const options = {
      protocol: 2,
      lazyConnect: true,
      connectTimeout: CONNECT_MS,
      // What is to be done about a lost connection is decided here.
      retryStrategy: null,
      enableOfflineQueue: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      disableClientInfo: true,
      ...(password === "" ? {} : { password }),
    } as const;
    return { commands: new Redis(url, options), messages: new Redis(url, options) };
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
      await commands.ping();
    } catch (error) {
      throw failure ?? error;
    }
    messages.on("message", (_channel: string, message: string) => {
      this.onMessage(message);
    });
  }

  #use(connection: Connection): void {
    this.#connection = connection;
    this.#retryMs = FIRST_RETRY_MS;
    const former = this.name;
    this.name = randomUUID();
    if (this.#reported) this.#logger.info({}, "shared state is back");
    this.#reported = false;
    for (const user of this.#users) user.came(former);
  }

  #lose(connection: Connection, error: unknown): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#failures += 1;
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

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
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
