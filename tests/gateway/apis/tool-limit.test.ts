import { expect, it } from "vitest";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const parameters = { type: "object", properties: {} };
const toolNames = (count: number) => Array.from({ length: count }, (_, index) => `tool_${index}`);
const functionTools = (count: number) =>
  toolNames(count).map((name) => ({ type: "function", function: { name, parameters } }));
const messages = [{ role: "user", content: "Hello!" }];

// Ollama spent most of a minute on 10,000 tools in one megabyte, and all other requests waited.
it.each([
  ["/v1/chat/completions", (count: number) => ({ messages, tools: functionTools(count) })],
  [
    "/v1/responses",
    (count: number) => ({
      input: "Hello!",
      tools: toolNames(count).map((name) => ({ type: "function", name, parameters })),
    }),
  ],
  [
    "/v1/messages",
    (count: number) => ({
      messages,
      max_tokens: 8,
      tools: toolNames(count).map((name) => ({ name, input_schema: parameters })),
    }),
  ],
  ["/api/chat", (count: number) => ({ messages, tools: functionTools(count), stream: false })],
])("%s accepts 512 tools, and rejects more before they reach Ollama", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const post = (count: number) => gateway.post(path, { model: "m", ...body(count) });
  const rejected = await post(513);
  expect(rejected.status).toBe(400);
  expect(await rejected.text()).toContain("tools");
  expect(fake.received).toHaveLength(0);
  expect((await post(512)).status).toBe(200);
});

it("/v1/messages accepts 512 tools that its messages add, and rejects more before they reach Ollama", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const post = (count: number) => {
    const content = toolNames(count).map((name) => ({
      type: "tool_addition",
      tool: { type: "tool_definition", definition: { name, input_schema: parameters } },
    }));
    const all = [...messages, { role: "user", content: [...content, { type: "text", text: "Hello!" }] }];
    return gateway.post("/v1/messages", { model: "m", max_tokens: 8, messages: all });
  };
  const rejected = await post(513);
  expect(rejected.status).toBe(400);
  expect(await rejected.text()).toContain("more than 512");
  expect(fake.received).toHaveLength(0);
  expect((await post(512)).status).toBe(200);
  expect(fake.received.at(-1)).toMatchObject({ body: { tools: { length: 512 } } });
});
