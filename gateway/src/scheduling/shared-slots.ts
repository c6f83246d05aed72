import type { Backend } from "../backends/backend.ts";

/** The slots of servers that other gateways use, too. */
export interface SharedSlots {
  /** Takes a slot, if the other gateways left one; else this gateway has its turn when one comes free. Never rejects. */
  take(backend: Backend): Promise<boolean>;
  /** A request left its slot. @param wasTaken by `take`; else it left before */
  release(backend: Backend, wasTaken: boolean): void;
  /** No request waits here any more, so that others need not wait for this gateway's turn. */
  nothingWaits(): void;
}
