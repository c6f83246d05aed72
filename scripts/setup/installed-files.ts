import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "../../host/run-process.ts";

/** Names and sizes of the files of a folder, written when all of them are there. */
const record = ".contents.json";

/** Whether all files that were recorded for a folder are there, with their sizes. Only looks. */
export function isComplete(folder: string): boolean {
  try {
    const contents = JSON.parse(readFileSync(join(folder, record), "utf8")) as Record<string, number>;
    return Object.entries(contents).every(([name, size]) => statSync(join(folder, name)).size === size);
  } catch {
    return false;
  }
}

/** Records the files of a folder that is complete. */
export function recordContents(folder: string): void {
  const files = readdirSync(folder, { withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith("."),
  );
  const sizes = files.map(({ name }) => [name, statSync(join(folder, name)).size] as const);
  writeFileSync(join(folder, record), JSON.stringify(Object.fromEntries(sizes)));
}

/**
 * Whether a language host or a plugin of Pulumi runs: without arguments it prints its port and waits, or says that the
 * engine's address is missing and ends. The system kills one that was cut off while it was copied, or starts none.
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
