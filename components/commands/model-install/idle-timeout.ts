/** Aborts an operation without progress. */
export class IdleTimeout {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Restarts the timeout. */
  arm(seconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#controller.abort(new Error(`no progress for ${String(seconds)} s`));
    }, seconds * 1000);
  }

  disarm(): void {
    clearTimeout(this.#timer);
  }

  /** The cause of an error: the timeout, if that aborted the operation. */
  reason(error: unknown): unknown {
    return this.signal.aborted ? this.signal.reason : error;
  }
}
