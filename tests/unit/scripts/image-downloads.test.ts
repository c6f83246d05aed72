import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { imageDownloads } from "../../../scripts/preview/image-downloads.ts";
import { readPreview } from "../../../scripts/preview/steps.ts";
import { type OciRegistry, startOciRegistry } from "../../../test-support/fakes/oci-registry.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// The image downloads that a preview lists, with a fake Docker client and a registry that requires a token.

const docker = new FakeDocker();
let registry: OciRegistry;
let name: string;
const amd = `sha256:${"a".repeat(64)}`;

const image = (inputs: object, op = "create") => ({
  op,
  urn: "urn:pulumi:dev::ollama-stack::ollama-stack:index:X$docker:index/remoteImage:RemoteImage::ollama-image",
  newState: { inputs },
});
const downloads = (steps: readonly object[], withinMs?: number) =>
  imageDownloads(readPreview(JSON.stringify({ steps })).steps, withinMs);

/** Puts a manifest under a tag and returns its digest. */
async function publish(repository: string, tag: string, manifest: object): Promise<string> {
  const { token } = (await (await fetch(`http://${registry.host}/token`)).json()) as { token: string };
  const response = await fetch(`http://${registry.host}/v2/${repository}/manifests/${tag}`, {
    method: "PUT",
    body: JSON.stringify({ schemaVersion: 2, ...manifest }),
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  });
  return response.headers.get("docker-content-digest") ?? "";
}

const manifestOf = (...layers: number[]) => ({
  config: { size: 1000 },
  layers: layers.map((size) => ({ size })),
});

beforeAll(async () => {
  registry = await startOciRegistry();
  name = `${registry.host}/ollama/ollama:1`;
  const digests = {
    amd64: await publish("ollama/ollama", "on-amd64", manifestOf(41_000_000, 200_000)),
    arm64: await publish("ollama/ollama", "on-arm64", manifestOf(7_000_000)),
  };
  const manifests = Object.entries(digests).map(([architecture, digest]) => ({
    digest,
    platform: { os: "linux", architecture },
  }));
  const attestation = { digest: amd, platform: { os: "unknown", architecture: "unknown" } };
  await publish("ollama/ollama", "1", { manifests: [attestation, ...manifests] });
});
beforeEach(() => {
  docker.mock({
    "image inspect": { fails: "Error response from daemon: No such image: it" },
    version: "linux/amd64\n",
  });
});
afterAll(async () => {
  docker.remove();
  await registry.close();
});

describe("the image downloads of a preview", () => {
  it("include the size for the engine's platform if the engine lacks the image", async () => {
    expect(await downloads([image({ name })])).toEqual([`Image ${name}: it will be pulled, up to 41.2 MB`]);
  });

  it("include the size for a configured platform, and of a single-platform image", async () => {
    const alone = await publish("edge", "2", manifestOf(999_000));
    const pinned = `${registry.host}/edge:2@${alone}`;
    // The tag has moved to another image.
    await publish("edge", "2", manifestOf(5_000_000));
    const steps = [
      image({ name, platform: "linux/arm64/v8" }),
      image({ name: pinned }, "create-replacement"),
    ];
    expect(await downloads([...steps, image({ name: pinned }, "replace")])).toEqual([
      `Image ${name}: it will be pulled, up to 7.0 MB`,
      `Image ${pinned}: it will be pulled, up to 1.0 MB`,
    ]);
  });

  it("omit an image that the engine has, without a request to its registry", async () => {
    docker.mock({ "image inspect": "sha256:1\n" });
    Object.assign(registry.manifestRequests, { withToken: 0, withoutToken: 0 });
    expect(await downloads([image({ name })])).toEqual([]);
    expect(docker.calls).toEqual([`image inspect --format {{.Id}} ${name}`]);
    expect(registry.manifestRequests).toEqual({ withToken: 0, withoutToken: 0 });
  });

  it("omit an image that stays, is removed or is built here, without any request", async () => {
    const steps = [image({ name }, "same"), image({ name }, "delete"), image({ name, build: {} }, "replace")];
    expect(await downloads(steps)).toEqual([]);
    expect(docker.calls).toEqual([]);
  });
});

describe("an image of unknown size", () => {
  it.each([
    ["its registry is unreachable", () => "127.0.0.1:1/a:1", /127\.0\.0\.1:1 cannot be reached \(.+\)/],
    [
      "its registry does not have it",
      () => `${registry.host}/none:1`,
      /127\.0\.0\.1:\d+ does not have none:1/,
    ],
  ])("is listed with the reason: %s", async (_what, of, reason) => {
    const [line = ""] = await downloads([image({ name: of() })]);
    expect(line).toMatch(new RegExp(`^Image ${of()}: it will be pulled, size unknown: `));
    expect(line).toMatch(reason);
  });

  it("is listed with the reason: it exists for other platforms only", async () => {
    docker.mock({ "image inspect": { fails: "Error: No such image: it" }, version: "linux/s390x\n" });
    expect(await downloads([image({ name })])).toEqual([
      `Image ${name}: it will be pulled, size unknown: ${registry.host} has ollama/ollama only for other platforms`,
    ]);
  });

  it("is listed with the reason: its host is not a registry", async () => {
    const server = createServer((_request, response) => response.end("<html>")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const [line] = await downloads([image({ name: `${host}/a:1` })]);
    expect(line).toMatch(new RegExp(`size unknown: what ${host} sends for a is no image's manifest$`));
    server.closeAllConnections();
    server.close();
  });

  it("is listed after a timeout if its registry does not respond", async () => {
    const server = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(server, "listening");
    const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const start = performance.now();
    const [line] = await downloads([image({ name: `${host}/a:1` })], 300);
    expect(performance.now() - start).toBeLessThan(3_000);
    expect(line).toMatch(new RegExp(`size unknown: ${host} does not respond in time$`));
    server.closeAllConnections();
    server.close();
  });

  it("is listed with the reason: the engine does not respond", async () => {
    docker.mock({ "image inspect": { fails: "Cannot connect to the Docker daemon" } });
    expect(await downloads([image({ name })])).toEqual([
      `Image ${name}: cannot check whether it will be pulled: docker image failed: Cannot connect to the Docker daemon`,
    ]);
  });
});
