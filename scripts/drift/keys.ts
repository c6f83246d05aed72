import { hashVolumeFiles, sha256 } from "../../engine/volume-file.ts";
import { type Deployed, deployedKeys } from "../stack/deployment.ts";
import type { Difference } from "./difference.ts";

/**
 * Compares the gateways' API keys with those of the last update by hash, so that nothing is revealed.
 *
 * @param volumes names of existing volumes; mounting a missing one would create it
 */
export async function compareKeys(
  commands: readonly Deployed[],
  volumes: ReadonlySet<string>,
): Promise<Difference[]> {
  const command = deployedKeys(commands);
  if (command === undefined) return [];
  const { environment, stdin } = command.inputs as {
    environment: Readonly<Record<string, string>>;
    stdin: string;
  };
  const { KEYS_VOLUME: volume = "", KEYS_FILE: name = "", KEYS_IMAGE: image = "" } = environment;
  const [actual] = volumes.has(volume) ? await hashVolumeFiles({ volume, image }, [name]) : [];
  if (actual === sha256(stdin)) return [];
  return [
    {
      urn: command.urn,
      resource: `${command.name} (${volume})`,
      property: "keys",
      expected: "as deployed (not shown)",
      actual: actual === undefined ? "none" : "others (not shown)",
      repair: "replace",
    },
  ];
}
