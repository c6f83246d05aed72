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

describe("an image that a stack builds", () => {
  const name = "ollama-stack-dev-gateway:1";
  const built = image(name, { build: { context: "gateway/build" } });

  it("has no drift while its name refers to the deployed image", () => {
    expect(compareImage(built, id, id)).toEqual([]);
  });

  it("is tagged again if its name refers to another image, and both are shown", () => {
    expect(compareImage(built, other, id)).toEqual([
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

  it("is tagged again if its name is gone", () => {
    const [difference] = compareImage(built, undefined, id);
    expect([difference?.actual, difference?.repair]).toEqual(["removed", [["image", "tag", id, name]]]);
  });

  it("is rebuilt if it is gone, whatever its name refers to", () => {
    const [named] = compareImage(built, other, undefined);
    expect(named?.repair).toBe("replace");
    const [gone] = compareImage(built, undefined, undefined);
    expect(gone?.repair).toBe("refresh");
  });
});

// Others on the engine may have moved its name: docker pull, docker load or another stack.
describe.each(["ollama/ollama:1", "ollama-stack/ollama:1", `ollama/ollama:1@${other}`])(
  "a configured image, %s",
  (name) => {
    it("has no drift while its name refers to the deployed image", () => {
      expect(compareImage(image(name), id, id)).toEqual([]);
    });

    it.each([
      ["refers to another image", other, id, "b".repeat(12)],
      ["refers to another image, and the deployed one is gone", other, undefined, "b".repeat(12)],
      ["is gone", undefined, id, "removed"],
      ["is gone, and the image too", undefined, undefined, "removed"],
    ])("is refreshed without retagging if its name %s", (_how, named, there, actual) => {
      const [difference] = compareImage(image(name), named, there);
      expect([difference?.actual, difference?.repair]).toEqual([actual, "refresh"]);
    });
  },
);
