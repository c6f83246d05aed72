import { createHash } from "node:crypto";
import { chmodSync, cpSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keeperFile } from "../../config/kubernetes/pod-models.ts";
import { bundleGateway, gatewayContext, modes } from "./bundle.ts";
import { bundleKeeper } from "./keeper-bundle.ts";

/** What the gateway's image is called below a registry that `imageRegistry` names. */
const repository = "ollama-stack-gateway";

export interface ClusterImage {
  /** The keeper's program, which this image has besides the gateway. */
  readonly keeper: Uint8Array;
  /** Says what the image is made of: other sources are another tag. */
  readonly tag: string;
}

/** What the image of a stack on Kubernetes is built from. @param base the image with Node.js that it is built on */
export function clusterImage(projectRoot: string, base: string): ClusterImage {
  const gateway = bundleGateway(projectRoot);
  const keeper = bundleKeeper(projectRoot);
  const tag = createHash("sha256").update(`${gateway} ${base} `).update(keeper).digest("hex").slice(0, 12);
  return { keeper, tag };
}

/** Makes a folder the build context of that image: the gateway's own, with the keeper beside the gateway's programs. */
export function writeImageContext(projectRoot: string, keeper: Uint8Array, folder: string): void {
  for (const name of ["Dockerfile", ".dockerignore", "dist", "usage"])
    cpSync(join(projectRoot, gatewayContext, name), join(folder, name), {
      recursive: true,
      preserveTimestamps: true,
    });
  const programs = join(folder, "dist");
  writeFileSync(join(programs, keeperFile), keeper);
  chmodSync(programs, modes.folder);
  for (const entry of readdirSync(programs, { recursive: true, withFileTypes: true }))
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? modes.folder : modes.file);
}

/** The image's name in a registry of the config's. */
export function imageIn(registry: string): string {
  return `${registry}/${repository}`;
}
