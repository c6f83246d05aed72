import { readFile } from "node:fs/promises";
import type { Redis } from "ioredis";
import type { Script } from "./script.ts";

export interface RedisOptions {
  /** redis:// or rediss://, without a password. */
  readonly url: string;
  /** File with the password, read for each connection; empty for none. */
  readonly passwordFile: string;
}

// Connecting takes a name lookup and several commands.
export const CONNECT_MS = 2_000;

/** Returns a factory of unconnected clients. Clients do not reconnect. */
export async function redisClients({ url, passwordFile }: RedisOptions): Promise<() => Redis> {
  const { Redis } = await import("ioredis");
  const password = passwordFile === "" ? "" : (await readFile(passwordFile, "utf8")).trim();
  const options = {
    protocol: 2,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    // The users of the connection decide when to reconnect.
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

/** Runs a script by its hash, or by its text if the server does not have it, such as after a restart. */
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

/**
 * Calls `onTimeout` if work takes longer than `ms` milliseconds. Checks again after pending I/O: in a process that was
 * blocked, a response may be waiting behind the timer.
 */
export async function withWatchdog<Result>(
  work: Promise<Result>,
  ms: number,
  onTimeout: () => void,
): Promise<Result> {
  let settled = false;
  const timer = setTimeout(() => {
    setImmediate(() => {
      setImmediate(() => {
        if (!settled) onTimeout();
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
