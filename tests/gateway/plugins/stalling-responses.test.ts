import { afterAll, beforeAll, expect, test } from "vitest";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { MeasuredGateway } from "../../../test-support/gateway/measured-gateway.ts";

// No response of Ollama's may keep the gateway from serving others for longer, ms of the processor.
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
])("2,048 embeddings of 1,024 numbers keep nobody else waiting: %s %j", async (path, more) => {
  const json = `{"model":"m","embeddings":[${`${vector},`.repeat(TEXTS - 1)}${vector}],"prompt_eval_count":2048}`;
  fake.respondTo((body) => ("input" in body ? [{ status: 200, body: json }] : undefined));
  const body = JSON.stringify({ model: "m", input: Array(TEXTS).fill("a"), ...more });
  const longest = await gateway.leastLongestTurn(path, body, LIMIT_MS, (response) => {
    expect(response.status).toBe(200);
  });
  expect(longest).toBeLessThan(LIMIT_MS);
});

test("what a model is, with all its words, keeps nobody else waiting", async () => {
  fake.modelInfo = { "tokenizer.ggml.tokens": Array.from({ length: 800_000 }, (_, index) => `word${index}`) };
  const body = JSON.stringify({ model: "m", verbose: true });
  const longest = await gateway.leastLongestTurn("/api/show", body, LIMIT_MS, (response) => {
    expect(JSON.parse(response.text)).toMatchObject({ model_info: fake.modelInfo });
  });
  expect(longest).toBeLessThan(LIMIT_MS);
});
