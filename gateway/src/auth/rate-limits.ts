import type { ApiError } from "../errors.ts";
import type { KeyDefinition } from "./api-keys.ts";
import { exceeded, tooManyAtOnce, tooManyInOne } from "./limit-errors.ts";
import type { LimitsState, RateState } from "./limits-state.ts";
import { type Remaining, limitHeaders, remainingOf } from "./rate-limit-headers.ts";
import { KeyUsage, type Reservation } from "./key-usage.ts";
import { Budget, type Quota, TokenBucket } from "./quotas.ts";
import type { Demand, SharedLimit, SharedLimits, SharedUsage } from "./shared-usage.ts";

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

/** Why a request is refused; a promise where the other gateways' requests count, too. */
export type Verdict = ApiError | undefined | Promise<ApiError | undefined>;

/** The limits of one key, applied to what it has used. */
export class RateLimits {
  readonly #usage: KeyUsage;
  readonly #onUse: () => void;
  readonly #requests: TokenBucket | undefined;
  readonly #tokens: TokenBucket | undefined;
  readonly #day: Budget | undefined;
  readonly #month: Budget | undefined;
  /** All that tokens are counted against. */
  readonly #tokenAllowances: readonly Quota[];
  readonly #perDay: number | undefined;
  readonly #perMonth: number | undefined;
  readonly #concurrent: number;
  readonly #limits: SharedLimits;
  readonly #shared: SharedUsage | undefined;
  /** How long the last answer took for a token, ms. */
  msPerToken = USUAL_MS_PER_TOKEN;

