import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { keyWarnings } from "../config/common-passwords.ts";
import type { Connection } from "../../engine/connection.ts";
import type { VolumeMount } from "./container/service-container.ts";

interface GatewayKeysArgs {
  /** Lines of API keys by digest, one at least. Changed in place. */
  readonly apiKeys: pulumi.Input<readonly string[]>;
  /** Name of the first gateway's container and, with "-keys" behind it, of the volume. */
  readonly containerName: string;
  /** Containers that read the keys. */
  readonly gateways: readonly string[];
  /** Id of an image with Node.js, which the engine has. */
  readonly image: pulumi.Input<string>;
  /** How commands reach the engine. */
  readonly access: Connection;
}

/** Where gateways find their keys. */
interface GatewayKeys {
  readonly volume: VolumeMount;
  /** The path in their containers. */
  readonly path: string;
  /** The keys are there once this is. */
  readonly written: pulumi.Resource;
}

const folder = "/keys";
const fileName = "api-keys";

/**
 * The keys of gateways, in a volume that all of them share and only read: they take changed keys without being
 * replaced, and keep them over a restart. Digests alone are there.
 */
export function gatewayKeys(
  name: string,
  { apiKeys, containerName, gateways, image, access }: GatewayKeysArgs,
  parent: pulumi.Resource,
): GatewayKeys {
  warnOf(apiKeys, parent);
  const volume = new docker.Volume(`${name}-keys-volume`, { name: `${containerName}-keys` }, { parent });
  const written = new command.local.Command(
    `${name}-keys`,
    {
      create: "node components/commands/write-keys.ts",
      // Not in the environment, where other processes of the user would see it.
      stdin: pulumi.output(apiKeys).apply((lines) => `${lines.join("\n")}\n`),
      environment: {
        ...access.environment,
        KEYS_VOLUME: volume.name,
        KEYS_FILE: fileName,
        KEYS_IMAGE: image,
        KEYS_GATEWAYS: gateways.join(","),
      },
      triggers: [volume.id],
      addPreviousOutputInEnv: false,
    },
    { parent },
  );
  return {
    volume: { name: volume.name, path: folder, readOnly: true },
    path: `${folder}/${fileName}`,
    written,
  };
}

/** Preview and update show what is unwise about the keys. */
function warnOf(apiKeys: GatewayKeysArgs["apiKeys"], gateway: pulumi.Resource): void {
  pulumi.output(apiKeys).apply(async (lines) => {
    for (const warning of await keyWarnings(lines)) await pulumi.log.warn(warning, gateway);
  });
}
