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

/** Codex with its default settings, apart from the provider and the number of retries. */
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

/** A model that thinks, calls a tool on each user message and ends with a text. */
function callingModel(name: string, toolArguments: object): (body: OllamaChatRequest) => readonly Step[] {
  return ({ messages }) => {
    if (messages.at(-1)?.role === "tool") return [token("All"), token(" done."), last()];
    const calls = [{ function: { name, arguments: toolArguments } }];
    return [
      { line: { message: { content: "", thinking: "Let me look." }, done: false } },
      { line: { message: { content: "", tool_calls: calls }, done: false } },
      last(),
    ];
  };
}

test(
  "Codex runs the model's commands over several turns and sends back its thinking",
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
    const finalMessage = { role: "assistant", content: "All done." };
    expect(messages.slice(1)).toMatchObject([
      { role: "user", content: "List the files" },
      ...turn,
      finalMessage,
      { role: "user", content: "Again" },
      ...turn,
    ]);
    const line = await gateway.requestLine("/v1/responses");
    expect(line["status"]).toBe(200);
  },
);

test("Codex calls a namespaced tool by its own name", { timeout: 3 * MINUTE }, async () => {
  const { fake, run } = await start();
  fake.respondTo(callingModel("multi_agent_v1__close_agent", { target: "x" }));
  expect((await run("--skip-git-repo-check", "Close it")).output).toContain("All done.");
  expect((await fake.conversation(1)).body.messages.at(-1)).toMatchObject({
    role: "tool",
    tool_name: "multi_agent_v1__close_agent",
    content: expect.stringContaining("invalid agent id") as string,
  });
});

test("Codex calls a custom tool with text input", { timeout: 3 * MINUTE }, async () => {
  // Codex sends tools in this form for models that it knows.
  const { fake, run } = await start("gpt-6.2-sol");
  fake.respondTo(callingModel("exec", { input: 'text((await tools.exec_command({cmd: "ls"})).output)' }));
  expect((await run("--skip-git-repo-check", "List the files")).output).toContain("All done.");
  expect((await fake.conversation(1)).body.messages.at(-1)).toMatchObject({
    role: "tool",
    tool_name: "exec",
    content: expect.stringContaining("note.txt") as string,
  });
});

test(
  "Codex treats a failed response as a failure and shows the reason",
  { timeout: 3 * MINUTE },
  async () => {
    const { fake, run } = await start();
    fake.respondWith(token("Hel"), { waitMs: 20 }, { line: { error: "runner died" } });
    const { output, errors, exitCode } = await run("--skip-git-repo-check", "Hi");
    expect(exitCode).not.toBe(0);
    expect(output).toBe("");
    expect(errors).toContain("runner died");
  },
);
