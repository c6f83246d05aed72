import assert from "node:assert/strict";
import { launches } from "../../scripts/connect/client-launches.ts";
import { assertUsedTool, type Client, type Endpoint } from "../client.ts";
import { type StartedProgram, createWorkplace } from "./program.ts";

export const codexProgram = { package: "@openai/codex", version: "0.171.0", bin: "codex" } as const;

/** Codex as `npm run client -- codex` starts it, without retries. */
export async function startCodex({ url, model }: Pick<Endpoint, "url" | "model">): Promise<StartedProgram> {
  const workplace = await createWorkplace(codexProgram);
  const launch = launches["codex"]?.({ url, model, needsKey: false }, undefined);
  const retries = ["request", "stream"].flatMap((kind) => [
    "-c",
    `model_providers.ollama-stack.${kind}_max_retries=0`,
  ]);
  const run = (...args: string[]) =>
    workplace.run([...(launch?.args ?? []), ...retries, "exec", ...args], {
      ...launch?.env,
      CODEX_HOME: workplace.home,
      NO_COLOR: "1",
    });
  return { ...workplace, run };
}

async function runCommands(endpoint: Pick<Endpoint, "url" | "model">): Promise<void> {
  const codex = await startCodex(endpoint);
  try {
    for (const args of [["List the files"], ["resume", "--last", "Again"]]) {
      const { output, errors, exitCode } = await codex.run(...args, "--skip-git-repo-check");
      assert.equal(exitCode, 0, lastErrorIn(errors));
      assertUsedTool(output.trim());
      assert.ok(errors.includes("note.txt"), `it did not run the command: ${lastErrorIn(errors)}`);
    }
  } finally {
    codex.remove();
  }
}

function lastErrorIn(errors: string): string {
  return errors.match(/\bERROR:? .*$/gm)?.at(-1) ?? errors.slice(-200);
}

export const codex: Client = {
  name: "Codex CLI",
  version: codexProgram.version,
  timeoutMs: 180_000,
  scenarios: {
    "commands over several turns": runCommands,
    "commands with a model that cannot think": ({ url, plainModel }) =>
      runCommands({ url, model: plainModel }),
  },
};
