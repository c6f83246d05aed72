import type * as pulumi from "@pulumi/pulumi";

// The provider gives up after 20 minutes: Ollama's image with its GPU libraries takes longer on a slow connection.
const hours = "4h";

/** Options of an image that is pulled. */
export const imageTimeouts: Pick<pulumi.CustomResourceOptions, "customTimeouts"> = {
  customTimeouts: { create: hours, update: hours },
};
