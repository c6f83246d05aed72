import assert from "node:assert/strict";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import {
  assertSays,
  assertUsedTool,
  assertVector,
  type Client,
  type Endpoint,
  installedVersion,
  joined,
  place,
  question,
  type Scenario,
  turns,
  weather,
} from "../client.ts";

const connection = ({ url, model }: Endpoint) => ({
  apiKey: "none",
  maxRetries: 0,
  model,
  configuration: { baseURL: `${url}/v1` },
});

function scenariosOf(useResponsesApi: boolean): Record<string, Scenario> {
  const chat = (endpoint: Endpoint) => new ChatOpenAI({ ...connection(endpoint), useResponsesApi });
  return {
    async answer(endpoint) {
      assertSays((await chat(endpoint).invoke(question)).text, "first");
    },
    async stream(endpoint) {
      const stream = await chat(endpoint).stream(question);
      const texts = (async function* () {
        for await (const chunk of stream) yield chunk.text;
      })();
      assertSays(await joined(texts), "first");
    },
    async "several turns"(endpoint) {
      assertSays((await chat(endpoint).invoke(turns)).text, "again");
    },
    async tool(endpoint) {
      const { name, description, schema } = weather;
      const bound = chat(endpoint).bindTools([
        { type: "function", function: { name, description, parameters: schema } },
      ]);
      const asked = new HumanMessage(question);
      const answer = await bound.invoke([asked]);
      const [call] = answer.tool_calls ?? [];
      assert.ok(call, "it did not call the tool");
      const result = new ToolMessage({
        content: weather.run(call.args as { city: string }),
        tool_call_id: call.id ?? "",
      });
      assertUsedTool((await bound.invoke([asked, answer, result])).text);
    },
    async "structured output"(endpoint) {
      const structured = chat(endpoint).withStructuredOutput(weather.schema, { name: "place" });
      assert.deepEqual(await structured.invoke(question), place);
    },
  };
}

export const langchain: readonly Client[] = [
  {
    name: "@langchain/openai, Chat Completions",
    version: installedVersion("@langchain/openai"),
    scenarios: {
      ...scenariosOf(false),
      async embeddings(endpoint) {
        for (const vector of await new OpenAIEmbeddings(connection(endpoint)).embedDocuments(["a", "b"]))
          assertVector(vector);
      },
    },
  },
  {
    name: "@langchain/openai, Responses",
    version: installedVersion("@langchain/openai"),
    scenarios: scenariosOf(true),
  },
];
