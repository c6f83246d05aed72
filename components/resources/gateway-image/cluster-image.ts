import { createHash } from "node:crypto";
import { chmodSync, cpSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keeperFile } from "../../config/kubernetes/pod-models.ts";
import { bundleGateway, gatewayContext, modes } from "./bundle.ts";
import { bundleKeeper } from "./keeper-bundle.ts";

/** Name of the gateway's image in the registry of `imageRegistry`. */
const repository = "ollama-stack-gateway";

export interface ClusterImage {
  /** The model keeper's program, which this image contains besides the gateway. */
  readonly keeper: Uint8Array;
  /** A hash of the image's inputs. */
  readonly tag: string;
}

/** Bundles the image of a stack on Kubernetes. @param base its base image with Node.js */
export function clusterImage(projectRoot: string, base: string): ClusterImage {
  const gateway = bundleGateway(projectRoot);
  const keeper = bundleKeeper(projectRoot);
  const tag = createHash("sha256").update(`${gateway} ${base} `).update(keeper).digest("hex").slice(0, 12);
  return { keeper, tag };
}

/** Writes the build context of that image: the gateway's own plus the model keeper. */
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

/** The image's name in the configured registry. */
export function imageIn(registry: string): string {
  return `${registry}/${repository}`;
}
