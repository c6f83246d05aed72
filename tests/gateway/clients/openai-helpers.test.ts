import { describe, expect, test } from "vitest";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const weather = {
  type: "function" as const,
  function: {
    name: "weather",
    description: "The weather in a city",
    parameters: { type: "object", properties: { city: { type: "string" } } },
    parse: (text: string) => JSON.parse(text) as { city: string },
    function: ({ city }: { city: string }) => `Rain in ${city}`,
  },
};
const call = (city: string) => ({ function: { name: "weather", arguments: { city } } });

describe("the openai client's tool runner", () => {
  test.each([
    ["streamed", true],
    ["buffered", false],
  ])("calls the tools that the model requests and returns the results, %s", async (_form, stream) => {
    const fake = await startFake();
    const { openai } = await startGateway(fake);
    const calls = last({ message: { content: "", tool_calls: [call("Oslo"), call("Rom")] } });
    fake.respondWith(calls);
    void fake.conversation().then(() => {
      fake.respondWith(
        ...(stream ? [token("It "), token("rains.")] : []),
        last(stream ? {} : { message: { content: "It rains." } }),
      );
    });
    const body = { ...hello, tools: [weather] };
    const runner = stream
      ? openai.chat.completions.runTools({ ...body, stream: true })
      : openai.chat.completions.runTools({ ...body, stream: false });
    expect(await runner.finalContent()).toBe("It rains.");
    expect((await fake.conversation(1)).body.messages).toMatchObject([
      { role: "user", content: "Hi" },
      { role: "assistant", tool_calls: [call("Oslo"), call("Rom")] },
      { role: "tool", content: "Rain in Oslo", tool_name: "weather" },
      { role: "tool", content: "Rain in Rom", tool_name: "weather" },
    ]);
  });
});

test("a parsed response with tool calls can be sent back unchanged", async () => {
  const fake = await startFake();
  const { openai } = await startGateway(fake);
  fake.respondWith(last({ message: { content: "", tool_calls: [call("Oslo")] } }));
  const tools = [{ type: "function" as const, function: { name: "weather", strict: true, parameters: {} } }];
  const completion = await openai.chat.completions.parse({ ...hello, tools });
  const message = completion.choices[0]?.message;
  if (message === undefined) throw new Error("no message");
  const result = { role: "tool" as const, tool_call_id: message.tool_calls?.[0]?.id ?? "", content: "Rain" };
  const next = await openai.chat.completions.create({
    ...hello,
    messages: [...hello.messages, message, result],
  });
  expect(next.choices).toHaveLength(1);
});

test("streams thinking separately from the text and stops when the client disconnects", async () => {
  const fake = await startFake();
  const { openai } = await startGateway(fake);
  fake.respondWith({ line: { message: { thinking: "Hm." }, done: false } }, token("Hel"), "hang");
  const stream = await openai.chat.completions.create({ ...hello, stream: true, reasoning_effort: "low" });
  const deltas: object[] = [];
  for await (const chunk of stream) {
    deltas.push(chunk.choices[0]?.delta ?? {});
    if (deltas.length === 3) break;
  }
  expect(deltas.slice(1)).toEqual([{ reasoning_content: "Hm.", reasoning: "Hm." }, { content: "Hel" }]);
  expect((await fake.conversation()).body.think).toBe("low");
  expect(await (await fake.conversation()).brokenOff).toBe(true);
});
