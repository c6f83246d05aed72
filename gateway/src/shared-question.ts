/** A question that is asked once for all who want its answer while it is under way. It must not reject. */
export class SharedQuestion {
  readonly #ask: () => Promise<void>;
  #underWay: Promise<void> | undefined;

  constructor(ask: () => Promise<void>) {
    this.#ask = ask;
  }

  /** Resolves with the answer to what is under way, or to a new question. */
  share(): Promise<void> {
    this.#underWay ??= this.#ask().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  /** Resolves with an answer that was asked for now: what is under way may tell of how it was before. */
  async anew(): Promise<void> {
    await this.#underWay;
    await this.share();
  }
}
