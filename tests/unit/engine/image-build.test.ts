import { afterAll, afterEach, describe, expect, it } from "vitest";
import { buildImage, type ImageBuild, parsePlatforms } from "../../../engine/image-build.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterEach(() => {
  docker.mock({});
});
afterAll(() => {
  docker.remove();
});

const name = "registry.example.org/you/gateway:1";
const build = (change: Partial<ImageBuild> = {}) =>
  buildImage({
    name,
    context: "/context",
    buildArgs: { BASE_IMAGE: "node:24" },
    platforms: [],
    isPushed: true,
    usesLegacyBuilder: false,
    ...change,
  });
const rest = `--build-arg BASE_IMAGE=node:24 --tag ${name} /context`;

describe("an image for the nodes of a cluster", () => {
  it("is built for the engine's own platform and pushed", async () => {
    docker.mock({ build: "", push: "" });
    await build();
    expect(docker.calls).toEqual([`build ${rest}`, `push ${name}`]);
  });

  it("is built for the given platform and stays on the engine if it is not pushed", async () => {
    docker.mock({ build: "" });
    await build({ platforms: ["linux/amd64"], isPushed: false });
    expect(docker.calls).toEqual([`build --platform linux/amd64 ${rest}`]);
  });

  it("is pushed directly by the builder for several platforms", async () => {
    docker.mock({ buildx: "" });
    await build({ platforms: ["linux/amd64", "linux/arm64"] });
    expect(docker.calls).toEqual([
      "buildx version",
      `buildx build --push --platform linux/amd64,linux/arm64 ${rest}`,
    ]);
  });

  it("requires buildx for several platforms", async () => {
    docker.mock({ "buildx version": { fails: "docker: 'buildx' is not a docker command." } });
    await expect(build({ platforms: ["linux/amd64", "linux/arm64"] })).rejects.toThrow(
      /^an image for linux\/amd64,linux\/arm64 requires Docker's buildx, which is not installed: install it .*, or choose one platform$/,
    );
    expect(docker.calls).toEqual(["buildx version"]);
  });

  it("is rejected for several platforms without a push", async () => {
    await expect(build({ platforms: ["linux/amd64", "linux/arm64"], isPushed: false })).rejects.toThrow(
      /can only be stored in a registry: set its name with --push/,
    );
    expect(docker.calls).toEqual([]);
  });
});

describe("the platforms of an image", () => {
  it("are one or several, without duplicates", () => {
    expect(parsePlatforms("linux/arm64")).toEqual(["linux/arm64"]);
    expect(parsePlatforms("linux/amd64, linux/arm/v7,linux/amd64")).toEqual(["linux/amd64", "linux/arm/v7"]);
  });

  it.each(["amd64", "", "linux/amd64,", "linux/amd64 linux/arm64", "--push"])(
    "are rejected if they are %j",
    (text) => {
      expect(() => parsePlatforms(text)).toThrow(
        /--platform is .*, but must be a platform such as linux\/amd64/,
      );
    },
  );
});
