import type {
  FunctionTool,
  ResponseInputItem,
  ResponseOutputItem,
} from "openai/resources/responses/responses";
import { expect, test } from "vitest";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const weather: FunctionTool = {
  type: "function",
  name: "weather",
  parameters: { type: "object", properties: { city: { type: "string" } } },
  strict: true,
};

/** Starts a fake model that looks up two cities one after the other, then responds, and thinks before each step. */
async function start() {
  const fake = await startFake();
  const { openai } = await startGateway(fake);
  fake.respondTo(({ messages }) => {
    const outputs = messages.filter(({ role }) => role === "tool").length;
    const thinking = { line: { message: { thinking: `Step ${outputs}.` }, done: false } };
    const city = ["Oslo", "Bergen"][outputs];
    if (city === undefined) return [thinking, token("Rain"), token(" twice."), last()];
    const calls = [{ function: { name: "weather", arguments: { city } } }];
    return [thinking, { line: { message: { content: "", tool_calls: calls }, done: false } }, last()];
  });
  return { fake, openai };
}

const prompt = "Where does it rain?";
const request = { model: "m", tools: [weather], include: ["reasoning.encrypted_content" as const] };

function outputsOf(items: readonly ResponseOutputItem[]): ResponseInputItem.FunctionCallOutput[] {
  return items.flatMap((item) =>
    item.type === "function_call"
      ? { type: "function_call_output" as const, call_id: item.call_id, output: "rain" }
      : [],
  );
}

const conversation = [
  { role: "user", content: prompt },
  { role: "assistant", thinking: "Step 0.", tool_calls: [{ function: { arguments: { city: "Oslo" } } }] },
  { role: "tool", tool_name: "weather", content: "rain" },
  { role: "assistant", thinking: "Step 1.", tool_calls: [{ function: { arguments: { city: "Bergen" } } }] },
  { role: "tool", tool_name: "weather", content: "rain" },
];

test.each([true, false])(
  "calls tools over several turns if the client sends everything back (streamed: %s)",
  async (stream) => {
    const { fake, openai } = await start();
    const input: ResponseInputItem[] = [{ role: "user", content: prompt }];
    let text = "";
    for (let turn = 0; turn < 3; turn += 1) {
      const body = { ...request, input, store: false };
      const response = stream
        ? await openai.responses.stream(body).finalResponse()
        : await openai.responses.create(body);
      input.push(...(response.output as ResponseInputItem[]), ...outputsOf(response.output));
      text = response.output_text;
    }
    expect(text).toBe("Rain twice.");
    expect((await fake.conversation(2)).body.messages).toMatchObject(conversation);
  },
);

test.each([true, false])(
  "calls tools over several turns if the gateway keeps the conversation (streamed: %s)",
  async (stream) => {
    const { fake, openai } = await start();
    let previous: string | undefined;
    let input: string | ResponseInputItem[] = prompt;
    let text = "";
    for (let turn = 0; turn < 3; turn += 1) {
      const body = {
        ...request,
        input,
        ...(previous === undefined ? {} : { previous_response_id: previous }),
      };
      const response = stream
        ? await openai.responses.stream(body).finalResponse()
        : await openai.responses.create(body);
      previous = response.id;
      input = outputsOf(response.output);
      text = response.output_text;
    }
    expect(text).toBe("Rain twice.");
    expect((await fake.conversation(2)).body.messages).toMatchObject(conversation);
  },
);
