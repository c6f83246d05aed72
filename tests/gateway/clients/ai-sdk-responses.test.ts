import { createOpenAI } from "@ai-sdk/openai";
import { type ModelMessage, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { expect, test } from "vitest";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const weather = tool({
  description: "The weather in a city",
  inputSchema: jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } } }),
  execute: ({ city }) => `Rain in ${city}`,
});

async function start() {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const openai = createOpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none" });
  fake.respondTo(({ messages, stream }) => {
    const done = messages.at(-1)?.role === "tool" || messages.length > 3;
    const calls = [{ function: { name: "weather", arguments: { city: "Oslo" } } }];
    const message = done
      ? { content: "It rains.", thinking: "So." }
      : { content: "", thinking: "Hm.", tool_calls: calls };
    return stream ? [{ line: { message, done: false } }, last()] : [last({ message })];
  });
  return { fake, openai, model: openai("m") };
}

const quiet = { maxRetries: 0 };

test("generateText calls tools over several turns, with the provider's default store", async () => {
  const { fake, model } = await start();
  const messages: ModelMessage[] = [{ role: "user", content: "Hi" }];
  const first = await generateText({
    model,
    messages,
    tools: { weather },
    stopWhen: stepCountIs(3),
    ...quiet,
  });
  expect(first.text).toBe("It rains.");
  expect(first.usage.totalTokens).toBe(28);
  messages.push(...first.responseMessages, { role: "user", content: "And now?" });
  const second = await generateText({ model, messages, tools: { weather }, ...quiet });
  expect(second.text).toBe("It rains.");
  expect((await fake.conversation(2)).body.messages).toMatchObject([
    { role: "user", content: "Hi" },
    { role: "assistant", tool_calls: [{ function: { name: "weather" } }] },
    { role: "tool", tool_name: "weather", content: "Rain in Oslo" },
    { role: "assistant", content: "It rains." },
    { role: "user", content: "And now?" },
  ]);
});

test("streams thinking as a summary and sends it back without the store", async () => {
  const { fake, openai } = await start();
  const providerOptions = {
    openai: { store: false, forceReasoning: true, reasoningSummary: "auto", reasoningEffort: "low" },
  };
  const result = streamText({
    model: openai("m"),
    prompt: "Hi",
    tools: { weather },
    stopWhen: stepCountIs(3),
    providerOptions,
    ...quiet,
  });
  expect(await result.text).toBe("It rains.");
  expect((await result.steps).map(({ reasoningText }) => reasoningText)).toEqual(["Hm.", "So."]);
  expect((await fake.conversation(1)).body.messages[1]).toMatchObject({ role: "assistant", thinking: "Hm." });
});

test("calls a custom tool with text", async () => {
  const { fake, openai } = await start();
  const patch = openai.tools.customTool({ description: "Patches files." });
  fake.respondWith(
    last({
      message: {
        content: "",
        tool_calls: [{ function: { name: "patch", arguments: { input: "*** Begin" } } }],
      },
    }),
  );
  const { toolCalls } = await generateText({ model: openai("m"), prompt: "Hi", tools: { patch }, ...quiet });
  expect(toolCalls).toMatchObject([{ toolName: "patch", input: "*** Begin" }]);
});

test("leaves out a tool hosted by OpenAI", async () => {
  const { fake, openai } = await start();
  fake.respondWith(token("Hi"), last());
  const tools = { web_search: openai.tools.webSearch({}) };
  const result = streamText({ model: openai("m"), prompt: "Hi", tools, ...quiet });
  expect(await result.text).toBe("Hi");
  expect((await fake.conversation()).body.tools).toBeUndefined();
});
