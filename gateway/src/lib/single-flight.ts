/** How a question ended: it was settled, one way or the other, or nothing at all came in time. */
export type Outcome = "settled" | "timeout";

/** A question that is asked once for all who want its answer while it is under way. It must not reject. */
export class SingleFlight {
  readonly #ask: () => Promise<Outcome>;
  #underWay: Promise<Outcome> | undefined;

  constructor(ask: () => Promise<Outcome>) {
    this.#ask = ask;
  }

  get isUnderWay(): boolean {
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
   * Resolves with an answer that was asked for now: what is under way may tell of how it was before. Unless that is
   * silence, which lasted until now: another question would only double the wait.
   */
  async refresh(): Promise<void> {
    if ((await this.#underWay) !== "timeout") await this.join();
  }
}
