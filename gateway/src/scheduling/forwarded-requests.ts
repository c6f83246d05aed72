import { setTimeout as sleep } from "node:timers/promises";

/** Counts requests that are forwarded to a server without a slot, such as pulls and uploads. */
export class ForwardedRequests {
  #active = 0;
  #onEmpty: (() => void) | undefined;

  get active(): number {
    return this.#active;
  }

  /** Every call must be followed by one of `end`. */
  begin(): void {
    this.#active += 1;
  }

  end(): void {
    this.#active -= 1;
    if (this.#active === 0) this.#onEmpty?.();
  }

  /** Resolves when all requests have ended, at the latest after `timeout` milliseconds. */
  async drain(timeout: number): Promise<void> {
    if (this.#active === 0) return;
    const timer = new AbortController();
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    await Promise.race([empty, sleep(timeout, undefined, timer).catch(() => undefined)]);
    timer.abort();
  }
}
