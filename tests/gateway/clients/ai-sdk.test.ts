import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, embed, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { expect, test } from "vitest";
import { last, token } from "../../../test-support/fake-ollama.ts";
import { startFake, startGateway } from "../../../test-support/gateway-harness.ts";

async function start() {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const provider = createOpenAICompatible({
    name: "gateway",
    baseURL: `${gateway.url}/v1`,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  return { fake, provider, model: provider("m") };
}

const quiet = { maxRetries: 0 };

test("generateText answers, with usage and finish reason", async () => {
  const { model } = await start();
  const { text, finishReason, usage } = await generateText({ model, prompt: "Hi", ...quiet });
  expect({ text, finishReason }).toEqual({ text: "Hello there.", finishReason: "stop" });
  expect(usage).toMatchObject({ inputTokens: 11, outputTokens: 3, totalTokens: 14 });
});

test("streamText gives thinking and text apart, and the usage", async () => {
  const { fake, model } = await start();
  fake.answers({ line: { message: { thinking: "Hm." }, done: false } }, token("Hel"), token("lo"), last());
  const result = streamText({ model, prompt: "Hi", ...quiet });
  expect(await result.text).toBe("Hello");
  expect((await result.finalStep).reasoningText).toBe("Hm.");
  expect((await result.usage).totalTokens).toBe(14);
});

test("tools are called, streamed calls too, and their results reach the model", async () => {
  const { fake, model } = await start();
  const call = { function: { name: "weather", arguments: { city: "Oslo" } } };
  fake.answers({ line: { message: { content: "", tool_calls: [call] }, done: false } }, last());
  void fake.conversation().then(() => {
    fake.answers(token("It rains."), last());
  });
  const weather = tool({
    description: "The weather in a city",
    inputSchema: jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } } }),
    execute: ({ city }) => `Rain in ${city}`,
  });
  const result = streamText({ model, prompt: "Hi", tools: { weather }, stopWhen: stepCountIs(3), ...quiet });
  expect(await result.text).toBe("It rains.");
  expect((await fake.conversation(1)).body.messages.at(-1)).toMatchObject({
    role: "tool",
    tool_name: "weather",
  });
});

test("structured output reaches Ollama as a schema", async () => {
  const { fake, model } = await start();
  fake.answers(last({ message: { content: '{"city":"Oslo"}' } }));
  const schema = jsonSchema<{ city: string }>({ type: "object", properties: { city: { type: "string" } } });
  const { output } = await generateText({ model, prompt: "Hi", output: Output.object({ schema }), ...quiet });
  expect(output).toEqual({ city: "Oslo" });
  expect((await fake.conversation()).body.format).toMatchObject({ type: "object" });
});

test("embed gives a vector", async () => {
  const { provider } = await start();
  const { embedding } = await embed({ model: provider.embeddingModel("m"), value: "Hi", ...quiet });
  expect(embedding).toEqual([0.5, -0.25]);
});

test("a failure in mid-stream is an error, not an end", async () => {
  const { fake, model } = await start();
  fake.answers(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
  const errors: unknown[] = [];
  const result = streamText({
    model,
    prompt: "Hi",
    ...quiet,
    onError: ({ error }) => {
      errors.push(error);
    },
  });
  await result.consumeStream();
  expect(JSON.stringify(errors)).toContain("runner died");
  await expect(Promise.resolve(result.finishReason)).rejects.toThrow();
});
