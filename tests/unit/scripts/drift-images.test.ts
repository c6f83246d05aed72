import { describe, expect, it } from "vitest";
import { compareImage } from "../../../scripts/drift/images.ts";

const id = `sha256:${"a".repeat(64)}`;
const other = `sha256:${"b".repeat(64)}`;

function image(reference: string, inputs: Readonly<Record<string, unknown>> = {}) {
  return {
    urn: "u",
    name: "some-image",
    type: "docker:index/remoteImage:RemoteImage",
    id: `${id}${reference}`,
    inputs: { name: reference, ...inputs },
    outputs: { imageId: id },
    protect: false,
    retain: false,
  };
}
const found = (Id: string) => ({ Id });

describe("the image that a stack builds", () => {
  const name = "ollama-stack-dev-gateway:1";
  const built = image(name, { build: { context: "gateway/build" } });

  it("has not drifted as long as its name means what was deployed", () => {
    expect(compareImage(built, found(id), found(id))).toEqual([]);
  });

  it("is named again where its name means another, which is told by both", () => {
    expect(compareImage(built, found(other), found(id))).toEqual([
      {
        urn: "u",
        resource: `some-image (${name})`,
        property: "image",
        expected: "a".repeat(12),
        actual: "b".repeat(12),
        repair: [["image", "tag", id, name]],
      },
    ]);
  });

  it("is named again where its name is gone", () => {
    const [difference] = compareImage(built, undefined, found(id));
    expect([difference?.actual, difference?.repair]).toEqual(["removed", [["image", "tag", id, name]]]);
  });

  it("is built anew where it is gone, whatever has its name by now", () => {
    const [named] = compareImage(built, found(other), undefined);
    expect(named?.repair).toBe("replace");
    const [gone] = compareImage(built, undefined, undefined);
    expect(gone?.repair).toBe("refresh");
  });
});

// Its name is everybody's on the engine: a docker pull, a docker load, another stack may have moved it.
describe.each(["ollama/ollama:1", "ollama-stack/ollama:1", `ollama/ollama:1@${other}`])(
  "an image that the config names, %s",
  (name) => {
    it("has not drifted as long as its name means what was deployed", () => {
      expect(compareImage(image(name), found(id), found(id))).toEqual([]);
    });

    it.each([
      ["means another", found(other), found(id), "b".repeat(12)],
      ["means another, and the one that was deployed is gone", found(other), undefined, "b".repeat(12)],
      ["is gone", undefined, found(id), "removed"],
      ["is gone with it", undefined, undefined, "removed"],
    ])(
      "is what a first update would take, and the name left alone, where it %s",
      (_how, named, there, actual) => {
        const [difference] = compareImage(image(name), named, there);
        expect([difference?.actual, difference?.repair]).toEqual([actual, "refresh"]);
      },
    );
  },
);
