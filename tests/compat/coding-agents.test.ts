import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { codingAgents, startAgent } from "../../compat/clients/coding-agents.ts";
import { install } from "../../compat/clients/program.ts";
import type { OllamaChatRequest } from "../../gateway/src/ollama/types.ts";
import { last, type Step, token } from "../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../test-support/gateway/gateway-harness.ts";

const MINUTE = 60_000;

describe.each(codingAgents)("$title", (agent) => {
  beforeAll(async () => {
    await install(agent);
  }, 10 * MINUTE);

  async function start() {
    const fake = await startFake();
    fake.capabilities = ["completion", "tools"];
    const gateway = await startGateway(fake);
    const started = await startAgent(agent, { url: gateway.url, model: "m" });
    onTestFinished(() => {
      started.remove();
    });
    return { fake, gateway, run: started.run };
  }

  /** A model that runs `ls` on each user message. Auxiliary requests have no tools. */
  const listing = ({ messages, tools = [], stream }: OllamaChatRequest): Step[] => {
    const calls = [{ function: { name: agent.shell, arguments: { command: "ls", description: "List" } } }];
    const hasShell = tools.some((tool) => JSON.stringify(tool).includes(`"${agent.shell}"`));
    if (!hasShell || messages.at(-1)?.role === "tool") {
      return stream
        ? [token("All"), token(" done."), last()]
        : [last({ message: { role: "assistant", content: "All done." } })];
    }
    const message = { role: "assistant", content: "", tool_calls: calls };
    return stream ? [{ line: { message, done: false } }, last()] : [last({ message })];
  };

  test("runs the model's commands over several turns", { timeout: 6 * MINUTE }, async () => {
    const { fake, gateway, run } = await start();
    fake.respondTo(listing);
    const first = await run("List the files", false);
    expect(first.output, first.errors).toContain("All done.");
    const second = await run("Again", true);
    expect(second.output, second.errors).toContain("All done.");
    const results = fake.received.flatMap(({ body }) => body.messages.filter(({ role }) => role === "tool"));
    // One result in the first turn; the second sends it twice more, with one of its own.
    expect(results.length).toBeGreaterThan(2);
    for (const { content } of results) expect(content).toContain("note.txt");
    expect((await gateway.requestLine(agent.route))["status"]).toBe(200);
    const ended = gateway.log.filter((line) => line.includes(`"route":"${agent.route}","status":`));
    expect(ended.join("")).not.toMatch(/"status":[45]/);
  });
});
