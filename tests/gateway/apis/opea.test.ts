import { expect, test } from "vitest";
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

test("messages as a string are what the user says; it streams, up to 1024 tokens, with the default model", async () => {
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

test("messages as a list all arrive; a whole answer is a chat completion", async () => {
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

test("/v1/chatqna is the same service; OPEA's own parameters are Ollama's options", async () => {
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

test("GET /v1/statistics tells how long completed answers took, first tokens apart", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const statistics = async (): Promise<unknown> => (await fetch(`${gateway.url}/v1/statistics`)).json();
  expect(await statistics()).toEqual({});
  fake.respondWith(token("Hel"), { waitMs: 40 }, last());
  await readEvents(await gateway.post(route, { messages: "Hi" }));
  fake.respondWith(token("Hel"), "cut");
  await readEvents(await gateway.post(route, { messages: "Hi" }));
  await gateway.requestLine(route, 1);
  const { p50_latency: whole, ...told } =
    ((await statistics()) as Record<string, Record<string, number>>)["opea_service@/v1/example-service"] ??
    {};
  expect(whole).toBeGreaterThan(0.03);
  expect(whole).toBeLessThan(3);
  // Of the two answers, only one was completed.
  expect(told["p99_latency"]).toBe(whole);
  expect(told["average_latency"]).toBe(whole);
  expect(told["p50_latency_first_token"]).toBeLessThan((whole ?? 0) - 0.03);
  expect(Object.keys(told)).toEqual([
    "p99_latency",
    "average_latency",
    "p50_latency_first_token",
    "p99_latency_first_token",
    "average_latency_first_token",
  ]);
});

test("the statistics remember only the last answers, and so much of them", () => {
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

test("an unknown model is 400, as OPEA's clients expect", async () => {
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
])("%j is refused, naming %s", async (body, param) => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post(route, body);
  expect(response.status).toBe(400);
  expect((await errorOf(response)).param).toBe(param);
});

test("a failure in the middle of the stream is an error, not the clean end that OPEA makes of it", async () => {
  const fake = await startFake();
  fake.respondWith(token("Hel"), { waitMs: 20 }, "cut");
  const gateway = await startGateway(fake);
  const { data, brokenOff } = await readEvents(await gateway.post(route, { messages: "Hi" }));
  expect(data).not.toContain("[DONE]");
  expect(data.at(-1)).toContain("upstream_incomplete");
  expect(brokenOff).toBe(true);
});

test("GET /v1/health_check tells OPEA's orchestrator what the service is", async () => {
  const gateway = await startGateway(await startFake());
  const response = await fetch(`${gateway.url}/v1/health_check`);
  expect(await response.json()).toEqual({
    "Service Title": "ollama-stack gateway",
    Version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    "Service Description": expect.any(String) as string,
  });
});

test("a limit in Ollama's words counts before OPEA's default", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const body = { messages: "Hi", options: { num_predict: 20 }, stream: false };
  expect((await gateway.post("/v1/chatqna", body)).status).toBe(200);
  expect((await fake.conversation()).body.options).toEqual({ num_predict: 20 });
});
