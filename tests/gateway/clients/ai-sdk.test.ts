import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import * as ai7 from "ai";
import { createOllama as createOfficialOllama } from "ai-sdk-ollama";
import * as ai6 from "ai6";
import { createAnthropic as createAnthropic6 } from "ai6-anthropic";
import { createOllama as createOllama6 } from "ai6-ollama";
import { createOpenAI as createOpenAI6 } from "ai6-openai";
import { createOllama } from "ollama-ai-provider-v2";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { token } from "../../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import {
  image,
  playWeather,
  weatherObject,
  weatherTool,
} from "../../../test-support/fakes/ollama/weather-model.ts";

type Model = ai7.LanguageModel;
type Embedder = ai7.EmbeddingModel;

interface Provider {
  readonly name: string;
  /** The SDK; its versions differ only in types. */
  readonly ai: typeof ai7;
  readonly models: (url: string) => { readonly chat: Model; readonly embedding?: Embedder };
  /** The provider's options that enable thinking, if it has any. */
  readonly thinking?: NonNullable<Parameters<typeof ai7.generateText>[0]["providerOptions"]>;
  /** Whether it sends the thinking of earlier turns back to the model. */
  readonly returnsThinking?: boolean;
  /** Whether a tool's result names its tool. */
  readonly namesTools?: false;
  /** What its error for a mid-stream failure contains, if not the gateway's message. */
  readonly reason?: string;
}

const older = ai6 as unknown as typeof ai7;
const key = { apiKey: "none" };
const reasoning = { openai: { forceReasoning: true, reasoningSummary: "auto", reasoningEffort: "low" } };
const budget = { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } };

/** The part of a result that both versions share, streamed or not. */
interface Result {
  readonly text: string | PromiseLike<string>;
  readonly finishReason: string | PromiseLike<string>;
  readonly totalUsage: object | PromiseLike<object>;
  readonly steps: readonly Step[] | PromiseLike<readonly Step[]>;
  readonly response: Messages | PromiseLike<Messages>;
  /** Version 6 has them in the response. */
  readonly responseMessages?: readonly ai7.ModelMessage[] | PromiseLike<readonly ai7.ModelMessage[]>;
  readonly fullStream: AsyncIterable<{ readonly type: string; readonly error?: unknown }>;
}

interface Step {
  readonly reasoningText: string | undefined;
}

interface Messages {
  readonly messages: readonly ai7.ModelMessage[];
}

/** Casts the models of an AI SDK 6 provider to the types of version 7. */
const castModels = (chat: unknown, embedding?: unknown) => ({
  chat: chat as Model,
  ...(embedding === undefined ? {} : { embedding: embedding as Embedder }),
});

const providers: readonly Provider[] = [
  {
    name: "AI SDK 7, OpenAI's Responses API",
    ai: ai7,
    models: (url) => {
      const provider = createOpenAI({ baseURL: `${url}/v1`, ...key });
      return { chat: provider("m"), embedding: provider.embedding("m") };
    },
    thinking: reasoning,
    returnsThinking: true,
  },
  {
    name: "AI SDK 6, OpenAI's Responses API",
    ai: older,
    models: (url) => {
      const provider = createOpenAI6({ baseURL: `${url}/v1`, ...key });
      return castModels(provider("m"), provider.embedding("m"));
    },
    thinking: reasoning,
    returnsThinking: true,
  },
  {
    name: "AI SDK 7, OpenAI's chat API",
    ai: ai7,
    models: (url) => ({ chat: createOpenAI({ baseURL: `${url}/v1`, ...key }).chat("m") }),
  },
  {
    name: "AI SDK 6, OpenAI's chat API",
    ai: older,
    models: (url) => castModels(createOpenAI6({ baseURL: `${url}/v1`, ...key }).chat("m")),
  },
  {
    name: "AI SDK 7, any OpenAI-compatible API",
    ai: ai7,
    models: (url) => {
      const provider = createOpenAICompatible({
        name: "gateway",
        baseURL: `${url}/v1`,
        includeUsage: true,
        supportsStructuredOutputs: true,
      });
      return { chat: provider("m"), embedding: provider.embeddingModel("m") };
    },
    thinking: { gateway: { reasoningEffort: "low" } },
    returnsThinking: true,
  },
  {
    name: "AI SDK 7, Anthropic's API",
    ai: ai7,
    models: (url) => ({ chat: createAnthropic({ baseURL: `${url}/v1`, ...key })("m") }),
    thinking: budget,
    returnsThinking: true,
  },
  {
    name: "AI SDK 6, Anthropic's API",
    ai: older,
    models: (url) => castModels(createAnthropic6({ baseURL: `${url}/v1`, ...key })("m")),
    thinking: budget,
    returnsThinking: true,
  },
  {
    name: "AI SDK 7, ollama-ai-provider-v2",
    ai: ai7,
    models: (url) => {
      const provider = createOllama({ baseURL: `${url}/api` });
      return { chat: provider("m"), embedding: provider.embedding("m") };
    },
    thinking: { ollama: { think: true } },
    namesTools: false,
    // It skips unknown lines, but not a broken connection.
    reason: "terminated",
  },
  {
    name: "AI SDK 6, ollama-ai-provider-v2",
    ai: older,
    models: (url) => {
      const provider = createOllama6({ baseURL: `${url}/api` });
      return castModels(provider("m"), provider.embedding("m"));
    },
    thinking: { ollama: { think: true } },
    namesTools: false,
    // It skips unknown lines, but not a broken connection.
    reason: "terminated",
  },
  {
    name: "AI SDK 7, ai-sdk-ollama",
    ai: ai7,
    models: (url) => {
      const provider = createOfficialOllama({ baseURL: url });
      return { chat: provider("m", { think: true }), embedding: provider.embedding("m") };
    },
    thinking: {},
  },
];

