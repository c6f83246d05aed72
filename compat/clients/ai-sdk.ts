import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import * as ai7 from "ai";
import { createOllama as createCommunityOllama } from "ai-sdk-ollama";
import * as ai6 from "ai6";
import { createAnthropic as createAnthropic6 } from "ai6-anthropic";
import { createOllama as createOllama6 } from "ai6-ollama";
import { createOpenAI as createOpenAI6 } from "ai6-openai";
import { createOllama } from "ollama-ai-provider-v2";
import {
  assertReply,
  assertThought,
  assertUsedTool,
  assertVector,
  type Client,
  type Endpoint,
  installedVersion,
  joinStream,
  picture,
  place,
  question,
  type Scenario,
  turns,
  weather,
} from "../client.ts";
import { imagePrompt } from "../model/script.ts";

type Model = ai7.LanguageModel;

interface Provider {
  readonly name: string;
  /** A version of the SDK; the versions differ only in types. */
  readonly ai: typeof ai7;
  readonly versions: readonly string[];
  readonly model: (endpoint: Endpoint) => Model;
  readonly embeddingModel?: (endpoint: Endpoint) => ai7.EmbeddingModel;
  /** Options with which the model thinks and the provider returns the thinking. */
  readonly thinking?: NonNullable<Parameters<typeof ai7.generateText>[0]["providerOptions"]>;
}

const older = ai6 as unknown as typeof ai7;
const connection = ({ url }: Endpoint) => ({ baseURL: `${url}/v1`, apiKey: "none" });
const native = ({ url }: Endpoint) => ({ baseURL: `${url}/api` });
const compatible = (endpoint: Endpoint) =>
  createOpenAICompatible({ ...connection(endpoint), name: "any", supportsStructuredOutputs: true });
const reasoning = { openai: { forceReasoning: true, reasoningSummary: "auto", reasoningEffort: "low" } };
const budget = { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } };

const providers: readonly Provider[] = [
  {
    name: "ai 7, @ai-sdk/openai, Responses",
    ai: ai7,
    versions: ["ai", "@ai-sdk/openai"],
    model: (endpoint) => createOpenAI(connection(endpoint))(endpoint.model),
    thinking: reasoning,
  },
  {
    name: "ai 7, @ai-sdk/openai, Chat Completions",
    ai: ai7,
    versions: ["ai", "@ai-sdk/openai"],
    model: (endpoint) => createOpenAI(connection(endpoint)).chat(endpoint.model),
    embeddingModel: (endpoint) => createOpenAI(connection(endpoint)).embeddingModel(endpoint.model),
  },
  {
    name: "ai 7, @ai-sdk/openai-compatible",
    ai: ai7,
    versions: ["ai", "@ai-sdk/openai-compatible"],
    model: (endpoint) => compatible(endpoint)(endpoint.model),
    embeddingModel: (endpoint) => compatible(endpoint).embeddingModel(endpoint.model),
    thinking: { any: { reasoningEffort: "low" } },
  },
  {
    name: "ai 7, @ai-sdk/anthropic",
    ai: ai7,
    versions: ["ai", "@ai-sdk/anthropic"],
    model: (endpoint) => createAnthropic(connection(endpoint))(endpoint.model),
    thinking: budget,
  },
  {
    name: "ai 7, ollama-ai-provider-v2",
    ai: ai7,
    versions: ["ai", "ollama-ai-provider-v2"],
    model: (endpoint) => createOllama(native(endpoint))(endpoint.model),
    embeddingModel: (endpoint) => createOllama(native(endpoint)).embedding(endpoint.model),
    thinking: { ollama: { think: true } },
  },
  {
    name: "ai 7, ai-sdk-ollama",
    ai: ai7,
    versions: ["ai", "ai-sdk-ollama"],
    model: ({ url, model }) => createCommunityOllama({ baseURL: url })(model, { think: true }),
    embeddingModel: ({ url, model }) => createCommunityOllama({ baseURL: url }).embedding(model),
    thinking: { ollama: { think: true } },
  },
  {
    name: "ai 6, @ai-sdk/openai, Responses",
    ai: older,
    versions: ["ai6", "ai6-openai"],
    model: (endpoint) => createOpenAI6(connection(endpoint))(endpoint.model),
    thinking: reasoning,
  },
  {
    name: "ai 6, @ai-sdk/openai, Chat Completions",
    ai: older,
    versions: ["ai6", "ai6-openai"],
    model: (endpoint) => createOpenAI6(connection(endpoint)).chat(endpoint.model),
  },
  {
    name: "ai 6, @ai-sdk/anthropic",
    ai: older,
    versions: ["ai6", "ai6-anthropic"],
    model: (endpoint) => createAnthropic6(connection(endpoint))(endpoint.model),
    thinking: budget,
  },
  {
    name: "ai 6, ollama-ai-provider-v2",
    ai: older,
    versions: ["ai6", "ai6-ollama"],
    model: (endpoint) => createOllama6(native(endpoint))(endpoint.model),
    thinking: { ollama: { think: true } },
  },
];

