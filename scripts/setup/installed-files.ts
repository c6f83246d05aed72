import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "../../host/run-process.ts";

/** The record of a folder's files and sizes, written once it is complete. */
const record = ".contents.json";

/** Whether a folder contains all recorded files with their sizes. */
export function isComplete(folder: string): boolean {
  try {
    const contents = JSON.parse(readFileSync(join(folder, record), "utf8")) as Record<string, number>;
    return Object.entries(contents).every(([name, size]) => statSync(join(folder, name)).size === size);
  } catch {
    return false;
  }
}

/** Records the files of a complete folder. */
export function recordContents(folder: string): void {
  const files = readdirSync(folder, { withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith("."),
  );
  const sizes = files.map(({ name }) => [name, statSync(join(folder, name)).size] as const);
  writeFileSync(join(folder, record), JSON.stringify(Object.fromEntries(sizes)));
}

/**
 * Whether a language host or plugin of Pulumi can run: without arguments it prints its port and waits, or reports the missing
 * engine address and exits. A truncated program is killed or does not start.
 */
export async function runs(program: string): Promise<boolean> {
  const seen = { port: false };
  let child: ChildProcess | undefined;
  const end = await runProcess(program, [], {
    env: process.env,
    timeoutMs: 10_000,
    onStart: (started) => (child = started),
    onOutput: (_text, stream) => {
      if (stream !== "stdout") return;
      seen.port = true;
      child?.kill("SIGKILL");
    },
  }).catch(() => undefined);
  return seen.port || end?.signal === null;
}
