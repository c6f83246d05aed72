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

/** A key with limits, and a gateway that knows it. */
async function limited(
  limits: string,
  environment: Record<string, string> = {},
): Promise<{ fake: FakeOllama; gateway: TestGateway; key: string }> {
  const { key, line } = newKey("ada", limits.split(" "));
  const fake = await startFake();
  const gateway = await startGateway(fake, { API_KEYS: line, ...environment });
  return { fake, gateway, key };
}

/** A conversation whose prompt is about so many tokens. */
function conversation(tokens: number, more: object = {}): object {
  return { ...hello, messages: [{ role: "user", content: "word".repeat(tokens) }], ...more };
}

/** Leaves a request once the fake has it, and waits until the gateway has counted it. */
async function leave(
  { fake, gateway, key }: Awaited<ReturnType<typeof limited>>,
  body: object,
  path = chat,
): Promise<void> {
  const client = new AbortController();
  const left = gateway
    .post(path, body, {
      signal: client.signal,
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    })
    .then((response) => response.text());
  await fake.conversation();
  client.abort();
  await expect(left).rejects.toThrow();
  await gateway.requestLine(path);
}

async function refusalOf(response: Response): Promise<{ seconds: number; message: string; type: string }> {
  expect(response.status).toBe(429);
  const { message, type, code } = await errorOf(response);
  expect(code).toBe("rate_limit_exceeded");
  return { seconds: Number(response.headers.get("retry-after")), message, type };
}

test("a stream that was left before its first token cost nothing, however long its prompt", async () => {
  const all = await limited("tokens=1000");
  all.fake.respondWith("hang");
  await leave(all, conversation(2500, { stream: true }));
  expect((await refusalOf(await postChat(all.gateway, all.key))).type).toBe("tokens");
});

test("an answer that was not streamed cost nothing when its client left", async () => {
  const all = await limited("tokens=600");
  // What was generated meanwhile is reckoned by how fast the answer before was.
  all.fake.respondWith(last({ prompt_eval_count: 1, eval_count: 100, eval_duration: 100 }));
  await (await postChat(all.gateway, all.key, hello)).text();
  all.fake.respondWith("hang");
  const client = new AbortController();
  const left = postChat(all.gateway, all.key, { ...hello, max_tokens: 1200 }, { signal: client.signal });
  await all.fake.conversation(1);
  client.abort();
  await expect(left).rejects.toThrow();
  await all.gateway.requestLine(chat, 1);
  expect((await refusalOf(await postChat(all.gateway, all.key))).type).toBe("tokens");
});

test("embeddings that were left cost nothing", async () => {
  const all = await limited("tokens=1000");
  all.fake.respondWith("hang");
  await leave(all, { model: "m", input: "word".repeat(2500) }, "/v1/embeddings");
  expect((await refusalOf(await postChat(all.gateway, all.key))).type).toBe("tokens");
});

test("a request that never came to Ollama is charged nothing", async () => {
  const all = await limited("tokens=1000", { OLLAMA_NUM_PARALLEL: "1" });
  all.fake.loaded = [];
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  all.fake.loadsWith({ until: released });
  const client = new AbortController();
  const left = postChat(all.gateway, all.key, conversation(1100), { signal: client.signal });
  await all.fake.load();
  client.abort();
  await expect(left).rejects.toThrow();
  await all.gateway.requestLine(chat);
  release(undefined);
  expect((await postChat(all.gateway, all.key, conversation(1100))).status).toBe(200);
});

test("20 requests at once spent 200 times the allowance", async () => {
  const { fake, gateway, key } = await limited("tokens=100");
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, last({ eval_count: 1000 }));
  const answers = Array.from({ length: 20 }, () => postChat(gateway, key, { ...hello, max_tokens: 1000 }));
  await eventually(() =>
    gateway.log.filter((line) => line.includes('"status":429')).length === 19 ? true : undefined,
  );
  release(undefined);
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(fake.received).toHaveLength(1);
});

test("requests whose answers are bounded run at the same time, as many as the allowance has room for", async () => {
  const { fake, gateway, key } = await limited("tokens=1000");
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, last({ prompt_eval_count: 1, eval_count: 5 }));
  const send = (maxTokens: number): Promise<Response> =>
    postChat(gateway, key, { ...hello, max_tokens: maxTokens });
  const answers = Array.from({ length: 8 }, () => send(120));
  await fake.conversation(7);
  // It takes the room that is left, however much it may generate.
  answers.push(send(900));
  await fake.conversation(8);
  await refusalOf(await send(1));
  release(undefined);
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect((await send(900)).headers.get("x-ratelimit-remaining-tokens")).toMatch(/^\d\d$/);
});

test("what an answer takes beyond what was set aside for it counts while it is generated", async () => {
  // No time goes by, in which some of what was used would be given back.
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const { fake, gateway, key } = await limited("tokens=1100");
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
  await refusalOf(await postChat(gateway, key, hello));
});

test("a single large answer locked its key out for an hour", async () => {
  const { fake, gateway, key } = await limited("tokens=100");
  fake.respondWith(last({ eval_count: 6000 }));
  expect((await postChat(gateway, key)).status).toBe(200);
  const { seconds, message } = await refusalOf(await postChat(gateway, key));
  expect(seconds).toBeLessThanOrEqual(60);
  expect(seconds).toBeGreaterThan(50);
  expect(message).toBe(`Rate limit reached: 100 tokens per minute. Retry in ${seconds} s.`);
});
