import { globSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Pod } from "./cluster-stack.ts";

/**
 * Returns the id of a pod's process on this host.
 *
 * @param matches receives the process's folder in /proc
 */
export function podProcess({ metadata }: Pod, matches: (folder: string) => boolean): number {
  for (const file of globSync("/proc/[0-9]*/cgroup")) {
    try {
      const folder = dirname(file);
      const isOfPod = readFileSync(file, "utf8").includes(metadata.uid);
      if (isOfPod && matches(folder)) return Number(folder.split("/").at(-1));
    } catch {
      // The process has ended meanwhile.
    }
  }
  throw new Error(`the process is not running in the pod ${metadata.name}`);
}
