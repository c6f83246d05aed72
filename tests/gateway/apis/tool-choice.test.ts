import { describe, expect, test } from "vitest";
import { chooseTools } from "../../../gateway/src/apis/common/tool-choice.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { errorOf, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const tool = (name: string, parameters?: object) => ({
  type: "function" as const,
  function: { name, ...(parameters ? { parameters: { ...parameters } } : {}) },
});
const tools = [tool("weather", { type: "object", properties: { city: { type: "string" } } }), tool("time")];
const named = { type: "function" as const, function: { name: "weather" } };
const weatherCall = {
  type: "object",
  properties: {
    name: { const: "weather" },
    arguments: { type: "object", properties: { city: { type: "string" } } },
  },
  required: ["name", "arguments"],
};

describe("a required call", () => {
  test.each([
    ["a named function", named, weatherCall],
    [
      "any function",
      "required" as const,
      {
        anyOf: [
          weatherCall,
          {
            type: "object",
            properties: { name: { const: "time" }, arguments: { type: "object" } },
            required: ["name", "arguments"],
          },
        ],
      },
    ],
  ])("constrains the output of the model: %s", async (_name, choice, format) => {
    const fake = await startFake();
    fake.respondWith(token('{"name": "weather", "argu'), token('ments": {"city": "Oslo"}}'), last());
    const gateway = await startGateway(fake);
    const stream = gateway.openai.chat.completions.stream({ ...hello, tools, tool_choice: choice });
    const result = (await stream.finalChatCompletion()).choices[0];
    expect(result?.finish_reason).toBe("tool_calls");
    expect(result?.message.content).toBeFalsy();
    expect(result?.message.tool_calls).toMatchObject([
      { function: { name: "weather", arguments: '{"city":"Oslo"}' } },
    ]);
    expect((await fake.conversation()).body).toMatchObject({ tools, format });
  });

  test("is parsed from a buffered response, or taken from Ollama's tool_calls", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const create = () => gateway.openai.chat.completions.create({ ...hello, tools, tool_choice: named });
    const call = { name: "weather", arguments: { city: "Oslo" } };
    for (const message of [
      { content: JSON.stringify(call) },
      { content: "", tool_calls: [{ function: call }, { function: call }] },
    ]) {
      fake.respondWith(last({ message }));
      const [choice] = (await create()).choices;
      expect(choice?.message.tool_calls).toHaveLength(1);
      expect(choice?.message.tool_calls?.[0]).toMatchObject({
        function: { name: "weather", arguments: '{"city":"Oslo"}' },
      });
    }
  });

  test("fails if the model does not make it, and reports a cut-off by the token limit", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const body = { ...hello, tools, tool_choice: "required" as const };
    fake.respondWith(last({ message: { content: "Sunny!" } }));
    const response = await gateway.post("/v1/chat/completions", body);
    expect(response.status).toBe(502);
    expect((await errorOf(response)).code).toBe("upstream_failed");
    fake.respondWith(last({ message: { content: '{"name": "wea' }, done_reason: "length" }));
    const completion = await gateway.openai.chat.completions.create(body);
    expect(completion.choices[0]).toMatchObject({ finish_reason: "length", message: { content: "" } });
  });

  test("keeps the references of a tool's parameters if another tool defines the same name", () => {
    const city = (type: string) => ({
      type: "object",
      properties: { city: { $ref: "#/$defs/City" }, previous: { $ref: "#" } },
      $defs: { City: { type } },
    });
    const offered = [tool("a", city("string")), tool("b", city("number"))].map((each, index) => ({
      tool: each,
      param: `tools[${index}].function.parameters`,
    }));
    const { format } = chooseTools(offered, "required", true);
    const call = (index: number, cityName: string, rootName: string) => ({
      properties: {
        name: { const: "ab"[index] },
        arguments: {
          properties: { city: { $ref: `#/$defs/${cityName}` }, previous: { $ref: `#/$defs/${rootName}` } },
        },
      },
    });
    expect(format).toMatchObject({
      anyOf: [call(0, "d0", "d1"), call(1, "d2", "d3")],
      $defs: {
        d0: { type: "string" },
        d1: { type: "object" },
        d2: { type: "number" },
        d3: { type: "object" },
      },
    });
  });
});

test("returns one call without parallel_tool_calls, streaming and buffered", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const call = { function: { name: "time", arguments: {} } };
  const line = { line: { message: { content: "", tool_calls: [call, call] }, done: false } };
  fake.respondWith(line, line, last());
  const body = { ...hello, tools, parallel_tool_calls: false };
  const streamed = await gateway.openai.chat.completions.stream(body).finalChatCompletion();
  expect(streamed.choices[0]?.message.tool_calls).toHaveLength(1);
  fake.respondWith(last({ message: { content: "", tool_calls: [call, call] } }));
  const buffered = await gateway.openai.chat.completions.create(body);
  expect(buffered.choices[0]?.message.tool_calls).toHaveLength(1);
  expect(buffered.choices[0]?.finish_reason).toBe("tool_calls");
});
