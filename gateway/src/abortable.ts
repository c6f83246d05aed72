import type { ApiError } from "./errors.ts";

/** What may be given up. An AbortSignal for one listener: those of Node cost a request more than its translation. */
export interface Abortable {
  /** Set once it has been given up. */
  readonly abortReason: ApiError | undefined;
  /** Called when it is given up. */
  onAbort: ((reason: ApiError) => void) | undefined;
}
