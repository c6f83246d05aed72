import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { launches } from "../../scripts/connect/client-launches.ts";
import { type Endpoint, recipes } from "../../scripts/connect/client-recipes.ts";
import { assertUsedTool, type Client } from "../client.ts";
import { createWorkplace } from "./program.ts";

const CONTEXT = 65_536;

export interface AgentContext {
  readonly endpoint: Endpoint;
  readonly folder: string;
  readonly home: string;
}

export interface CodingAgent {
  readonly title: string;
  readonly package: string;
  readonly version: string;
  readonly bin: string;
  readonly route: string;
  /** The name of its tool that runs commands. */
  readonly shell: string;
  /** Writes its settings and returns its environment variables. */
  readonly configure: (context: AgentContext) => Readonly<Record<string, string>>;
  readonly args: (prompt: string, context: AgentContext, continues: boolean) => readonly string[];
}

/** The lines of a client's recipe. */
function recipeLines(title: string, endpoint: Endpoint): string[] {
  const found = recipes.find((each) => each.title === title);
  if (found === undefined) throw new Error(`There is no recipe for ${title}.`);
  return [...found.lines(endpoint)];
}

/** The variables that a recipe for a shell sets. */
function recipeVariables(title: string, endpoint: Endpoint): Record<string, string> {
  const pairs = recipeLines(title, endpoint).flatMap((line) => [
    ...line.replace(/#.*$/, "").matchAll(/(\w+)=(\S+)/g),
  ]);
  return Object.fromEntries(pairs.map(([, name = "", value = ""]) => [name, value]));
}

/** The version that the recipe of a program was tested with. */
function testedVersion(name: string): string {
  const tested = recipes.flatMap((recipe) => recipe.tested ?? []);
  const version = tested.find((each) => each.kind === "program" && each.name === name)?.version;
  if (version === undefined) throw new Error(`No recipe is tested with the program ${name}.`);
  return version;
}

/** @param more variables in addition to the recipe */
function copilot(
  title: string,
  route: string,
  more: (endpoint: Endpoint) => Readonly<Record<string, string>>,
): CodingAgent {
  return {
    title,
    package: "@github/copilot",
    version: testedVersion("@github/copilot"),
    bin: "copilot",
    route,
    shell: "bash",
    configure: ({ endpoint }) => ({ ...recipeVariables("GitHub Copilot CLI", endpoint), ...more(endpoint) }),
    args: (prompt, _, continues) => [
      ...(continues ? ["--continue"] : []),
      ...["--allow-all-tools", "--silent", "-p", prompt],
    ],
  };
}

export const codingAgents: readonly CodingAgent[] = [
  {
    title: "opencode",
    package: "opencode-ai",
    version: testedVersion("opencode-ai"),
    bin: "opencode",
    route: "/v1/chat/completions",
    shell: "bash",
    configure: ({ endpoint, folder }) => {
      writeFileSync(join(folder, "opencode.json"), recipeLines("opencode", endpoint).join("\n"));
      // Prevents downloads that the test does not need.
      return { OPENCODE_DISABLE_MODELS_FETCH: "1", OPENCODE_DISABLE_AUTOUPDATE: "1" };
    },
    args: (prompt, _, continues) => ["run", ...(continues ? ["--continue"] : []), prompt],
  },
  {
    title: "Continue CLI",
    package: "@continuedev/cli",
    version: testedVersion("@continuedev/cli"),
    bin: "cn",
    route: "/v1/chat/completions",
    shell: "Bash",
    configure: ({ endpoint, home }) => {
      const head = ["name: test", "version: 1.0.0", "schema: v1", "models:"];
      const models = recipeLines("Continue", endpoint).map((line) => `  ${line}`);
      writeFileSync(join(home, "config.yaml"), [...head, ...models].join("\n"));
      return { CONTINUE_TELEMETRY_ENABLED: "0" };
    },
    args: (prompt, { home }, continues) => [
      ...["--config", join(home, "config.yaml"), "--auto"],
      ...(continues ? ["--resume"] : []),
      ...["-p", prompt],
    ],
  },
  copilot("GitHub Copilot CLI", "/v1/chat/completions", () => ({})),
  copilot("GitHub Copilot CLI with the Responses API", "/v1/responses", () => ({
    COPILOT_PROVIDER_WIRE_API: "responses",
  })),
  copilot("GitHub Copilot CLI with Anthropic's API", "/v1/messages", ({ url }) => ({
    COPILOT_PROVIDER_TYPE: "anthropic",
    COPILOT_PROVIDER_BASE_URL: url,
  })),
  {
    title: "Qwen Code",
    package: "@qwen-code/qwen-code",
    version: testedVersion("@qwen-code/qwen-code"),
    bin: "qwen",
    route: "/v1/chat/completions",
    shell: "run_shell_command",
    configure: ({ endpoint }) => launches["qwen"]?.(endpoint, undefined).env ?? {},
    args: (prompt, { endpoint }, continues) => [
      ...(launches["qwen"]?.(endpoint, undefined).args ?? []),
      "--yolo",
      ...(continues ? ["--continue"] : []),
      prompt,
    ],
  },
];

/** A coding agent with the settings of its recipe. */
export async function startAgent(agent: CodingAgent, { url, model }: Pick<Endpoint, "url" | "model">) {
  const workplace = await createWorkplace(agent);
  const { folder, home, remove } = workplace;
  const endpoint = { url, model, needsKey: false, contextLength: CONTEXT };
  const context: AgentContext = { endpoint, folder, home };
  const env = { NO_COLOR: "1", ...agent.configure(context) };
  const run = (prompt: string, continues: boolean) =>
    workplace.run(agent.args(prompt, context, continues), env);
  return { folder, home, run, remove };
}

async function runCommands(agent: CodingAgent, endpoint: Pick<Endpoint, "url" | "model">): Promise<void> {
  const started = await startAgent(agent, endpoint);
  try {
    for (const [prompt, continues] of [
      ["List the files", false],
      ["Again", true],
    ] as const) {
      const { output, errors, exitCode } = await started.run(prompt, continues);
      assert.equal(exitCode, 0, `${output} ${errors}`);
      assertUsedTool(output.trim().split("\n").at(-1)?.trim());
    }
    assert.ok(existsSync(join(started.folder, "listing.txt")), "it did not run the command");
  } finally {
    started.remove();
  }
}

export const codingAgentClients: readonly Client[] = codingAgents.map((agent) => ({
  name: agent.title,
  version: agent.version,
  timeoutMs: 180_000,
  scenarios: { "commands over several turns": (endpoint) => runCommands(agent, endpoint) },
}));
