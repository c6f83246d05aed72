import { expect, test } from "vitest";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  eventually,
  hello,
  metric,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };
const withMessage = (content: string): object => ({ ...hello, messages: [{ role: "user", content }] });

test("sends Ollama no more requests than it runs in parallel, and queues the others", async () => {
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, last({ message: { content: "x" } }));
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "2" });
  const responses = [1, 2, 3, 4, 5].map(() => gateway.post(chat, hello));
  await metric(gateway.url, "gateway_queue_depth 3");
  await metric(gateway.url, "gateway_requests_in_flight 2");
  expect(fake.received).toHaveLength(2);
  release(undefined);
  expect((await Promise.all(responses)).map((each) => each.status)).toEqual([200, 200, 200, 200, 200]);
  await metric(gateway.url, "gateway_queue_depth 0");
  await metric(gateway.url, "gateway_requests_in_flight 0");
});

test.each([hello, streamed])(
  "rejects a request at once with Retry-After if the queue is full (%j)",
  async (body) => {
    const fake = await startFake();
    fake.respondWith("hang");
    const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1", QUEUE_LIMIT: "2" });
    const clients = new AbortController();
    const { signal } = clients;
    const others = [1, 2, 3].map(() => expect(gateway.post(chat, hello, { signal })).rejects.toThrow());
    await metric(gateway.url, "gateway_queue_depth 2");
    const refused = await gateway.post(chat, body);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await errorOf(refused)).code).toBe("queue_full");
    clients.abort();
    await Promise.all(others);
    await metric(gateway.url, 'gateway_refusals_total{reason="queue_full"} 1');
  },
);

test.each([hello, streamed])(
  "rejects a request with Retry-After when its queue timeout expires (%j)",
  async (body) => {
    const fake = await startFake();
    fake.respondWith(token("Hel"), "hang");
    const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1", QUEUE_TIMEOUT_MS: "80" });
    const first = await gateway.post(chat, streamed);
    const late = await gateway.post(chat, body);
    expect(late.status).toBe(503);
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await errorOf(late)).code).toBe("queue_timeout");
    expect(fake.received).toHaveLength(1);
    await first.body?.cancel();
  },
);

test.each([hello, streamed])(
  "removes the request of a disconnected client from the queue (%j)",
  async (body) => {
    const fake = await startFake();
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    fake.respondWith({ until: released }, last({ message: { content: "x" } }));
    const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1" });
    const first = gateway.post(chat, withMessage("first"));
    await fake.conversation();
    const client = new AbortController();
    const left = expect(gateway.post(chat, body, { signal: client.signal })).rejects.toThrow();
    await metric(gateway.url, "gateway_queue_depth 1");
    const third = gateway.post(chat, withMessage("third"));
    await metric(gateway.url, "gateway_queue_depth 2");
    client.abort();
    await left;
    await metric(gateway.url, "gateway_queue_depth 1");
    release(undefined);
    expect((await first).status).toBe(200);
    expect((await third).status).toBe(200);
    expect(fake.received.map(({ body: { messages } }) => messages[0]?.content)).toEqual(["first", "third"]);
    expect(await gateway.requestLine(chat)).toMatchObject({ status: 499, error: "client_left" });
  },
);

test("runs queued requests in order of arrival", async () => {
  const fake = await startFake();
  fake.respondWith({ waitMs: 15 }, last({ message: { content: "x" } }));
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1" });
  const words = ["a", "b", "c", "d"];
  const responses: Promise<Response>[] = [];
  for (const [n, word] of words.entries()) {
    responses.push(gateway.post(chat, withMessage(word)));
    await eventually(() => (fake.received.length > 0 ? true : undefined));
    if (n > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all(responses);
  expect(fake.received.map(({ body: { messages } }) => messages[0]?.content)).toEqual(words);
});

test("reports the queue time in the log, in the metrics and in Server-Timing", async () => {
  const fake = await startFake();
  fake.respondWith({ waitMs: 500 }, token("x"), last());
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1" });
  const first = gateway.post(chat, hello);
  await fake.conversation();
  const second = await gateway.post(chat, streamed);
  await readEvents(second);
  await first;
  const waited = (await gateway.requestLine(chat, 1))["queue_ms"] as number;
  expect(waited).toBeGreaterThan(300);
  expect(second.headers.get("server-timing")).toContain(`queue;dur=${waited}`);
  await metric(gateway.url, 'gateway_queue_duration_seconds_bucket{le="0.16"} 1');
  await metric(gateway.url, "gateway_queue_duration_seconds_count 2");
});
