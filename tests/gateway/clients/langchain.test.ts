import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { expect, test } from "vitest";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const schema = {
  title: "place",
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};

async function start() {
  const fake = await startFake();
  const { url } = await startGateway(fake);
  const connection = { apiKey: "none", maxRetries: 0, configuration: { baseURL: `${url}/v1` } };
  return { fake, connection, model: new ChatOpenAI({ ...connection, model: "m" }) };
}

test("invoke returns the text with usage, stream the text", async () => {
  const { model } = await start();
  const response = await model.invoke("Hi");
  expect(response.content).toBe("Hello there.");
  expect(response.usage_metadata).toMatchObject({ input_tokens: 11, output_tokens: 3 });
  let text = "";
  for await (const chunk of await model.stream("Hi")) text += chunk.text;
  expect(text).toBe("Hello there.");
});

test("calls bound tools and sends their results to the model", async () => {
  const { fake, model } = await start();
  const call = { function: { name: "weather", arguments: { city: "Oslo" } } };
  fake.respondWith(last({ message: { content: "", tool_calls: [call] } }));
  const bound = model.bindTools([{ type: "function", function: { name: "weather", parameters: schema } }]);
  const question = new HumanMessage("Hi");
  const response = await bound.invoke([question]);
  expect(response.tool_calls).toMatchObject([{ name: "weather", args: { city: "Oslo" } }]);
  const result = new ToolMessage({ content: "Rain", tool_call_id: response.tool_calls?.[0]?.id ?? "" });
  await bound.invoke([question, response, result]);
  expect((await fake.conversation(1)).body.messages.at(-1)).toMatchObject({
    role: "tool",
    tool_name: "weather",
  });
});

test.each(["jsonSchema", "functionCalling", "jsonMode"] as const)(
  "returns structured output with the method %s",
  async (method) => {
    const { fake, model } = await start();
    const place = { city: "Oslo" };
    const content = method === "functionCalling" ? { name: "place", arguments: place } : place;
    fake.respondWith(last({ message: { content: JSON.stringify(content) } }));
    const structured = model.withStructuredOutput(schema, { method, name: "place" });
    expect(await structured.invoke("Hi")).toEqual(place);
    expect((await fake.conversation()).body.format).toBeDefined();
  },
);

test("works with the Responses API", async () => {
  const { connection } = await start();
  const model = new ChatOpenAI({ ...connection, model: "m", useResponsesApi: true });
  expect((await model.invoke("Hi")).text).toBe("Hello there.");
  let text = "";
  for await (const chunk of await model.stream("Hi")) text += chunk.text;
  expect(text).toBe("Hello there.");
});

test("embeds texts", async () => {
  const { fake, connection } = await start();
  fake.respondWith({ line: { embeddings: [[1], [2]] } });
  const embeddings = new OpenAIEmbeddings({ ...connection, model: "m" });
  expect(await embeddings.embedDocuments(["a", "b"])).toEqual([[1], [2]]);
});
