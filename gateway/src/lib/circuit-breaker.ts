// How long a source is remembered, in multiples of the open time.
const MEMORY_FACTOR = 10;

/**
 * A circuit breaker that opens when requests of several sources fail in a row, and then admits one trial request at a
 * time. Each source counts once, so that a single client that crashes the backend cannot take it from the others.
 */
export class Breaker {
  readonly #threshold: number;
  readonly #openMs: number;
  /** Time of failure by source, oldest first, since the last success. */
  readonly #failedAt = new Map<string, number>();
  #openedAt = 0;
  /** Number of running requests that began while it was not closed. */
  #trials = 0;

  /**
   * @param threshold number of failing sources that opens it
   * @param openMs how long it stays open, in milliseconds
   */
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

  /** Whether to send a request now, if there is an alternative. */
  get allows(): boolean {
    const { state } = this;
    return state === "closed" || (state === "half-open" && this.#trials === 0);
  }

  /** Records that a request is sent. Returns whether it is a trial, whose end must be reported with `endTrial`. */
  begin(): boolean {
    const isTrial = this.state !== "closed";
    if (isTrial) this.#trials += 1;
    return isTrial;
  }

  /** Records that a trial has ended, however that was; the next one may begin. */
  endTrial(): void {
    this.#trials -= 1;
  }

  /** Records a response, whatever its status. */
  succeed(): void {
    // Clearing an empty Map still allocates a new table.
    if (this.#failedAt.size > 0) this.#failedAt.clear();
  }

  /** @param source sender of the failed request */
  fail(source: string): void {
    const now = performance.now();
    this.#forget(now);
    if (this.#failedAt.has(source)) return;
    this.#failedAt.set(source, now);
    if (this.#failedAt.size < this.#threshold) return;
    this.#openedAt = now;
    // More sources have no further effect.
    const [oldest] = this.#failedAt.keys();
    if (this.#failedAt.size > this.#threshold && oldest !== undefined) this.#failedAt.delete(oldest);
  }

  #forget(now: number): void {
    for (const [source, failedAt] of this.#failedAt) {
      if (now - failedAt < MEMORY_FACTOR * this.#openMs) return;
      this.#failedAt.delete(source);
    }
  }
}
