import Anthropic from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { hello, metric, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const route = "/v1/messages/count_tokens";

async function start(environment: Record<string, string> = {}, apiKey = "none") {
  const fake = await startFake();
  const gateway = await startGateway(fake, environment);
  return { fake, gateway, anthropic: new Anthropic({ baseURL: gateway.url, apiKey, maxRetries: 0 }) };
}

test("a count returns the prompt tokens that Ollama reports, with num_predict 1", async () => {
  const { fake, gateway, anthropic } = await start();
  const tools = [{ name: "f", input_schema: { type: "object" as const } }];
  expect(await anthropic.messages.countTokens({ ...hello, system: "Be brief.", tools })).toEqual({
    input_tokens: 11,
  });
  expect(await anthropic.beta.messages.countTokens(hello)).toEqual({ input_tokens: 11 });
  const { path, body } = await fake.conversation();
  expect(path).toBe("/api/chat");
  expect(body).toMatchObject({ stream: false, truncate: false, options: { num_predict: 1 } });
  expect(body.messages).toEqual([{ role: "system", content: "Be brief." }, ...hello.messages]);
  expect(body.tools).toHaveLength(1);
  const response = await gateway.post(route, hello);
  expect(response.headers.get("request-id")).toBe(response.headers.get("x-request-id"));
});

test("a count accepts parameters that do not affect it", async () => {
  const { anthropic } = await start();
  const request = {
    ...hello,
    max_tokens: 32_000,
    stream: true,
    tool_choice: { type: "none" as const },
    thinking: { type: "adaptive" as const },
    context_management: { edits: [] },
    mcp_servers: null,
  };
  expect(await anthropic.messages.countTokens(request as typeof hello)).toEqual({ input_tokens: 11 });
});

test("a count waits for a slot like any other request", async () => {
  const { fake, gateway } = await start({ OLLAMA_NUM_PARALLEL: "1" });
  const { promise: until, resolve } = Promise.withResolvers<undefined>();
  fake.respondTo((body) =>
    body.options.num_predict === 9 ? [{ until }, { line: { done: true } }] : undefined,
  );
  const first = gateway.post("/v1/messages", { ...hello, max_tokens: 9 });
  await fake.conversation();
  const count = gateway.post(route, hello);
  await metric(gateway.url, "gateway_queue_depth 1");
  expect(fake.received).toHaveLength(1);
  resolve(undefined);
  expect((await first).status).toBe(200);
  expect(await (await count).json()).toEqual({ input_tokens: 11 });
});

test("a count requires a key and uses up its limits", async () => {
  const { key, line } = newKey("ada", ["requests=1"]);
  const { gateway, anthropic } = await start({ API_KEYS: line }, key);
  expect((await gateway.post(route, hello)).status).toBe(401);
  expect(await anthropic.messages.countTokens(hello)).toEqual({ input_tokens: 11 });
  await expect(anthropic.messages.countTokens(hello)).rejects.toThrow(Anthropic.RateLimitError);
});

test("a count fails for a conversation that exceeds the context", async () => {
  const { fake, anthropic } = await start();
  fake.respondWith({ status: 400, body: '{"error":"the input length exceeds the context length"}' });
  await expect(anthropic.messages.countTokens(hello)).rejects.toThrow(
    "prompt is too long: 4097 tokens > 4096 maximum",
  );
});
