import { createAnthropic } from "@ai-sdk/anthropic";
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { expect, test } from "vitest";
import { last, token } from "../../../test-support/fake-ollama.ts";
import { startFake, startGateway } from "../../../test-support/gateway-harness.ts";

async function start() {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const provider = createAnthropic({ baseURL: `${gateway.url}/v1`, apiKey: "none" });
  return { fake, model: provider("m") };
}

const quiet = { maxRetries: 0, maxOutputTokens: 500 };
const thinking = { anthropic: { thinking: { type: "enabled" as const, budgetTokens: 1024 } } };
const city = jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } } });
const weather = tool({
  description: "The weather in a city",
  inputSchema: city,
  execute: ({ city: name }) => `Rain in ${name}`,
});

test.each([false, true])(
  "tools run, and the thinking before them comes back (streamed: %j)",
  async (stream) => {
    const { fake, model } = await start();
    const call = { function: { name: "weather", arguments: { city: "Oslo" } } };
    fake.answersEach(({ messages, stream: streamed }) => {
      if (messages.some(({ role }) => role === "tool")) {
        return streamed ? [token("It rains."), last()] : [last({ message: { content: "It rains." } })];
      }
      const message = { thinking: "Where?", content: "", tool_calls: [call] };
      return streamed ? [{ line: { message, done: false } }, last()] : [last({ message })];
    });
    const request = {
      model,
      prompt: "Hi",
      tools: { weather },
      stopWhen: stepCountIs(3),
      providerOptions: thinking,
    };
    const result = stream
      ? streamText({ ...request, ...quiet })
      : await generateText({ ...request, ...quiet });
    expect(await result.text).toBe("It rains.");
    expect((await fake.conversation(1)).body.messages).toMatchObject([
      { role: "user", content: "Hi" },
      { role: "assistant", thinking: "Where?", tool_calls: [{ function: { name: "weather" } }] },
      { role: "tool", content: "Rain in Oslo", tool_name: "weather" },
    ]);
    expect((await fake.conversation(1)).body.think).toBe(true);
  },
);

test("usage is what Ollama counted, streamed too", async () => {
  const { model } = await start();
  const result = streamText({ model, prompt: "Hi", ...quiet });
  expect(await result.text).toBe("Hello there.");
  expect(await result.usage).toMatchObject({ inputTokens: 11, outputTokens: 3 });
});

test("structured output is an object", async () => {
  const { fake, model } = await start();
  fake.answersEach((body) =>
    body.tools === undefined
      ? [last({ message: { content: '{"city":"Oslo"}' } })]
      : [last({ message: { content: '{"name":"json","arguments":{"city":"Oslo"}}' } })],
  );
  const { output } = await generateText({
    model,
    prompt: "Hi",
    output: Output.object({ schema: city }),
    ...quiet,
  });
  expect(output).toEqual({ city: "Oslo" });
});

test("a failure in mid-stream is an error, not an end", async () => {
  const { fake, model } = await start();
  fake.answers(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
  const errors: unknown[] = [];
  const result = streamText({
    model,
    prompt: "Hi",
    ...quiet,
    onError: ({ error }) => void errors.push(error),
  });
  await result.consumeStream();
  expect(errors.map(String).join() + JSON.stringify(errors)).toContain("runner died");
});
