import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { type Step, token } from "../../../test-support/fakes/ollama/steps.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

// With default settings, both clients retry a request twice after a 5xx.

const failures: [string, readonly Step[], Record<string, string>?][] = [
  ["breaks the connection", ["cut"]],
  ["kills the model's runner", [{ status: 500, body: '{"error":"llama runner process has terminated"}' }]],
  ["breaks off its response", [token("Hel"), "cut"]],
  ["takes too long", ["hang"], { ANSWER_TIMEOUT_MS: "100" }],
];

describe("clients do not retry a request that failed after it was sent to Ollama", () => {
  test.each(failures)("openai: a request that %s", async (_what, script, environment) => {
    const fake = await startFake();
    fake.respondWith(...script);
    const { url } = await startGateway(fake, environment);
    const openai = new OpenAI({ apiKey: "none", baseURL: `${url}/v1` });
    await expect(openai.chat.completions.create(hello)).rejects.toBeInstanceOf(OpenAI.InternalServerError);
    expect(fake.received).toHaveLength(1);
  });

  test.each(failures)("@anthropic-ai/sdk: a request that %s", async (_what, script, environment) => {
    const fake = await startFake();
    fake.respondWith(...script);
    const { url } = await startGateway(fake, environment);
    const anthropic = new Anthropic({ apiKey: "none", baseURL: url });
    await expect(anthropic.messages.create({ ...hello, max_tokens: 9 })).rejects.toBeInstanceOf(
      Anthropic.InternalServerError,
    );
    expect(fake.received).toHaveLength(1);
  });
});

test.each([
  ["Ollama is unreachable", "upstream_unreachable"],
  ["Ollama is overloaded", "upstream_overloaded"],
])("clients may retry if %s", async (_what, code) => {
  const fake = await startFake();
  if (code === "upstream_unreachable") await fake.stop();
  else fake.respondWith({ status: 503, body: '{"error":"server busy"}' });
  const gateway = await startGateway(fake);
  const response = await gateway.post("/v1/chat/completions", hello);
  expect(await response.json()).toMatchObject({ error: { code } });
  expect(response.status).toBe(503);
  expect(response.headers.has("retry-after")).toBe(true);
  expect(response.headers.has("x-should-retry")).toBe(false);
});
