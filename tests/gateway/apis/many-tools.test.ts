import { expect, it } from "vitest";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const parameters = { type: "object", properties: {} };
const named = (count: number) => Array.from({ length: count }, (_, index) => `tool_${index}`);
const functions = (count: number) =>
  named(count).map((name) => ({ type: "function", function: { name, parameters } }));
const messages = [{ role: "user", content: "Hello!" }];

// Ollama worked for most of a minute on 10,000 tools in one megabyte, and everybody else waited.
it.each([
  ["/v1/chat/completions", (count: number) => ({ messages, tools: functions(count) })],
  [
    "/v1/responses",
    (count: number) => ({
      input: "Hello!",
      tools: named(count).map((name) => ({ type: "function", name, parameters })),
    }),
  ],
  [
    "/v1/messages",
    (count: number) => ({
      messages,
      max_tokens: 8,
      tools: named(count).map((name) => ({ name, input_schema: parameters })),
    }),
  ],
  ["/api/chat", (count: number) => ({ messages, tools: functions(count), stream: false })],
])("%s takes 512 tools, and refuses more before Ollama has to read them", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const post = (count: number) => gateway.post(path, { model: "m", ...body(count) });
  const refused = await post(513);
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain("tools");
  expect(fake.received).toHaveLength(0);
  expect((await post(512)).status).toBe(200);
});
