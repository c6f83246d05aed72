import { setTimeout as sleep } from "node:timers/promises";

/** It cannot succeed; the message says why and what to do. */
export class InstallError extends Error {
  override readonly name = "InstallError";
}

export interface RetryOptions {
  /** What is done, for messages: "pulling llama3.2:1b". */
  readonly what: string;
  /** Bytes that have come in so far, or are there. */
  readonly bytes: () => number;
  /** What to do when it was given up. */
  readonly advice: string;
  readonly say: (line: string) => void;
}

const maxFailuresWithoutProgress = 5;

/** Does something until it succeeds; gives up when it failed five times in a row without getting any further. */
export async function retryWhileProgressing<T>(
  { what, bytes, advice, say }: RetryOptions,
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
          `${what} failed ${String(failures)} times without any progress, the last time with: ${why}. ${advice}`,
        );
      }
      const seconds = 2 ** (failures - 1);
      say(`${what}: ${why}; trying again in ${String(seconds)} s, what was loaded is kept`);
      await sleep(seconds * 1000);
    }
  }
}

/** What an error says, and what caused it: of a failed connection the error alone says nothing. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause.message : "";
  return [error.message, cause].filter(Boolean).join(": ") || error.name;
}
