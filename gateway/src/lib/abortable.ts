/** An operation that can be aborted. */
export interface Abort<Reason extends Error> {
  abort(reason: Reason): void;
}

/**
 * A cancellable operation with a single listener. Node's AbortSignal costs more per request than translating it. The
 * listener is an object, as a closure per request survives into the old generation with all that it references, which
 * causes frequent full garbage collections.
 */
export interface Abortable<Reason extends Error> {
  /** Set once aborted. */
  readonly abortReason: Reason | undefined;
  /** The operation to abort. */
  activeOperation: Abort<Reason> | undefined;
}
