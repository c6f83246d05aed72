import { readFile } from "node:fs/promises";
import type { Redis } from "ioredis";
import type { Script } from "./script.ts";

export interface RedisOptions {
  /** redis:// or rediss://, without a password. */
  readonly url: string;
  /** File with the password, read for each connection; empty: there is none. */
  readonly passwordFile: string;
}

// Making a connection takes several commands, and a lookup of the name.
export const CONNECT_MS = 2_000;

/** Makes clients that are not connected yet. A connection that is lost stays lost. */
export async function redisClients({ url, passwordFile }: RedisOptions): Promise<() => Redis> {
  const { Redis } = await import("ioredis");
  const password = passwordFile === "" ? "" : (await readFile(passwordFile, "utf8")).trim();
  const options = {
    protocol: 2,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    // What is to be done about a lost connection is decided by those who use it.
    retryStrategy: null,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    ...(password === "" ? {} : { password }),
  } as const;
  return () => new Redis(url, options);
}

/** Runs a script by its hash, else by its text: a server that was started again has none. */
export async function evaluate(
  client: Redis,
  { sha, lua }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    return await client.eval(lua, keys.length, ...keys, ...args);
  }
}

/** Calls `overdue` where work takes longer than `ms`. A process that was held up finds the response behind its timers. */
export async function watched<Result>(
  work: Promise<Result>,
  ms: number,
  overdue: () => void,
): Promise<Result> {
  let settled = false;
  const timer = setTimeout(() => {
    setImmediate(() => {
      setImmediate(() => {
        if (!settled) overdue();
      });
    });
  }, ms);
  try {
    return await work;
  } finally {
    settled = true;
    clearTimeout(timer);
  }
}
