import { existsSync } from "node:fs";
import { step } from "../host/progress.ts";
import { installPackages } from "./apt.ts";
import { buildPart, partBinary, runcPackages } from "./binaries.ts";
import { sweepPartials } from "./cache.ts";
import { clusterParts, networkPlugins } from "./cluster-binaries.ts";
import { findGo } from "./go.ts";

const missingParts = () =>
  [...Object.values(clusterParts), ...networkPlugins].filter((part) => !existsSync(partBinary(part)));

/** Whether everything is built that a cluster for tests needs. Starts no process. */
export function isClusterBuilt(): boolean {
  return missingParts().length === 0;
}

/**
 * Builds what is missing, one program after the other: most of what each needs, the one before it has compiled. Only for
 * the holder of the set-up lock.
 */
export async function buildCluster(): Promise<void> {
  sweepPartials();
  await installPackages(runcPackages);
  const go = await findGo();
  const { signal } = new AbortController();
  for (const part of missingParts())
    await step(`Building ${part.name}`, part.seconds, (report) => buildPart(part, go, { report, signal }));
}
