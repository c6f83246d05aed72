import { execFileSync } from "node:child_process";
import { globSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Removes control groups recursively. The kernel needs a moment to remove processes that were killed.
 *
 * @throws Error if there are still processes after `withinMs`
 */
export async function removeControlGroups(names: readonly string[], withinMs: number): Promise<void> {
  // A container that was paused when its engine ended is frozen, and does not die before it is thawed.
  for (const name of names)
    for (const file of globSync(`/sys/fs/cgroup/freezer/${name}/**/freezer.state`))
      writeFileSync(file, "THAWED");
  // Version 2 of control groups has one tree, version 1 one for each controller.
  const groups = () =>
    names.flatMap((name) => globSync([`/sys/fs/cgroup/${name}`, `/sys/fs/cgroup/*/${name}`]));
  const until = Date.now() + withinMs;
  for (let left = groups(); left.length > 0; left = groups()) {
    for (const group of left) {
      try {
        execFileSync("find", [group, "-depth", "-type", "d", "-delete"], { stdio: "pipe" });
      } catch (cause) {
        if (Date.now() > until)
          throw new Error(`${group} still has processes: end them and run this again`, { cause });
        await sleep(100);
      }
    }
  }
}
