import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { keyWarnings } from "../config/common-passwords.ts";
import type { Connection } from "../../engine/connection.ts";
import type { VolumeMount } from "./container/service-container.ts";

interface GatewayKeysArgs {
  /** At least one line of an API key by digest. Changed in place. */
  readonly apiKeys: pulumi.Input<readonly string[]>;
  /** Name of the first gateway's container and, with the suffix "-keys", of the volume. */
  readonly containerName: string;
  /** Containers that read the keys. */
  readonly gateways: readonly string[];
  /** Id of an image with Node.js that the engine has. */
  readonly image: pulumi.Input<string>;
  /** How commands reach the engine. */
  readonly access: Connection;
}

/** The location of the gateways' keys. */
interface GatewayKeys {
  readonly volume: VolumeMount;
  /** The path in their containers. */
  readonly path: string;
  /** The command that writes the keys. */
  readonly written: pulumi.Resource;
}

const folder = "/keys";
const fileName = "api-keys";

/**
 * Writes the digests of the API keys to a volume that all gateways share read-only, so that keys change without replacing
 * containers and survive a restart.
 */
export function gatewayKeys(
  name: string,
  { apiKeys, containerName, gateways, image, access }: GatewayKeysArgs,
  parent: pulumi.Resource,
): GatewayKeys {
  logKeyWarnings(apiKeys, parent);
  const volume = new docker.Volume(`${name}-keys-volume`, { name: `${containerName}-keys` }, { parent });
  const written = new command.local.Command(
    `${name}-keys`,
    {
      create: "node components/commands/write-keys.ts",
      // Not in the environment, which other processes of the user can read.
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

/** Logs warnings about unwise keys at preview and update. */
export function logKeyWarnings(apiKeys: pulumi.Input<readonly string[]>, gateway: pulumi.Resource): void {
  pulumi.output(apiKeys).apply(async (lines) => {
    for (const warning of await keyWarnings(lines)) await pulumi.log.warn(warning, gateway);
  });
}
