import { ApiError, type LimitType } from "../errors.ts";
import type { Quota } from "./quotas.ts";

const SECOND = 1000;

/** @param needed the amount that would have admitted the request */
export function exceededError(quota: Quota, type: LimitType, needed: number): ApiError {
  const seconds = Math.max(1, Math.ceil(quota.msUntil(needed) / SECOND));
  return new ApiError("rate_limit_exceeded", {
    message: `${quota.describe(type)} Retry in ${seconds} s.`,
    type,
    retryAfter: seconds,
  });
}

export function tooManyConcurrent(limit: number): ApiError {
  return new ApiError("rate_limit_exceeded", {
    message: `Rate limit reached: ${limit} concurrent requests.`,
  });
}

/**
 * The error for a single request that exceeds the limit per minute.
 *
 * @param param the parameter with the prompts or texts
 */
export function batchTooLarge(count: number, perMinute: number, param: string): ApiError {
  return new ApiError("invalid_value", {
    message:
      `Invalid value for '${param}': it counts as ${count} requests, and the API key's limit is ` +
      `${perMinute} per minute.`,
    param,
  });
}
