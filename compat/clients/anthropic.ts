import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import {
  assertReply,
  assertThought,
  assertUsedTool,
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

const max_tokens = 2000;
const messages = [{ role: "user" as const, content: question }];

function anthropicOf({ url }: Endpoint): Anthropic {
  return new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0 });
}

function textOfMessage({ content }: { readonly content: readonly { readonly type: string }[] }): string {
  return content
    .flatMap((block) => (block.type === "text" ? [(block as { text?: string }).text] : []))
    .join("");
}

const tool = betaTool({
  name: weather.name,
  description: weather.description,
  inputSchema: { ...weather.schema, required: ["city"] as const },
  run: weather.run,
});

/** A turn with a tool, in which the client sends the thinking back with the result. */
async function thinkAcrossTool(endpoint: Endpoint): Promise<void> {
  const anthropic = anthropicOf(endpoint);
  const request = {
    model: endpoint.model,
    max_tokens,
    thinking: { type: "enabled" as const, budget_tokens: 1024 },
    tools: [{ name: weather.name, input_schema: weather.schema }],
  };
  const first = await anthropic.messages.stream({ ...request, messages }).finalMessage();
  const call = first.content.find((block) => block.type === "tool_use");
  assert.ok(call, "it did not call the tool");
  const second = await anthropic.messages.create({
    ...request,
    messages: [
      ...messages,
      { role: "assistant", content: first.content },
      { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "Rain" }] },
    ],
  });
  assertReply(textOfMessage(second), "thoughtful");
}

export const anthropic: Client = {
  name: "@anthropic-ai/sdk",
  version: installedVersion("@anthropic-ai/sdk"),
  scenarios: {
    async response(endpoint) {
      const request = { model: endpoint.model, max_tokens, messages };
      const message = await anthropicOf(endpoint).messages.create(request);
      assertReply(textOfMessage(message), "first");
      assert.equal(message.stop_reason, "end_turn");
      assert.ok(message.usage.output_tokens > 0, "no usage");
    },
    async stream(endpoint) {
      const request = { model: endpoint.model, max_tokens, messages };
      const stream = anthropicOf(endpoint).messages.stream(request);
      const texts = (async function* () {
        for await (const event of stream)
          if (event.type === "content_block_delta" && event.delta.type === "text_delta")
            yield event.delta.text;
      })();
      assertReply(await joinStream(texts), "first");
      assert.ok((await stream.finalMessage()).usage.output_tokens > 0, "no usage");
    },
    async "several turns"(endpoint) {
      const request = { model: endpoint.model, max_tokens, messages: turns };
      assertReply(textOfMessage(await anthropicOf(endpoint).messages.create(request)), "again");
    },
    async tool(endpoint) {
      const { beta } = anthropicOf(endpoint);
      const request = { model: endpoint.model, max_tokens, messages, tools: [tool] };
      assertUsedTool(textOfMessage(await beta.messages.toolRunner(request)));
    },
    async "streamed tool"(endpoint) {
      const { beta } = anthropicOf(endpoint);
      const request = { model: endpoint.model, max_tokens, messages, tools: [tool], stream: true as const };
      let text = "";
      for await (const message of beta.messages.toolRunner(request))
        text = textOfMessage(await message.finalMessage());
      assertUsedTool(text);
    },
    async "structured output"(endpoint) {
      const message = await anthropicOf(endpoint).messages.create({
        model: endpoint.model,
        max_tokens,
        messages,
        output_config: { format: { type: "json_schema", schema: weather.schema } },
      });
      assert.deepEqual(JSON.parse(textOfMessage(message)), place);
    },
    async image(endpoint) {
      const source = { type: "base64" as const, media_type: "image/png" as const, data: picture };
      const content = [
        { type: "text" as const, text: imagePrompt },
        { type: "image" as const, source },
      ];
      const request = { model: endpoint.model, max_tokens, messages: [{ role: "user" as const, content }] };
      assertReply(textOfMessage(await anthropicOf(endpoint).messages.create(request)), "image");
    },
    async thinking(endpoint) {
      const message = await anthropicOf(endpoint).messages.create({
        model: endpoint.model,
        max_tokens,
        messages,
        thinking: { type: "enabled", budget_tokens: 1024 },
      });
      const thought = message.content.find((block) => block.type === "thinking");
      assertThought(thought?.thinking);
      assertReply(textOfMessage(message), "first");
    },
    "thinking sent back": thinkAcrossTool,
    async "thinking with a model that cannot think"(endpoint) {
      const message = await anthropicOf(endpoint).messages.create({
        model: endpoint.plainModel,
        max_tokens,
        messages,
        thinking: { type: "adaptive" },
      });
      assertReply(textOfMessage(message), "first");
    },
    async "token count"(endpoint) {
      const count = await anthropicOf(endpoint).messages.countTokens({ model: endpoint.model, messages });
      assert.ok(count.input_tokens > 0, "no count");
    },
    async "unknown model"(endpoint) {
      const call = anthropicOf(endpoint).messages.create({ model: "missing", max_tokens, messages });
      await assert.rejects(call, Anthropic.NotFoundError);
    },
  },
};
