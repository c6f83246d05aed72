import {
  Agent,
  OpenAIChatCompletionsModel,
  OpenAIResponsesModel,
  Runner,
  tool,
  type AgentInputItem,
} from "@openai/agents";
import {
  assertReply,
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
    execute: (args) => run(args as { city: string }),
  });
  const agentOf = (endpoint: Endpoint, tools = [lookUp]) =>
    new Agent({
      name: "Guide",
      instructions: "Be brief.",
      model: new ModelOfApi(openaiOf(endpoint), endpoint.model),
      tools,
    });
  const nextMessage: AgentInputItem = { role: "user", content: "And now?" };
  return {
    async response(endpoint) {
      assertReply((await runner.run(agentOf(endpoint, []), question)).finalOutput, "first");
    },
    async "several turns"(endpoint) {
      const agent = agentOf(endpoint, []);
      const { history } = await runner.run(agent, question);
      assertReply((await runner.run(agent, [...history, nextMessage])).finalOutput, "again");
    },
    async tool(endpoint) {
      const agent = agentOf(endpoint);
      const first = await runner.run(agent, question);
      assertUsedTool(first.finalOutput);
      assertUsedTool((await runner.run(agent, [...first.history, nextMessage])).finalOutput);
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
