import type { LimitType } from "../errors.ts";
import type { DrainingCount, PeriodCount } from "./key-usage.ts";

const MINUTE = 60_000;

/** One limit of a key and its remainder. */
export interface Quota {
  readonly limit: number;
  readonly left: number;
  /** Milliseconds until `amount` is available. */
  msUntil(amount: number): number;
  describe(type: LimitType): string;
}

/**
 * A per-minute limit that refills continuously. Usage counted after the fact can overdraw it by less than one minute's
 * worth.
 */
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

  /** Whole requests or tokens left beside those reserved for requests in flight. */
  leftBeside(reserved: number): number {
    return Math.max(0, Math.floor(this.left - reserved));
  }

  use(amount: number): void {
    // With this maximum, 1 is available again after one minute.
    this.#count.add(amount, this.limit, 2 * this.limit - 1);
  }

  msUntil(amount: number): number {
    return (Math.max(0, amount - this.left) * MINUTE) / this.limit;
  }

  describe(type: LimitType): string {
    return `Rate limit reached: ${this.limit} ${type} per minute.`;
  }
}

/** A limit per day or month that resets at the end of the period. */
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
      `Budget used up: ${this.limit} ${type} per ${unit}. It resets at ` +
      `${resetsAt.toISOString().replace(".000", "")}.`
    );
  }
}
