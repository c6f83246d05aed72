import { existsSync } from "node:fs";
import { step } from "../host/progress.ts";
import { installPackages } from "./apt.ts";
import { type Binary, buildPart, partBinary, runcPackages } from "./binaries.ts";
import { sweepPartials } from "./cache.ts";
import { clusterParts, networkPlugins, providerFolder } from "./cluster-binaries.ts";
import { findGo } from "./go.ts";
import { install, isUsable } from "./install.ts";

const { provider, traefik, ...programs } = clusterParts;

/** The programs of a cluster, without Pulumi's provider and the ingress controller, which take as long to build. */
const cluster = [...Object.values(programs), ...networkPlugins];

const missing = (parts: readonly Binary[]) => parts.filter((part) => !existsSync(partBinary(part)));

/** Whether all programs of a cluster are built and installed. Starts no process. */
export function isClusterBuilt(): boolean {
  return missing(cluster).length === 0;
}

/** Whether Pulumi's provider and an ingress controller are built and installed. Starts no process. */
export function isForStacksBuilt(): boolean {
  return isUsable(provider, providerFolder()) && missing([traefik]).length === 0;
}

/** Builds the missing programs of a cluster. The caller must hold the lock for it. */
export async function buildCluster(): Promise<void> {
  await build(cluster);
}

/** Builds Pulumi's provider and an ingress controller, if they are missing. */
export async function buildForStacks(): Promise<void> {
  await build([provider, traefik]);
  install(provider, providerFolder());
}

/** Builds programs one after another, because they share most of their packages. */
async function build(parts: readonly Binary[]): Promise<void> {
  sweepPartials();
  if (missing(parts).length === 0) return;
  await installPackages(runcPackages);
  const go = await findGo();
  const { signal } = new AbortController();
  for (const part of missing(parts))
    await step(`Building ${part.name}`, part.seconds, (report) => buildPart(part, go, { report, signal }));
}
