import {
  Agent,
  OpenAIChatCompletionsModel,
  OpenAIResponsesModel,
  Runner,
  tool,
  type AgentInputItem,
} from "@openai/agents";
import {
  assertSays,
  assertUsedTool,
  type Client,
  type Endpoint,
  installedVersion,
  question,
  type Scenario,
  weather,
} from "../client.ts";
import { openaiOf } from "./openai-chat.ts";

type ModelClass = typeof OpenAIResponsesModel | typeof OpenAIChatCompletionsModel;

function scenariosOf(ModelOfApi: ModelClass): Record<string, Scenario> {
  const runner = new Runner({ tracingDisabled: true });
  const { name, description, schema, run } = weather;
  const lookUp = tool({
    name,
    description,
    parameters: schema,
    strict: true,
    execute: (given) => run(given as { city: string }),
  });
  const agentOf = (endpoint: Endpoint, tools = [lookUp]) =>
    new Agent({
      name: "Guide",
      instructions: "Be brief.",
      model: new ModelOfApi(openaiOf(endpoint), endpoint.model),
      tools,
    });
  const later: AgentInputItem = { role: "user", content: "And now?" };
  return {
    async answer(endpoint) {
      assertSays((await runner.run(agentOf(endpoint, []), question)).finalOutput, "first");
    },
    async "several turns"(endpoint) {
      const agent = agentOf(endpoint, []);
      const { history } = await runner.run(agent, question);
      assertSays((await runner.run(agent, [...history, later])).finalOutput, "again");
    },
    async tool(endpoint) {
      const agent = agentOf(endpoint);
      const first = await runner.run(agent, question);
      assertUsedTool(first.finalOutput);
      assertUsedTool((await runner.run(agent, [...first.history, later])).finalOutput);
    },
    async "streamed tool"(endpoint) {
      const result = await runner.run(agentOf(endpoint), question, { stream: true });
      await result.completed;
      assertUsedTool(result.finalOutput);
    },
  };
}

export const openaiAgents: readonly Client[] = [
  {
    name: "@openai/agents, Responses",
    version: installedVersion("@openai/agents"),
    scenarios: scenariosOf(OpenAIResponsesModel),
  },
  {
    name: "@openai/agents, Chat Completions",
    version: installedVersion("@openai/agents"),
    scenarios: scenariosOf(OpenAIChatCompletionsModel),
  },
];
