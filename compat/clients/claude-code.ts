import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { launches } from "../../scripts/connect/client-launches.ts";
import { assertUsedTool, type Client, type Endpoint } from "../client.ts";
import { type StartedProgram, createWorkplace } from "./program.ts";

export const claudeProgram = {
  package: "@anthropic-ai/claude-code",
  version: "2.1.332",
  bin: "claude",
} as const;

/** Claude Code as `npm run client -- claude` starts it, with permission to run commands. */
export async function startClaude({ url, model }: Pick<Endpoint, "url" | "model">): Promise<StartedProgram> {
  const workplace = await createWorkplace(claudeProgram);
  const launch = launches["claude"]?.({ url, model, needsKey: false }, undefined);
  const run = (...args: string[]) =>
    // Outside a sandbox, it refuses to run as root.
    workplace.run(["-p", ...args, "--allowedTools", "Bash"], { ...launch?.env, IS_SANDBOX: "1" });
  return { ...workplace, run };
}

async function runCommands(endpoint: Pick<Endpoint, "url" | "model">): Promise<void> {
  const claude = await startClaude(endpoint);
  try {
    for (const args of [["List the files"], ["--continue", "Again"]]) {
      const { output, errors, exitCode } = await claude.run(...args);
      assert.equal(exitCode, 0, `${output} ${errors}`);
      assertUsedTool(output.trim());
    }
    assert.ok(existsSync(join(claude.folder, "listing.txt")), "it did not run the command");
  } finally {
    claude.remove();
  }
}

export const claudeCode: Client = {
  name: "Claude Code",
  version: claudeProgram.version,
  timeoutMs: 180_000,
  scenarios: {
    "commands over several turns": runCommands,
    "commands with a model that cannot think": ({ url, plainModel }) =>
      runCommands({ url, model: plainModel }),
  },
};
