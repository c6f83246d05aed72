import Anthropic, { BadRequestError } from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const refusal = { status: 400, body: '{"error":"the input length exceeds the context length"}' };
// Claude Code looks for these words, and for nothing else in them.
const words = /^prompt is too long: 4097 tokens > 4096 maximum$/;
const asked = { ...hello, max_tokens: 9 };

test.each([false, true])(
  "/v1/messages refuses a conversation too long for the context in Anthropic's form (streamed: %j)",
  async (stream) => {
    const fake = await startFake();
    fake.respondWith(refusal);
    const gateway = await startGateway(fake);
    const response = await gateway.post("/v1/messages", { ...asked, stream });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      type: "error",
      error: { type: "invalid_request_error", message: expect.stringMatching(words) as string },
      request_id: response.headers.get("request-id"),
    });
    expect((await fake.conversation()).body).toMatchObject({ truncate: false, shift: false });
    const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: "none", maxRetries: 0 });
    const thrown = await anthropic.messages.create({ ...asked, stream }).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(BadRequestError);
    expect(String(thrown)).toContain("prompt is too long: 4097 tokens > 4096 maximum");
  },
);

// Ollama's own clients count on it, and know no other way.
test.each([
  ["/api/chat", hello, "messages"],
  ["/api/generate", { model: "m", prompt: "Hi" }, "prompt"],
  ["/api/embed", { model: "m", input: "Hi" }, "input"],
])("%s leaves it to Ollama to cut what is too long, unless asked not to", async (path, body, subject) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  expect((await gateway.post(path, body)).status).toBe(200);
  const { body: sent } = await fake.conversation();
  expect(Object.keys(sent).filter((name) => name !== "stream")).toEqual(Object.keys(body));
  fake.respondWith(refusal);
  const refused = await gateway.post(path, { ...body, truncate: false });
  expect((await fake.conversation(1)).body.truncate).toBe(false);
  expect(refused.status).toBe(400);
  expect(await refused.json()).toEqual({ error: expect.stringContaining(`your ${subject}`) as string });
});

// Ollama took 65 s to find 20 MB too long, and whoever else used the model waited for it.
const fits = "word".repeat(130_000);
const tooLong = "word".repeat(140_000);
test.each([
  ["/v1/chat/completions", (text: string) => ({ ...hello, messages: [{ role: "user", content: text }] })],
  ["/v1/completions", (text: string) => ({ model: "m", prompt: text })],
  ["/v1/responses", (text: string) => ({ model: "m", input: text })],
  ["/v1/messages", (text: string) => ({ ...asked, messages: [{ role: "user", content: text }] })],
  ["/v1/embeddings", (text: string) => ({ model: "m", input: ["Hi", text] })],
  ["/api/chat", (text: string) => ({ ...hello, messages: [{ role: "user", content: text }] })],
  ["/api/generate", (text: string) => ({ model: "m", system: text })],
  ["/api/embed", (text: string) => ({ model: "m", input: text })],
])("%s refuses what fits no context of 4,096 tokens without Ollama's reading it", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  expect((await gateway.post(path, body(fits))).status).toBe(200);
  const before = fake.received.length;
  const refused = await gateway.post(path, body(tooLong));
  expect(refused.status).toBe(400);
  expect(await refused.text()).toMatch(/maximum context length is 4096 tokens|140000 tokens > 4096 maximum/);
  expect(fake.received).toHaveLength(before);
});
