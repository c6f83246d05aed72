import { Agent, type AgentInputItem, OpenAIResponsesModel, Runner, tool } from "@openai/agents";
import { expect, test } from "vitest";
import { z } from "zod";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

async function start() {
  const fake = await startFake();
  const { openai } = await startGateway(fake);
  fake.respondTo(({ messages, stream }) => {
    const isNewTurn = messages.at(-1)?.role === "user";
    const calls = [{ function: { name: "weather", arguments: { city: "Oslo" } } }];
    const message = isNewTurn
      ? { content: "", thinking: "Hm.", tool_calls: calls }
      : { content: "It rains.", thinking: "So." };
    return stream ? [{ line: { message, done: false } }, last()] : [last({ message })];
  });
  const weather = tool({
    name: "weather",
    description: "The weather in a city",
    parameters: z.object({ city: z.string() }),
    execute: ({ city }) => `Rain in ${city}`,
  });
  const agent = new Agent({
    name: "Guide",
    instructions: "Be brief.",
    model: new OpenAIResponsesModel(openai, "m"),
    tools: [weather],
  });
  return { fake, agent, runner: new Runner({ tracingDisabled: true }) };
}

const user = (content: string): AgentInputItem => ({ role: "user", content });

const conversation = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Hi" },
  { role: "assistant", thinking: "Hm.", tool_calls: [{ function: { arguments: { city: "Oslo" } } }] },
  { role: "tool", content: "Rain in Oslo" },
  { role: "assistant", content: "It rains.", thinking: "So." },
  { role: "user", content: "And now?" },
];

test("an agent calls its tools over several turns, with its history", async () => {
  const { fake, agent, runner } = await start();
  const first = await runner.run(agent, "Hi");
  expect(first.finalOutput).toBe("It rains.");
  const second = await runner.run(agent, [...first.history, user("And now?")]);
  expect(second.finalOutput).toBe("It rains.");
  expect((await fake.conversation(2)).body.messages).toMatchObject(conversation);
});

test("an agent continues from the stored response", async () => {
  const { fake, agent, runner } = await start();
  const first = await runner.run(agent, "Hi");
  const previous = first.lastResponseId;
  expect(previous).toMatch(/^resp_/);
  const second = await runner.run(agent, "And now?", {
    ...(previous === undefined ? {} : { previousResponseId: previous }),
  });
  expect(second.finalOutput).toBe("It rains.");
  expect((await fake.conversation(2)).body.messages).toMatchObject(conversation);
});

test("an agent streams over several turns", async () => {
  const { fake, agent, runner } = await start();
  const first = await runner.run(agent, "Hi", { stream: true });
  let text = "";
  for await (const event of first)
    if (event.type === "raw_model_stream_event" && event.data.type === "output_text_delta")
      text += event.data.delta;
  expect(text).toBe("It rains.");
  const second = await runner.run(agent, [...first.history, user("And now?")], { stream: true });
  await second.completed;
  expect(second.finalOutput).toBe("It rains.");
  expect((await fake.conversation(2)).body.messages).toMatchObject(conversation);
});
