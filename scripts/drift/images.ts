import type { Deployed } from "../stack/deployment.ts";
import { shortId } from "./format.ts";
import type { Difference, Repair } from "./difference.ts";

/**
 * Images are deployed by id. `named` is the id that the name now refers to, `deployed` the recorded one if the engine still
 * has it.
 */
export function compareImage(
  { urn, name, inputs, outputs }: Deployed,
  named: string | undefined,
  deployed: string | undefined,
): Difference[] {
  const reference = String(inputs["name"]);
  const id = String(outputs["imageId"]);
  if (named === id) return [];
  return [
    {
      urn,
      resource: `${name} (${reference})`,
      property: "image",
      expected: shortId(id),
      actual: named === undefined ? "removed" : shortId(named),
      repair: inputs["build"] === undefined ? "refresh" : repairBuilt(reference, named, deployed),
    },
  ];
}

/**
 * The provider assumes that the image with its name is the one it built. So the tag is restored before a refresh, or the image
 * is rebuilt. Tags of other images are shared on the engine and left alone; a first update would use them as they are.
 */
function repairBuilt(reference: string, named: string | undefined, deployed: string | undefined): Repair {
  if (deployed !== undefined) return [["image", "tag", deployed, reference]];
  return named === undefined ? "refresh" : "replace";
}
