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
      else {
        load.failures.push(failure);
        // One that is refused at once fills the memory otherwise.
        await sleep(100);
      }
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

/** The first lines of a stream, and when the first bytes of it came, in milliseconds since 1970. */
export async function firstLines(
  response: Response,
  count: number,
): Promise<{ readonly lines: string[]; readonly begunAt: number }> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  let begunAt = Infinity;
  while (text.split("\n").length <= count) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stream ended before its line ${String(count)}:\n${text}`);
    begunAt = Math.min(begunAt, Date.now());
    text += decoder.decode(value, { stream: true });
  }
  return { lines: text.split("\n").slice(0, count), begunAt };
}

/** What is wrong with an answer to a chat completion, which streams or does not; undefined when it is whole. */
export async function failureOf(ask: () => Promise<Response>): Promise<string | undefined> {
  try {
    const response = await ask();
    const text = await response.text();
    const end = text.startsWith("{") ? "}" : "data: [DONE]\n\n";
    if (response.status === 200 && text.endsWith(end) && !text.includes(`"error"`)) return undefined;
    return `${String(response.status)} ...${text.slice(-300)}`;
  } catch (error) {
    const { cause, message } = error as Error;
    return `${message}: ${String(cause)}`;
  }
}
