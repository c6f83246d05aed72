/** How a task ended: with any result, or with a timeout. */
export type Outcome = "settled" | "timeout";

/** Runs a task once for all concurrent callers. The task must not reject. */
export class SingleFlight {
  readonly #task: () => Promise<Outcome>;
  #running: Promise<Outcome> | undefined;

  constructor(task: () => Promise<Outcome>) {
    this.#task = task;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Joins the task in progress, or starts it. */
  join(): Promise<Outcome> {
    this.#running ??= this.#task().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /**
   * Resolves after a run that started now: one already in progress may report an older state. The exception is a run
   * that times out, as another one would only double the wait.
   */
  async refresh(): Promise<void> {
    if ((await this.#running) !== "timeout") await this.join();
  }
}
