import { globSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRunning } from "../../host/process-liveness.mjs";

/** The control group of a world's engine. */
export const cgroup = "ollama-stack-released";
/** Prefix of the worlds' folders, before the id of the process that started them. */
export const folderPrefix = "ollama-stack-released-";

/** Removes the folders of killed runs. */
export function removeLeftovers(): void {
  for (const folder of globSync(join(tmpdir(), `${folderPrefix}*`))) {
    const pid = Number(/-(\d+)-[^-]*$/.exec(folder)?.[1]);
    if (!isRunning(pid)) rmSync(folder, { recursive: true, force: true });
  }
}
