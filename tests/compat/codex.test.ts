import { beforeAll, expect, onTestFinished, test } from "vitest";
import { codexProgram, startCodex } from "../../compat/clients/codex.ts";
import { install } from "../../compat/clients/program.ts";
import type { OllamaChatRequest } from "../../gateway/src/ollama/types.ts";
import { type Step, last, token } from "../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../test-support/gateway/gateway-harness.ts";

const MINUTE = 60_000;

beforeAll(async () => {
  await install(codexProgram);
}, 10 * MINUTE);

/** Codex with its default settings, apart from the provider and how often it tries again. */
async function start(model = "m") {
  const fake = await startFake();
  fake.capabilities = ["completion", "tools", "thinking"];
  fake.models = [`${model}:latest`];
  const gateway = await startGateway(fake);
  const codex = await startCodex({ url: gateway.url, model });
  onTestFinished(() => {
    codex.remove();
  });
  return { fake, gateway, run: codex.run };
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
    fake.respondTo(callingModel("exec_command", { cmd: "ls" }));
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
  fake.respondTo(callingModel("multi_agent_v1__close_agent", { target: "x" }));
  expect((await run("--skip-git-repo-check", "Close it")).output).toContain("All done.");
  expect((await fake.conversation(1)).body.messages.at(-1)).toMatchObject({
    role: "tool",
    tool_name: "multi_agent_v1__close_agent",
    content: expect.stringContaining("invalid agent id") as string,
  });
});

test("a custom tool that the input brings is called with text", { timeout: 3 * MINUTE }, async () => {
  // Codex sends the tools of the models that it knows in this way.
  const { fake, run } = await start("gpt-6.2-sol");
  fake.respondTo(callingModel("exec", { input: 'text((await tools.exec_command({cmd: "ls"})).output)' }));
  expect((await run("--skip-git-repo-check", "List the files")).output).toContain("All done.");
  expect((await fake.conversation(1)).body.messages.at(-1)).toMatchObject({
    role: "tool",
    tool_name: "exec",
    content: expect.stringContaining("note.txt") as string,
  });
});

test("Codex takes a response that failed for a failure, and shows why", { timeout: 3 * MINUTE }, async () => {
  const { fake, run } = await start();
  fake.respondWith(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
  const { output, errors, exitCode } = await run("--skip-git-repo-check", "Hi");
  expect(exitCode).not.toBe(0);
  expect(output).toBe("");
  expect(errors).toContain("runner died");
});
