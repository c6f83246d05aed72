import { ApiError } from "./errors.ts";

/** A request that has been let in. Its signal ends everything done on its behalf. */
export interface Admitted {
  readonly signal: AbortSignal;
  abort(reason: ApiError): void;
  /** Gives the place back; has to be called once, however the request ended. */
  leave(): void;
}

/** Lets generating requests in, as many at once as may be, and none once the gateway drains. */
export class Admission {
  readonly #limit: number;
  readonly #inFlight = new Set<AbortController>();
  #draining = false;
  #onEmpty: (() => void) | undefined;

  /** @param limit how many requests may be in flight at once */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** @throws ApiError `shutting_down` or `too_many_requests_in_flight` */
  enter(): Admitted {
    if (this.#draining) throw new ApiError("shutting_down");
    if (this.#inFlight.size >= this.#limit) throw new ApiError("too_many_requests_in_flight");
    const controller = new AbortController();
    this.#inFlight.add(controller);
    return {
      signal: controller.signal,
      abort: (reason) => {
        controller.abort(reason);
      },
      leave: () => {
        this.#inFlight.delete(controller);
        if (this.#inFlight.size === 0) this.#onEmpty?.();
      },
    };
  }

  /**
   * Lets nobody in any more and resolves when nobody is left. Requests that are still there after `timeout` ms end
   * with the error `shutting_down`.
   */
  async drain(timeout: number): Promise<void> {
    this.#draining = true;
    if (this.#inFlight.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    const timer = setTimeout(() => {
      for (const controller of this.#inFlight) controller.abort(new ApiError("shutting_down"));
    }, timeout);
    await empty;
    clearTimeout(timer);
  }
}