  /**
   * @param onUse called when something was used that should survive a restart
   * @param shared what all gateways have counted, where there are several
   */
  constructor(
    {
      name = "",
      requestsPerMinute,
      tokensPerMinute,
      tokensPerDay,
      tokensPerMonth,
      concurrent = Infinity,
    }: Partial<KeyDefinition>,
    usage = new KeyUsage(),
    onUse: () => void = () => undefined,
    shared?: SharedUsage,
  ) {
    this.#limits = { name, requestsPerMinute, tokensPerMinute, tokensPerDay, tokensPerMonth, concurrent };
    this.#shared = shared;
    shared?.know(this.#limits, usage);
    this.#usage = usage;
    this.#onUse = onUse;
    this.#perDay = tokensPerDay;
    this.#perMonth = tokensPerMonth;
    this.#concurrent = concurrent;
    if (requestsPerMinute !== undefined) this.#requests = new TokenBucket(requestsPerMinute, usage.requests);
    if (tokensPerMinute !== undefined) this.#tokens = new TokenBucket(tokensPerMinute, usage.tokens);
    if (tokensPerDay !== undefined) this.#day = new Budget(tokensPerDay, usage.day);
    if (tokensPerMonth !== undefined) this.#month = new Budget(tokensPerMonth, usage.month);
    this.#tokenAllowances = [this.#tokens, this.#day, this.#month].filter((each) => each !== undefined);
  }

  /** Whether tokens are counted, so that they have to be estimated before a request runs. */
  get limitsTokens(): boolean {
    return this.#tokenAllowances.length > 0;
  }

  /** Counts a request that makes no work for a model; `rate_limit_exceeded` says why it is refused. */
  countLookup(): Verdict {
    if (this.#requests === undefined) return undefined;
    return this.#sharedTake({ requests: 1 }, 1) ?? this.#takeMore(this.#requests, 1);
  }

  /** Counts a request in, until `leave`; `rate_limit_exceeded` says why it is refused. */
  enter(): Verdict {
    if (this.#isLimited) {
      const taking = this.#sharedTake({ requests: 1, enters: true }, 1);
      if (taking !== undefined) return taking;
    }
    return this.#enter();
  }

  #enter(): ApiError | undefined {
    const usage = this.#usage;
    if (usage.concurrent + usage.othersConcurrent >= this.#concurrent) return tooManyAtOnce(this.#concurrent);
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
  acquireMore(count: number, param: string): Verdict {
    const requests = this.#requests;
    if (requests === undefined || count <= 0) return undefined;
    if (count >= requests.limit) return tooManyInOne(count + 1, requests.limit, param);
    return this.#sharedTake({ requests: count }, count) ?? this.#takeMore(requests, count);
  }

  #takeMore(requests: TokenBucket, count: number): ApiError | undefined {
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
  reserve(
    estimate: TokenEstimate,
    spent: () => number,
  ): Reservation | ApiError | undefined | Promise<Reservation | ApiError | undefined> {
    if (!this.limitsTokens) return undefined;
    const { prompt } = estimate;
    const output = estimate.output === Infinity ? USUAL_ANSWER_TOKENS : estimate.output;
    const shared = this.#shared;
    if (shared?.isUp !== true) return this.#reserve(prompt, output, spent);
    const demand = { requests: 0, tokens: { prompt, output } };
    return shared.take(this.#limits, this.#usage, demand).then((taken) => {
      if (taken === undefined) return this.#reserve(prompt, output, spent);
      const { refused, reserved: tokens } = taken;
      if (refused !== undefined) return this.#refusal(refused, this.#usage.reserved + prompt);
      const reservation = { tokens, spent, shared: tokens };
      this.#usage.reservations.add(reservation);
      return reservation;
    });
  }

  #reserve(prompt: number, output: number, spent: () => number): Reservation | ApiError {
    const { reserved: held } = this.#usage;
    let room = output;
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

  /** What a request has used counts from now on, instead of what was set aside for it. */
  settle(reservation: Reservation): void {
    reservation.tokens = 0;
    if (reservation.shared === undefined) return;
    const used = Math.ceil(reservation.spent());
    this.#shared?.add(this.#limits, this.#usage, { reserved: used - reservation.shared });
    reservation.shared = used;
  }

  /** Nothing is set aside any more: its request has left. */
  cancel(reservation: Reservation): void {
    if (!this.#usage.reservations.delete(reservation)) return;
    if (reservation.shared !== undefined)
      this.#shared?.add(this.#limits, this.#usage, { reserved: -reservation.shared });
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
    this.#shared?.add(this.#limits, this.#usage, { tokens, reserved: -(reservation?.shared ?? 0) });
    if (tokens === 0) return;
    this.#tokens?.use(tokens);
    // Counted for every key: a budget that it is given later begins with what it has used of the day and the month.
    this.#usage.day.add(tokens);
    this.#usage.month.add(tokens);
    this.#onUse();
  }

  /** Something is counted before a request runs. */
  get #isLimited(): boolean {
    return this.#requests !== undefined || this.limitsTokens || this.#concurrent !== Infinity;
  }

  /** Undefined: no other gateway counts. @param needed what the refused limit should have had left */
  #sharedTake(demand: Demand, needed: number): Promise<ApiError | undefined> | undefined {
    const shared = this.#shared;
    if (shared?.isUp !== true) return undefined;
    return shared.take(this.#limits, this.#usage, demand).then((taken) => {
      if (taken === undefined)
        return demand.enters === true ? this.#enter() : this.#takeLocally(demand.requests);
      this.#onUse();
      const { refused } = taken;
      if (refused === undefined) return undefined;
      return this.#refusal(refused, refused === "requests" ? needed : 1 + this.#usage.reserved);
    });
  }

  #takeLocally(count: number): ApiError | undefined {
    return this.#requests === undefined ? undefined : this.#takeMore(this.#requests, count);
  }

  #refusal(limit: SharedLimit, needed: number): ApiError {
    if (limit === "requests" && this.#requests !== undefined)
      return exceeded(this.#requests, "requests", needed);
    const quota = { tokens: this.#tokens, day: this.#day, month: this.#month };
    const used = limit === "concurrent" || limit === "requests" ? undefined : quota[limit];
    return used === undefined
      ? tooManyAtOnce(this.#concurrent)
      : exceeded(used, "tokens", Math.min(needed, used.limit));
  }

  /** How things stand, for people. */
  state(): LimitsState {
    const { day, month, concurrent, othersConcurrent, reserved } = this.#usage;
    const rate = (bucket: TokenBucket | undefined, held: number): RateState | undefined =>
      bucket && { limit: bucket.limit, left: Math.max(0, Math.floor(bucket.left - held)) };
    return {
      requestsPerMinute: rate(this.#requests, 0),
      tokensPerMinute: rate(this.#tokens, reserved),
      concurrent: { limit: this.#concurrent, used: concurrent + othersConcurrent },
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
