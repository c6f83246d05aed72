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
  /** What is used of a version of the SDK; the versions differ in types only. */
  readonly ai: typeof ai7;
  readonly models: (url: string) => { readonly chat: Model; readonly embedding?: Embedder };
  /** What makes the model think, if the provider has something for it. */
  readonly thinking?: NonNullable<Parameters<typeof ai7.generateText>[0]["providerOptions"]>;
  /** Whether the thinking of earlier turns goes back to the model. */
  readonly returnsThinking?: boolean;
  /** Whether a tool's result names its tool. */
  readonly namesTools?: false;
  /** What it reports of a failure in mid-stream, if not what the gateway says. */
  readonly reason?: string;
}

const older = ai6 as unknown as typeof ai7;
const key = { apiKey: "none" };
const reasoning = { openai: { forceReasoning: true, reasoningSummary: "auto", reasoningEffort: "low" } };
const budget = { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } };

/** What both versions have of a result, a stream's or not. */
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

/** The models of a provider for AI SDK 6, which 7 takes for its own. */
const of6 = (chat: unknown, embedding?: unknown) => ({
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
      return of6(provider("m"), provider.embedding("m"));
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
    models: (url) => of6(createOpenAI6({ baseURL: `${url}/v1`, ...key }).chat("m")),
  },
  {
    name: "AI SDK 7, any API like OpenAI's",
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
    models: (url) => of6(createAnthropic6({ baseURL: `${url}/v1`, ...key })("m")),
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
    // It skips lines that it does not know, but not the end of the connection.
    reason: "terminated",
  },
  {
    name: "AI SDK 6, ollama-ai-provider-v2",
    ai: older,
    models: (url) => {
      const provider = createOllama6({ baseURL: `${url}/api` });
      return of6(provider("m"), provider.embedding("m"));
    },
    thinking: { ollama: { think: true } },
    namesTools: false,
    // It skips lines that it does not know, but not the end of the connection.
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

    /** One message of the user, with the tools that the model calls for it. */
    async function turn(model: Model, messages: ai7.ModelMessage[], stream: boolean) {
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

    test.each([false, true])("goes on for several turns with tools (streamed: %j)", async (stream) => {
      const { fake, chat } = await start();
      const messages: ai7.ModelMessage[] = [{ role: "user", content: "Hi" }];
      const first = await turn(chat, messages, stream);
      expect(first.text).toBe("It rains.");
      expect(first.usage).toMatchObject({ inputTokens: 22, outputTokens: 6, totalTokens: 28 });
      expect(first.finishReason).toBe("stop");
      if (thinking !== undefined) expect(first.thoughts).toEqual(["Where?", "So."]);
      messages.push(...first.messages, { role: "user", content: "And now?" });
      const second = await turn(chat, messages, stream);
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

    test("structured output is an object", async () => {
      const { chat } = await start();
      const output = ai.Output.object({ schema });
      const result = await ai.generateText({ model: chat, prompt: "Hi", output, ...quiet });
      expect(result.output).toEqual(weatherObject);
    });

    test("a tool that is demanded is called", async () => {
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

    test("a failure in mid-stream is an error, not an end", async () => {
      // Some write what they cannot read to the console.
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

test.each(embedders)("$name embeds", async ({ ai, models }) => {
  const fake = await startFake();
  fake.capabilities = ["embedding"];
  const { embedding } = models((await startGateway(fake)).url);
  if (embedding === undefined) throw new Error("it has no embeddings");
  const { embeddings } = await ai.embedMany({ model: embedding, values: ["a", "b"], maxRetries: 0 });
  expect(embeddings).toEqual([
    [0.5, -0.25],
    [0.5, -0.25],
  ]);
});
