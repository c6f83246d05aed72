import { createHash } from "node:crypto";
import { bundleGateway } from "./bundle.ts";
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

/** The image's name in a registry of the config's. */
export function imageIn(registry: string): string {
  return `${registry}/${repository}`;
}
