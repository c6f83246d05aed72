import { setTimeout as sleep } from "node:timers/promises";

const READY_WITHIN_MS = 120_000;

/** Milliseconds from the start of a command. */
export interface Timed {
  readonly ended: number;
  /** The gateway answered that it is ready, and the command had ended. */
  readonly ready: number;
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Runs a command that returns how long it took, and waits for the gateway besides. */
export async function untilReady(url: string, command: () => Promise<number>): Promise<Timed> {
  const began = performance.now();
  const [ended] = await Promise.all([
    command(),
    (async () => {
      while (!(await answers(`${url}/ready`))) {
        if (performance.now() - began > READY_WITHIN_MS) throw new Error(`${url} is not ready`);
        await sleep(10);
      }
    })(),
  ]);
  return { ended, ready: performance.now() - began };
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(1000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
