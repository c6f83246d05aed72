import { ApiError, type LimitType } from "../errors.ts";
import type { KeyDefinition } from "./api-keys.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** What may be used in a minute, filled up again evenly. What is known too late may be owed. */
class Allowance {
  readonly perMinute: number;
  #left: number;
  #at = performance.now();

  constructor(perMinute: number) {
    this.perMinute = perMinute;
    this.#left = perMinute;
  }

  get left(): number {
    const now = performance.now();
    this.#left = Math.min(this.perMinute, this.#left + ((now - this.#at) * this.perMinute) / MINUTE);
    this.#at = now;
    return this.#left;
  }

  use(amount: number): void {
    this.#left = this.left - amount;
  }

  /** Until this much is there, ms. */
  msUntil(amount: number): number {
    return (Math.max(0, amount - this.left) * MINUTE) / this.perMinute;
  }
}

/** The limits of one key, and what has been used of them. */
export class Limits {
  readonly #requests: Allowance | undefined;
  readonly #tokens: Allowance | undefined;
  readonly #concurrent: number;
  #inside = 0;

  constructor({ requestsPerMinute, tokensPerMinute, concurrent = Infinity }: Partial<KeyDefinition>) {
    if (requestsPerMinute !== undefined) this.#requests = new Allowance(requestsPerMinute);
    if (tokensPerMinute !== undefined) this.#tokens = new Allowance(tokensPerMinute);
    this.#concurrent = concurrent;
  }

  /** Counts a request in, until `leave`; or says with `rate_limit_exceeded` why it may not be. */
  enter(): ApiError | undefined {
    if (this.#inside >= this.#concurrent) {
      return new ApiError("rate_limit_exceeded", {
        message: `Rate limit reached: ${this.#concurrent} requests at once.`,
      });
    }
    if (this.#requests !== undefined && this.#requests.left < 1) return exceeded(this.#requests, "requests");
    // How many tokens a request takes is known when it is over: the next one waits until the debt is paid.
    if (this.#tokens !== undefined && this.#tokens.left < 1) return exceeded(this.#tokens, "tokens");
    this.#requests?.use(1);
    this.#inside += 1;
    return undefined;
  }

  /**
   * Counts further things that a request asks, which has been counted in: all of them, or none.
   *
   * @param param what holds them, for the error
   */
  enterFurther(count: number, param: string): ApiError | undefined {
    const requests = this.#requests;
    if (requests === undefined) return undefined;
    if (count >= requests.perMinute) {
      return new ApiError("invalid_value", {
        message:
          `Invalid value for '${param}': it counts as ${count + 1} requests, and the API key's limit is ` +
          `${requests.perMinute} per minute.`,
        param,
      });
    }
    if (requests.left < count) return exceeded(requests, "requests", count);
    requests.use(count);
    return undefined;
  }

  /** Whether a request may ask the next thing, with so many tokens used by those before. */
  mayGoOn(tokens: number): ApiError | undefined {
    if (this.#tokens === undefined || this.#tokens.left - tokens >= 1) return undefined;
    return exceeded(this.#tokens, "tokens", 1 + tokens);
  }

  leave(tokens: number): void {
    this.#inside -= 1;
    this.#tokens?.use(tokens);
  }

  /** OpenAI's headers, which tell a client how much is left. */
  headers(): Record<string, string> {
    return { ...headersOf(this.#requests, "requests"), ...headersOf(this.#tokens, "tokens") };
  }
}

function exceeded(allowance: Allowance, type: LimitType, wanted = 1): ApiError {
  return new ApiError("rate_limit_exceeded", {
    message: `Rate limit reached: ${allowance.perMinute} ${type} per minute.`,
    type,
    retryAfter: Math.max(1, Math.ceil(allowance.msUntil(wanted) / SECOND)),
  });
}

function headersOf(allowance: Allowance | undefined, type: LimitType): Record<string, string> {
  if (allowance === undefined) return {};
  return {
    [`x-ratelimit-limit-${type}`]: `${allowance.perMinute}`,
    [`x-ratelimit-remaining-${type}`]: `${Math.max(0, Math.floor(allowance.left))}`,
    [`x-ratelimit-reset-${type}`]: duration(allowance.msUntil(allowance.perMinute)),
  };
}

/** OpenAI's way to write a time: `120ms`, `6.1s`, `1m0s`. */
function duration(milliseconds: number): string {
  if (milliseconds < SECOND) return `${Math.ceil(milliseconds)}ms`;
  if (milliseconds < MINUTE) return `${Math.ceil(milliseconds / 100) / 10}s`;
  const seconds = Math.ceil(milliseconds / SECOND);
  return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
