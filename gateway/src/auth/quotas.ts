import type { LimitType } from "../errors.ts";
import type { DrainingCount, PeriodCount } from "./key-usage.ts";

const MINUTE = 60_000;

/** One limit of a key, and how much of it is left. */
export interface Quota {
  readonly limit: number;
  readonly left: number;
  /** Until this much is there, ms. */
  msUntil(amount: number): number;
  describe(type: LimitType): string;
}

/** So much a minute, filled up again evenly. What is known too late may be owed, but never more than a minute's worth. */
export class TokenBucket implements Quota {
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
export class Budget implements Quota {
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
