import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";

// The provider's default is 20 minutes, in which Ollama's image with its GPU libraries does not arrive on a slow connection.
const pullTimeout = "4h";

/**
 * An image that the engine pulls, and keeps when the stack is destroyed.
 *
 * @param image its reference
 * @param platform such as linux/amd64; empty for the engine's own
 */
export function pulledImage(
  name: string,
  image: string,
  platform: string,
  opts: pulumi.CustomResourceOptions = {},
): docker.RemoteImage {
  return new docker.RemoteImage(
    name,
    { name: image, keepLocally: true, ...(platform === "" ? {} : { platform }) },
    { ...opts, customTimeouts: { create: pullTimeout, update: pullTimeout } },
  );
}
