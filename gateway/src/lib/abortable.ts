import type { ApiError } from "../errors.ts";

/** What is done for something that may be given up. */
export interface Abort {
  abort(reason: ApiError): void;
}

/**
 * What may be given up. An AbortSignal for one listener: those of Node cost a request more than its translation. The
 * listener is no function: one that was made for each request grew old with all that belonged to it, until a full
 * garbage collection, and those then came four a second.
 */
export interface Abortable {
  /** Set once it has been given up. */
  readonly abortReason: ApiError | undefined;
  /** Aborted when it is given up. */
  underWay: Abort | undefined;
}
