import { expect, test } from "vitest";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  hello,
  metric,
  readEvents,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";
const secret = "PLANTED";

test("logs a request as one line with its id, route, model, status, tokens and times", async () => {
  const fake = await startFake();
  fake.respondWith({ waitMs: 30 }, token("a"), { waitMs: 30 }, last());
  const gateway = await startGateway(fake);
  await readEvents(await gateway.post(chat, { ...hello, stream: true }));
  const line = await gateway.requestLine(chat);
  expect(line).toMatchObject({
    request_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    method: "POST",
    route: chat,
    status: 200,
    model: "m",
    stream: true,
    prompt_tokens: 11,
    completion_tokens: 3,
  });
  expect(line["first_token_ms"]).toBeGreaterThanOrEqual(25);
  expect(line["total_ms"]).toBeGreaterThanOrEqual((line["first_token_ms"] as number) + 25);
  expect(gateway.log.filter((each) => each.includes(chat))).toHaveLength(1);
});

test("the first-token time of a buffered response excludes the time Ollama spent generating", async () => {
  const fake = await startFake();
  fake.respondWith({ waitMs: 60 }, last({ message: { content: "x" }, eval_duration: 40e6 }));
  const gateway = await startGateway(fake);
  await (await gateway.post(chat, hello)).text();
  const line = await gateway.requestLine(chat);
  expect((line["total_ms"] as number) - (line["first_token_ms"] as number)).toBeGreaterThanOrEqual(39);
});

test("logs neither prompts nor completions nor keys, whatever fails", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { LOG_LEVEL: "trace" });
  const post = async (body: unknown): Promise<void> => {
    const headers = {
      "content-type": "application/json",
      authorization: `Bearer ${secret}`,
      "user-agent": secret,
    };
    await (await gateway.post(`${chat}?key=${secret}`, body, { headers })).text().catch(() => "");
  };
  const prompt = { model: "m", messages: [{ role: "user", content: secret }], user: secret };
  for (const stream of [false, true]) {
    fake.respondWith(token(secret), last({ message: { content: secret } }));
    await post({ ...prompt, stream });
    // Ollama's errors may quote what the model wrote.
    fake.respondWith(
      token(secret),
      { waitMs: 20 },
      { line: { error: `error parsing tool call: raw='${secret}'` } },
    );
    await post({ ...prompt, stream });
    fake.respondWith(token(secret), { waitMs: 20 }, { raw: `{"message":{"content":"${secret}\n` });
    await post({ ...prompt, stream });
    fake.respondWith({ status: 500, body: JSON.stringify({ error: secret }) });
    await post({ ...prompt, stream });
  }
  await post({ ...prompt, [secret]: 1 });
  await post({ ...prompt, messages: [{ role: secret, content: secret }] });
  await post(`{"model":"m","messages":[{"role":"user","content":"${secret}`);
  await fetch(`${gateway.url}/${secret}`);
  await gateway.requestLine("unknown");
  expect(gateway.log.length).toBeGreaterThan(11);
  expect(gateway.log.join("")).not.toContain(secret);
});

test.each([
  [chat, { messages: [{ role: "user", content: secret }] }],
  ["/v1/completions", { prompt: secret, suffix: secret }],
  ["/v1/completions", { prompt: [secret, secret] }],
  ["/v1/responses", { input: secret, instructions: secret }],
  ["/v1/messages", { messages: [{ role: "user", content: secret }], system: secret, max_tokens: 9 }],
  ["/v1/embeddings", { input: [secret] }],
  ["/v1/example-service", { messages: secret }],
  ["/v1/chatqna", { messages: [{ role: "user", content: secret }] }],
  ["/api/chat", { messages: [{ role: "user", content: secret }] }],
  ["/api/generate", { prompt: secret, system: secret }],
  ["/api/embed", { input: secret }],
  ["/api/embeddings", { prompt: secret }],
])("%s: logs neither the prompt nor the completion, at any level", async (path, body) => {
  const completion = { message: { content: secret, thinking: secret }, response: secret, thinking: secret };
  const fake = await startFake();
  const gateway = await startGateway(fake, { LOG_LEVEL: "trace" });
  const post = async (more: object): Promise<void> => {
    const response = await gateway.post(path, { model: "m", ...body, ...more });
    await response.text().catch(() => "");
  };
  const streams = path.includes("embed") ? [{}] : [{ stream: false }, { stream: true }];
  for (const stream of streams) {
    fake.respondWith(last({ ...completion, embeddings: [[1]], embedding: [1] }));
    await post(stream);
    expect(await gateway.requestLine(path)).toMatchObject({ status: 200 });
    for (const failure of [{ line: { error: secret } }, { raw: `{"${secret}\n` }]) {
      fake.respondWith(...(stream === streams[1] ? [token(secret), { waitMs: 20 }] : []), failure);
      await post(stream);
    }
    fake.respondWith({ status: 500, body: JSON.stringify({ error: secret }) });
    await post(stream);
    await post({ ...stream, options: { num_gpu: secret, [secret]: secret } });
  }
  await gateway.requestLine(path, 5 * streams.length - 1);
  expect(gateway.log.join("")).not.toContain(secret);
});

