import { ApiError, type LimitType } from "../errors.ts";
import type { Quota } from "./quotas.ts";

const SECOND = 1000;

/** @param needed what should have been left */
export function exceeded(allowance: Quota, type: LimitType, needed: number): ApiError {
  const seconds = Math.max(1, Math.ceil(allowance.msUntil(needed) / SECOND));
  return new ApiError("rate_limit_exceeded", {
    message: `${allowance.describe(type)} Retry in ${seconds} s.`,
    type,
    retryAfter: seconds,
  });
}

export function tooManyAtOnce(limit: number): ApiError {
  return new ApiError("rate_limit_exceeded", {
    message: `Rate limit reached: ${limit} requests at once.`,
  });
}

/** One request that counts as more than a minute's worth. @param param what holds them */
export function tooManyInOne(count: number, perMinute: number, param: string): ApiError {
  return new ApiError("invalid_value", {
    message:
      `Invalid value for '${param}': it counts as ${count} requests, and the API key's limit is ` +
      `${perMinute} per minute.`,
    param,
  });
}
