/** What is done for something that may be given up. */
export interface Abort<Reason extends Error> {
  abort(reason: Reason): void;
}

/**
 * What may be given up. An AbortSignal for one listener: those of Node cost a request more than its translation. The
 * listener is no function: one that was made for each request grew old with all that belonged to it, until a full
 * garbage collection, and those then came four a second.
 */
export interface Abortable<Reason extends Error> {
  /** Set once it has been given up. */
  readonly abortReason: Reason | undefined;
  /** Aborted when it is given up. */
  activeOperation: Abort<Reason> | undefined;
}
