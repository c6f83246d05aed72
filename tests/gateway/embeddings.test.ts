import { expect, test } from "vitest";
import { errorOf, startFake, startGateway } from "./harness.ts";

const route = "/v1/embeddings";

test("the openai client, which asks for base64 unless told otherwise, gets the numbers", async () => {
  const fake = await startFake();
  const { openai } = await startGateway(fake);
  const answer = await openai.embeddings.create({ model: "m", input: "Hi" });
  expect(answer.data).toEqual([{ object: "embedding", index: 0, embedding: [0.5, -0.25] }]);
  expect(answer.usage).toEqual({ prompt_tokens: 2, total_tokens: 2 });
  expect((await fake.conversation()).body).toEqual({ model: "m", input: "Hi", truncate: false });
});

test("several texts, dimensions and Ollama's own options reach Ollama", async () => {
  const fake = await startFake();
  fake.answers({ line: { embeddings: [[1], [2]] } });
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

test("a client that leaves stops the embedding", async () => {
  const fake = await startFake();
  fake.answers("hang");
  const gateway = await startGateway(fake);
  const client = new AbortController();
  const response = gateway.post(route, { model: "m", input: "Hi" }, { signal: client.signal });
  const embedding = await fake.conversation();
  client.abort();
  await expect(response).rejects.toThrow();
  expect(await embedding.brokenOff).toBe(true);
  expect(await gateway.requestLine(route)).toMatchObject({ model: "m", error: "client_left" });
});

test("fewer embeddings than texts are a failure, not a short list", async () => {
  const fake = await startFake();
  fake.answers({ line: { embeddings: [[1]] } });
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
])("a failure of Ollama is told: %j", async (step, status, code) => {
  const fake = await startFake();
  fake.answers(step);
  const gateway = await startGateway(fake);
  const response = await gateway.post(route, { model: "m", input: "Hi" });
  expect(response.status).toBe(status);
  expect((await errorOf(response)).code).toBe(code);
});

test.each([
  [{ input: undefined }, "input", "missing_required_parameter"],
  [{ input: [] }, "input", "invalid_value"],
  [{ input: "" }, "input", "invalid_value"],
  [{ dimensions: 0 }, "dimensions", "invalid_value"],
  [{ encoding_format: "hex" }, "encoding_format", "invalid_value"],
])("%j is refused, naming %s", async (over, param, code) => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post(route, { model: "m", input: "Hi", ...over });
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ param, code });
});
