const MINUTE = 60_000;
const DAY = 86_400_000;

/** Tokens reserved for a request in flight. */
export interface Reservation {
  tokens: number;
  /** Tokens used by the request so far, possibly more than reserved. */
  readonly spent: () => number;
  /** The number of them that is recorded in the shared state. */
  shared?: number;
}

/** A counter that drains at a constant rate. */
export class DrainingCount {
  #used = 0;
  /** Time of the last update, by `performance.now()`. */
  #at = performance.now();

  /** The current value, with a drain rate of `perMinute`. */
  used(perMinute: number): number {
    const now = performance.now();
    this.#used = Math.max(0, this.#used - ((now - this.#at) * perMinute) / MINUTE);
    this.#at = now;
    return this.#used;
  }

  /** @param max upper bound for the sum */
  add(amount: number, perMinute: number, max = Infinity): void {
    this.#used = Math.min(max, this.used(perMinute) + amount);
  }

  /** Sets the current value. */
  set(used: number): void {
    this.#used = used;
    this.#at = performance.now();
  }

  get isEmpty(): boolean {
    return this.#used === 0;
  }

  toJSON(): [used: number, at: number] {
    return [this.#used, Date.now() - (performance.now() - this.#at)];
  }

  restore(saved: unknown): void {
    const [used, at] = Array.isArray(saved) ? (saved as unknown[]) : [];
    if (!isCount(used) || !isCount(at)) return;
    this.#used = used;
    // Guards against a clock that was set back in the meantime.
    this.#at = performance.now() - Math.max(0, Date.now() - at);
  }
}

/** A counter that resets at the start of each day or month, UTC. */
export class PeriodCount {
  readonly unit: "day" | "month";
  #period = "";
  #used = 0;
  /** The current period, cached per day to avoid formatting dates. */
  #currentName = "";
  #dayNumber = -1;

  constructor(unit: "day" | "month") {
    this.unit = unit;
  }

  get used(): number {
    return this.current === this.#period ? this.#used : 0;
  }

  /** Sets the value of the current period. */
  set(used: number): void {
    this.#period = this.current;
    this.#used = used;
  }

  add(amount: number): void {
    const { used } = this;
    this.#period = this.#currentName;
    this.#used = used + amount;
  }

  /** Start of the next period. */
  get resetsAt(): Date {
    const now = new Date();
    const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
    return new Date(this.unit === "day" ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1));
  }

  get isEmpty(): boolean {
    return this.used === 0;
  }

  toJSON(): [period: string, used: number] {
    return [this.#period, this.#used];
  }

  restore(saved: unknown): void {
    const [period, used] = Array.isArray(saved) ? (saved as unknown[]) : [];
    if (typeof period !== "string" || !isCount(used)) return;
    this.#period = period;
    this.#used = used;
  }

  /** E.g. 2026-11-28, or 2026-11. */
  get current(): string {
    const day = Math.floor(Date.now() / DAY);
    if (day !== this.#dayNumber) {
      this.#dayNumber = day;
      this.#currentName = new Date(day * DAY).toISOString().slice(0, this.unit === "day" ? 10 : 7);
    }
    return this.#currentName;
  }
}

/** Usage and reservations of one key, kept apart from its limits, which can change at run time. */
export class KeyUsage {
  readonly requests = new DrainingCount();
  readonly tokens = new DrainingCount();
  readonly day = new PeriodCount("day");
  readonly month = new PeriodCount("month");
  /** Number of requests in flight. */
  concurrent = 0;
  /** Requests in flight on other gateways and their reserved tokens, as last reported. */
  othersConcurrent = 0;
  othersReserved = 0;
  readonly reservations = new Set<Reservation>();

  /** Tokens reserved or already used by requests in flight, on all gateways. */
  get reserved(): number {
    return this.ownReserved + this.othersReserved;
  }

  /** The part of `reserved` on this gateway. */
  get ownReserved(): number {
    let sum = 0;
    for (const { tokens, spent } of this.reservations) sum += Math.max(tokens, spent());
    return sum;
  }

  /** Whether there is nothing to persist. */
  get isEmpty(): boolean {
    return this.#counts().every(([, count]) => count.isEmpty);
  }

  toJSON(): object {
    return Object.fromEntries(this.#counts().filter(([, count]) => !count.isEmpty));
  }

  restore(saved: unknown): void {
    if (typeof saved !== "object" || saved === null) return;
    for (const [name, count] of this.#counts()) count.restore((saved as Record<string, unknown>)[name]);
  }

  #counts() {
    const { requests, tokens, day, month } = this;
    return Object.entries({ requests, tokens, day, month });
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
