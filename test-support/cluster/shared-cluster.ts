import { execFileSync } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { partBinary } from "../../toolchain/binaries.ts";
import { clusterParts } from "../../toolchain/cluster-binaries.ts";
import { Cluster } from "./cluster.ts";
import { machineState } from "./machines/machine-state.ts";

// One cluster for all files of a project of vitest: they run in one process, which shares its modules between them. It
// ends with that process, and remove-cluster.ts removes what it had.

export const gatewayImage = "ollama-stack/gateway-of-tests:cluster";
export const ollamaImage = "ollama-stack/ollama:0.17.4";
/** The same by other names, for what replaces them. */
export const nextGatewayImage = "ollama-stack/gateway-of-tests:cluster-next";
export const nextOllamaImage = "ollama-stack/ollama-of-tests:0.17.4";

let started: Promise<Cluster> | undefined;
let areImagesLoaded = false;
const before = machineState();

/** This machine before there was a cluster; a run that was killed may have left what is in it. */
export function stateBeforeCluster(): typeof before {
  return before;
}

/** The cluster; the first call starts it. Its kubectl is on the path from then on. */
export function sharedCluster(): Promise<Cluster> {
  started ??= start();
  return started;
}

async function start(): Promise<Cluster> {
  const programs = dirname(partBinary(clusterParts.kubectl));
  process.env["PATH"] = [programs, process.env["PATH"]].join(delimiter);
  return await Cluster.start();
}

/** The same, with the images of a stack on its nodes. */
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

/** Ends it; the next that needs one starts another. */
export async function stopSharedCluster(): Promise<void> {
  const cluster = await started;
  [started, areImagesLoaded] = [undefined, false];
  await cluster?.stop();
}
