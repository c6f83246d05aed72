import type { LimitType } from "../errors.ts";
import type { TokenBucket } from "./quotas.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** How much of a limit per minute is left. */
export interface Remaining {
  readonly type: LimitType;
  readonly limit: number;
  readonly left: number;
  readonly msUntilFull: number;
}

/** @param held what is set aside for requests that run */
export function remainingOf(bucket: TokenBucket, type: LimitType, held: number): Remaining {
  return {
    type,
    limit: bucket.limit,
    left: Math.max(0, Math.floor(bucket.left - held)),
    msUntilFull: bucket.msUntil(bucket.limit + held),
  };
}

/** OpenAI's headers, and Anthropic's beside them for clients of its API. @param path of the request */
export function limitHeaders(limits: readonly Remaining[], path: string): Record<string, string> {
  const headers: Record<string, string> = {};
  const isAnthropic = path.startsWith("/v1/messages");
  for (const { type, limit, left, msUntilFull } of limits) {
    headers[`x-ratelimit-limit-${type}`] = `${limit}`;
    headers[`x-ratelimit-remaining-${type}`] = `${left}`;
    headers[`x-ratelimit-reset-${type}`] = duration(msUntilFull);
    if (!isAnthropic) continue;
    headers[`anthropic-ratelimit-${type}-limit`] = `${limit}`;
    headers[`anthropic-ratelimit-${type}-remaining`] = `${left}`;
    headers[`anthropic-ratelimit-${type}-reset`] = timestamp(Date.now() + msUntilFull);
  }
  return headers;
}

/** Anthropic's way to write a time, in whole seconds, none of them too early. */
function timestamp(milliseconds: number): string {
  return new Date(Math.ceil(milliseconds / SECOND) * SECOND).toISOString().replace(".000", "");
}

/** OpenAI's way to write a time: `120ms`, `6.1s`, `1m0s`. */
function duration(milliseconds: number): string {
  if (milliseconds < SECOND) return `${Math.ceil(milliseconds)}ms`;
  if (milliseconds < MINUTE) return `${Math.ceil(milliseconds / 100) / 10}s`;
  const seconds = Math.ceil(milliseconds / SECOND);
  return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
