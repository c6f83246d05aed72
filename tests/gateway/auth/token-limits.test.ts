import { expect, onTestFinished, test, vi } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import type { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  eventually,
  hello,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { postChat } from "../../../test-support/gateway/key-requests.ts";

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };

/** Starts a gateway with one limited key. */
async function startLimited(
  limits: string,
  environment: Record<string, string> = {},
): Promise<{ fake: FakeOllama; gateway: TestGateway; key: string }> {
  const { key, line } = newKey("ada", limits.split(" "));
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: line, ...environment });
  return { fake, gateway, key };
}

/** A request whose prompt has about this many tokens. */
function conversation(tokens: number, more: object = {}): object {
  return { ...hello, messages: [{ role: "user", content: "word".repeat(tokens) }], ...more };
}

/** Aborts a request once the fake has it and waits until the gateway has charged it. */
async function sendAndAbort(
  { fake, gateway, key }: Awaited<ReturnType<typeof startLimited>>,
  body: object,
  path = chat,
): Promise<void> {
  const client = new AbortController();
  const aborted = gateway
    .post(path, body, {
      signal: client.signal,
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    })
    .then((response) => response.text());
  await fake.conversation();
  client.abort();
  await expect(aborted).rejects.toThrow();
  await gateway.requestLine(path);
}

async function rateLimitErrorOf(
  response: Response,
): Promise<{ seconds: number; message: string; type: string }> {
  expect(response.status).toBe(429);
  const { message, type, code } = await errorOf(response);
  expect(code).toBe("rate_limit_exceeded");
  return { seconds: Number(response.headers.get("retry-after")), message, type };
}

test("charges the prompt of a stream that was aborted before its first token", async () => {
  const setup = await startLimited("tokens=1000");
  setup.fake.respondWith("hang");
  await sendAndAbort(setup, conversation(2500, { stream: true }));
  expect((await rateLimitErrorOf(await postChat(setup.gateway, setup.key))).type).toBe("tokens");
});

test("charges a buffered response whose client disconnected", async () => {
  const setup = await startLimited("tokens=600");
  // The tokens generated meanwhile are estimated from the speed of the previous response.
  setup.fake.respondWith(last({ prompt_eval_count: 1, eval_count: 100, eval_duration: 100 }));
  await (await postChat(setup.gateway, setup.key, hello)).text();
  setup.fake.respondWith("hang");
  const client = new AbortController();
  const aborted = postChat(
    setup.gateway,
    setup.key,
    { ...hello, max_tokens: 1200 },
    { signal: client.signal },
  );
  await setup.fake.conversation(1);
  client.abort();
  await expect(aborted).rejects.toThrow();
  await setup.gateway.requestLine(chat, 1);
  expect((await rateLimitErrorOf(await postChat(setup.gateway, setup.key))).type).toBe("tokens");
});

test("charges aborted embedding requests", async () => {
  const setup = await startLimited("tokens=1000");
  setup.fake.respondWith("hang");
  await sendAndAbort(setup, { model: "m", input: "word".repeat(2500) }, "/v1/embeddings");
  expect((await rateLimitErrorOf(await postChat(setup.gateway, setup.key))).type).toBe("tokens");
});

test("does not charge a request that never reached Ollama", async () => {
  const setup = await startLimited("tokens=1000", { OLLAMA_NUM_PARALLEL: "1" });
  setup.fake.loaded = [];
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  setup.fake.loadsWith({ until: released });
  const client = new AbortController();
  const aborted = postChat(setup.gateway, setup.key, conversation(1100), { signal: client.signal });
  await setup.fake.load();
  client.abort();
  await expect(aborted).rejects.toThrow();
  await setup.gateway.requestLine(chat);
  release(undefined);
  expect((await postChat(setup.gateway, setup.key, conversation(1100))).status).toBe(200);
});

test("admits one of 20 concurrent requests that each exceed the limit", async () => {
  const { fake, gateway, key } = await startLimited("tokens=100");
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, last({ eval_count: 1000 }));
  const responses = Array.from({ length: 20 }, () => postChat(gateway, key, { ...hello, max_tokens: 1000 }));
  await eventually(() =>
    gateway.log.filter((line) => line.includes('"status":429')).length === 19 ? true : undefined,
  );
  release(undefined);
  const statuses = (await Promise.all(responses)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(fake.received).toHaveLength(1);
});

test("runs as many requests with max_tokens concurrently as the limit has room for", async () => {
  const { fake, gateway, key } = await startLimited("tokens=1000");
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, last({ prompt_eval_count: 1, eval_count: 5 }));
  const send = (maxTokens: number): Promise<Response> =>
    postChat(gateway, key, { ...hello, max_tokens: maxTokens });
  const responses = Array.from({ length: 8 }, () => send(120));
  await fake.conversation(7);
  // One more gets the remaining room, however much it may generate.
  responses.push(send(900));
  await fake.conversation(8);
  await rateLimitErrorOf(await send(1));
  release(undefined);
  expect((await Promise.all(responses)).map(({ status }) => status)).toEqual(responses.map(() => 200));
  expect((await send(900)).headers.get("x-ratelimit-remaining-tokens")).toMatch(/^\d\d$/);
});

test("counts tokens beyond a response's reservation while they are generated", async () => {
  // Stops the clock, because the limit refills over time.
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const { fake, gateway, key } = await startLimited("tokens=1100");
  fake.respondWith(...Array.from({ length: 1099 }, () => token("a")), "hang");
  const client = new AbortController();
  const stream = await postChat(gateway, key, streamed, { signal: client.signal });
  onTestFinished(() => {
    client.abort();
  });
  let text = "";
  for await (const piece of stream.body ?? []) {
    text += Buffer.from(piece as Uint8Array).toString();
    if (text.split('"content":"a"').length > 1099) break;
  }
  await rateLimitErrorOf(await postChat(gateway, key, hello));
});

test("locks a key out for at most a minute after one large response", async () => {
  const { fake, gateway, key } = await startLimited("tokens=100");
  fake.respondWith(last({ eval_count: 6000 }));
  expect((await postChat(gateway, key)).status).toBe(200);
  const { seconds, message } = await rateLimitErrorOf(await postChat(gateway, key));
  expect(seconds).toBeLessThanOrEqual(60);
  expect(seconds).toBeGreaterThan(50);
  expect(message).toBe(`Rate limit reached: 100 tokens per minute. Retry in ${seconds} s.`);
});
