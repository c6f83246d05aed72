import type * as pulumi from "@pulumi/pulumi";

// The provider's default is 20 minutes, in which Ollama's image with its GPU libraries does not arrive on a slow connection.
const pullTimeout = "4h";

/** Resource options of pulled images. */
export const imageTimeouts: Pick<pulumi.CustomResourceOptions, "customTimeouts"> = {
  customTimeouts: { create: pullTimeout, update: pullTimeout },
};
