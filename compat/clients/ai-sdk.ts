import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  type EmbeddingModel,
  embed,
  generateText,
  jsonSchema,
  type LanguageModel,
  Output,
  stepCountIs,
  streamText,
  tool,
} from "ai";
import {
  assertSays,
  assertThought,
  assertUsedTool,
  assertVector,
  type Client,
  type Endpoint,
  installedVersion,
  joined,
  picture,
  place,
  question,
  type Scenario,
  turns,
  weather,
} from "../client.ts";
import { lookAt } from "../model/script.ts";

interface Provider {
  readonly package: string;
  readonly way?: string;
  readonly model: (endpoint: Endpoint) => LanguageModel;
  readonly embeddingModel?: (endpoint: Endpoint) => EmbeddingModel;
  /** With which the model thinks, and the provider shows it. */
  readonly thinking: NonNullable<Parameters<typeof generateText>[0]["providerOptions"]>;
}

const connection = ({ url }: Endpoint) => ({ baseURL: `${url}/v1`, apiKey: "none" });
const compatible = (endpoint: Endpoint) =>
  createOpenAICompatible({ ...connection(endpoint), name: "any", supportsStructuredOutputs: true });

const providers: readonly Provider[] = [
  {
    package: "@ai-sdk/openai",
    way: "Responses",
    model: (endpoint) => createOpenAI(connection(endpoint))(endpoint.model),
    thinking: { openai: { forceReasoning: true, reasoningSummary: "auto", reasoningEffort: "low" } },
  },
  {
    package: "@ai-sdk/openai",
    way: "Chat Completions",
    model: (endpoint) => createOpenAI(connection(endpoint)).chat(endpoint.model),
    embeddingModel: (endpoint) => createOpenAI(connection(endpoint)).embeddingModel(endpoint.model),
    thinking: {},
  },
  {
    package: "@ai-sdk/openai-compatible",
    model: (endpoint) => compatible(endpoint)(endpoint.model),
    embeddingModel: (endpoint) => compatible(endpoint).embeddingModel(endpoint.model),
    thinking: { any: { reasoningEffort: "low" } },
  },
  {
    package: "@ai-sdk/anthropic",
    model: (endpoint) => createAnthropic(connection(endpoint))(endpoint.model),
    thinking: { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } },
  },
];

const quiet = { maxRetries: 0, maxOutputTokens: 2000 };
const schema = jsonSchema<{ city: string }>(weather.schema);
const tools = {
  weather: tool({ description: weather.description, inputSchema: schema, execute: weather.run }),
};
const withTools = { ...quiet, prompt: question, tools, stopWhen: stepCountIs(3) };

function scenariosOf({ model, embeddingModel, thinking }: Provider): Record<string, Scenario> {
  return {
    async answer(endpoint) {
      const { text, usage } = await generateText({ ...quiet, model: model(endpoint), prompt: question });
      assertSays(text, "first");
      assert.ok((usage.outputTokens ?? 0) > 0, "no usage");
    },
    async stream(endpoint) {
      const result = streamText({
        ...quiet,
        model: model(endpoint),
        prompt: question,
        onError: () => undefined,
      });
      assertSays(await joined(result.textStream), "first");
    },
    async "several turns"(endpoint) {
      const { text } = await generateText({ ...quiet, model: model(endpoint), messages: turns });
      assertSays(text, "again");
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
        { type: "text" as const, text: lookAt },
        { type: "image" as const, image: picture, mediaType: "image/png" },
      ];
      const messages = [{ role: "user" as const, content }];
      assertSays((await generateText({ ...quiet, model: model(endpoint), messages })).text, "image");
    },
    ...(Object.keys(thinking).length > 0 && {
      async thinking(endpoint: Endpoint) {
        const request = { ...quiet, model: model(endpoint), prompt: question, providerOptions: thinking };
        const { finalStep, text } = await generateText(request);
        assertThought(finalStep.reasoningText);
        assertSays(text, "first");
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
  name: `ai, ${provider.package}${provider.way === undefined ? "" : `, ${provider.way}`}`,
  version: `${installedVersion("ai")}, ${installedVersion(provider.package)}`,
  scenarios: scenariosOf(provider),
}));
