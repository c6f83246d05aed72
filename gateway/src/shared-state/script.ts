import { createHash } from "node:crypto";

/** A Lua script that the store runs atomically. */
export interface Script {
  readonly lua: string;
  /** Its SHA-1 hash, by which the store caches it. */
  readonly sha: string;
}

export function script(lua: string): Script {
  return { lua, sha: createHash("sha1").update(lua).digest("hex") };
}

/** The store's clock in ms, as the gateways' clocks may differ. */
export const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;
