import { execFileSync } from "node:child_process";
import { globSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isRunning } from "../../host/process-liveness.mjs";

/** The control group of a world's engine. */
export const cgroup = "ollama-stack-released";
/** What the names of worlds' folders begin with, before the process that started them. */
export const folderPrefix = "ollama-stack-released-";

const goneWithinMs = 60_000;

/** What runs that were killed left. */
export function removeLeftovers(): void {
  for (const folder of globSync(join(tmpdir(), `${folderPrefix}*`))) {
    const pid = Number(/-(\d+)-[^-]*$/.exec(folder)?.[1]);
    if (!isRunning(pid)) rmSync(folder, { recursive: true, force: true });
  }
}

/** The kernel needs a moment until the processes of a world that ended are gone. */
export async function removeControlGroups(): Promise<void> {
  // Version 2 of control groups has one tree, version 1 one for each controller.
  const groups = () => globSync([`/sys/fs/cgroup/${cgroup}`, `/sys/fs/cgroup/*/${cgroup}`]);
  const until = Date.now() + goneWithinMs;
  while (groups().length > 0) {
    for (const group of groups()) {
      try {
        execFileSync("find", [group, "-depth", "-type", "d", "-delete"], { stdio: "pipe" });
      } catch (error) {
        if (Date.now() > until) throw error;
      }
    }
    await sleep(100);
  }
}
