import type { Backend } from "../backends/backend.ts";

/** Slots of backends that other gateways also use. */
export interface SharedSlots {
  /** Takes a slot. Resolves to false if none is free; this gateway is then queued for the next one. Never rejects. */
  take(backend: Backend): Promise<boolean>;
  /**
   * Returns the slot of a request.
   *
   * @param wasTaken false if `take` has not resolved to true for it
   */
  release(backend: Backend, wasTaken: boolean): void;
  /** Reports that no request waits here, so that other gateways need not leave a turn to this one. */
  noneWaiting(): void;
}
