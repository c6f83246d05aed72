import { existsSync } from "node:fs";
import { step } from "../host/progress.ts";
import { installPackages } from "./apt.ts";
import { type Binary, buildPart, partBinary, runcPackages } from "./binaries.ts";
import { sweepPartials } from "./cache.ts";
import { clusterParts, networkPlugins, providerFolder } from "./cluster-binaries.ts";
import { findGo } from "./go.ts";
import { install, installed } from "./install.ts";

const { provider, ...programs } = clusterParts;

/** What a cluster is made of. Pulumi's provider, which takes as long as all of it, is not. */
const cluster = [...Object.values(programs), ...networkPlugins];

const missing = (parts: readonly Binary[]) => parts.filter((part) => !existsSync(partBinary(part)));

/** Whether everything that a cluster needs is built and in its place. Starts no process. */
export function isClusterBuilt(): boolean {
  return missing(cluster).length === 0;
}

/** The same for Pulumi's provider. */
export function isProviderBuilt(): boolean {
  return ["current", "released"].includes(installed(provider, providerFolder()));
}

/** Builds what of a cluster is missing. Only for the holder of the lock for it. */
export async function buildCluster(): Promise<void> {
  await build(cluster);
}

/** The same for Pulumi's provider. */
export async function buildProvider(): Promise<void> {
  await build([provider]);
  install(provider, providerFolder());
}

/** One program after the other: most of what each needs, the one before it has compiled. */
async function build(parts: readonly Binary[]): Promise<void> {
  sweepPartials();
  if (missing(parts).length === 0) return;
  await installPackages(runcPackages);
  const go = await findGo();
  const { signal } = new AbortController();
  for (const part of missing(parts))
    await step(`Building ${part.name}`, part.seconds, (report) => buildPart(part, go, { report, signal }));
}
