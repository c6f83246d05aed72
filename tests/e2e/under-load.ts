import { setTimeout as sleep } from "node:timers/promises";
import type { Response } from "undici";

interface Load<Result> {
  readonly result: Result;
  /** Number of complete responses. */
  readonly completed: number;
  readonly failures: readonly string[];
}

/**
 * Runs clients that send one request after another from some time before some work until as long after it.
 *
 * @param send sends a request of the client with the given number
 * @param pauseMs pause of each client between two requests
 */
export async function underLoad<Result>(
  clients: number,
  send: (n: number) => Promise<Response>,
  work: () => Promise<Result>,
  { marginMs = 2000, pauseMs = 0 }: { readonly marginMs?: number; readonly pauseMs?: number } = {},
): Promise<Load<Result>> {
  let completed = 0;
  const failures: string[] = [];
  let isRunning = true;
  const client = async (n: number): Promise<void> => {
    while (isRunning) {
      const failure = await failureOf(() => send(n));
      if (failure === undefined) completed += 1;
      else {
        failures.push(failure);
        // Immediate rejections would otherwise fill the memory with messages.
        await sleep(100);
      }
      await sleep(pauseMs);
    }
  };
  const running = Array.from({ length: clients }, async (_, n) => {
    await sleep((pauseMs * n) / clients);
    await client(n);
  });
  let result: Result;
  try {
    await sleep(marginMs);
    result = await work();
    await sleep(marginMs);
  } finally {
    isRunning = false;
    await Promise.all(running);
  }
  return { result, completed, failures };
}

/** The first lines of a stream, and when its first bytes arrived, in milliseconds since 1970. */
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

/** What is wrong with the response to a chat completion, streaming or not; undefined if it is complete. */
export async function failureOf(send: () => Promise<Response>): Promise<string | undefined> {
  try {
    const response = await send();
    const text = await response.text();
    const end = text.startsWith("{") ? "}" : "data: [DONE]\n\n";
    if (response.status === 200 && text.endsWith(end) && !text.includes(`"error"`)) return undefined;
    return `${String(response.status)} ...${text.slice(-300)}`;
  } catch (error) {
    const { cause, message } = error as Error;
    return `${message}: ${String(cause)}`;
  }
}
