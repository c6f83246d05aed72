import { existsSync } from "node:fs";
import { step } from "../host/progress.ts";
import { installPackages } from "./apt.ts";
import { buildPart, partBinary, runcPackages } from "./binaries.ts";
import { sweepPartials } from "./cache.ts";
import { clusterParts, networkPlugins, providerFolder } from "./cluster-binaries.ts";
import { findGo } from "./go.ts";
import { install, installed } from "./install.ts";

const all = [...Object.values(clusterParts), ...networkPlugins];

/** Whether everything that tests in a cluster need is built and in its place. Starts no process. */
export function isClusterBuilt(): boolean {
  const { provider } = clusterParts;
  return (
    all.every((part) => existsSync(partBinary(part))) &&
    ["current", "released"].includes(installed(provider, providerFolder()))
  );
}

/**
 * Builds what is missing, one program after the other: most of what each needs, the one before it has compiled. Only for
 * the holder of the set-up lock.
 */
export async function buildCluster(): Promise<void> {
  sweepPartials();
  const missing = all.filter((part) => !existsSync(partBinary(part)));
  if (missing.length > 0) {
    await installPackages(runcPackages);
    const go = await findGo();
    const { signal } = new AbortController();
    for (const part of missing)
      await step(`Building ${part.name}`, part.seconds, (report) => buildPart(part, go, { report, signal }));
  }
  install(clusterParts.provider, providerFolder());
}
