/** How a question ended: it was settled, one way or the other, or nothing at all came in time. */
export type Outcome = "settled" | "timeout";

/** A task that runs once for all callers that come while it is under way. It must not reject. */
export class SingleFlight {
  readonly #ask: () => Promise<Outcome>;
  #underWay: Promise<Outcome> | undefined;

  constructor(ask: () => Promise<Outcome>) {
    this.#ask = ask;
  }

  get isRunning(): boolean {
    return this.#underWay !== undefined;
  }

  /** Resolves with the answer to what is under way, or to a new question. */
  join(): Promise<Outcome> {
    this.#underWay ??= this.#ask().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  /**
   * Resolves with a result that was requested now: what is under way may report how things were before. The exception is
   * a timeout, which lasted until now: another request would only double the wait.
   */
  async refresh(): Promise<void> {
    if ((await this.#underWay) !== "timeout") await this.join();
  }
}
