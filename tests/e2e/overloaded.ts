import { setTimeout as sleep } from "node:timers/promises";

interface Overload {
  /** The gateway's URL, the name of a key's model, and the key. */
  readonly root: string;
  readonly model: string;
  readonly key: string;
  /** One more than fit into slots and queue, so that one is rejected. */
  readonly clients: number;
}

interface Ended {
  readonly status: number;
  readonly text: string;
}

// The model may not end before it has written 200 numbers.
const LONG = { type: "array", items: { type: "integer" }, minItems: 200 };

/** A request that generates for many seconds. */
async function generate({ root, model, key }: Overload, signal: AbortSignal): Promise<Ended> {
  const response = await fetch(`${root}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({
      model,
      stream: true,
      max_tokens: 600,
      response_format: { type: "json_schema", json_schema: { name: "numbers", schema: LONG } },
      messages: [{ role: "user", content: "Count." }],
    }),
    signal,
  });
  return { status: response.status, text: await response.text() };
}

/** Keeps slots and queue full while something is looked at; returns the responses that were complete by then. */
export async function overloaded(overload: Overload, look: () => Promise<void>): Promise<Ended[]> {
  const ended: Ended[] = [];
  const stop = new AbortController();
  const client = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const one = await generate(overload, stop.signal);
      ended.push(one);
      if (one.status === 503) await sleep(200);
    }
  };
  const clients = Array.from({ length: overload.clients }, () =>
    client().catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    }),
  );
  const all = Promise.all(clients);
  try {
    await Promise.race([all, look()]);
  } finally {
    stop.abort();
    await all;
  }
  return ended;
}
