import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { FATAL_OPTIONS } from "../../../gateway/src/apis/common/fatal-options.ts";
import type { RequestRecord } from "../../../gateway/src/observability/request-record.ts";
import { Statistics } from "../../../gateway/src/observability/latency-stats.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const route = "/v1/example-service";

test("accepts a string as the user's message, and streams up to 1024 tokens from the default model", async () => {
  const fake = await startFake();
  fake.models = ["default:1b"];
  const gateway = await startGateway(fake, { LLM_MODEL_ID: "default:1b" });
  const response = await gateway.post(route, { messages: "Hi" });
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const { data } = await readEvents(response);
  expect(data.at(-1)).toBe("[DONE]");
  expect(data.map((event) => /"content":"([^"]+)"/.exec(event)?.[1] ?? "").join("")).toBe("Hello there.");
  expect((await fake.conversation()).body).toMatchObject({
    model: "default:1b",
    messages: [{ role: "user", content: "Hi" }],
    stream: true,
    options: { num_predict: 1024 },
  });
});

test("passes on a list of messages, and returns a buffered response as a chat completion", async () => {
  const fake = await startFake();
  fake.models = ["other:latest"];
  const gateway = await startGateway(fake);
  const messages = [
    { role: "user", content: "I am Ada." },
    { role: "assistant", content: "Hello Ada." },
    { role: "user", content: "Who am I?" },
  ];
  const response = await gateway.post(route, { messages, model: "other", stream: false, max_tokens: 9 });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    object: "chat.completion",
    model: "other",
    choices: [{ message: { role: "assistant", content: "Hello there." }, finish_reason: "stop" }],
    usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 },
  });
  expect((await fake.conversation()).body).toMatchObject({
    messages,
    stream: false,
    options: { num_predict: 9 },
  });
});

test("/v1/chatqna is the same service, and translates OPEA's parameters to Ollama's options", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const body = { messages: "Hi", top_k: 3, repetition_penalty: 1.1, options: { min_p: 0.1 }, stream: false };
  expect((await gateway.post("/v1/chatqna", body)).status).toBe(200);
  expect((await fake.conversation()).body.options).toEqual({
    num_predict: 1024,
    top_k: 3,
    repeat_penalty: 1.1,
    min_p: 0.1,
  });
});

test.each(FATAL_OPTIONS.repeat_penalty.fatal)(
  "rejects repetition_penalty %j, which crashes the model for everybody",
  async (penalty) => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const response = await gateway.post("/v1/chatqna", { messages: "Hi", repetition_penalty: penalty });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("repetition_penalty");
    expect(fake.received).toHaveLength(0);
  },
);

test("GET /v1/statistics reports the latencies of completed responses and of their first tokens", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const statistics = async (): Promise<unknown> => (await fetch(`${gateway.url}/v1/statistics`)).json();
  expect(await statistics()).toEqual({});
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith(token("Hel"), { until: released }, last());
  const response = await gateway.post(route, { messages: "Hi" });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  while (!text.includes("Hel")) text += new TextDecoder().decode((await reader.read()).value);
  await sleep(40);
  release(undefined);
  while (!(await reader.read()).done);
  fake.respondWith(token("Hel"), "cut");
  await readEvents(await gateway.post(route, { messages: "Hi" }));
  await gateway.requestLine(route, 1);
  const { p50_latency: total, ...others } =
    ((await statistics()) as Record<string, Record<string, number>>)["opea_service@/v1/example-service"] ??
    {};
  expect(total).toBeGreaterThan(0.03);
  // In seconds.
  expect(total).toBeLessThan(30);
  // Only one of the two responses was completed.
  expect(others["p99_latency"]).toBe(total);
  expect(others["average_latency"]).toBe(total);
  expect(others["p50_latency_first_token"]).toBeLessThan((total ?? 0) - 0.03);
  expect(Object.keys(others)).toEqual([
    "p99_latency",
    "average_latency",
    "p50_latency_first_token",
    "p99_latency_first_token",
    "average_latency_first_token",
  ]);
});

test("the statistics cover only the latest responses", () => {
  const statistics = new Statistics();
  const record = (ms: number): RequestRecord =>
    ({ elapsedMs: () => ms, firstTokenMs: ms, error: undefined }) as unknown as RequestRecord;
  for (let n = 0; n < 5000; n += 1) statistics.count("/r", record(1e9));
  for (let n = 1; n <= 1000; n += 1) statistics.count("/r", record(n));
  expect(statistics.summary()).toEqual({
    "opea_service@/r": {
      p50_latency: 0.5,
      p99_latency: 0.99,
      average_latency: expect.closeTo(0.5005) as number,
      p50_latency_first_token: 0.5,
      p99_latency_first_token: 0.99,
      average_latency_first_token: expect.closeTo(0.5005) as number,
    },
  });
});

test("returns 400 for an unknown model, as OPEA's clients expect", async () => {
  const fake = await startFake();
  fake.respondWith({ status: 404, body: `{"error":"model 'nope' not found"}` });
  const gateway = await startGateway(fake);
  const response = await gateway.post(route, { messages: "Hi", model: "nope" });
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ code: "model_not_found", param: "model" });
});

test.each([
  [{}, "messages"],
  [{ messages: "" }, "messages"],
  [{ messages: 3 }, "messages"],
  [{ messages: [{ role: "user" }] }, "messages[0].content"],
  [{ messages: "Hi", n: 3 }, "n"],
])("rejects %j and names %s", async (body, param) => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post(route, body);
  expect(response.status).toBe(400);
  expect((await errorOf(response)).param).toBe(param);
});

test("ends a failed stream with an error, where OPEA's own service ends it cleanly", async () => {
  const fake = await startFake();
  fake.respondWith(token("Hel"), { waitMs: 20 }, "cut");
  const gateway = await startGateway(fake);
  const { data, brokenOff } = await readEvents(await gateway.post(route, { messages: "Hi" }));
  expect(data).not.toContain("[DONE]");
  expect(data.at(-1)).toContain("upstream_incomplete");
  expect(brokenOff).toBe(true);
});

test("GET /v1/health_check describes the service to OPEA's orchestrator", async () => {
  const gateway = await startGateway(await startFake());
  const response = await fetch(`${gateway.url}/v1/health_check`);
  expect(await response.json()).toEqual({
    "Service Title": "ollama-stack gateway",
    Version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    "Service Description": expect.any(String) as string,
  });
});

test("prefers options.num_predict to OPEA's default limit", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const body = { messages: "Hi", options: { num_predict: 20 }, stream: false };
  expect((await gateway.post("/v1/chatqna", body)).status).toBe(200);
  expect((await fake.conversation()).body.options).toEqual({ num_predict: 20 });
});
