import { setTimeout as sleep } from "node:timers/promises";
import type { Response } from "undici";

interface Load {
  /** Streams that were answered whole. */
  whole: number;
  readonly failures: string[];
}

/**
 * Clients that stream without pause while something is done; what they met with.
 *
 * @param ask how the client of a number asks
 */
export async function underLoad(
  clients: number,
  ask: (n: number) => Promise<Response>,
  work: () => Promise<void>,
): Promise<Load> {
  const load: Load = { whole: 0, failures: [] };
  let on = true;
  const client = async (n: number): Promise<void> => {
    while (on) {
      const failure = await failureOf(() => ask(n));
      if (failure === undefined) load.whole += 1;
      else load.failures.push(failure);
    }
  };
  const running = Array.from({ length: clients }, (_, n) => client(n));
  try {
    await sleep(2000);
    await work();
    await sleep(2000);
  } finally {
    on = false;
    await Promise.all(running);
  }
  return load;
}

/** What is wrong with an answer to a chat completion, which streams or does not; undefined when it is whole. */
export async function failureOf(
  ask: () => Promise<Response>,
  begun: () => void = () => undefined,
): Promise<string | undefined> {
  try {
    const response = await ask();
    begun();
    const text = await response.text();
    const end = text.startsWith("{") ? "}" : "data: [DONE]\n\n";
    if (response.status === 200 && text.endsWith(end) && !text.includes(`"error"`)) return undefined;
    return `${String(response.status)} ...${text.slice(-300)}`;
  } catch (error) {
    const { cause, message } = error as Error;
    return `${message}: ${String(cause)}`;
  }
}
