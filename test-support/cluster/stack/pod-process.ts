import { globSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Pod } from "./cluster-stack.ts";

/**
 * The id that a process of a pod has on this host.
 *
 * @param isIt whether it is the one whose folder in /proc this is
 */
export function podProcess({ metadata }: Pod, isIt: (folder: string) => boolean): number {
  for (const file of globSync("/proc/[0-9]*/cgroup")) {
    try {
      const folder = dirname(file);
      const isOfPod = readFileSync(file, "utf8").includes(metadata.uid);
      if (isOfPod && isIt(folder)) return Number(folder.split("/").at(-1));
    } catch {
      // It has ended meanwhile.
    }
  }
  throw new Error(`the process does not run in the pod ${metadata.name}`);
}
