import assert from "node:assert/strict";
import OpenAI from "openai";
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
  turns,
  weather,
} from "../client.ts";
import { imagePrompt } from "../model/script.ts";

export function openaiOf({ url }: Endpoint): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
}

const messages = [{ role: "user" as const, content: question }];
const runnable = {
  type: "function" as const,
  function: {
    name: weather.name,
    description: weather.description,
    parameters: weather.schema,
    parse: (text: string) => JSON.parse(text) as { city: string },
    function: weather.run,
  },
};

async function* textsOf(stream: AsyncIterable<OpenAI.ChatCompletionChunk>) {
  for await (const { choices } of stream) yield choices[0]?.delta.content;
}

export const openaiChat: Client = {
  name: "openai, Chat Completions",
  version: installedVersion("openai"),
  scenarios: {
    async response(endpoint) {
      const { choices, usage } = await openaiOf(endpoint).chat.completions.create({
        model: endpoint.model,
        messages,
      });
      assertReply(choices[0]?.message.content, "first");
      assert.equal(choices[0]?.finish_reason, "stop");
      assert.ok((usage?.completion_tokens ?? 0) > 0, "no usage");
    },
    async stream(endpoint) {
      const body = { model: endpoint.model, messages, stream_options: { include_usage: true } };
      const stream = await openaiOf(endpoint).chat.completions.create({ ...body, stream: true });
      assertReply(await joinStream(textsOf(stream)), "first");
      const final = await openaiOf(endpoint).chat.completions.stream(body).finalChatCompletion();
      assert.ok((final.usage?.completion_tokens ?? 0) > 0, "no usage");
    },
    async "several turns"(endpoint) {
      const { choices } = await openaiOf(endpoint).chat.completions.create({
        model: endpoint.model,
        messages: turns,
      });
      assertReply(choices[0]?.message.content, "again");
    },
    async "response sent back unchanged"(endpoint) {
      const { chat } = openaiOf(endpoint);
      const first = await chat.completions.create({ model: endpoint.model, messages });
      const message = first.choices[0]?.message;
      assert.ok(message);
      const { choices } = await chat.completions.create({
        model: endpoint.model,
        messages: [...messages, message, ...messages],
      });
      assertReply(choices[0]?.message.content, "again");
    },
    async tool(endpoint) {
      const runner = openaiOf(endpoint).chat.completions.runTools({
        model: endpoint.model,
        messages,
        tools: [runnable],
      });
      assertUsedTool(await runner.finalContent());
    },
    async "streamed tool"(endpoint) {
      const runner = openaiOf(endpoint).chat.completions.runTools({
        model: endpoint.model,
        messages,
        tools: [runnable],
        stream: true,
      });
      assertUsedTool(await runner.finalContent());
    },
    async "forced tool"(endpoint) {
      const { function: definition } = runnable;
      const { choices } = await openaiOf(endpoint).chat.completions.create({
        model: endpoint.model,
        messages,
        tools: [
          { type: "function", function: { name: "other", parameters: weather.schema } },
          { type: "function", function: { name: definition.name, parameters: weather.schema } },
        ],
        tool_choice: { type: "function", function: { name: "other" } },
      });
      const [call] = choices[0]?.message.tool_calls ?? [];
      assert.equal(call?.type === "function" ? call.function.name : undefined, "other");
    },
    async "structured output"(endpoint) {
      const { choices } = await openaiOf(endpoint).chat.completions.parse({
        model: endpoint.model,
        messages,
        response_format: {
          type: "json_schema",
          json_schema: { name: "place", strict: true, schema: weather.schema },
        },
      });
      assert.deepEqual(choices[0]?.message.parsed, place);
    },
    async image(endpoint) {
      const url = `data:image/png;base64,${picture}`;
      const { choices } = await openaiOf(endpoint).chat.completions.create({
        model: endpoint.model,
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: imagePrompt },
              { type: "image_url", image_url: { url } },
            ],
          },
        ],
      });
      assertReply(choices[0]?.message.content, "image");
    },
    async thinking(endpoint) {
      const { choices } = await openaiOf(endpoint).chat.completions.create({
        model: endpoint.model,
        messages,
        reasoning_effort: "low",
      });
      assertThought((choices[0]?.message as { reasoning?: string }).reasoning);
      assertReply(choices[0]?.message.content, "first");
    },
    async "reasoning effort with a model that cannot think"(endpoint) {
      const { choices } = await openaiOf(endpoint).chat.completions.create({
        model: endpoint.plainModel,
        messages,
        reasoning_effort: "low",
      });
      assertReply(choices[0]?.message.content, "first");
    },
    async completions(endpoint) {
      const { choices } = await openaiOf(endpoint).completions.create({
        model: endpoint.model,
        prompt: question,
      });
      assert.ok(choices[0]?.text, "no text");
    },
    async embeddings(endpoint) {
      const { data } = await openaiOf(endpoint).embeddings.create({
        model: endpoint.model,
        input: ["a", "b"],
      });
      assert.equal(data.length, 2);
      for (const { embedding } of data) assertVector(embedding);
    },
    async models(endpoint) {
      const ids: string[] = [];
      for await (const { id } of openaiOf(endpoint).models.list()) ids.push(id);
      assert.ok(ids.includes(endpoint.model), `it lists ${ids.join()}`);
      assert.equal((await openaiOf(endpoint).models.retrieve(endpoint.model)).id, endpoint.model);
    },
    async "unknown model"(endpoint) {
      const call = openaiOf(endpoint).chat.completions.create({ model: "missing", messages });
      await assert.rejects(call, OpenAI.NotFoundError);
    },
  },
};
