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

/** The first of several prompts has the only slot, and another request waits for it. */
async function withOtherBehind(answer: readonly Step[], environment: Record<string, string> = {}) {
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ until: released }, ...answer);
  const gateway = await startGateway(fake, { OLLAMA_NUM_PARALLEL: "1", ...environment });
  const several = gateway.post(route, completion);
  await fake.conversation();
  const other = gateway.post(route, { ...completion, prompt: "other" });
  await metric(gateway.url, "gateway_queue_depth 1");
  release(undefined);
  return { fake, gateway, several, other };
}

describe("several prompts wait for their turns like requests", () => {
  test("one runs at a time, and between them whoever waits", async () => {
    const { fake, gateway, several, other } = await withOtherBehind([last({ response: "x" })]);
    expect([(await several).status, (await other).status]).toEqual([200, 200]);
    expect(fake.received.map(promptOf)).toEqual(["a", "other", "b", "c"]);
    await metric(gateway.url, "gateway_requests_in_flight 0");
    await metric(gateway.url, "gateway_queue_depth 0");
    const line = await gateway.requestLine(route, 1);
    expect(line["prompt_tokens"]).toBe(33);
  });

  test("what has begun is not turned away by a queue that filled up meanwhile", async () => {
    const { several, other } = await withOtherBehind([last({ response: "x" })], { QUEUE_LIMIT: "1" });
    expect([(await several).status, (await other).status]).toEqual([200, 200]);
  });

  test("a prompt whose server failed before it responded goes to the next server", async () => {
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

  test("queue, load and work of all of them are told", async () => {
    const { gateway, several, other } = await withOtherBehind([
      { waitMs: 60 },
      last({ response: "x", prompt_eval_duration: 10e6 }),
    ]);
    const timing = (await several).headers.get("server-timing") ?? "";
    // The second waited while the other request ran.
    expect(Number(/queue;dur=([\d.]+)/.exec(timing)?.[1])).toBeGreaterThan(50);
    expect(Number(/prompt;dur=([\d.]+)/.exec(timing)?.[1])).toBe(30);
    await other;
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    const held = /^gen_ai_client_operation_duration_seconds_sum\{.*\} (.*)$/m.exec(text)?.[1];
    expect(Number(held)).toBeGreaterThan(0.23);
  });
});

describe("several prompts are as many requests to a key's limits", () => {
  const start = async (limits: string[]) => {
    const { key, line } = newKey("ada", limits);
    const fake = await startFake();
    const gateway = await startGateway(fake, { API_KEYS: line });
    const ask = (body: object): Promise<Response> =>
      gateway.post(route, body, { headers: { ...json, authorization: `Bearer ${key}` } });
    return { fake, gateway, ask };
  };

  test("requests per minute: all at once or none", async () => {
    const { fake, ask } = await start(["requests=5"]);
    const first = await ask(completion);
    expect(first.status).toBe(200);
    expect(first.headers.get("x-ratelimit-remaining-requests")).toBe("2");
    const refused = await ask(completion);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(1);
    expect(await errorOf(refused)).toMatchObject({ code: "rate_limit_exceeded", type: "requests" });
    expect(fake.received).toHaveLength(3);
  });

  test("more prompts than a minute has requests can never be: 400", async () => {
    const { fake, ask } = await start(["requests=2"]);
    const refused = await ask(completion);
    expect(refused.status).toBe(400);
    expect(await errorOf(refused)).toMatchObject({ code: "invalid_value", param: "prompt" });
    expect(fake.received).toHaveLength(0);
  });

  test("tokens per minute: what is used up stops the prompts that are left", async () => {
    const { fake, gateway, ask } = await start(["tokens=20"]);
    // 14 each.
    const refused = await ask(completion);
    expect(refused.status).toBe(429);
    expect(await errorOf(refused)).toMatchObject({ code: "rate_limit_exceeded", type: "tokens" });
    expect(fake.received).toHaveLength(2);
    expect((await ask({ ...completion, prompt: "a" })).status).toBe(429);
    expect(gateway.log.join()).toContain('"completion_tokens":6');
  });

  test("tokens of a prompt that was cut short are owed beside those of the ones before it", async () => {
    const { fake, gateway, ask } = await start(["tokens=20"]);
    respondToOne(
      fake,
      "b",
      { line: { response: "x", done: false } },
      { line: { response: "y", done: false } },
      "cut",
    );
    await (await ask(streamed)).text().catch(() => "");
    await gateway.requestLine(route);
    const headers = (await ask({ ...completion, prompt: "a", max_tokens: 1 })).headers;
    // 14 are owed, then 1 for the prompt that was cut short and 2 for its answer; 2 are set aside. The next is there
    // after 3 s.
    expect(Number(headers.get("x-ratelimit-remaining-tokens"))).toBe(1);
  });

  test("requests at once: they are one", async () => {
    const { ask } = await start(["concurrent=1"]);
    expect((await ask(completion)).status).toBe(200);
  });
});
