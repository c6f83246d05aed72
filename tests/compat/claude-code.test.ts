import { beforeAll, expect, onTestFinished, test } from "vitest";
import { claudeProgram, startClaude } from "../../compat/clients/claude-code.ts";
import { install } from "../../compat/clients/program.ts";
import { last, type Step, token } from "../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../test-support/gateway/gateway-harness.ts";

const MINUTE = 60_000;

beforeAll(async () => {
  await install(claudeProgram);
}, 10 * MINUTE);

/** Claude Code with its default settings, apart from the service's address. */
async function start(capabilities: string[]) {
  const fake = await startFake();
  fake.capabilities = capabilities;
  const gateway = await startGateway(fake);
  const claude = await startClaude({ url: gateway.url, model: "m" });
  onTestFinished(() => {
    claude.remove();
  });
  return { fake, gateway, run: claude.run };
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
  "Claude Code runs the commands of a model that %s over several turns",
  { timeout: 3 * MINUTE },
  async (_, capabilities) => {
    const { fake, gateway, run } = await start(capabilities);
    fake.respondTo(({ messages, tools = [] }) => {
      // Auxiliary requests, such as for the conversation's title, have no tools.
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
