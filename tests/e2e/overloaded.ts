import { setTimeout as sleep } from "node:timers/promises";

interface Overload {
  /** The gateway's URL, a model, and the key of a client that may use it. */
  readonly root: string;
  readonly model: string;
  readonly key: string;
  /** One more than slots and queue can take, so that one is rejected. */
  readonly clients: number;
}

interface Completed {
  readonly status: number;
  readonly text: string;
}

// Keeps the model from ending before it has generated 200 numbers.
const LONG_ARRAY = { type: "array", items: { type: "integer" }, minItems: 200 };

/** Sends a request that generates for many seconds. */
async function generate({ root, model, key }: Overload, signal: AbortSignal): Promise<Completed> {
  const response = await fetch(`${root}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({
      model,
      stream: true,
      max_tokens: 600,
      response_format: { type: "json_schema", json_schema: { name: "numbers", schema: LONG_ARRAY } },
      messages: [{ role: "user", content: "Count." }],
    }),
    signal,
  });
  return { status: response.status, text: await response.text() };
}

/** Keeps slots and queue full during an inspection; returns the responses completed by then. */
export async function overloaded(overload: Overload, inspect: () => Promise<void>): Promise<Completed[]> {
  const completed: Completed[] = [];
  const stop = new AbortController();
  const client = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const response = await generate(overload, stop.signal);
      completed.push(response);
      if (response.status === 503) await sleep(200);
    }
  };
  const clients = Array.from({ length: overload.clients }, () =>
    client().catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    }),
  );
  const all = Promise.all(clients);
  try {
    await Promise.race([all, inspect()]);
  } finally {
    stop.abort();
    await all;
  }
  return completed;
}
