import type { LimitType } from "../errors.ts";
import type { TokenBucket } from "./quotas.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Remainder of a per-minute limit. */
export interface Remaining {
  readonly type: LimitType;
  readonly limit: number;
  readonly left: number;
  readonly msUntilFull: number;
}

/** @param reserved amount reserved for requests in flight */
export function remainingOf(bucket: TokenBucket, type: LimitType, reserved: number): Remaining {
  return {
    type,
    limit: bucket.limit,
    left: bucket.leftBeside(reserved),
    msUntilFull: bucket.msUntil(bucket.limit + reserved),
  };
}

/**
 * Builds OpenAI's rate limit headers, and Anthropic's for clients of its API.
 *
 * @param path of the request
 */
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

/** Anthropic's timestamp format, rounded up to whole seconds. */
function timestamp(milliseconds: number): string {
  return new Date(Math.ceil(milliseconds / SECOND) * SECOND).toISOString().replace(".000", "");
}

/** OpenAI's duration format: `120ms`, `6.1s`, `1m0s`. */
function duration(milliseconds: number): string {
  if (milliseconds < SECOND) return `${Math.ceil(milliseconds)}ms`;
  if (milliseconds < MINUTE) return `${Math.ceil(milliseconds / 100) / 10}s`;
  const seconds = Math.ceil(milliseconds / SECOND);
  return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
