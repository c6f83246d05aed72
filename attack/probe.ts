import { setTimeout as sleep } from "node:timers/promises";
import type { Target } from "./target.ts";

// The gateway serves it at once, so any delay comes from other work that blocks the event loop.
const PATH = "/health";

/** Probes a gateway while `work` runs; returns the longest response time in milliseconds. */
export async function longestWaitDuring(target: Target, work: () => Promise<void>): Promise<number> {
  let longest = 0;
  const ended = new AbortController();
  const probing = (async () => {
    while (!ended.signal.aborted) {
      const { status, ms } = await target.send(PATH, { key: "none", withinMs: 60_000 });
      longest = Math.max(longest, status === 200 ? ms : 60_000);
      await sleep(20);
    }
  })();
  try {
    await work();
  } finally {
    ended.abort();
    await probing;
  }
  return longest;
}
