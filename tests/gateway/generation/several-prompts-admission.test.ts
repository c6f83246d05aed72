import { describe, expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { type Step, last } from "../../../test-support/fakes/ollama/steps.ts";
import { errorOf, metric, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import {
  completion,
  respondToOne,
  promptOf,
  route,
  streamed,
} from "../../../test-support/fakes/ollama/prompts.ts";

const json = { "content-type": "application/json" };

/** Sends several prompts, the first of which gets the only slot, and queues another request behind it. */
async function startWithQueuedRequest(response: readonly Step[], environment: Record<string, string> = {}) {
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, ...response);
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1", ...environment });
  const several = gateway.post(route, completion);
  await fake.conversation();
  const other = gateway.post(route, { ...completion, prompt: "other" });
  await metric(gateway.url, "gateway_queue_depth 1");
  release(undefined);
  return { fake, gateway, several, other };
}

describe("several prompts are queued like separate requests", () => {
  test("one runs at a time, alternating with other queued requests", async () => {
    const { fake, gateway, several, other } = await startWithQueuedRequest([last({ response: "x" })]);
    expect([(await several).status, (await other).status]).toEqual([200, 200]);
    expect(fake.received.map(promptOf)).toEqual(["a", "other", "b", "c"]);
    await metric(gateway.url, "gateway_requests_in_flight 0");
    await metric(gateway.url, "gateway_queue_depth 0");
    const line = await gateway.requestLine(route, 1);
    expect(line["prompt_tokens"]).toBe(33);
  });

  test("a request that has begun is not rejected if the queue fills up meanwhile", async () => {
    const { several, other } = await startWithQueuedRequest([last({ response: "x" })], { QUEUE_LIMIT: "1" });
    expect([(await several).status, (await other).status]).toEqual([200, 200]);
  });

  test("a prompt is retried on another server if the first one fails before it responds", async () => {
    const fake = await startFake();
    let failed = false;
    fake.respondTo((body) => {
      if (promptOf({ body }) !== "b" || failed) return [last({ response: "x" })];
      failed = true;
      return [{ status: 503, body: '{"error":"server busy"}' }];
    });
    const second = await startFake();
    const gateway = await startGateway(fake, {
      LLM_BACKENDS: `127.0.0.1:${fake.port}*4,127.0.0.1:${second.port}*1`,
    });
    expect((await gateway.post(route, completion)).status).toBe(200);
    expect(fake.received.length + second.received.length).toBe(4);
    await metric(gateway.url, "gateway_requests_in_flight 0");
  });

  test("the timings of all prompts are added up", async () => {
    const { gateway, several, other } = await startWithQueuedRequest([
      { waitMs: 60 },
      last({ response: "x", prompt_eval_duration: 10e6 }),
    ]);
    const timing = (await several).headers.get("server-timing") ?? "";
    // The second prompt waited while the other request ran.
    expect(Number(/queue;dur=([\d.]+)/.exec(timing)?.[1])).toBeGreaterThan(50);
    expect(Number(/prompt;dur=([\d.]+)/.exec(timing)?.[1])).toBe(30);
    await other;
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    const held = /^gen_ai_client_operation_duration_seconds_sum\{.*\} (.*)$/m.exec(text)?.[1];
    expect(Number(held)).toBeGreaterThan(0.23);
  });
});

describe("each of several prompts counts towards a key's limits", () => {
  const start = async (limits: string[]) => {
    const { key, line } = newKey("ada", limits);
    const fake = await startFake();
    const gateway = await startGateway(fake, { API_KEYS: line });
    const send = (body: object): Promise<Response> =>
      gateway.post(route, body, { headers: { ...json, authorization: `Bearer ${key}` } });
    return { fake, gateway, send };
  };

  test("requests per minute: either all prompts or none are admitted", async () => {
    const { fake, send } = await start(["requests=5"]);
    const first = await send(completion);
    expect(first.status).toBe(200);
    expect(first.headers.get("x-ratelimit-remaining-requests")).toBe("2");
    const rejected = await send(completion);
    expect(rejected.status).toBe(429);
    expect(Number(rejected.headers.get("retry-after"))).toBeGreaterThan(1);
    expect(await errorOf(rejected)).toMatchObject({ code: "rate_limit_exceeded", type: "requests" });
    expect(fake.received).toHaveLength(3);
  });

  test("more prompts than requests per minute are rejected with 400", async () => {
    const { fake, send } = await start(["requests=2"]);
    const rejected = await send(completion);
    expect(rejected.status).toBe(400);
    expect(await errorOf(rejected)).toMatchObject({ code: "invalid_value", param: "prompt" });
    expect(fake.received).toHaveLength(0);
  });

  test("tokens per minute: an exhausted limit stops the remaining prompts", async () => {
    const { fake, gateway, send } = await start(["tokens=20"]);
    // Each prompt uses 14.
    const rejected = await send(completion);
    expect(rejected.status).toBe(429);
    expect(await errorOf(rejected)).toMatchObject({ code: "rate_limit_exceeded", type: "tokens" });
    expect(fake.received).toHaveLength(2);
    expect((await send({ ...completion, prompt: "a" })).status).toBe(429);
    expect(gateway.log.join()).toContain('"completion_tokens":6');
  });

  test("tokens per minute: a prompt that broke off is charged in addition to those before it", async () => {
    const { fake, gateway, send } = await start(["tokens=20"]);
    respondToOne(
      fake,
      "b",
      { line: { response: "x", done: false } },
      { line: { response: "y", done: false } },
      "cut",
    );
    await (await send(streamed)).text().catch(() => "");
    await gateway.requestLine(route);
    const headers = (await send({ ...completion, prompt: "a", max_tokens: 1 })).headers;
    // 14 are used by the first prompt, 1 by the prompt that broke off and 2 by its response; 2 are reserved. The next
    // one is available after 3 s.
    expect(Number(headers.get("x-ratelimit-remaining-tokens"))).toBe(1);
  });

  test("concurrent requests: all prompts count as one", async () => {
    const { send } = await start(["concurrent=1"]);
    expect((await send(completion)).status).toBe(200);
  });
});
