import { describe, expect, test } from "vitest";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { scriptedReply } from "../../../test-support/fakes/ollama/scripted-replies.ts";

// Variants that Ollama accepts and clients send, although the API's own documentation does not have them.

const image = "iVBORw0KGgo=";
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const userMessage = { role: "user", content: "Hi" };
const weather = { type: "function", function: { name: "weather", parameters } };
const call = { id: "c", type: "function", function: { name: "weather", arguments: "{}" } };

async function send(path: string, body: object, capabilities = ["completion", "tools", "vision"]) {
  const fake = await startFake();
  fake.capabilities = capabilities;
  fake.respondTo((request) => scriptedReply(request, false));
  const gateway = await startGateway(fake);
  const response = await gateway.post(path, { model: "m", ...body });
  expect(response.status, await response.clone().text()).toBe(200);
  return { request: (await fake.conversation()).body, response: (await response.json()) as object };
}

const chat = (body: object, capabilities?: string[]) =>
  send("/v1/chat/completions", { messages: [userMessage], ...body }, capabilities);
const responses = (body: object) => send("/v1/responses", { input: "Hi", ...body });

describe("a token limit below 1 means no limit", () => {
  test.each([
    ["/v1/chat/completions", "max_tokens", { messages: [userMessage] }],
    ["/v1/chat/completions", "max_completion_tokens", { messages: [userMessage] }],
    ["/v1/completions", "max_tokens", { prompt: "Hi" }],
    ["/v1/responses", "max_output_tokens", { input: "Hi" }],
  ])("%s %s", async (path, parameter, body) => {
    const zero = await send(path, { ...body, [parameter]: 0 });
    expect(zero.request.options).not.toHaveProperty("num_predict");
    const unlimited = await send(path, { ...body, [parameter]: -1 });
    expect(unlimited.request.options.num_predict).toBe(-1);
  });

  test("and is null in the response", async () => {
    const { response } = await responses({ max_output_tokens: -1 });
    expect(response).toMatchObject({ max_output_tokens: null });
  });
});

describe("images", () => {
  test("may be a string, or have no media type", async () => {
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
  const messages = [userMessage, { role: "assistant", tool_calls: [call] }, result];

  test("may be in a tool's result", async () => {
    const { request } = await chat({ messages });
    expect(request.messages.at(-1)).toMatchObject({ content: "A screenshot", images: [image] });
  });

  test("in a tool's result or an earlier message become notes for a model without vision", async () => {
    const { request } = await chat({ messages }, ["completion", "tools"]);
    const note = "[An image was left out: the model cannot see images.]";
    expect(request.messages.at(-1)).toMatchObject({ content: `A screenshot\n${note}` });
    const imageMessage = { role: "user", content: result.content.slice(1) };
    const later = await chat({ messages: [imageMessage, userMessage] }, ["completion"]);
    expect(later.request.messages).toEqual([{ role: "user", content: note }, userMessage]);
    const image_url = `data:image/png;base64,${image}`;
    const input = [{ role: "user", content: [{ type: "input_image", image_url }] }, userMessage];
    const stored = await send("/v1/responses", { input }, ["completion"]);
    expect(stored.request.messages).toEqual([{ role: "user", content: note }, userMessage]);
  });
});

test("a message without parts has empty content", async () => {
  const { request } = await chat({ messages: [{ role: "user", content: [] }] });
  expect(request.messages).toEqual([{ role: "user", content: "" }]);
});

test("tool names are passed on unchanged", async () => {
  const name = "files.read/all files";
  const inChat = await chat({ tools: [{ type: "function", function: { name, parameters } }] });
  const inResponses = await responses({ tools: [{ type: "function", name, parameters }] });
  const inMessages = await send("/v1/messages", {
    max_tokens: 9,
    messages: [userMessage],
    tools: [{ name, input_schema: parameters }],
  });
  for (const { request } of [inChat, inResponses, inMessages])
    expect(request.tools).toMatchObject([{ function: { name } }]);
});

test("a tool of the Messages API may have no schema", async () => {
  const body = { max_tokens: 9, messages: [userMessage], tools: [{ name: "now" }] };
  const { request } = await send("/v1/messages", body);
  expect(request.tools).toMatchObject([{ function: { name: "now" } }]);
});

describe("tool_choice may have the format of another API", () => {
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
