import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { installedProgram, runProgram } from "../../test-support/client-program.ts";
import { last, type Step, token } from "../../test-support/fake-ollama.ts";
import { startFake, startGateway } from "../../test-support/gateway-harness.ts";

const VERSION = "2.1.332";
const MINUTE = 60_000;

let claude = "";

beforeAll(async () => {
  claude = await installedProgram("@anthropic-ai/claude-code", VERSION, "claude");
}, 10 * MINUTE);

/** Claude Code with its default settings, apart from where it finds the service. */
async function start(capabilities: string[]) {
  const fake = await startFake();
  fake.capabilities = capabilities;
  const gateway = await startGateway(fake);
  const home = mkdtempSync(join(tmpdir(), "claude-home-"));
  const folder = mkdtempSync(join(tmpdir(), "claude-work-"));
  onTestFinished(() => {
    for (const each of [home, folder]) rmSync(each, { recursive: true, force: true });
  });
  writeFileSync(join(folder, "note.txt"), "hello");
  const run = (...args: string[]) =>
    runProgram(claude, ["-p", ...args, "--allowedTools", "Bash"], {
      cwd: folder,
      env: {
        PATH: process.env["PATH"],
        HOME: home,
        // It refuses to run commands as root elsewhere.
        IS_SANDBOX: "1",
        ANTHROPIC_BASE_URL: gateway.url,
        ANTHROPIC_AUTH_TOKEN: "none",
        ANTHROPIC_MODEL: "m",
        ANTHROPIC_DEFAULT_HAIKU_MODEL: "m",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      },
    });
  return { fake, gateway, run };
}

const listing: readonly Step[] = [
  {
    line: {
      message: {
        content: "",
        tool_calls: [{ function: { name: "Bash", arguments: { command: "ls", description: "List" } } }],
      },
      done: false,
    },
  },
  last(),
];

test.each([
  ["can think", ["completion", "tools", "thinking"]],
  ["cannot think", ["completion", "tools"]],
])(
  "Claude Code runs commands of a model that %s, turn after turn",
  { timeout: 3 * MINUTE },
  async (_, capabilities) => {
    const { fake, gateway, run } = await start(capabilities);
    fake.answersEach(({ messages, tools = [] }) => {
      // Small requests beside the conversation, such as for its title, have no tools.
      if (tools.length === 0 || messages.at(-1)?.role === "tool")
        return [token("All"), token(" done."), last()];
      return listing;
    });
    const first = await run("List the files");
    expect(first.output, first.errors).toContain("All done.");
    expect((await run("--continue", "Again")).output).toContain("All done.");
    const results = fake.received.flatMap(({ body }) => body.messages.filter(({ role }) => role === "tool"));
    expect(results.length).toBeGreaterThan(2);
    for (const { content } of results) expect(content).toContain("note.txt");
    const line = await gateway.requestLine("/v1/messages");
    expect(line["status"]).toBe(200);
    expect(gateway.log.join("")).not.toMatch(/"route":"\/v1\/messages","status":[45]/);
  },
);
