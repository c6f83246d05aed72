import { setTimeout as sleep } from "node:timers/promises";
import type { Target } from "./target.ts";

// What a gateway needs for nothing: how long it takes to get to it is how long something else held it up.
const PATH = "/health";

/** Asks a gateway for nothing all the time while something is done, and returns the longest wait, ms. */
export async function longestWaitDuring(target: Target, work: () => Promise<void>): Promise<number> {
  let longest = 0;
  const over = new AbortController();
  const probing = (async () => {
    while (!over.signal.aborted) {
      const { status, ms } = await target.send(PATH, { key: "none", withinMs: 60_000 });
      longest = Math.max(longest, status === 200 ? ms : 60_000);
      await sleep(20);
    }
  })();
  try {
    await work();
  } finally {
    over.abort();
    await probing;
  }
  return longest;
}
