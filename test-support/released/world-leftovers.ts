import { globSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRunning } from "../../host/process-liveness.mjs";

/** The control group of a world's engine. */
export const cgroup = "ollama-stack-released";
/** What the names of worlds' folders begin with, before the process that started them. */
export const folderPrefix = "ollama-stack-released-";

/** What runs that were killed left. */
export function removeLeftovers(): void {
  for (const folder of globSync(join(tmpdir(), `${folderPrefix}*`))) {
    const pid = Number(/-(\d+)-[^-]*$/.exec(folder)?.[1]);
    if (!isRunning(pid)) rmSync(folder, { recursive: true, force: true });
  }
}
