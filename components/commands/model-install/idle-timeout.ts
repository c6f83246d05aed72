/** Aborts what brings nothing for too long. */
export class IdleTimeout {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on it has so many seconds. */
  arm(seconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#controller.abort(new Error(`no progress for ${String(seconds)} s`));
    }, seconds * 1000);
  }

  disarm(): void {
    clearTimeout(this.#timer);
  }

  /** What an error means: that it took too long, when that is why. */
  reason(error: unknown): unknown {
    return this.signal.aborted ? this.signal.reason : error;
  }
}
