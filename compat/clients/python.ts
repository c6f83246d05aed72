import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Requirements, runPython } from "../../tests/e2e/python.ts";
import type { Client, Endpoint, Scenario } from "../client.ts";
import { type Reply, replies, textOf } from "../model/script.ts";

type Outcomes = Readonly<Record<string, Readonly<Record<string, string | null>>>>;

const folder = join(import.meta.dirname, "..", "python");
const pinFolder = join(import.meta.dirname, "..", "..", "tests", "e2e", "python");
const texts = JSON.stringify(
  Object.fromEntries((Object.keys(replies) as Reply[]).map((reply) => [reply, textOf(reply)])),
);

/** Runs all scenarios of a Python module with an endpoint in one process, because Python is slow to start. */
class ScenarioModule {
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
      // Keeps packages from fetching prices and sending traces.
      const env = { LITELLM_LOCAL_MODEL_COST_MAP: "True", OPENAI_AGENTS_DISABLE_TRACING: "1" };
      outcomes = runPython(args, env, this.#requirements).then(parseLastLine);
      this.#outcomes.set(url, outcomes);
    }
    return outcomes;
  }
}

/** Some packages print advice before the result. */
function parseLastLine(text: string): Outcomes {
  return JSON.parse(text.trim().split("\n").at(-1) ?? "") as Outcomes;
}

function pinnedVersion(requirements: string, packageName: string): string {
  const pins = readFileSync(join(pinFolder, requirements), "utf8");
  const line = pins.split("\n").find((each) => each.replace(/\[.*\]/, "").startsWith(`${packageName}==`));
  return line?.split("==")[1] ?? "";
}

function clientOf(
  module: ScenarioModule,
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
const basics = ["response", "stream", "several turns", "tool", "structured output", "embeddings", "models"];
const chats = [
  "response",
  "stream",
  "several turns",
  "tool",
  "streamed tool",
  "structured output",
  "embeddings",
];
// The provider for /api/generate converts a conversation to a single prompt.
const generates = ["response", "stream", "structured output", "embeddings"];
const agentTurns = ["tool over two turns", "streamed tool over two turns"];

/** The Python modules with their pins; each client has a title, a package and scenarios. */
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
    const module = new ScenarioModule(name, requirements);
    return Object.entries(clients).map(([key, [title, packageName, scenarios]]) =>
      clientOf(module, key, scenarios, {
        name: title,
        version: pinnedVersion(requirements, packageName),
        ...slow,
      }),
    );
  },
);
