import type { ApiError } from "../errors.ts";

/** What queued requests wait for; shared by all requests of a group. */
export interface WaitState {
  kind: "slot" | "load" | "server";
}

const SLOT: Readonly<WaitState> = { kind: "slot" };

export interface WaitLimits {
  /** Maximum time in the queue, in milliseconds. */
  readonly timeoutMs: number;
  /** Interval between comments to clients that wait for a model load, in milliseconds. */
  readonly loadingCommentMs: number;
}

/** The wait of a request for a slot: its end, the queue timeout, and the comments to its client. */
export class SlotWait {
  /** What it waits for; only meaningful during a wait. */
  state: Readonly<WaitState> = SLOT;
  /** Called periodically while the request waits for a model load or for the first backend. */
  onLoading: (() => void) | undefined;
  /** Earlier waits for the same slot, in milliseconds; the queue timeout counts on after a slot is lost. */
  #waitedMs = 0;
  /** Start of the current wait, or end of the load in it, by `performance.now()`. */
  #since = 0;
  #timeoutMs = 0;
  #deadline: NodeJS.Timeout | undefined;
  #onDeadline: () => void = () => undefined;
  #settle: { resolve(): void; reject(error: ApiError): void } | undefined;

  get isForLoad(): boolean {
    return this.state.kind === "load";
  }

  /**
   * Resolves when the request has a slot.
   *
   * @throws ApiError
   */
  async begin({ timeoutMs, loadingCommentMs }: WaitLimits, timeoutError: () => ApiError): Promise<void> {
    const granted = new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#timeoutMs = timeoutMs;
    this.#onDeadline = () => {
      if (!this.isForLoad) this.end(timeoutError());
    };
    this.#startDeadline();
    const comments = setInterval(() => {
      if (this.state.kind !== "slot") this.onLoading?.();
    }, loadingCommentMs);
    try {
      await granted;
    } finally {
      clearInterval(this.#deadline);
      clearInterval(comments);
      this.#waitedMs += performance.now() - this.#since;
      this.state = SLOT;
      this.#settle = undefined;
    }
  }

  /** Ends the wait, with a slot or with the error that prevents one. */
  end(error?: ApiError): void {
    if (error === undefined) this.#settle?.resolve();
    else this.#settle?.reject(error);
  }

  /** Restarts the queue timeout during a wait, after a load, which has its own timeout. */
  restart(): void {
    this.forget();
    this.#startDeadline();
  }

  /** Has the next wait begin with the full queue timeout. */
  forget(): void {
    this.#waitedMs = 0;
  }

  #startDeadline(): void {
    clearInterval(this.#deadline);
    this.#since = performance.now();
    this.#deadline = setInterval(this.#onDeadline, Math.max(1, this.#timeoutMs - this.#waitedMs));
  }
}
