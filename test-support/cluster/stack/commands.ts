import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { expect } from "vitest";
import type { ClusterStack } from "./cluster-stack.ts";

type Running = ReturnType<ClusterStack["project"]["run"]>;

/** Starts an npm command for a stack, with its admin key and some variables changed. */
export function startCommand(
  { project, ada }: ClusterStack,
  name: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Running {
  const all = [`scripts/commands/${name}.ts`, "--stack", project.stack, ...args];
  return project.run(process.execPath, all, { OLLAMA_STACK_API_KEY: ada.key, ...environment });
}

/** Runs an npm command, expects it to succeed and returns its output. */
export async function runCommand(
  stack: ClusterStack,
  name: string,
  args: readonly string[],
): Promise<string> {
  const { code, output } = await startCommand(stack, name, args, {}).done;
  expect(code, output).toBe(0);
  return output;
}

/** Does the work once a running command has printed a text, and then interrupts the command. */
export async function interruptAfter(
  running: Running,
  printed: string,
  work: () => Promise<void>,
): Promise<void> {
  await expect.poll(running.output).toContain(printed);
  try {
    await work();
  } finally {
    process.kill(running.pid, "SIGINT");
  }
  const { code, output } = await running.done;
  expect(code, output).toBe(0);
}

/** Variables that replace a program with one that requests the gateway's models and prints the response. */
export function requestingProgram(name: string, { project }: ClusterStack): NodeJS.ProcessEnv {
  const folder = join(project.folder, "programs");
  mkdirSync(folder);
  const script = `#!${process.execPath}
const { OPENAI_API_BASE: base, OPENAI_API_KEY: key } = process.env;
fetch(base + "/models", { headers: { authorization: "Bearer " + key } }).then(async (response) =>
  console.log(response.status, await response.text()));
`;
  writeFileSync(join(folder, name), script, { mode: 0o755 });
  return { PATH: [folder, process.env["PATH"]].join(delimiter) };
}
