import { setTimeout as sleep } from "node:timers/promises";

/** A permanent error. The message has the reason and the remedy. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

export interface RetryOptions {
  /** The operation, for messages: "pulling llama3.2:1b". */
  readonly what: string;
  /** Bytes transferred so far. */
  readonly bytes: () => number;
  /** What to do when all retries failed. */
  readonly advice: string;
  readonly log: (line: string) => void;
}

const maxFailuresWithoutProgress = 5;

/** Retries an operation until it succeeds, or fails five times in a row without progress. */
export async function retryWhileProgressing<T>(
  { what, bytes, advice, log }: RetryOptions,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 0; ;) {
    const before = bytes();
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof InstallError) throw error;
      failures = bytes() > before ? 1 : failures + 1;
      const why = messageOf(error);
      if (failures >= maxFailuresWithoutProgress) {
        throw new InstallError(
          `${what} failed ${String(failures)} times without progress, most recently with: ${why}. ${advice}`,
        );
      }
      const seconds = 2 ** (failures - 1);
      log(`${what}: ${why}; retrying in ${String(seconds)} s, downloaded data is kept`);
      await sleep(seconds * 1000);
    }
  }
}

/** An error's message and its cause, because a failed connection has the reason only in its cause. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause.message : "";
  return [error.message, cause].filter(Boolean).join(": ") || error.name;
}
