import { localImages } from "../../toolchain/image-names.ts";
import type { Deployed } from "../deployment.ts";
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
      repair: repairOf(reference, deployed?.Id, named !== undefined),
    },
  ];
}

/** The provider takes whatever has the name for what it made: the name is put right before it looks. */
function repairOf(reference: string, deployed: string | undefined, isTaken: boolean): Repair {
  // Nobody can give another image a name with a digest, nor give that name back.
  if (reference.startsWith(localImages) || reference.includes("@")) return "refresh";
  if (deployed !== undefined) return [["image", "tag", deployed, reference]];
  return isTaken ? [["image", "rm", "--force", reference]] : "refresh";
}

function short(id: string): string {
  return id.slice("sha256:".length).slice(0, 12);
}
