import { ChatAnthropic } from "@langchain/anthropic";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { type AIMessageChunk, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOllama, OllamaEmbeddings } from "@langchain/ollama";
import { ChatOpenAI } from "@langchain/openai";
import { describe, expect, test } from "vitest";
import { token } from "../../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import {
  image,
  playWeather,
  weatherObject,
  weatherTool,
} from "../../../test-support/fakes/ollama/weather-model.ts";

const openAi = (url: string) => ({
  model: "m",
  apiKey: "none",
  maxRetries: 0,
  configuration: { baseURL: `${url}/v1` },
});

const models: readonly (readonly [name: string, make: (url: string) => BaseChatModel])[] = [
  ["OpenAI's chat API", (url) => new ChatOpenAI(openAi(url))],
  ["OpenAI's Responses API", (url) => new ChatOpenAI({ ...openAi(url), useResponsesApi: true })],
  [
    "Anthropic's API",
    (url) =>
      new ChatAnthropic({
        model: "m",
        apiKey: "none",
        anthropicApiUrl: url,
        maxRetries: 0,
        maxTokens: 2000,
        thinking: { type: "enabled", budget_tokens: 1024 },
      }),
  ],
  ["Ollama's API", (url) => new ChatOllama({ model: "m", baseUrl: url, maxRetries: 0, think: true })],
];

describe.each(models)("LangChain with %s", (_, make) => {
  async function start() {
    const fake = await startFake();
    playWeather(fake);
    const { url } = await startGateway(fake);
    return { fake, model: make(url) };
  }
  const { name, description, schema: parameters } = weatherTool;

  /** Runs tools until the model calls none and appends all messages to the conversation. */
  async function runTurn(model: BaseChatModel, messages: BaseMessage[], stream: boolean): Promise<string> {
    const bound = model.bindTools?.([{ type: "function", function: { name, description, parameters } }]);
    if (bound === undefined) throw new Error("the model cannot bind tools");
    for (;;) {
      let response: AIMessageChunk | undefined;
      if (stream) {
        for await (const chunk of await bound.stream(messages)) response = response?.concat(chunk) ?? chunk;
      } else response = await bound.invoke(messages);
      if (response === undefined) throw new Error("the stream was empty");
      messages.push(response);
      if (!response.tool_calls?.length) return response.text;
      for (const { id = "", args } of response.tool_calls) {
        const content = weatherTool.run(args as { city: string });
        messages.push(new ToolMessage({ content, tool_call_id: id, name }));
      }
    }
  }

  test.each([false, true])("runs several turns with tools (streamed: %j)", async (stream) => {
    const { fake, model } = await start();
    const messages: BaseMessage[] = [new HumanMessage("Hi")];
    expect(await runTurn(model, messages, stream)).toBe("It rains.");
    messages.push(new HumanMessage("And now?"));
    expect(await runTurn(model, messages, stream)).toBe("It rains.");
    const calling = [
      { role: "assistant", tool_calls: [{ function: { name, arguments: weatherObject } }] },
      { role: "tool", content: "Rain in Oslo" },
    ];
    expect((await fake.conversation(3)).body.messages).toMatchObject([
      { role: "user", content: "Hi" },
      ...calling,
      { role: "assistant", content: "It rains." },
      { role: "user", content: "And now?" },
      ...calling,
    ]);
  });

  test("an image reaches the model", async () => {
    const { fake, model } = await start();
    const content = [
      { type: "text", text: "Look" },
      { type: "image_url", image_url: { url: `data:image/png;base64,${image}` } },
    ];
    expect((await model.invoke([new HumanMessage({ content })])).text).toBe("It rains.");
    // With Ollama's API, each part becomes a message.
    const { messages } = (await fake.conversation()).body;
    expect(messages.flatMap(({ images = [] }) => images)).toEqual([image]);
  });

  test("reports a failure in mid-stream as an error", async () => {
    const { fake, model } = await start();
    fake.respondWith(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
    const reading = (async () => {
      for await (const chunk of await model.stream("Hi")) expect(chunk.text).toBeTypeOf("string");
    })();
    await expect(reading).rejects.toThrow("runner died");
  });
});

test("LangChain with Ollama's API embeds texts", async () => {
  const fake = await startFake();
  const embeddings = new OllamaEmbeddings({ model: "m", baseUrl: (await startGateway(fake)).url });
  expect(await embeddings.embedDocuments(["a", "b"])).toEqual([
    [0.5, -0.25],
    [0.5, -0.25],
  ]);
});
