// How many times as long as the breaker stays open a source is remembered.
const REMEMBERED = 10;

/**
 * Leaves a server alone on which the requests of several sources broke in a row, then tries it with one request at a
 * time. A source counts once, so that whoever breaks the server again and again does not take it from the others.
 */
export class Breaker {
  readonly #threshold: number;
  readonly #openMs: number;
  /** When each source counted, oldest first; all since the last success. */
  readonly #failedAt = new Map<string, number>();
  #openedAt = 0;
  #trying = false;

  /** @param threshold sources whose requests broke that open it; @param openMs how long it stays open */
  constructor(threshold: number, openMs: number) {
    this.#threshold = threshold;
    this.#openMs = openMs;
  }

  get state(): "closed" | "open" | "half-open" {
    if (this.#failedAt.size < this.#threshold) return "closed";
    const now = performance.now();
    this.#forget(now);
    if (this.#failedAt.size < this.#threshold) return "closed";
    return now - this.#openedAt < this.#openMs ? "open" : "half-open";
  }

  /** Whether a request should be sent now, if it can be sent to another server. */
  get allows(): boolean {
    const { state } = this;
    return state === "closed" || (state === "half-open" && !this.#trying);
  }

  /** A request is sent: while the breaker is half open it is the only one. */
  begin(): void {
    this.#trying = this.state !== "closed";
  }

  /** The server did its part, whatever it responded. */
  succeed(): void {
    // A Map that is cleared gets a new table, however empty it was.
    if (this.#failedAt.size > 0) this.#failedAt.clear();
    this.#trying = false;
  }

  /** @param source who sent the request that broke */
  fail(source: string): void {
    const now = performance.now();
    this.#trying = false;
    this.#forget(now);
    if (this.#failedAt.has(source)) return;
    this.#failedAt.set(source, now);
    if (this.#failedAt.size < this.#threshold) return;
    this.#openedAt = now;
    // More than open it need not be remembered.
    const [oldest] = this.#failedAt.keys();
    if (this.#failedAt.size > this.#threshold && oldest !== undefined) this.#failedAt.delete(oldest);
  }

  /** The request is over; when it said nothing of the server, the next one may try it. */
  cancel(): void {
    this.#trying = false;
  }

  #forget(now: number): void {
    for (const [source, failedAt] of this.#failedAt) {
      if (now - failedAt < REMEMBERED * this.#openMs) return;
      this.#failedAt.delete(source);
    }
  }
}
