import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import type { OllamaChatRequest } from "../../gateway/src/ollama/types.ts";
import { installedProgram, runProgram } from "../../test-support/client-program.ts";
import { type Step, last, token } from "../../test-support/fake-ollama.ts";
import { startFake, startGateway } from "../../test-support/gateway-harness.ts";

const VERSION = "0.171.0";
const MINUTE = 60_000;

let codex = "";

beforeAll(async () => {
  codex = await installedProgram("@openai/codex", VERSION, "codex");
}, 10 * MINUTE);

/** Codex with its default settings, apart from the provider and how often it tries again. */
async function start(environment: Record<string, string> = {}) {
  const fake = await startFake();
  fake.capabilities = ["completion", "tools", "thinking"];
  const gateway = await startGateway(fake, environment);
  const home = mkdtempSync(join(tmpdir(), "codex-home-"));
  const folder = mkdtempSync(join(tmpdir(), "codex-work-"));
  onTestFinished(() => {
    for (const each of [home, folder]) rmSync(each, { recursive: true, force: true });
  });
  writeFileSync(join(folder, "note.txt"), "hello");
  writeFileSync(
    join(home, "config.toml"),
    [
      'model = "m"',
      'model_provider = "gateway"',
      "[model_providers.gateway]",
      'name = "gateway"',
      `base_url = "${gateway.url}/v1"`,
      'wire_api = "responses"',
      "request_max_retries = 0",
      "stream_max_retries = 0",
    ].join("\n"),
  );
  const run = (...args: string[]) =>
    runProgram(codex, ["exec", ...args], {
      cwd: folder,
      env: { ...process.env, CODEX_HOME: home, NO_COLOR: "1" },
    });
  return { fake, gateway, run };
}

/** A model that thinks, calls a tool on each message of the user, and ends with a text. */
function callingModel(name: string, given: object): (body: OllamaChatRequest) => readonly Step[] {
  return ({ messages }) => {
    if (messages.at(-1)?.role === "tool") return [token("All"), token(" done."), last()];
    const calls = [{ function: { name, arguments: given } }];
    return [
      { line: { message: { content: "", thinking: "Let me look." }, done: false } },
      { line: { message: { content: "", tool_calls: calls }, done: false } },
      last(),
    ];
  };
}

test(
  "Codex runs the model's commands, turn after turn, and returns its thinking",
  { timeout: 3 * MINUTE },
  async () => {
    const { fake, gateway, run } = await start();
    fake.answersEach(callingModel("exec_command", { cmd: "ls" }));
    expect((await run("--skip-git-repo-check", "List the files")).output).toContain("All done.");
    expect((await run("resume", "--last", "--skip-git-repo-check", "Again")).output).toContain("All done.");
    const messages = (await fake.conversation(3)).body.messages.filter(({ role }) => role !== "system");
    const call = { function: { name: "exec_command", arguments: { cmd: "ls" } } };
    const turn = [
      { role: "assistant", thinking: "Let me look.", tool_calls: [call] },
      { role: "tool", content: expect.stringContaining("note.txt") as string, tool_name: "exec_command" },
    ];
    const answered = { role: "assistant", content: "All done." };
    expect(messages.slice(1)).toMatchObject([
      { role: "user", content: "List the files" },
      ...turn,
      answered,
      { role: "user", content: "Again" },
      ...turn,
    ]);
    const line = await gateway.requestLine("/v1/responses");
    expect(line["status"]).toBe(200);
  },
);

test("a tool of a namespace is called under its own name", { timeout: 3 * MINUTE }, async () => {
  const { fake, run } = await start();
  fake.answersEach(callingModel("multi_agent_v1__close_agent", { target: "x" }));
  expect((await run("--skip-git-repo-check", "Close it")).output).toContain("All done.");
  expect((await fake.conversation(1)).body.messages.at(-1)).toMatchObject({
    role: "tool",
    tool_name: "multi_agent_v1__close_agent",
    content: expect.stringContaining("invalid agent id") as string,
  });
});

test("a custom tool that the input brings is called with text", { timeout: 3 * MINUTE }, async () => {
  // Codex sends the tools of the models that it knows in this way.
  const model = "gpt-6.2-sol";
  const { fake, run } = await start();
  fake.models = [`${model}:latest`];
  fake.answersEach(callingModel("exec", { input: 'text((await tools.exec_command({cmd: "ls"})).output)' }));
  expect((await run("--skip-git-repo-check", "-m", model, "List the files")).output).toContain("All done.");
  expect((await fake.conversation(1)).body.messages.at(-1)).toMatchObject({
    role: "tool",
    tool_name: "exec",
    content: expect.stringContaining("note.txt") as string,
  });
});

test("Codex takes a response that failed for a failure", { timeout: 3 * MINUTE }, async () => {
  const { fake, run } = await start();
  fake.answers(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
  const { output, errors, exitCode } = await run("--skip-git-repo-check", "Hi");
  expect(exitCode).not.toBe(0);
  expect(output).toBe("");
  expect(errors).toContain("stream disconnected before completion");
});
