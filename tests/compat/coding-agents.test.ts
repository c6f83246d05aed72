import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { OllamaChatRequest } from "../../gateway/src/ollama/types.ts";
import { launches } from "../../scripts/connect/client-launches.ts";
import { type Endpoint, recipes } from "../../scripts/connect/client-recipes.ts";
import { installedProgram, runProgram } from "../../test-support/client-program.ts";
import { last, type Step, token } from "../../test-support/fake-ollama.ts";
import { startFake, startGateway } from "../../test-support/gateway-harness.ts";

const MINUTE = 60_000;

interface Place {
  readonly endpoint: Endpoint;
  readonly folder: string;
  readonly home: string;
}

interface CodingAgent {
  readonly title: string;
  readonly package: string;
  readonly bin: string;
  readonly route: string;
  /** Its tool that runs commands. */
  readonly shell: string;
  /** Writes its settings, and returns its variables. */
  readonly set: (place: Place) => Readonly<Record<string, string>>;
  readonly args: (prompt: string, place: Place, continues: boolean) => readonly string[];
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

/** The version of a program that its recipe names. */
function testedVersion(name: string): string {
  const tested = recipes.flatMap((recipe) => recipe.tested ?? []);
  const version = tested.find((each) => each.kind === "program" && each.name === name)?.version;
  if (version === undefined) throw new Error(`No recipe is tested with the program ${name}.`);
  return version;
}

/** @param more what differs from the recipe */
function copilot(
  title: string,
  route: string,
  more: (endpoint: Endpoint) => Readonly<Record<string, string>>,
): CodingAgent {
  return {
    title,
    package: "@github/copilot",
    bin: "copilot",
    route,
    shell: "bash",
    set: ({ endpoint }) => ({ ...recipeVariables("GitHub Copilot CLI", endpoint), ...more(endpoint) }),
    args: (prompt, _, continues) => [
      ...(continues ? ["--continue"] : []),
      ...["--allow-all-tools", "--silent", "-p", prompt],
    ],
  };
}

const codingAgents: readonly CodingAgent[] = [
  {
    title: "opencode",
    package: "opencode-ai",
    bin: "opencode",
    route: "/v1/chat/completions",
    shell: "bash",
    set: ({ endpoint, folder }) => {
      writeFileSync(join(folder, "opencode.json"), recipeLines("opencode", endpoint).join("\n"));
      // Nothing is fetched that the test is not about.
      return { OPENCODE_DISABLE_MODELS_FETCH: "1", OPENCODE_DISABLE_AUTOUPDATE: "1" };
    },
    args: (prompt, _, continues) => ["run", ...(continues ? ["--continue"] : []), prompt],
  },
  {
    title: "Continue CLI",
    package: "@continuedev/cli",
    bin: "cn",
    route: "/v1/chat/completions",
    shell: "Bash",
    set: ({ endpoint, home }) => {
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
  copilot("GitHub Copilot CLI by the Responses API", "/v1/responses", () => ({
    COPILOT_PROVIDER_WIRE_API: "responses",
  })),
  copilot("GitHub Copilot CLI by Anthropic's API", "/v1/messages", ({ url }) => ({
    COPILOT_PROVIDER_TYPE: "anthropic",
    COPILOT_PROVIDER_BASE_URL: url,
  })),
  {
    title: "Qwen Code",
    package: "@qwen-code/qwen-code",
    bin: "qwen",
    route: "/v1/chat/completions",
    shell: "run_shell_command",
    set: ({ endpoint }) => launches["qwen"]?.(endpoint, undefined).env ?? {},
    args: (prompt, { endpoint }, continues) => [
      ...(launches["qwen"]?.(endpoint, undefined).args ?? []),
      "--yolo",
      ...(continues ? ["--continue"] : []),
      prompt,
    ],
  },
];

describe.each(codingAgents)("$title", (agent) => {
  let program = "";
  beforeAll(async () => {
    program = await installedProgram(agent.package, testedVersion(agent.package), agent.bin);
  }, 10 * MINUTE);

  /** The program with the settings of its recipe. */
  async function start() {
    const fake = await startFake();
    fake.capabilities = ["completion", "tools"];
    const gateway = await startGateway(fake);
    const home = mkdtempSync(join(tmpdir(), "agent-home-"));
    const folder = mkdtempSync(join(tmpdir(), "agent-work-"));
    onTestFinished(() => {
      for (const each of [home, folder]) rmSync(each, { recursive: true, force: true });
    });
    writeFileSync(join(folder, "note.txt"), "hello");
    const place = {
      endpoint: { url: gateway.url, model: "m", needsKey: false, contextLength: 65_536 },
      folder,
      home,
    };
    const env = { PATH: process.env["PATH"], HOME: home, NO_COLOR: "1", ...agent.set(place) };
    const run = (prompt: string, continues: boolean) =>
      runProgram(program, agent.args(prompt, place, continues), { cwd: folder, env });
    return { fake, gateway, run };
  }

  /** A model that runs `ls` on each message of the user. Small requests beside the conversation have no tools. */
  const listing = ({ messages, tools = [], stream }: OllamaChatRequest): Step[] => {
    const calls = [{ function: { name: agent.shell, arguments: { command: "ls", description: "List" } } }];
    const called = tools.some((tool) => JSON.stringify(tool).includes(`"${agent.shell}"`));
    if (!called || messages.at(-1)?.role === "tool") {
      return stream
        ? [token("All"), token(" done."), last()]
        : [last({ message: { role: "assistant", content: "All done." } })];
    }
    const message = { role: "assistant", content: "", tool_calls: calls };
    return stream ? [{ line: { message, done: false } }, last()] : [last({ message })];
  };

  test("runs commands of a model, turn after turn", { timeout: 6 * MINUTE }, async () => {
    const { fake, gateway, run } = await start();
    fake.answersEach(listing);
    const first = await run("List the files", false);
    expect(first.output, first.errors).toContain("All done.");
    const second = await run("Again", true);
    expect(second.output, second.errors).toContain("All done.");
    const results = fake.received.flatMap(({ body }) => body.messages.filter(({ role }) => role === "tool"));
    // One of the first turn, and in the second that one twice more with one of its own.
    expect(results.length).toBeGreaterThan(2);
    for (const { content } of results) expect(content).toContain("note.txt");
    expect((await gateway.requestLine(agent.route))["status"]).toBe(200);
    const ended = gateway.log.filter((line) => line.includes(`"route":"${agent.route}","status":`));
    expect(ended.join("")).not.toMatch(/"status":[45]/);
  });
});
