import { onTestFinished, vi } from "vitest";

/**
 * Until the test ends, what repeats (polls, ticks) does so when `pass` is called, however long the machine takes. Timers
 * that were set before are not affected.
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
