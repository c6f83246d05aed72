import { onTestFinished, vi } from "vitest";

/**
 * Replaces intervals (polls, ticks) until the test ends: they only fire when `pass` is called. Does not affect intervals
 * that were set before.
 */
export function controlIntervals(): { readonly pass: (ms: number) => void } {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"], shouldAdvanceTime: false });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  return {
    pass: (ms) => {
      vi.advanceTimersByTime(ms);
    },
  };
}