const quiet = { maxRetries: 0, maxOutputTokens: 2000 };
const schema = ai7.jsonSchema<{ city: string }>(weather.schema);
const tools = {
  weather: ai7.tool({ description: weather.description, inputSchema: schema, execute: weather.run }),
};
const withTools = { ...quiet, prompt: question, tools, stopWhen: ai7.stepCountIs(3) };

function scenariosOf({ ai, model, embeddingModel, thinking }: Provider): Record<string, Scenario> {
  const { Output, embed, generateText, streamText } = ai;
  return {
    async response(endpoint) {
      const { text, usage } = await generateText({ ...quiet, model: model(endpoint), prompt: question });
      assertReply(text, "first");
      assert.ok((usage.outputTokens ?? 0) > 0, "no usage");
    },
    async stream(endpoint) {
      const result = streamText({
        ...quiet,
        model: model(endpoint),
        prompt: question,
        onError: () => undefined,
      });
      assertReply(await joinStream(result.textStream), "first");
    },
    async "several turns"(endpoint) {
      const { text } = await generateText({ ...quiet, model: model(endpoint), messages: turns });
      assertReply(text, "again");
    },
    async tool(endpoint) {
      const { text } = await generateText({ ...withTools, model: model(endpoint) });
      assertUsedTool(text);
    },
    async "streamed tool"(endpoint) {
      const result = streamText({ ...withTools, model: model(endpoint), onError: () => undefined });
      assertUsedTool(await result.text);
    },
    async "structured output"(endpoint) {
      const request = { ...quiet, model: model(endpoint), prompt: question };
      const { output } = await generateText({ ...request, output: Output.object({ schema }) });
      assert.deepEqual(output, place);
    },
    async image(endpoint) {
      const content = [
        { type: "text" as const, text: imagePrompt },
        { type: "image" as const, image: picture, mediaType: "image/png" },
      ];
      const messages = [{ role: "user" as const, content }];
      assertReply((await generateText({ ...quiet, model: model(endpoint), messages })).text, "image");
    },
    ...(thinking && {
      async thinking(endpoint: Endpoint) {
        const request = { ...quiet, model: model(endpoint), prompt: question, providerOptions: thinking };
        const { steps, text } = await generateText(request);
        assertThought(steps[0]?.reasoningText);
        assertReply(text, "first");
      },
    }),
    ...(embeddingModel && {
      async embeddings(endpoint: Endpoint) {
        const { embedding } = await embed({ ...quiet, model: embeddingModel(endpoint), value: "a" });
        assertVector(embedding);
      },
    }),
  };
}

export const aiSdk: readonly Client[] = providers.map((provider) => ({
  name: provider.name,
  version: provider.versions.map(installedVersion).join(", "),
  scenarios: scenariosOf(provider),
}));
