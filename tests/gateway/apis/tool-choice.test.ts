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

describe("a call that is demanded", () => {
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
  ])("leaves the model nothing else to say: %s", async (_what, choice, format) => {
    const fake = await startFake();
    fake.respondWith(token('{"name": "weather", "argu'), token('ments": {"city": "Oslo"}}'), last());
    const gateway = await startGateway(fake);
    const stream = gateway.openai.chat.completions.stream({ ...hello, tools, tool_choice: choice });
    const answer = (await stream.finalChatCompletion()).choices[0];
    expect(answer?.finish_reason).toBe("tool_calls");
    expect(answer?.message.content).toBeFalsy();
    expect(answer?.message.tool_calls).toMatchObject([
      { function: { name: "weather", arguments: '{"city":"Oslo"}' } },
    ]);
    expect((await fake.conversation()).body).toMatchObject({ tools, format });
  });

  test("is found in a whole answer too, and where Ollama has read it already", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const ask = () => gateway.openai.chat.completions.create({ ...hello, tools, tool_choice: named });
    const call = { name: "weather", arguments: { city: "Oslo" } };
    for (const message of [
      { content: JSON.stringify(call) },
      { content: "", tool_calls: [{ function: call }, { function: call }] },
    ]) {
      fake.respondWith(last({ message }));
      const [choice] = (await ask()).choices;
      expect(choice?.message.tool_calls).toHaveLength(1);
      expect(choice?.message.tool_calls?.[0]).toMatchObject({
        function: { name: "weather", arguments: '{"city":"Oslo"}' },
      });
    }
  });

  test("that the model does not make is an error; one cut by the token limit says so", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const body = { ...hello, tools, tool_choice: "required" as const };
    fake.respondWith(last({ message: { content: "Sunny!" } }));
    const response = await gateway.post("/v1/chat/completions", body);
    expect(response.status).toBe(502);
    expect((await errorOf(response)).code).toBe("upstream_failed");
    fake.respondWith(last({ message: { content: '{"name": "wea' }, done_reason: "length" }));
    const answer = await gateway.openai.chat.completions.create(body);
    expect(answer.choices[0]).toMatchObject({ finish_reason: "length", message: { content: "" } });
  });

  test("keeps references in a tool's parameters alive, whatever another tool defines by the same name", () => {
    const city = (type: string) => ({
      type: "object",
      properties: { city: { $ref: "#/$defs/City" }, previous: { $ref: "#" } },
      $defs: { City: { type } },
    });
    const { format } = chooseTools([tool("a", city("string")), tool("b", city("number"))], "required", true);
    const call = (index: number, of: string, root: string) => ({
      properties: {
        name: { const: "ab"[index] },
        arguments: {
          properties: { city: { $ref: `#/$defs/${of}` }, previous: { $ref: `#/$defs/${root}` } },
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

test("calls that may not be parallel are one, streamed or not", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const call = { function: { name: "time", arguments: {} } };
  const line = { line: { message: { content: "", tool_calls: [call, call] }, done: false } };
  fake.respondWith(line, line, last());
  const body = { ...hello, tools, parallel_tool_calls: false };
  const streamed = await gateway.openai.chat.completions.stream(body).finalChatCompletion();
  expect(streamed.choices[0]?.message.tool_calls).toHaveLength(1);
  fake.respondWith(last({ message: { content: "", tool_calls: [call, call] } }));
  const whole = await gateway.openai.chat.completions.create(body);
  expect(whole.choices[0]?.message.tool_calls).toHaveLength(1);
  expect(whole.choices[0]?.finish_reason).toBe("tool_calls");
});
