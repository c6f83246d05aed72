import { setTimeout as sleep } from "node:timers/promises";

const READY_WITHIN_MS = 120_000;

/** Times since the start of a command, ms. */
export interface Timed {
  readonly ended: number;
  /** The gateway was ready and the command had ended. */
  readonly ready: number;
}

/** Runs the work and returns its duration, ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Runs a command that returns its duration, and waits until the gateway is ready. */
export async function untilReady(url: string, command: () => Promise<number>): Promise<Timed> {
  const began = performance.now();
  const [ended] = await Promise.all([
    command(),
    (async () => {
      while (!(await isOk(`${url}/ready`))) {
        if (performance.now() - began > READY_WITHIN_MS) throw new Error(`${url} is not ready`);
        await sleep(10);
      }
    })(),
  ]);
  return { ended, ready: performance.now() - began };
}

async function isOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
