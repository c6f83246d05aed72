import { z } from "zod";
import { hashVolumeFiles, sha256 } from "../../engine/volume-file.ts";
import type { Deployed } from "../stack/deployment.ts";
import type { Difference } from "./difference.ts";

const contents = z.record(z.string(), z.string());

/**
 * Compares Prometheus' files with those of the last update, by hash because one is a key. A volume that an update creates in
 * place of a removed one has the same id, so Pulumi does not write them again.
 *
 * @param volumes names of existing volumes; mounting a missing one would create it
 */
export async function comparePrometheusFiles(
  commands: readonly Deployed[],
  volumes: ReadonlySet<string>,
): Promise<Difference[]> {
  const command = commands.find(({ name }) => name === "prometheus-files");
  if (command === undefined) return [];
  const { environment, stdin } = command.inputs as {
    environment: Readonly<Record<string, string>>;
    stdin: string;
  };
  const { MONITORING_VOLUME: volume = "", MONITORING_IMAGE: image = "" } = environment;
  const files = Object.entries(contents.parse(JSON.parse(stdin)));
  const names = files.map(([name]) => name);
  const actual = volumes.has(volume) ? await hashVolumeFiles({ volume, image }, names) : [];
  if (files.every(([, content], i) => actual[i] === sha256(content))) return [];
  return [
    {
      urn: command.urn,
      resource: `${command.name} (${volume})`,
      property: "files",
      expected: "as deployed (not shown)",
      actual: actual.every((hash) => hash === undefined) ? "none" : "others (not shown)",
      repair: "replace",
    },
  ];
}
