import Anthropic from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import type { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import type { Step } from "../../../test-support/fakes/ollama/steps.ts";
import {
  hello,
  loadOfTwoComments,
  readEvents,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

async function startCold(load: Step = { waitMs: 500 }): Promise<{ fake: FakeOllama; gateway: TestGateway }> {
  const fake = await startFake();
  fake.loaded = [];
  fake.loadsWith(load);
  return { fake, gateway: await startGateway(fake, { LOADING_COMMENT_MS: "30" }) };
}

test.each([
  ["/api/chat", hello],
  ["/api/generate", { model: "m", prompt: "Hi" }],
])("%s sends no comments during a load, because each line is JSON", async (path, body) => {
  const { fake, gateway } = await startCold();
  const text = await (await gateway.post(path, body)).text();
  expect(fake.loads).toHaveLength(1);
  const lines = text.trimEnd().split("\n");
  const events = lines.map((line) => JSON.parse(line) as { done?: boolean });
  expect(events.map(({ done }) => done)).toEqual([...events.slice(1).map(() => false), true]);
  expect(events.length).toBeGreaterThan(1);
});

test.each([
  ["/v1/messages", { ...hello, max_tokens: 9, stream: true }, "message_stop"],
  ["/v1/responses", { model: "m", input: "Hi", stream: true }, "response.completed"],
])("%s sends comments between a stream's events, not inside them", async (path, body, end) => {
  const { load, seen } = loadOfTwoComments();
  const { gateway } = await startCold(load);
  const { data, brokenOff } = await readEvents(await gateway.post(path, body), seen);
  const events = data.filter((event) => event !== ": loading");
  expect(data.length - events.length).toBeGreaterThan(1);
  expect(data.slice(0, data.length - events.length)).not.toContain(events[0]);
  for (const event of events) expect(event).toMatch(/^event: \S+\ndata: \{.*\}$/);
  expect(events.at(-1)).toContain(`event: ${end}\n`);
  expect(brokenOff).toBe(false);
});

test("Anthropic's and OpenAI's clients ignore the comments", async () => {
  const [one, other] = [await startCold(), await startCold()];
  const anthropic = new Anthropic({ baseURL: one.gateway.url, apiKey: "none", maxRetries: 0 });
  const [message, response] = await Promise.all([
    anthropic.messages.stream({ ...hello, max_tokens: 9 }).finalMessage(),
    other.gateway.openai.responses.stream({ model: "m", input: "Hi" }).finalResponse(),
  ]);
  expect(message.content).toMatchObject([{ type: "text", text: "Hello there." }]);
  expect(response.output_text).toBe("Hello there.");
});
