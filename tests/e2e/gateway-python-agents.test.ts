import { beforeAll, expect, onTestFinished, test } from "vitest";
import { startFake, startGateway } from "../../test-support/gateway/gateway-harness.ts";
import { playWeather, weatherObject } from "../../test-support/fakes/ollama/weather-model.ts";
import { pythonPackages, runPython } from "./python.ts";

const MINUTE = 60_000;

beforeAll(async () => {
  await pythonPackages("agents.txt");
  await pythonPackages("llama-index.txt");
}, 10 * MINUTE);

/** Runs a script against a fake Ollama whose models think, call tools and see. */
async function run(script: string, requirements: "agents.txt" | "llama-index.txt", names: readonly string[]) {
  const fake = await startFake();
  fake.models = ["m", ...names].map((name) => `${name}:latest`);
  playWeather(fake);
  const gateway = await startGateway(fake);
  // Keeps LiteLLM from fetching prices and the Agents SDK from sending traces.
  const env = { LITELLM_LOCAL_MODEL_COST_MAP: "True", OPENAI_AGENTS_DISABLE_TRACING: "1" };
  const outputs = JSON.parse(await runPython([script, gateway.url], env, requirements)) as Record<
    string,
    unknown
  >;
  onTestFinished(() => {
    expect(gateway.log.join("")).not.toMatch(/"status":[45]\d\d/);
  });
  /** The last conversation that was sent to a model. */
  const conversation = (model: string) =>
    fake.received
      .findLast(({ body }) => body.model === model)
      ?.body.messages.filter(({ role }) => role !== "system");
  return { fake, outputs, conversation };
}

const inBothModes = (names: readonly string[]) =>
  names.flatMap((name) => ["buffered", "streamed"].map((mode) => `${name}-${mode}`));

const toolRound = [
  { role: "assistant", tool_calls: [{ function: { name: "weather", arguments: weatherObject } }] },
  { role: "tool", content: expect.stringContaining("Rain in Oslo") as string },
];
const twoTurns = [
  { role: "user", content: "Hi" },
  ...toolRound,
  { role: "assistant", content: expect.stringContaining("It rains.") as string },
  { role: "user", content: "And now?" },
  ...toolRound,
];

test(
  "LiteLLM, LangChain, Pydantic AI and the OpenAI Agents SDK complete several turns with tools",
  { timeout: 5 * MINUTE },
  async () => {
    const withTools = inBothModes([
      "openai",
      "ollama_chat",
      "pydantic-chat",
      "pydantic-responses",
      "pydantic-ollama",
      "langchain-openai",
      "langchain-ollama",
      "agents-chat",
      "agents-responses",
    ]);
    const names = [...withTools, ...inBothModes(["ollama"])];
    const { fake, outputs, conversation } = await run("weather_agents.py", "agents.txt", names);
    const { embeddings, ...texts } = outputs;
    expect(texts).toEqual(Object.fromEntries(names.map((name) => [name, ["It rains.", "It rains."]])));
    const vectors = [
      [0.5, -0.25],
      [0.5, -0.25],
    ];
    expect(embeddings).toEqual({ openai: vectors, ollama: vectors });
    for (const name of withTools) expect([name, conversation(name)]).toMatchObject([name, twoTurns]);
    // For `ollama`, LiteLLM puts the complete conversation into one prompt.
    const generated = fake.received.filter(({ path }) => path === "/api/generate");
    expect(generated.map(({ body }) => body.model)).toEqual(expect.arrayContaining(inBothModes(["ollama"])));
  },
);

test("LlamaIndex completes several turns with tools", { timeout: 5 * MINUTE }, async () => {
  const names = inBothModes(["llama-ollama", "llama-openai"]);
  const { outputs, conversation } = await run("weather_llama_index.py", "llama-index.txt", names);
  expect(outputs).toEqual(Object.fromEntries(names.map((name) => [name, ["It rains.", "It rains."]])));
  for (const name of names) expect([name, conversation(name)]).toMatchObject([name, twoTurns]);
});
