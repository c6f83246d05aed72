import { execFileSync } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { partBinary } from "../../toolchain/binaries.ts";
import { clusterParts } from "../../toolchain/cluster-binaries.ts";
import { Cluster } from "./cluster.ts";
import { machineState } from "./machines/machine-state.ts";

// One cluster for all files of a vitest project, which run in one process and share its modules. The cluster ends with
// that process, and remove-cluster.ts removes its leftovers.

export const gatewayImage = "ollama-stack/gateway-of-tests:cluster";
export const ollamaImage = "ollama-stack/ollama:0.17.4";
/** The same images under other names, for tests that replace images. */
export const nextGatewayImage = "ollama-stack/gateway-of-tests:cluster-next";
export const nextOllamaImage = "ollama-stack/ollama-of-tests:0.17.4";

let started: Promise<Cluster> | undefined;
let areImagesLoaded = false;
const before = machineState();

/** The state of this machine before the cluster started, which may include leftovers of a killed run. */
export function stateBeforeCluster(): typeof before {
  return before;
}

/** Returns the cluster. The first call starts it and puts its kubectl on the PATH. */
export function sharedCluster(): Promise<Cluster> {
  started ??= start();
  return started;
}

async function start(): Promise<Cluster> {
  const programs = dirname(partBinary(clusterParts.kubectl));
  process.env["PATH"] = [programs, process.env["PATH"]].join(delimiter);
  return await Cluster.start();
}

/** Returns the cluster with a stack's images on its nodes. */
export async function clusterWithImages(): Promise<Cluster> {
  const cluster = await sharedCluster();
  if (areImagesLoaded) return cluster;
  const build = ["scripts/commands/image.ts", "--tag", gatewayImage];
  execFileSync(process.execPath, build, { stdio: "inherit" });
  const tagged = [
    [gatewayImage, nextGatewayImage],
    [ollamaImage, nextOllamaImage],
  ] as const;
  for (const [image, next] of tagged) execFileSync("docker", ["tag", image, next]);
  try {
    cluster.loadImages(...tagged.flat());
  } finally {
    execFileSync("docker", ["image", "rm", gatewayImage, nextGatewayImage, nextOllamaImage], {
      stdio: "ignore",
    });
  }
  areImagesLoaded = true;
  return cluster;
}

/** Stops the cluster. The next call for one starts another. */
export async function stopSharedCluster(): Promise<void> {
  const cluster = await started;
  [started, areImagesLoaded] = [undefined, false];
  await cluster?.stop();
}
