const MINUTE = 60_000;
const DAY = 86_400_000;

/** Tokens set aside for a request that is under way. */
export interface Reservation {
  tokens: number;
  /** What the request has used so far: it may turn out to be more than was set aside. */
  readonly spent: () => number;
  /** How much of it all gateways know. */
  shared?: number;
}

/** A count that drains evenly over time. */
export class DrainingCount {
  #used = 0;
  /** On this process's clock, ms. */
  #at = performance.now();

  /** What still counts when so much drains in a minute. */
  used(perMinute: number): number {
    const now = performance.now();
    this.#used = Math.max(0, this.#used - ((now - this.#at) * perMinute) / MINUTE);
    this.#at = now;
    return this.#used;
  }

  /** @param max where the count stops, however much is added */
  add(amount: number, perMinute: number, max = Infinity): void {
    this.#used = Math.min(max, this.used(perMinute) + amount);
  }

  /** Takes what counts now. */
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
    // A clock that was set back in the meantime must not add to what is owed.
    this.#at = performance.now() - Math.max(0, Date.now() - at);
  }
}

/** A count that begins at zero with every day, or with every month, of UTC. */
export class PeriodCount {
  readonly unit: "day" | "month";
  #period = "";
  #used = 0;
  /** The current period, and on which day since 1970 it was looked at: its text is made once a day. */
  #currentName = "";
  #dayNumber = -1;

  constructor(unit: "day" | "month") {
    this.unit = unit;
  }

  get used(): number {
    return this.current === this.#period ? this.#used : 0;
  }

  /** Takes what counts of the current period. */
  set(used: number): void {
    this.#period = this.current;
    this.#used = used;
  }

  add(amount: number): void {
    const { used } = this;
    this.#period = this.#currentName;
    this.#used = used + amount;
  }

  /** When the next period begins. */
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

  /** Such as 2026-11-28, or 2026-11. */
  get current(): string {
    const day = Math.floor(Date.now() / DAY);
    if (day !== this.#dayNumber) {
      this.#dayNumber = day;
      this.#currentName = new Date(day * DAY).toISOString().slice(0, this.unit === "day" ? 10 : 7);
    }
    return this.#currentName;
  }
}

/** What one key has used and what it holds, apart from its limits: those may change while it is in use. */
export class KeyUsage {
  readonly requests = new DrainingCount();
  readonly tokens = new DrainingCount();
  readonly day = new PeriodCount("day");
  readonly month = new PeriodCount("month");
  /** Requests under way. */
  concurrent = 0;
  /** Requests under way with other gateways, and tokens set aside there, as far as they are known. */
  othersConcurrent = 0;
  othersReserved = 0;
  readonly reservations = new Set<Reservation>();

  /** Tokens that requests under way have set aside or used. */
  get reserved(): number {
    return this.ownReserved + this.othersReserved;
  }

  /** The same of this gateway alone. */
  get ownReserved(): number {
    let sum = 0;
    for (const { tokens, spent } of this.reservations) sum += Math.max(tokens, spent());
    return sum;
  }

  /** Nothing of it would count after a restart. */
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
