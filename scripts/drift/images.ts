import type { Deployed } from "../stack/deployment.ts";
import type { Difference, Repair } from "./difference.ts";
import type { InspectedImage } from "./docker-objects.ts";

/** An image is deployed by its id; `named` is what its name means now, `deployed` what is there of that id. */
export function compareImage(
  { urn, name, inputs, outputs }: Deployed,
  named: InspectedImage | undefined,
  deployed: InspectedImage | undefined,
): Difference[] {
  const reference = String(inputs["name"]);
  const id = String(outputs["imageId"]);
  if (named?.Id === id) return [];
  return [
    {
      urn,
      resource: `${name} (${reference})`,
      property: "image",
      expected: short(id),
      actual: named === undefined ? "removed" : short(named.Id),
      repair: inputs["build"] === undefined ? "refresh" : repairBuilt(reference, named, deployed),
    },
  ];
}

/**
 * The provider takes whatever has the name for what it built: before it looks, the name is put right, or it has to
 * build. Names of other images are everybody's on the engine, and left alone: what they mean by now is what a first
 * update would take.
 */
function repairBuilt(
  reference: string,
  named: InspectedImage | undefined,
  deployed: InspectedImage | undefined,
): Repair {
  if (deployed !== undefined) return [["image", "tag", deployed.Id, reference]];
  return named === undefined ? "refresh" : "replace";
}

function short(id: string): string {
  return id.slice("sha256:".length).slice(0, 12);
}