test.each([
  ["trace", 2],
  ["info", 1],
  ["warn", 0],
])("LOG_LEVEL %s logs %d lines for a probe and a request", async (LOG_LEVEL, lines) => {
  const gateway = await startGateway(await startFake(), { LOG_LEVEL });
  await (await fetch(`${gateway.url}/health`)).text();
  await (await gateway.post(chat, hello)).text();
  await metric(gateway.url, `http_requests_total{route="${chat}",method="POST",status="200"} 1`);
  const written = gateway.log.filter((line) => !line.includes('"/metrics"') && line.includes('"request"'));
  expect(written).toHaveLength(lines);
});

test.each([false, true])("logs prompts and completions if LOG_TEXT is on (streamed: %j)", async (stream) => {
  const fake = await startFake();
  fake.respondWith(token("Hel"), last({ message: { content: "lo" } }));
  const gateway = await startGateway(fake, { LOG_TEXT: "on" });
  await (await gateway.post(chat, { ...hello, stream })).text();
  expect(await gateway.requestLine(chat)).toMatchObject({
    prompt: [{ role: "user", content: "Hi" }],
    answer: "Hello",
  });
});

test.each([false, true])(
  "logs the origin of an unexpected failure, but not the text (streamed: %j)",
  async (stream) => {
    const fake = await startFake();
    // No version of Ollama sends this; it stands for a bug in the gateway.
    const broken = { message: { content: "PLANTED", tool_calls: [{}] }, done: true };
    fake.respondWith(...(stream ? [token("Hel"), { waitMs: 20 }] : []), { line: broken });
    const gateway = await startGateway(fake);
    const response = await gateway.post(chat, { ...hello, stream });
    expect(response.status).toBe(stream ? 200 : 500);
    await response.text().catch(() => "");
    const error = "error";
    expect(await gateway.requestLine(chat)).toMatchObject({
      level: error,
      error: "internal_error",
      origin: expect.stringContaining("openai-chat/response.ts") as string,
    });
    expect(gateway.log.join("")).not.toContain("PLANTED");
  },
);

test("returns and logs the client's request id, and replaces a malformed one", async () => {
  const gateway = await startGateway(await startFake());
  const requestIdFor = async (id: string, body: object): Promise<string | null> => {
    const headers = { "content-type": "application/json", "x-request-id": id };
    const response = await gateway.post(chat, body, { headers });
    await response.text();
    return response.headers.get("x-request-id");
  };
  expect(await requestIdFor("abc-1", hello)).toBe("abc-1");
  expect(await requestIdFor("abc-2", { ...hello, stream: true })).toBe("abc-2");
  expect(await requestIdFor("abc-3", {})).toBe("abc-3");
  expect(await requestIdFor("a b", hello)).toMatch(/^[0-9a-f-]{36}$/);
  expect(await requestIdFor("x".repeat(129), hello)).toMatch(/^[0-9a-f-]{36}$/);
  const ids = await Promise.all([0, 1, 2].map((n) => gateway.requestLine(chat, n)));
  expect(ids.map((line) => line["request_id"])).toEqual(["abc-1", "abc-2", "abc-3"]);
});

test("logs probes at debug level, other requests at info", async () => {
  const gateway = await startGateway(await startFake());
  await fetch(`${gateway.url}/health`);
  await fetch(`${gateway.url}/v1/models`);
  const debug = "debug";
  const info = "info";
  expect(await gateway.requestLine("/health")).toMatchObject({ level: debug });
  expect(await gateway.requestLine("/v1/models")).toMatchObject({ level: info });
});

test("logs a failing probe as a warning once, and its recovery", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake, { REQUIRED_MODELS: "n", POLL_INTERVAL_MS: "20" });
  const ready = async (): Promise<number> => (await fetch(`${gateway.url}/ready`)).status;
  expect([await ready(), await ready()]).toEqual([503, 503]);
  fake.models = ["n:latest"];
  await expect.poll(ready).toBe(200);
  expect(await ready()).toBe(200);
  const levels = gateway.log
    .map((line) => JSON.parse(line) as { route?: string; status?: number; level: string })
    .filter(({ route }) => route === "/ready");
  const [debug, info, warn] = ["debug", "info", "warn"];
  expect(levels.filter(({ level }) => level === warn)).toMatchObject([{ status: 503 }]);
  expect(levels.filter(({ level }) => level === info)).toMatchObject([{ status: 200 }]);
  expect(levels.at(-1)).toMatchObject({ level: debug, status: 200 });
});
