import { describe, expect, test } from "vitest";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { scriptedReply } from "../../../test-support/fakes/ollama/scripted-replies.ts";

// What Ollama accepts and clients send, though it is not what the API's own documentation says.

const image = "iVBORw0KGgo=";
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const question = { role: "user", content: "Hi" };
const weather = { type: "function", function: { name: "weather", parameters } };
const call = { id: "c", type: "function", function: { name: "weather", arguments: "{}" } };

async function sent(path: string, body: object, capabilities = ["completion", "tools", "vision"]) {
  const fake = await startFake();
  fake.capabilities = capabilities;
  fake.respondTo((request) => scriptedReply(request, false));
  const gateway = await startGateway(fake);
  const response = await gateway.post(path, { model: "m", ...body });
  expect(response.status, await response.clone().text()).toBe(200);
  return { request: (await fake.conversation()).body, response: (await response.json()) as object };
}

const chat = (body: object, capabilities?: string[]) =>
  sent("/v1/chat/completions", { messages: [question], ...body }, capabilities);
const responses = (body: object) => sent("/v1/responses", { input: "Hi", ...body });

describe("a limit of tokens below 1 is none", () => {
  test.each([
    ["/v1/chat/completions", "max_tokens", { messages: [question] }],
    ["/v1/chat/completions", "max_completion_tokens", { messages: [question] }],
    ["/v1/completions", "max_tokens", { prompt: "Hi" }],
    ["/v1/responses", "max_output_tokens", { input: "Hi" }],
  ])("%s %s", async (path, parameter, body) => {
    const none = await sent(path, { ...body, [parameter]: 0 });
    expect(none.request.options).not.toHaveProperty("num_predict");
    const unlimited = await sent(path, { ...body, [parameter]: -1 });
    expect(unlimited.request.options.num_predict).toBe(-1);
  });

  test("and a response does not repeat it", async () => {
    const { response } = await responses({ max_output_tokens: -1 });
    expect(response).toMatchObject({ max_output_tokens: null });
  });
});

describe("images", () => {
  test("may be given as a text, and without a type", async () => {
    for (const image_url of [`data:image/png;base64,${image}`, { url: `data:;base64,${image}` }]) {
      const content = [{ type: "image_url", image_url }];
      const { request } = await chat({ messages: [{ role: "user", content }] });
      expect(request.messages).toEqual([{ role: "user", content: "", images: [image] }]);
    }
  });

  const result = {
    role: "tool",
    tool_call_id: "c",
    content: [
      { type: "text", text: "A screenshot" },
      { type: "image_url", image_url: { url: `data:image/png;base64,${image}` } },
    ],
  };
  const messages = [question, { role: "assistant", tool_calls: [call] }, result];

  test("may be in a tool's result", async () => {
    const { request } = await chat({ messages });
    expect(request.messages.at(-1)).toMatchObject({ content: "A screenshot", images: [image] });
  });

  test("in a tool's result or an earlier message become notes for a model that cannot see", async () => {
    const { request } = await chat({ messages }, ["completion", "tools"]);
    const note = "[An image was left out: the model cannot see images.]";
    expect(request.messages.at(-1)).toMatchObject({ content: `A screenshot\n${note}` });
    const look = { role: "user", content: result.content.slice(1) };
    const later = await chat({ messages: [look, question] }, ["completion"]);
    expect(later.request.messages).toEqual([{ role: "user", content: note }, question]);
    const image_url = `data:image/png;base64,${image}`;
    const input = [{ role: "user", content: [{ type: "input_image", image_url }] }, question];
    const stored = await sent("/v1/responses", { input }, ["completion"]);
    expect(stored.request.messages).toEqual([{ role: "user", content: note }, question]);
  });
});

test("a message without parts is empty", async () => {
  const { request } = await chat({ messages: [{ role: "user", content: [] }] });
  expect(request.messages).toEqual([{ role: "user", content: "" }]);
});

test("tools have the names that their servers give them", async () => {
  const name = "files.read/all files";
  const inChat = await chat({ tools: [{ type: "function", function: { name, parameters } }] });
  const inResponses = await responses({ tools: [{ type: "function", name, parameters }] });
  const inMessages = await sent("/v1/messages", {
    max_tokens: 9,
    messages: [question],
    tools: [{ name, input_schema: parameters }],
  });
  for (const { request } of [inChat, inResponses, inMessages])
    expect(request.tools).toMatchObject([{ function: { name } }]);
});

test("a tool of the Messages API may have no schema", async () => {
  const body = { max_tokens: 9, messages: [question], tools: [{ name: "now" }] };
  const { request } = await sent("/v1/messages", body);
  expect(request.tools).toMatchObject([{ function: { name: "now" } }]);
});

describe("a choice among tools may have another API's form", () => {
  test.each([
    ["any", "any"],
    ["flat", { type: "function", name: "weather" }],
  ])("Chat Completions, %s", async (_, choice) => {
    const { response } = await chat({ tools: [weather], tool_choice: choice });
    expect(response).toMatchObject({
      choices: [
        { message: { tool_calls: [{ function: { name: "weather", arguments: '{"city":"Oslo"}' } }] } },
      ],
    });
  });

  test.each([
    ["any", "any"],
    ["nested", { type: "function", function: { name: "weather" } }],
  ])("Responses, %s", async (_, choice) => {
    const tools = [{ type: "function", name: "weather", parameters }];
    const { response } = await responses({ tools, tool_choice: choice });
    expect(response).toMatchObject({
      output: [{ type: "function_call", name: "weather", arguments: '{"city":"Oslo"}' }],
    });
  });
});

test("a schema for the response needs no name", async () => {
  const inChat = await chat({
    response_format: { type: "json_schema", json_schema: { schema: parameters } },
  });
  const inResponses = await responses({ text: { format: { type: "json_schema", schema: parameters } } });
  for (const { request } of [inChat, inResponses]) expect(request.format).toEqual(parameters);
  expect(inResponses.response).toMatchObject({ text: { format: { name: "response" } } });
});
