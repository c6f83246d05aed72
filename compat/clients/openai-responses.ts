import assert from "node:assert/strict";
import type { ResponseInputItem, ResponseOutputItem } from "openai/resources/responses/responses";
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
import { openaiOf } from "./openai-chat.ts";

const tools = [
  {
    type: "function" as const,
    name: weather.name,
    description: weather.description,
    parameters: weather.schema,
    strict: true,
  },
];

function resultsOf(output: readonly ResponseOutputItem[]): ResponseInputItem[] {
  return output.flatMap((item) =>
    item.type === "function_call"
      ? [
          {
            type: "function_call_output" as const,
            call_id: item.call_id,
            output: weather.run(JSON.parse(item.arguments) as { city: string }),
          },
        ]
      : [],
  );
}

/** Two turns with a tool, in which the client sends back the complete output. */
async function useTool(endpoint: Endpoint, isStreamed: boolean): Promise<void> {
  const { responses } = openaiOf(endpoint);
  const respond = (input: ResponseInputItem[]) => {
    const body = { model: endpoint.model, input, tools, store: false };
    return isStreamed ? responses.stream(body).finalResponse() : responses.create(body);
  };
  const input: ResponseInputItem[] = [{ role: "user", content: question }];
  const first = await respond(input);
  const results = resultsOf(first.output);
  assert.equal(results.length, 1, "it did not call the tool");
  const second = await respond([...input, ...(first.output as ResponseInputItem[]), ...results]);
  assertUsedTool(second.output_text);
}

export const openaiResponses: Client = {
  name: "openai, Responses",
  version: installedVersion("openai"),
  scenarios: {
    async response(endpoint) {
      const { responses } = openaiOf(endpoint);
      const response = await responses.create({ model: endpoint.model, input: question });
      assertReply(response.output_text, "first");
      assert.equal(response.status, "completed");
      assert.ok((response.usage?.output_tokens ?? 0) > 0, "no usage");
    },
    async stream(endpoint) {
      const stream = openaiOf(endpoint).responses.stream({ model: endpoint.model, input: question });
      const texts = (async function* () {
        for await (const event of stream) if (event.type === "response.output_text.delta") yield event.delta;
      })();
      assertReply(await joinStream(texts), "first");
      assertReply((await stream.finalResponse()).output_text, "first");
    },
    async "several turns"(endpoint) {
      const { responses } = openaiOf(endpoint);
      assertReply((await responses.create({ model: endpoint.model, input: turns })).output_text, "again");
    },
    tool: (endpoint) => useTool(endpoint, false),
    "streamed tool": (endpoint) => useTool(endpoint, true),
    async "previous response"(endpoint) {
      const { responses } = openaiOf(endpoint);
      const first = await responses.create({ model: endpoint.model, input: question });
      const second = await responses.create({
        model: endpoint.model,
        input: "And now?",
        previous_response_id: first.id,
      });
      assertReply(second.output_text, "again");
    },
    async "structured output"(endpoint) {
      const response = await openaiOf(endpoint).responses.parse({
        model: endpoint.model,
        input: question,
        text: { format: { type: "json_schema", name: "place", strict: true, schema: weather.schema } },
      });
      assert.deepEqual(response.output_parsed, place);
    },
    async image(endpoint) {
      const image_url = `data:image/png;base64,${picture}`;
      const response = await openaiOf(endpoint).responses.create({
        model: endpoint.model,
        input: [
          {
            role: "user",
            content: [
              { type: "input_text", text: imagePrompt },
              { type: "input_image", image_url, detail: "auto" },
            ],
          },
        ],
      });
      assertReply(response.output_text, "image");
    },
    async thinking(endpoint) {
      const response = await openaiOf(endpoint).responses.create({
        model: endpoint.model,
        input: question,
        reasoning: { effort: "low", summary: "auto" },
      });
      const thought = response.output.find((item) => item.type === "reasoning");
      assertThought(thought?.summary[0]?.text);
      assertReply(response.output_text, "first");
    },
    async "reasoning effort with a model that cannot think"(endpoint) {
      const response = await openaiOf(endpoint).responses.create({
        model: endpoint.plainModel,
        input: question,
        reasoning: { effort: "low" },
      });
      assertReply(response.output_text, "first");
    },
  },
};
