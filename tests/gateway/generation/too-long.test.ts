import Anthropic, { BadRequestError } from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import { hello, startFake, startGateway } from "../../../test-support/gateway-harness.ts";

const refusal = { status: 400, body: '{"error":"the input length exceeds the context length"}' };
const both = /maximum context length is 4096 tokens.* your messages resulted in at least 4097 tokens/;
const asked = { ...hello, max_tokens: 9 };

test.each([false, true])(
  "/v1/messages refuses a conversation too long for the context in Anthropic's form (streamed: %j)",
  async (stream) => {
    const fake = await startFake();
    fake.answers(refusal);
    const gateway = await startGateway(fake);
    const response = await gateway.post("/v1/messages", { ...asked, stream });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      type: "error",
      error: { type: "invalid_request_error", message: expect.stringMatching(both) as string },
      request_id: response.headers.get("request-id"),
    });
    expect((await fake.conversation()).body).toMatchObject({ truncate: false, shift: false });
    const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: "none", maxRetries: 0 });
    const thrown = await anthropic.messages.create({ ...asked, stream }).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(BadRequestError);
    expect(String(thrown)).toMatch(both);
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
  fake.answers(refusal);
  const refused = await gateway.post(path, { ...body, truncate: false });
  expect((await fake.conversation(1)).body.truncate).toBe(false);
  expect(refused.status).toBe(400);
  expect(await refused.json()).toEqual({ error: expect.stringContaining(`your ${subject}`) as string });
});
