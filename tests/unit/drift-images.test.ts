import { describe, expect, it } from "vitest";
import { compareImage } from "../../scripts/drift/images.ts";

const id = `sha256:${"a".repeat(64)}`;
const other = `sha256:${"b".repeat(64)}`;

function image(reference: string) {
  return {
    urn: "u",
    name: "gateway-image",
    type: "docker:index/remoteImage:RemoteImage",
    id: `${id}${reference}`,
    inputs: { name: reference },
    outputs: { imageId: id },
    protect: false,
    retain: false,
  };
}
const found = (Id: string) => ({ Id, Config: {} as never });

describe("an image", () => {
  const built = "ollama-stack-dev-gateway:1";

  it("whose name means what was deployed has not drifted", () => {
    expect(compareImage(image(built), found(id), found(id))).toEqual([]);
  });

  it("whose name means another is told by both, and named again", () => {
    expect(compareImage(image(built), found(other), found(id))).toEqual([
      {
        urn: "u",
        resource: `gateway-image (${built})`,
        property: "image",
        expected: "a".repeat(12),
        actual: "b".repeat(12),
        repair: [["image", "tag", id, built]],
      },
    ]);
  });

  it("without its name is named again, as long as it is there", () => {
    const [difference] = compareImage(image(built), undefined, found(id));
    expect([difference?.actual, difference?.repair]).toEqual(["removed", [["image", "tag", id, built]]]);
  });

  it("that is gone is made or pulled anew, after what has its name has lost it", () => {
    const [named] = compareImage(image(built), found(other), undefined);
    expect(named?.repair).toEqual([["image", "rm", "--force", built]]);
    const [gone] = compareImage(image(built), undefined, undefined);
    expect(gone?.repair).toBe("refresh");
  });

  it("of the tool chain is followed: its name means what the set-up made last", () => {
    const [difference] = compareImage(image("ollama-stack/ollama:1"), found(other), found(id));
    expect(difference?.repair).toBe("refresh");
  });

  it("that is named by its digest cannot be given that name by hand: it is pulled again", () => {
    const [difference] = compareImage(image(`ollama/ollama:1@${other}`), undefined, found(id));
    expect(difference?.repair).toBe("refresh");
  });
});
