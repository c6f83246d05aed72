import { afterAll, beforeAll, expect, test } from "vitest";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { MeasuredGateway } from "../../../test-support/gateway/measured-gateway.ts";

// The longest that a response of Ollama may block the event loop, in milliseconds of processor time.
const LIMIT_MS = 50;

const TEXTS = 2048;
const DIMENSIONS = 1024;

const numbers = Array.from({ length: DIMENSIONS }, (_, index) => Math.fround(Math.sin(index + 1) / 30));
const vector = JSON.stringify(numbers);

let fake: FakeOllama;
let gateway: MeasuredGateway;

beforeAll(async () => {
  fake = await FakeOllama.start();
  gateway = await MeasuredGateway.start(fake);
});

afterAll(async () => {
  await gateway.stop();
  await fake.stop();
});

test.each([
  ["/v1/embeddings", { encoding_format: "float" }],
  ["/v1/embeddings", { encoding_format: "base64" }],
  ["/api/embed", {}],
])("2,048 embeddings of 1,024 numbers do not block the event loop: %s %j", async (path, more) => {
  const json = `{"model":"m","embeddings":[${`${vector},`.repeat(TEXTS - 1)}${vector}],"prompt_eval_count":2048}`;
  fake.respondTo((body) => ("input" in body ? [{ status: 200, body: json }] : undefined));
  const body = JSON.stringify({ model: "m", input: Array(TEXTS).fill("a"), ...more });
  const longest = await gateway.leastLongestTurn(path, body, LIMIT_MS, (response) => {
    expect(response.status).toBe(200);
  });
  expect(longest).toBeLessThan(LIMIT_MS);
});

test("verbose model details with the complete vocabulary do not block the event loop", async () => {
  fake.modelInfo = { "tokenizer.ggml.tokens": Array.from({ length: 800_000 }, (_, index) => `word${index}`) };
  const body = JSON.stringify({ model: "m", verbose: true });
  const longest = await gateway.leastLongestTurn("/api/show", body, LIMIT_MS, (response) => {
    expect(JSON.parse(response.text)).toMatchObject({ model_info: fake.modelInfo });
  });
  expect(longest).toBeLessThan(LIMIT_MS);
});

test("the stored items of a long request do not block the event loop", async () => {
  fake.respondTo(() => undefined);
  const status = "\n".repeat(14 * 1024 * 1024);
  const created = await gateway.send(
    "/v1/responses",
    JSON.stringify({ model: "m", input: [{ role: "user", content: "Hi", status }] }),
  );
  const { id } = JSON.parse(created.text) as { id: string };
  const path = `/v1/responses/${id}/input_items`;
  const longest = await gateway.leastLongestTurn(path, undefined, LIMIT_MS, (response) => {
    expect(JSON.parse(response.text)).toMatchObject({ data: [{ content: "Hi", status }] });
  });
  expect(longest).toBeLessThan(LIMIT_MS);
});
