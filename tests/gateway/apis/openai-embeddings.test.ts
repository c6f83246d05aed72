import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { errorOf, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const route = "/v1/embeddings";

test("returns the numbers to the openai client, which requests base64 by default", async () => {
  const fake = await startFake();
  const { openai } = await startGateway(fake);
  const result = await openai.embeddings.create({ model: "m", input: "Hi" });
  expect(result.data).toEqual([{ object: "embedding", index: 0, embedding: [0.5, -0.25] }]);
  expect(result.usage).toEqual({ prompt_tokens: 2, total_tokens: 2 });
  expect((await fake.conversation()).body).toEqual({ model: "m", input: "Hi", truncate: false });
});

test.each([undefined, "float", "base64"])("returns the embedding in encoding_format %s", async (format) => {
  const vector = [0.1, -3.5e-8, 7];
  const fake = await startFake();
  fake.respondWith({ line: { embeddings: [vector] } });
  const gateway = await startGateway(fake);
  const response = await gateway.post(route, { model: "m", input: "Hi", encoding_format: format });
  const embedding =
    format === "base64" ? Buffer.from(new Float32Array(vector).buffer).toString("base64") : vector;
  expect(((await response.json()) as { data: object[] }).data).toEqual([
    { object: "embedding", index: 0, embedding },
  ]);
});

test("passes on several texts, dimensions and Ollama's own options", async () => {
  const fake = await startFake();
  fake.respondWith({ line: { embeddings: [[1], [2]] } });
  const gateway = await startGateway(fake);
  const extended = { dimensions: 1, keep_alive: 60, num_ctx: 256, truncate: true };
  const response = await gateway.post(route, { model: "m", input: ["a", "b"], ...extended });
  expect(await response.json()).toEqual({
    object: "list",
    data: [
      { object: "embedding", index: 0, embedding: [1] },
      { object: "embedding", index: 1, embedding: [2] },
    ],
    model: "m",
    usage: { prompt_tokens: 0, total_tokens: 0 },
  });
  expect((await fake.conversation()).body).toEqual({
    model: "m",
    input: ["a", "b"],
    dimensions: 1,
    keep_alive: 60,
    truncate: true,
    options: { num_ctx: 256 },
  });
});

test("cancels the embedding if the client disconnects", async () => {
  const fake = await startFake();
  fake.respondWith("hang");
  const gateway = await startGateway(fake);
  const client = new AbortController();
  const response = gateway.post(route, { model: "m", input: "Hi" }, { signal: client.signal });
  const embedding = await fake.conversation();
  client.abort();
  await expect(response).rejects.toThrow();
  expect(await embedding.brokenOff).toBe(true);
  expect(await gateway.requestLine(route)).toMatchObject({ model: "m", error: "client_left" });
});

test.each([route, "/api/embed"])(
  "%s reports tokens and times, and uses up the key's tokens per minute",
  async (path) => {
    const { key, line } = newKey("ada", ["tokens=3"]);
    const fake = await startFake();
    fake.respondWith({
      line: {
        embeddings: [[1]],
        prompt_eval_count: 7,
        total_duration: 30_000_000,
        load_duration: 10_000_000,
      },
    });
    const gateway = await startGateway(fake, { API_KEYS: line });
    const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
    const body = { model: "m", input: "Hi" };
    const response = await gateway.post(path, body, { headers });
    expect(response.headers.get("server-timing")).toMatch(/^queue;dur=.*, load;dur=.*, prompt;dur=20/);
    expect(await gateway.requestLine(path)).toMatchObject({ prompt_tokens: 7, completion_tokens: 0 });
    expect((await gateway.post(path, body, { headers })).status).toBe(429);
    const metrics = await (await fetch(`${gateway.url}/metrics`, { headers })).text();
    const labels =
      'gen_ai_operation_name="embeddings",gen_ai_provider_name="ollama",gen_ai_request_model="m:latest"';
    expect(metrics).toContain(`gen_ai_client_token_usage_sum{${labels},gen_ai_token_type="input"} 7\n`);
    expect(metrics).not.toContain(`gen_ai_client_token_usage_sum{${labels},gen_ai_token_type="output"}`);
    expect(metrics).toContain('gateway_prompt_duration_seconds_sum{gen_ai_request_model="m:latest"} 0.02\n');
    expect(metrics).toContain('gateway_key_tokens_total{key="ada"} 7\n');
  },
);

test("estimates tokens by length for /api/embeddings, for which Ollama does not report them", async () => {
  const { key, line } = newKey("ada", ["tokens=5"]);
  const fake = await startFake();
  fake.respondWith({ line: { embedding: [1] } });
  const gateway = await startGateway(fake, { API_KEYS: line });
  const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
  const embed = (): Promise<Response> =>
    gateway.post("/api/embeddings", { model: "m", prompt: "twelve bytes" }, { headers });
  expect((await embed()).status).toBe(200);
  await gateway.requestLine("/api/embeddings");
  expect((await embed()).status).toBe(200);
  await gateway.requestLine("/api/embeddings", 1);
  expect((await embed()).status).toBe(429);
  const metrics = await (await fetch(`${gateway.url}/metrics`, { headers })).text();
  expect(metrics).toContain('gateway_key_tokens_total{key="ada"} 6\n');
});

test("returns 502 if there are fewer embeddings than texts", async () => {
  const fake = await startFake();
  fake.respondWith({ line: { embeddings: [[1]] } });
  const gateway = await startGateway(fake);
  const response = await gateway.post(route, { model: "m", input: ["a", "b"] });
  expect(response.status).toBe(502);
  expect((await errorOf(response)).code).toBe("upstream_incomplete");
});

test.each([
  [{ status: 404, body: `{"error":"model \\"m\\" not found"}` }, 404, "model_not_found"],
  [
    { status: 400, body: '{"error":"the input length exceeds the context length"}' },
    400,
    "context_length_exceeded",
  ],
  [{ raw: "oops" }, 502, "upstream_failed"],
])("maps the failure %j to %d %s", async (step, status, code) => {
  const fake = await startFake();
  fake.respondWith(step);
  const gateway = await startGateway(fake);
  const response = await gateway.post(route, { model: "m", input: "Hi" });
  expect(response.status).toBe(status);
  expect((await errorOf(response)).code).toBe(code);
});

test.each([
  [{ input: undefined }, "input", "missing_required_parameter"],
  [{ input: [] }, "input", "invalid_value"],
  [{ input: "" }, "input", "invalid_value"],
  [{ input: [1, 2, 3] }, "input", "unsupported_parameter"],
  [{ input: [[1, 2], [3]] }, "input", "unsupported_parameter"],
  [{ input: ["a", 1] }, "input[1]", "invalid_type"],
  [{ dimensions: 0 }, "dimensions", "invalid_value"],
  [{ encoding_format: "hex" }, "encoding_format", "invalid_value"],
])("rejects %j and names %s", async (overrides, param, code) => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post(route, { model: "m", input: "Hi", ...overrides });
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ param, code });
});
