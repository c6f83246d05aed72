import { ApiError, type LimitType } from "../errors.ts";
import type { KeyDefinition } from "./api-keys.ts";
import { type Remaining, limitHeaders } from "./rate-limit-headers.ts";
import { type DrainingCount, KeyUsage, type PeriodCount, type Reservation } from "./key-usage.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

// About what a small model generates a token in on a CPU, until an answer of the key has shown how long it takes.
const USUAL_MS_PER_TOKEN = 20;

// Set aside for an answer whose length the request does not limit. Most are shorter; what a longer one takes beyond
// it counts as soon as it is generated.
const USUAL_ANSWER_TOKENS = 1024;

/** What a request will take, as far as it can be known before it runs. */
export interface TokenEstimate {
  readonly prompt: number;
  /** The most that it lets the model generate; infinite when it does not say. */
  readonly output: number;
}

/** One limit of a key, and how much of it is left. */
interface Quota {
  readonly limit: number;
  readonly left: number;
  /** Until this much is there, ms. */
  msUntil(amount: number): number;
  describe(type: LimitType): string;
}

/** So much a minute, filled up again evenly. What is known too late may be owed, but never more than a minute's worth. */
class TokenBucket implements Quota {
  readonly limit: number;
  readonly #count: DrainingCount;

  constructor(perMinute: number, count: DrainingCount) {
    this.limit = perMinute;
    this.#count = count;
  }

  get left(): number {
    return this.limit - this.#count.used(this.limit);
  }

  use(amount: number): void {
    // After this much, 1 is left again in a minute.
    this.#count.add(amount, this.limit, 2 * this.limit - 1);
  }

  msUntil(amount: number): number {
    return (Math.max(0, amount - this.left) * MINUTE) / this.limit;
  }

  describe(type: LimitType): string {
    return `Rate limit reached: ${this.limit} ${type} per minute.`;
  }
}

/** So much a day or a month, all of it back when the next one begins. */
class Budget implements Quota {
  readonly limit: number;
  readonly #count: PeriodCount;

  constructor(limit: number, count: PeriodCount) {
    this.limit = limit;
    this.#count = count;
  }

  get left(): number {
    return this.limit - this.#count.used;
  }

  msUntil(): number {
    return this.#count.resetsAt.getTime() - Date.now();
  }

  describe(type: LimitType): string {
    const { unit, resetsAt } = this.#count;
    return (
      `Budget used up: ${this.limit} ${type} per ${unit}, which begins anew at ` +
      `${resetsAt.toISOString().replace(".000", "")}.`
    );
  }
}

interface RateState {
  readonly limit: number;
  readonly left: number;
}

interface BudgetState {
  /** Undefined: there is none, and nothing is counted. */
  readonly limit: number | undefined;
  readonly used: number;
  readonly resetsAt: Date;
}

/** What a key has left. */
export interface LimitsState {
  readonly requestsPerMinute: RateState | undefined;
  readonly tokensPerMinute: RateState | undefined;
  readonly concurrent: { readonly limit: number; readonly used: number };
  readonly day: BudgetState;
  readonly month: BudgetState;
}

/** The limits of one key, applied to what it has used. */
export class RateLimits {
  readonly #usage: KeyUsage;
  readonly #onUse: () => void;
  readonly #requests: TokenBucket | undefined;
  readonly #tokens: TokenBucket | undefined;
  /** All that tokens are counted against. */
  readonly #tokenAllowances: readonly Quota[];
  readonly #perDay: number | undefined;
  readonly #perMonth: number | undefined;
  readonly #concurrent: number;
  /** How long the last answer took for a token, ms. */
  msPerToken = USUAL_MS_PER_TOKEN;

