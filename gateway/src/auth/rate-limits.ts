import type { ApiError } from "../errors.ts";
import { exceededError, tooManyConcurrent, batchTooLarge } from "./limit-errors.ts";
import { type Remaining, limitHeaders, remainingOf } from "./rate-limit-headers.ts";
import { KeyUsage, type Reservation } from "./key-usage.ts";
import { Budget, type Quota, TokenBucket } from "./quotas.ts";
import type { Demand, SharedLimit, SharedLimits, SharedUsage } from "./shared-usage.ts";

// Rate of a small model on a CPU; used until a response of the key has been measured.
const DEFAULT_MS_PER_TOKEN = 20;

// Reserved for a response without a token limit. Most are shorter; longer ones count as they are generated.
const DEFAULT_OUTPUT_TOKENS = 1024;

/** Expected tokens of a request. */
interface TokenEstimate {
  readonly prompt: number;
  /** Maximum number of generated tokens; Infinity without a limit. */
  readonly output: number;
}

/** The error that rejects a request, if any; a promise if usage is shared with other gateways. */
export type Verdict = ApiError | undefined | Promise<ApiError | undefined>;

/** Applies the limits of one key to its usage. */
export class RateLimits {
  readonly #usage: KeyUsage;
  readonly #onUse: () => void;
  readonly #requests: TokenBucket | undefined;
  readonly #tokens: TokenBucket | undefined;
  readonly #day: Budget | undefined;
  readonly #month: Budget | undefined;
  /** All limits on tokens. */
  readonly #tokenQuotas: readonly Quota[];
  readonly #limits: SharedLimits;
  readonly #shared: SharedUsage | undefined;
  /** Milliseconds per token of the last response. */
  msPerToken = DEFAULT_MS_PER_TOKEN;

