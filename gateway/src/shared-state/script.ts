import { createHash } from "node:crypto";

/** What the store does at once, without anything else in between. */
export interface Script {
  readonly lua: string;
  /** By which the store knows it. */
  readonly sha: string;
}

export function script(lua: string): Script {
  return { lua, sha: createHash("sha1").update(lua).digest("hex") };
}

/** The store's own clock, ms: those of the gateways may differ. */
export const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;
