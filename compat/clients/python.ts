import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Requirements, runPython } from "../../tests/e2e/python.ts";
import type { Client, Endpoint, Scenario } from "../client.ts";
import { type Reply, says, textOf } from "../model/script.ts";

type Outcomes = Readonly<Record<string, Readonly<Record<string, string | null>>>>;

const folder = join(import.meta.dirname, "..", "python");
const pinFolder = join(import.meta.dirname, "..", "..", "tests", "e2e", "python");
const texts = JSON.stringify(
  Object.fromEntries((Object.keys(says) as Reply[]).map((reply) => [reply, textOf(reply)])),
);

/** What came of the scenarios of a module with an endpoint: they run in one process, which is slow to start. */
class Module {
  readonly #name: string;
  readonly #requirements: Requirements;
  readonly #outcomes = new Map<string, Promise<Outcomes>>();

  constructor(name: string, requirements: Requirements) {
    this.#name = name;
    this.#requirements = requirements;
  }

  outcomes({ url, model }: Endpoint): Promise<Outcomes> {
    let outcomes = this.#outcomes.get(url);
    if (outcomes === undefined) {
      const args = [join(folder, "run.py"), this.#name, url, model, texts];
      // Prices and traces that packages would fetch and send.
      const env = { LITELLM_LOCAL_MODEL_COST_MAP: "True", OPENAI_AGENTS_DISABLE_TRACING: "1" };
      outcomes = runPython(args, env, this.#requirements).then(lastLine);
      this.#outcomes.set(url, outcomes);
    }
    return outcomes;
  }
}

/** Some packages print advice of their own before it. */
function lastLine(text: string): Outcomes {
  return JSON.parse(text.trim().split("\n").at(-1) ?? "") as Outcomes;
}

function pinnedVersion(requirements: string, packageName: string): string {
  const pins = readFileSync(join(pinFolder, requirements), "utf8");
  const line = pins.split("\n").find((each) => each.replace(/\[.*\]/, "").startsWith(`${packageName}==`));
  return line?.split("==")[1] ?? "";
}

function clientOf(
  module: Module,
  key: string,
  scenarios: readonly string[],
  rest: Omit<Client, "scenarios">,
) {
  const run = (scenario: string): Scenario => {
    return async (endpoint) => {
      const outcome = (await module.outcomes(endpoint))[key]?.[scenario];
      assert.notEqual(outcome, undefined, "it did not run");
      if (outcome !== null) throw new Error(outcome);
    };
  };
  return { ...rest, scenarios: Object.fromEntries(scenarios.map((each) => [each, run(each)])) };
}

const slow = { timeoutMs: 300_000 };
const basics = ["answer", "stream", "several turns", "tool", "structured output", "embeddings", "models"];
const chats = [
  "answer",
  "stream",
  "several turns",
  "tool",
  "streamed tool",
  "structured output",
  "embeddings",
];
// Its provider for /api/generate makes one prompt of a conversation.
const generates = ["answer", "stream", "structured output", "embeddings"];
const agentTurns = ["tool, over two turns", "streamed tool, over two turns"];

/** Of each module: its pins, and of each of its clients what it is called, its package, and its scenarios. */
const modules: Readonly<
  Record<
    string,
    {
      readonly requirements: Requirements;
      readonly clients: Readonly<Record<string, readonly [string, string, readonly string[]]>>;
    }
  >
> = {
  sdks: {
    requirements: "requirements.txt",
    clients: {
      openai: ["openai (Python)", "openai", [...basics, "streamed tool", "streamed response"]],
      ollama: ["ollama (Python)", "ollama", basics],
    },
  },
  frameworks: {
    requirements: "agents.txt",
    clients: {
      "litellm openai": ["LiteLLM, openai", "litellm", chats],
      "litellm ollama_chat": ["LiteLLM, ollama_chat", "litellm", chats],
      "litellm ollama": ["LiteLLM, ollama", "litellm", generates],
      "pydantic chat": ["Pydantic AI, Chat Completions", "pydantic-ai-slim", agentTurns],
      "pydantic responses": ["Pydantic AI, Responses", "pydantic-ai-slim", agentTurns],
      "pydantic ollama": ["Pydantic AI, Ollama's provider", "pydantic-ai-slim", agentTurns],
      "agents chat": ["openai-agents (Python), Chat Completions", "openai-agents", agentTurns],
      "agents responses": ["openai-agents (Python), Responses", "openai-agents", agentTurns],
    },
  },
  llama: {
    requirements: "llama-index.txt",
    clients: {
      ollama: ["LlamaIndex, Ollama", "llama-index-llms-ollama", [...chats.slice(0, 3), ...agentTurns]],
      openai: [
        "LlamaIndex, OpenAILike",
        "llama-index-llms-openai-like",
        [...chats.slice(0, 3), ...agentTurns],
      ],
    },
  },
};

export const python: readonly Client[] = Object.entries(modules).flatMap(
  ([name, { requirements, clients }]) => {
    const module = new Module(name, requirements);
    return Object.entries(clients).map(([key, [title, packageName, scenarios]]) =>
      clientOf(module, key, scenarios, {
        name: title,
        version: pinnedVersion(requirements, packageName),
        ...slow,
      }),
    );
  },
);