  /**
   * @param onUse called when usage changed that should survive a restart
   * @param shared usage counted across gateways, if there are several
   */
  constructor(
    limits: Partial<SharedLimits>,
    usage = new KeyUsage(),
    onUse: () => void = () => undefined,
    shared?: SharedUsage,
  ) {
    const { requestsPerMinute, tokensPerMinute, tokensPerDay, tokensPerMonth } = limits;
    this.#limits = { name: "", ...limits };
    this.#shared = shared;
    shared?.register(this.#limits, usage);
    this.#usage = usage;
    this.#onUse = onUse;
    if (requestsPerMinute !== undefined) this.#requests = new TokenBucket(requestsPerMinute, usage.requests);
    if (tokensPerMinute !== undefined) this.#tokens = new TokenBucket(tokensPerMinute, usage.tokens);
    if (tokensPerDay !== undefined) this.#day = new Budget(tokensPerDay, usage.day);
    if (tokensPerMonth !== undefined) this.#month = new Budget(tokensPerMonth, usage.month);
    this.#tokenQuotas = [this.#tokens, this.#day, this.#month].filter((each) => each !== undefined);
  }

  /** Whether tokens are limited, so that requests need an estimate. */
  get limitsTokens(): boolean {
    return this.#tokenQuotas.length > 0;
  }

  /** Whether there are limits per minute, which responses report in headers. */
  get hasRates(): boolean {
    return this.#requests !== undefined || this.#tokens !== undefined;
  }

  /** Counts a request that does not use a model. */
  countLookup(): Verdict {
    return this.#requests === undefined ? undefined : this.#takeRequests(this.#requests, 1);
  }

  /** Counts a request as in flight, until `leave`. */
  enter(): Verdict {
    if (!this.#isLimited) return this.#enter();
    return this.#take({ requests: 1, enters: true }, () => this.#enter());
  }

  #enter(): ApiError | undefined {
    const usage = this.#usage;
    const { concurrent = Infinity } = this.#limits;
    if (usage.concurrent + usage.othersConcurrent >= concurrent) return tooManyConcurrent(concurrent);
    if (this.#requests !== undefined && this.#requests.left < 1) {
      return exceededError(this.#requests, "requests", 1);
    }
    if (this.limitsTokens) {
      const { reserved } = usage;
      const used = this.#tokenQuotas.find(({ left }) => left - reserved < 1);
      if (used !== undefined) return exceededError(used, "tokens", 1 + reserved);
    }
    if (this.#requests !== undefined) {
      this.#requests.use(1);
      this.#onUse();
    }
    usage.concurrent += 1;
    return undefined;
  }

  /**
   * Counts the additional requests of a batch; all or none.
   *
   * @param param the parameter with the batch, for errors
   */
  acquireMore(count: number, param: string): Verdict {
    const requests = this.#requests;
    if (requests === undefined || count <= 0) return undefined;
    if (count >= requests.limit) return batchTooLarge(count + 1, requests.limit, param);
    return this.#takeRequests(requests, count);
  }

  #takeRequests(requests: TokenBucket, count: number): Verdict {
    return this.#take({ requests: count }, () => {
      if (requests.left < count) return exceededError(requests, "requests", count);
      requests.use(count);
      this.#onUse();
      return undefined;
    });
  }

  /**
   * Reserves the expected tokens of a request, so that concurrent requests cannot use them. A request that may exceed
   * the remainder is still admitted, but only while nothing else is reserved.
   *
   * @param spent returns the tokens used by the request so far
   */
  reserve(
    estimate: TokenEstimate,
    spent: () => number,
  ): Reservation | ApiError | undefined | Promise<Reservation | ApiError | undefined> {
    if (!this.limitsTokens) return undefined;
    const { prompt } = estimate;
    const output = estimate.output === Infinity ? DEFAULT_OUTPUT_TOKENS : estimate.output;
    const shared = this.#shared;
    if (shared?.isUp !== true) return this.#reserve(prompt, output, spent);
    const demand = { requests: 0, tokens: { prompt, output } };
    return shared.take(this.#limits, this.#usage, demand).then((result) => {
      if (result === undefined) return this.#reserve(prompt, output, spent);
      const { rejectedBy, reserved: tokens } = result;
      if (rejectedBy !== undefined) return this.#rejection(rejectedBy, this.#usage.reserved + prompt);
      const reservation = { tokens, spent, shared: tokens };
      this.#usage.reservations.add(reservation);
      return reservation;
    });
  }

  #reserve(prompt: number, output: number, spent: () => number): Reservation | ApiError {
    const { reserved } = this.#usage;
    let room = output;
    for (const tokenQuota of this.#tokenQuotas) {
      const left = tokenQuota.left - reserved;
      if (left < 1 || (prompt > left && reserved > 0)) {
        return exceededError(tokenQuota, "tokens", Math.min(reserved + prompt, tokenQuota.limit));
      }
      room = Math.min(room, left - prompt);
    }
    const reservation = { tokens: prompt + Math.max(0, room), spent };
    this.#usage.reservations.add(reservation);
    return reservation;
  }

  /** Whether a request may continue with its next call after using `spent` tokens. */
  canContinue(spent: number, reservation: Reservation | undefined): ApiError | undefined {
    if (reservation === undefined) return undefined;
    const others = this.#usage.reserved - Math.max(reservation.tokens, reservation.spent());
    const used = this.#tokenQuotas.find(({ left }) => left - others - spent < 1);
    return used === undefined ? undefined : exceededError(used, "tokens", 1 + others + spent);
  }

  /** Replaces the reservation by the tokens actually used. */
  settle(reservation: Reservation): void {
    reservation.tokens = 0;
    if (reservation.shared === undefined) return;
    const used = Math.ceil(reservation.spent());
    this.#shared?.add(this.#limits, this.#usage, { reserved: used - reservation.shared });
    reservation.shared = used;
  }

  /** Drops the reservation of an aborted request. */
  cancel(reservation: Reservation): void {
    if (!this.#usage.reservations.delete(reservation)) return;
    if (reservation.shared !== undefined)
      this.#shared?.add(this.#limits, this.#usage, { reserved: -reservation.shared });
  }

  /**
   * Counts a request as finished, and its tokens as used.
   *
   * @param msPerToken measured rate, if the request generated anything
   */
  leave(tokens: number, reservation: Reservation | undefined, msPerToken: number | undefined): void {
    this.#usage.concurrent -= 1;
    if (msPerToken !== undefined) this.msPerToken = msPerToken;
    if (reservation !== undefined) this.#usage.reservations.delete(reservation);
    this.#shared?.add(this.#limits, this.#usage, { tokens, reserved: -(reservation?.shared ?? 0) });
    if (tokens === 0) return;
    this.#tokens?.use(tokens);
    // Counted without a budget too, so that one added later starts with the usage of the current period.
    this.#usage.day.add(tokens);
    this.#usage.month.add(tokens);
    this.#onUse();
  }

  /** Whether `enter` has to check anything. */
  get #isLimited(): boolean {
    return this.#requests !== undefined || this.limitsTokens || this.#limits.concurrent !== undefined;
  }

  /** Takes from the shared usage, or from this gateway's if usage is not shared or the store is unreachable. */
  #take(demand: Demand, takeLocally: () => ApiError | undefined): Verdict {
    const shared = this.#shared;
    if (shared?.isUp !== true) return takeLocally();
    return shared.take(this.#limits, this.#usage, demand).then((result) => {
      if (result === undefined) return takeLocally();
      this.#onUse();
      const { rejectedBy } = result;
      if (rejectedBy === undefined) return undefined;
      const needed = rejectedBy === "requests" ? demand.requests : 1 + this.#usage.reserved;
      return this.#rejection(rejectedBy, needed);
    });
  }

  #rejection(limit: SharedLimit, needed: number): ApiError {
    if (limit === "requests" && this.#requests !== undefined)
      return exceededError(this.#requests, "requests", needed);
    const quota = { tokens: this.#tokens, day: this.#day, month: this.#month };
    const used = limit === "concurrent" || limit === "requests" ? undefined : quota[limit];
    return used === undefined
      ? tooManyConcurrent(this.#limits.concurrent ?? 0)
      : exceededError(used, "tokens", Math.min(needed, used.limit));
  }

  /** State of the limits, for display; undefined for those that the key does not have. */
  state() {
    const { day, month, concurrent, othersConcurrent, reserved } = this.#usage;
    const rate = (bucket: TokenBucket | undefined, reserved: number) =>
      bucket && { limit: bucket.limit, left: bucket.leftBeside(reserved) };
    return {
      requestsPerMinute: rate(this.#requests, 0),
      tokensPerMinute: rate(this.#tokens, reserved),
      concurrent: { limit: this.#limits.concurrent, used: concurrent + othersConcurrent },
      day: { limit: this.#limits.tokensPerDay, used: day.used, resetsAt: day.resetsAt },
      month: { limit: this.#limits.tokensPerMonth, used: month.used, resetsAt: month.resetsAt },
    };
  }

  /**
   * Rate limit headers of a response.
   *
   * @param path of the request, which determines the API
   */
  headers(path: string): Record<string, string> {
    const limits: Remaining[] = [];
    if (this.#requests !== undefined) limits.push(remainingOf(this.#requests, "requests", 0));
    if (this.#tokens !== undefined) limits.push(remainingOf(this.#tokens, "tokens", this.#usage.reserved));
    return limitHeaders(limits, path);
  }
}