  /** @param onUse called when something was used that should survive a restart */
  constructor(
    {
      requestsPerMinute,
      tokensPerMinute,
      tokensPerDay,
      tokensPerMonth,
      concurrent = Infinity,
    }: Partial<KeyDefinition>,
    usage = new KeyUsage(),
    onUse: () => void = () => undefined,
  ) {
    this.#usage = usage;
    this.#onUse = onUse;
    this.#perDay = tokensPerDay;
    this.#perMonth = tokensPerMonth;
    this.#concurrent = concurrent;
    if (requestsPerMinute !== undefined) this.#requests = new TokenBucket(requestsPerMinute, usage.requests);
    if (tokensPerMinute !== undefined) this.#tokens = new TokenBucket(tokensPerMinute, usage.tokens);
    this.#tokenAllowances = [
      this.#tokens,
      tokensPerDay === undefined ? undefined : new Budget(tokensPerDay, usage.day),
      tokensPerMonth === undefined ? undefined : new Budget(tokensPerMonth, usage.month),
    ].filter((allowance) => allowance !== undefined);
  }

  /** Whether tokens are counted, so that they have to be estimated before a request runs. */
  get limitsTokens(): boolean {
    return this.#tokenAllowances.length > 0;
  }

  /** Counts a request that makes no work for a model; `rate_limit_exceeded` says why it is refused. */
  countLookup(): ApiError | undefined {
    const requests = this.#requests;
    if (requests === undefined) return undefined;
    if (requests.left < 1) return exceeded(requests, "requests", 1);
    requests.use(1);
    this.#onUse();
    return undefined;
  }

  /** Counts a request in, until `leave`; `rate_limit_exceeded` says why it is refused. */
  enter(): ApiError | undefined {
    const usage = this.#usage;
    if (usage.concurrent >= this.#concurrent) {
      return new ApiError("rate_limit_exceeded", {
        message: `Rate limit reached: ${this.#concurrent} requests at once.`,
      });
    }
    if (this.#requests !== undefined && this.#requests.left < 1) {
      return exceeded(this.#requests, "requests", 1);
    }
    if (this.limitsTokens) {
      const { reserved } = usage;
      const used = this.#tokenAllowances.find(({ left }) => left - reserved < 1);
      if (used !== undefined) return exceeded(used, "tokens", 1 + reserved);
    }
    if (this.#requests !== undefined) {
      this.#requests.use(1);
      this.#onUse();
    }
    usage.concurrent += 1;
    return undefined;
  }

  /**
   * Counts the further requests that one stands for, which has been counted in: all of them, or none.
   *
   * @param param what holds them, for the error
   */
  acquireMore(count: number, param: string): ApiError | undefined {
    const requests = this.#requests;
    if (requests === undefined || count <= 0) return undefined;
    if (count >= requests.limit) {
      return new ApiError("invalid_value", {
        message:
          `Invalid value for '${param}': it counts as ${count + 1} requests, and the API key's limit is ` +
          `${requests.limit} per minute.`,
        param,
      });
    }
    if (requests.left < count) return exceeded(requests, "requests", count);
    requests.use(count);
    this.#onUse();
    return undefined;
  }

  /**
   * Sets aside what a request is expected to take, so that those which run at the same time cannot take it as well. What
   * is left bounds it: a request that may take more than that runs, but alone.
   *
   * @param spent what the request has used at any time
   */
  reserve({ prompt, output }: TokenEstimate, spent: () => number): Reservation | ApiError | undefined {
    if (!this.limitsTokens) return undefined;
    const { reserved: held } = this.#usage;
    let room = output === Infinity ? USUAL_ANSWER_TOKENS : output;
    for (const allowance of this.#tokenAllowances) {
      const left = allowance.left - held;
      if (left < 1 || (prompt > left && held > 0)) {
        return exceeded(allowance, "tokens", Math.min(held + prompt, allowance.limit));
      }
      room = Math.min(room, left - prompt);
    }
    const reservation = { tokens: prompt + Math.max(0, room), spent };
    this.#usage.reservations.add(reservation);
    return reservation;
  }

  /** Whether a request that has spent so much may go on with the next of its calls. */
  canContinue(spent: number, reservation: Reservation | undefined): ApiError | undefined {
    if (reservation === undefined) return undefined;
    const others = this.#usage.reserved - Math.max(reservation.tokens, reservation.spent());
    const used = this.#tokenAllowances.find(({ left }) => left - others - spent < 1);
    return used === undefined ? undefined : exceeded(used, "tokens", 1 + others + spent);
  }

  /**
   * Counts a request out, with the tokens that it took.
   *
   * @param msPerToken how long a token of its answer took, when it has one
   */
  leave(tokens: number, reservation: Reservation | undefined, msPerToken: number | undefined): void {
    this.#usage.concurrent -= 1;
    if (msPerToken !== undefined) this.msPerToken = msPerToken;
    if (reservation !== undefined) this.#usage.reservations.delete(reservation);
    if (tokens === 0) return;
    this.#tokens?.use(tokens);
    // Counted for every key: a budget that it is given later begins with what it has used of the day and the month.
    this.#usage.day.add(tokens);
    this.#usage.month.add(tokens);
    this.#onUse();
  }

  /** How things stand, for people. */
  state(): LimitsState {
    const { day, month, concurrent, reserved } = this.#usage;
    const rate = (bucket: TokenBucket | undefined, held: number): RateState | undefined =>
      bucket && { limit: bucket.limit, left: Math.max(0, Math.floor(bucket.left - held)) };
    return {
      requestsPerMinute: rate(this.#requests, 0),
      tokensPerMinute: rate(this.#tokens, reserved),
      concurrent: { limit: this.#concurrent, used: concurrent },
      day: { limit: this.#perDay, used: day.used, resetsAt: day.resetsAt },
      month: { limit: this.#perMonth, used: month.used, resetsAt: month.resetsAt },
    };
  }

  /** What shows a client how much is left. @param path of its request, which says whose headers it knows */
  headers(path: string): Record<string, string> {
    const limits: Remaining[] = [];
    if (this.#requests !== undefined) limits.push(remainingOf(this.#requests, "requests", 0));
    if (this.#tokens !== undefined) limits.push(remainingOf(this.#tokens, "tokens", this.#usage.reserved));
    return limitHeaders(limits, path);
  }
}

function exceeded(allowance: Quota, type: LimitType, needed: number): ApiError {
  const seconds = Math.max(1, Math.ceil(allowance.msUntil(needed) / SECOND));
  return new ApiError("rate_limit_exceeded", {
    message: `${allowance.describe(type)} Retry in ${seconds} s.`,
    type,
    retryAfter: seconds,
  });
}

function remainingOf(bucket: TokenBucket, type: LimitType, held: number): Remaining {
  return {
    type,
    limit: bucket.limit,
    left: Math.max(0, Math.floor(bucket.left - held)),
    msUntilFull: bucket.msUntil(bucket.limit + held),
  };
}