const quiet = { maxRetries: 0, maxOutputTokens: 2000 };

describe.each(providers)(
  "$name",
  ({ ai, models, thinking, returnsThinking, namesTools, reason = "runner died" }) => {
    async function start() {
      const fake = await startFake();
      playWeather(fake);
      const { url } = await startGateway(fake);
      return { fake, ...models(url) };
    }
    const schema = ai.jsonSchema<{ city: string }>(weatherTool.schema);
    const weather = ai.tool({
      description: weatherTool.description,
      inputSchema: schema,
      execute: weatherTool.run,
    });

    /** Sends the conversation and runs the tools that the model calls. */
    async function runTurn(model: Model, messages: ai7.ModelMessage[], stream: boolean) {
      const request = {
        model,
        messages,
        tools: { weather },
        stopWhen: ai.stepCountIs(3),
        ...(thinking === undefined ? {} : { providerOptions: thinking }),
        ...quiet,
      };
      const made = stream ? ai.streamText(request) : await ai.generateText(request);
      const result = made as unknown as Result;
      const steps = await result.steps;
      return {
        text: await result.text,
        thoughts: steps.map(({ reasoningText }) => reasoningText),
        usage: await result.totalUsage,
        finishReason: await result.finishReason,
        messages: (await result.responseMessages) ?? (await result.response).messages,
      };
    }

    test.each([false, true])("runs several turns with tools (streamed: %j)", async (stream) => {
      const { fake, chat } = await start();
      const messages: ai7.ModelMessage[] = [{ role: "user", content: "Hi" }];
      const first = await runTurn(chat, messages, stream);
      expect(first.text).toBe("It rains.");
      expect(first.usage).toMatchObject({ inputTokens: 22, outputTokens: 6, totalTokens: 28 });
      expect(first.finishReason).toBe("stop");
      if (thinking !== undefined) expect(first.thoughts).toEqual(["Where?", "So."]);
      messages.push(...first.messages, { role: "user", content: "And now?" });
      const second = await runTurn(chat, messages, stream);
      expect(second.text).toBe("It rains.");
      const thought = (text: string) => (returnsThinking === true ? { thinking: text } : {});
      const calling = [
        {
          role: "assistant",
          ...thought("Where?"),
          tool_calls: [{ function: { name: "weather", arguments: weatherObject } }],
        },
        {
          role: "tool",
          content: expect.stringContaining("Rain in Oslo") as string,
          ...(namesTools === false ? {} : { tool_name: "weather" }),
        },
      ];
      expect((await fake.conversation(3)).body.messages).toMatchObject([
        { role: "user", content: "Hi" },
        ...calling,
        // Ollama's providers put the thinking of earlier turns into the text.
        { role: "assistant", content: expect.stringContaining("It rains.") as string, ...thought("So.") },
        { role: "user", content: "And now?" },
        ...calling,
      ]);
    });

    test("returns structured output as an object", async () => {
      const { chat } = await start();
      const output = ai.Output.object({ schema });
      const result = await ai.generateText({ model: chat, prompt: "Hi", output, ...quiet });
      expect(result.output).toEqual(weatherObject);
    });

    test("calls a required tool", async () => {
      const { chat } = await start();
      const { toolCalls } = await ai.generateText({
        model: chat,
        prompt: "Hi",
        tools: { weather },
        toolChoice: "required",
        ...quiet,
      });
      expect(toolCalls).toMatchObject([{ toolName: "weather", input: weatherObject }]);
    });

    test("an image reaches the model", async () => {
      const { fake, chat } = await start();
      const { text } = await ai.generateText({
        model: chat,
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "Look" },
              { type: "file", data: image, mediaType: "image/png" },
            ],
          },
        ],
        ...quiet,
      });
      expect(text).toBe("It rains.");
      expect((await fake.conversation()).body.messages.at(-1)).toMatchObject({
        content: expect.stringContaining("Look") as string,
        images: [image],
      });
    });

    test("reports a failure in mid-stream as an error", async () => {
      // Some providers print lines that they cannot parse.
      const writes = vi.spyOn(console, "warn").mockImplementation(() => undefined);
      onTestFinished(() => {
        writes.mockRestore();
      });
      const { fake, chat } = await start();
      fake.respondWith(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
      const streamed = ai.streamText({ model: chat, prompt: "Hi", ...quiet, onError: () => undefined });
      const result = streamed as unknown as Result;
      const failures: unknown[] = [];
      try {
        for await (const part of result.fullStream) if (part.type === "error") failures.push(part.error);
      } catch (thrown) {
        failures.push(thrown);
      }
      expect(failures.map((each) => String(each) + JSON.stringify(each)).join()).toContain(reason);
    });
  },
);

const embedders = providers.flatMap(({ name, ai, models }) => {
  return models("http://127.0.0.1:1").embedding === undefined ? [] : [{ name, ai, models }];
});

test.each(embedders)("$name embeds texts", async ({ ai, models }) => {
  const fake = await startFake();
  fake.capabilities = ["embedding"];
  const { embedding } = models((await startGateway(fake)).url);
  if (embedding === undefined) throw new Error("the provider has no embeddings");
  const { embeddings } = await ai.embedMany({ model: embedding, values: ["a", "b"], maxRetries: 0 });
  expect(embeddings).toEqual([
    [0.5, -0.25],
    [0.5, -0.25],
  ]);
});
