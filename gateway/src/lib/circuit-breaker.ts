/** Leaves a server alone that broke off several answers in a row, then tries it with one request at a time. */
export class Breaker {
  readonly #threshold: number;
  readonly #openMs: number;
  #failures = 0;
  #openedAt = 0;
  #trying = false;

  /** @param threshold broken connections in a row that open it; @param openMs how long it stays open */
  constructor(threshold: number, openMs: number) {
    this.#threshold = threshold;
    this.#openMs = openMs;
  }

  get state(): "closed" | "open" | "half-open" {
    if (this.#failures < this.#threshold) return "closed";
    return performance.now() - this.#openedAt < this.#openMs ? "open" : "half-open";
  }

  /** Whether a request may be sent now. */
  get allows(): boolean {
    const { state } = this;
    return state === "closed" || (state === "half-open" && !this.#trying);
  }

  /** A request is sent: while the breaker is half open it is the only one. */
  begin(): void {
    this.#trying = this.state !== "closed";
  }

  /** The server did its part, whatever it answered. */
  succeed(): void {
    this.#failures = 0;
    this.#trying = false;
  }

  fail(): void {
    this.#failures += 1;
    this.#trying = false;
    if (this.#failures >= this.#threshold) this.#openedAt = performance.now();
  }

  /** The request is over; when it said nothing of the server, the next one may try it. */
  giveUp(): void {
    this.#trying = false;
  }
}
