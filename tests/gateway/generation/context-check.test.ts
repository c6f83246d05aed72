import Anthropic, { BadRequestError } from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const contextError = { status: 400, body: '{"error":"the input length exceeds the context length"}' };
// Claude Code recognizes exactly this message.
const anthropicMessage = /^prompt is too long: 4097 tokens > 4096 maximum$/;
const messagesRequest = { ...hello, max_tokens: 9 };

test.each([false, true])(
  "/v1/messages rejects a conversation that exceeds the context, in Anthropic's format (streamed: %j)",
  async (stream) => {
    const fake = await startFake();
    fake.respondWith(contextError);
    const gateway = await startGateway(fake);
    const response = await gateway.post("/v1/messages", { ...messagesRequest, stream });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      type: "error",
      error: { type: "invalid_request_error", message: expect.stringMatching(anthropicMessage) as string },
      request_id: response.headers.get("request-id"),
    });
    expect((await fake.conversation()).body).toMatchObject({ truncate: false, shift: false });
    const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: "none", maxRetries: 0 });
    const thrown = await anthropic.messages
      .create({ ...messagesRequest, stream })
      .catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(BadRequestError);
    expect(String(thrown)).toContain("prompt is too long: 4097 tokens > 4096 maximum");
  },
);

// Ollama's own clients rely on the truncation.
test.each([
  ["/api/chat", hello, "messages"],
  ["/api/generate", { model: "m", prompt: "Hi" }, "prompt"],
  ["/api/embed", { model: "m", input: "Hi" }, "input"],
])("%s leaves truncation to Ollama unless the client disables it", async (path, body, subject) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  expect((await gateway.post(path, body)).status).toBe(200);
  const { body: sent } = await fake.conversation();
  expect(Object.keys(sent).filter((name) => name !== "stream")).toEqual(Object.keys(body));
  fake.respondWith(contextError);
  const rejected = await gateway.post(path, { ...body, truncate: false });
  expect((await fake.conversation(1)).body.truncate).toBe(false);
  expect(rejected.status).toBe(400);
  expect(await rejected.json()).toEqual({ error: expect.stringContaining(`your ${subject}`) as string });
});

// Ollama takes 65 s to reject 20 MB, and meanwhile other requests for the model wait.
const fits = "word".repeat(130_000);
const tooLong = "word".repeat(140_000);
test.each([
  ["/v1/chat/completions", (text: string) => ({ ...hello, messages: [{ role: "user", content: text }] })],
  ["/v1/completions", (text: string) => ({ model: "m", prompt: text })],
  ["/v1/responses", (text: string) => ({ model: "m", input: text })],
  ["/v1/messages", (text: string) => ({ ...messagesRequest, messages: [{ role: "user", content: text }] })],
  ["/v1/embeddings", (text: string) => ({ model: "m", input: ["Hi", text] })],
  ["/api/chat", (text: string) => ({ ...hello, messages: [{ role: "user", content: text }] })],
  ["/api/generate", (text: string) => ({ model: "m", system: text })],
  ["/api/embed", (text: string) => ({ model: "m", input: text })],
])("%s rejects a text that cannot fit into 4,096 tokens without sending it to Ollama", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  expect((await gateway.post(path, body(fits))).status).toBe(200);
  const before = fake.received.length;
  const rejected = await gateway.post(path, body(tooLong));
  expect(rejected.status).toBe(400);
  expect(await rejected.text()).toMatch(/maximum context length is 4096 tokens|140000 tokens > 4096 maximum/);
  expect(fake.received).toHaveLength(before);
});
