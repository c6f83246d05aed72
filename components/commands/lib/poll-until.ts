import { setTimeout as sleep } from "node:timers/promises";
import { ClusterError } from "../../../cluster/kubectl.ts";

/** The state of something that is not finished. */
interface Pending {
  /** What is pending. It is logged when it changes, which counts as progress. */
  readonly pending: string;
  /** How long this state may last in milliseconds; the option by default. */
  readonly limitMs?: number;
  /** The message when it lasts longer. */
  readonly failure?: string;
}

interface PollOptions {
  readonly everyMs: number;
  /** How long the cluster may fail to respond, in milliseconds. */
  readonly limitMs: number;
}

/**
 * Repeats a check until it has a result. Fails when a state lasts too long, or when requests to the cluster fail for too
 * long or cannot succeed.
 */
export async function pollUntil<T>(
  check: () => Promise<Pending | { readonly result: T }>,
  options: PollOptions,
): Promise<T> {
  let last = "";
  let respondedAt = Date.now();
  let changedAt = respondedAt;
  for (;;) {
    try {
      const state = await check();
      if ("result" in state) return state.result;
      const { pending, limitMs = options.limitMs, failure } = state;
      respondedAt = Date.now();
      if (pending !== last) {
        console.error(pending);
        [last, changedAt] = [pending, respondedAt];
      } else if (respondedAt - changedAt > limitMs) {
        throw new Error(failure ?? `No progress for ${String(limitMs / 1000)} s: ${pending}`);
      }
    } catch (error) {
      if (!(error instanceof ClusterError) || error.isPermanent) throw error;
      if (Date.now() - respondedAt > options.limitMs) throw error;
    }
    await sleep(options.everyMs);
  }
}
