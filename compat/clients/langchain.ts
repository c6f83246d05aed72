import assert from "node:assert/strict";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatAnthropic } from "@langchain/anthropic";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { ChatOllama, OllamaEmbeddings } from "@langchain/ollama";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import {
  assertReply,
  assertUsedTool,
  assertVector,
  type Client,
  type Endpoint,
  installedVersion,
  joinStream,
  place,
  question,
  type Scenario,
  turns,
  weather,
} from "../client.ts";

interface Chat extends BaseChatModel {
  bindTools: NonNullable<BaseChatModel["bindTools"]>;
}

const openai = ({ url, model }: Endpoint) => ({
  apiKey: "none",
  maxRetries: 0,
  model,
  configuration: { baseURL: `${url}/v1` },
});
const anthropic = ({ url, model }: Endpoint) =>
  new ChatAnthropic({ anthropicApiUrl: url, apiKey: "none", maxRetries: 0, model });
const ollama = ({ url, model }: Endpoint) => ({ baseUrl: url, maxRetries: 0, model });

function scenariosOf(chat: (endpoint: Endpoint) => Chat): Record<string, Scenario> {
  return {
    async response(endpoint) {
      assertReply((await chat(endpoint).invoke(question)).text, "first");
    },
    async stream(endpoint) {
      const stream = await chat(endpoint).stream(question);
      const texts = (async function* () {
        for await (const chunk of stream) yield chunk.text;
      })();
      assertReply(await joinStream(texts), "first");
    },
    async "several turns"(endpoint) {
      assertReply((await chat(endpoint).invoke(turns)).text, "again");
    },
    async tool(endpoint) {
      const { name, description, schema } = weather;
      const bound = chat(endpoint).bindTools([
        { type: "function", function: { name, description, parameters: schema } },
      ]);
      const message = new HumanMessage(question);
      const response = await bound.invoke([message]);
      const [call] = response.tool_calls ?? [];
      assert.ok(call, "it did not call the tool");
      const result = new ToolMessage({
        content: weather.run(call.args as { city: string }),
        tool_call_id: call.id ?? "",
      });
      assertUsedTool((await bound.invoke([message, response, result])).text);
    },
    async "structured output"(endpoint) {
      const structured = chat(endpoint).withStructuredOutput(weather.schema, { name: "place" });
      assert.deepEqual(await structured.invoke(question), place);
    },
  };
}

function embeddings(embedder: (endpoint: Endpoint) => Pick<OpenAIEmbeddings, "embedDocuments">) {
  return {
    async embeddings(endpoint: Endpoint) {
      for (const vector of await embedder(endpoint).embedDocuments(["a", "b"])) assertVector(vector);
    },
  };
}

function clientOf(packageName: string, suffix: string, scenarios: Client["scenarios"]): Client {
  return { name: `${packageName}${suffix}`, version: installedVersion(packageName), scenarios };
}

export const langchain: readonly Client[] = [
  clientOf("@langchain/openai", ", Chat Completions", {
    ...scenariosOf((endpoint) => new ChatOpenAI(openai(endpoint))),
    ...embeddings((endpoint) => new OpenAIEmbeddings(openai(endpoint))),
  }),
  clientOf(
    "@langchain/openai",
    ", Responses",
    scenariosOf((endpoint) => new ChatOpenAI({ ...openai(endpoint), useResponsesApi: true })),
  ),
  clientOf("@langchain/anthropic", "", scenariosOf(anthropic)),
  clientOf("@langchain/ollama", "", {
    ...scenariosOf((endpoint) => new ChatOllama(ollama(endpoint))),
    ...embeddings((endpoint) => new OllamaEmbeddings(ollama(endpoint))),
  }),
];
