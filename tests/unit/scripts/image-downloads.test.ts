import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { imageDownloads } from "../../../scripts/preview/image-downloads.ts";
import { readPreview } from "../../../scripts/preview/steps.ts";
import { type OciRegistry, startOciRegistry } from "../../../test-support/fakes/oci-registry.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// What a preview says of the images that it brings: the engine's client is a fake one, the registry asks for a token.

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

const sized = (...layers: number[]) => ({ config: { size: 1000 }, layers: layers.map((size) => ({ size })) });

beforeAll(async () => {
  registry = await startOciRegistry();
  name = `${registry.host}/ollama/ollama:1`;
  const digests = {
    amd64: await publish("ollama/ollama", "on-amd64", sized(41_000_000, 200_000)),
    arm64: await publish("ollama/ollama", "on-arm64", sized(7_000_000)),
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

describe("an image that a preview brings", () => {
  it("tells how much is loaded for the engine's platform when the engine has it not", async () => {
    expect(await downloads([image({ name })])).toEqual([`Image ${name}: it will be pulled, up to 41.2 MB`]);
  });

  it("tells the size for the platform that the config names, and of an image of one platform", async () => {
    const alone = await publish("edge", "2", sized(999_000));
    const pinned = `${registry.host}/edge:2@${alone}`;
    // The tag means another one by now.
    await publish("edge", "2", sized(5_000_000));
    const steps = [
      image({ name, platform: "linux/arm64/v8" }),
      image({ name: pinned }, "create-replacement"),
    ];
    expect(await downloads([...steps, image({ name: pinned }, "replace")])).toEqual([
      `Image ${name}: it will be pulled, up to 7.0 MB`,
      `Image ${pinned}: it will be pulled, up to 1.0 MB`,
    ]);
  });

  it("is not told, and no registry asked, when the engine has it", async () => {
    docker.mock({ "image inspect": "sha256:1\n" });
    Object.assign(registry.asked, { withToken: 0, withoutToken: 0 });
    expect(await downloads([image({ name })])).toEqual([]);
    expect(docker.calls).toEqual([`image inspect --format {{.Id}} ${name}`]);
    expect(registry.asked).toEqual({ withToken: 0, withoutToken: 0 });
  });

  it("asks nobody when it stays, goes, or is built here", async () => {
    const steps = [image({ name }, "same"), image({ name }, "delete"), image({ name, build: {} }, "replace")];
    expect(await downloads(steps)).toEqual([]);
    expect(docker.calls).toEqual([]);
  });
});

describe("an image whose size is not known", () => {
  it.each([
    ["whose registry is away", () => "127.0.0.1:1/a:1", /127\.0\.0\.1:1 cannot be reached \(.+\)/],
    [
      "that its registry does not have",
      () => `${registry.host}/none:1`,
      /127\.0\.0\.1:\d+ does not have none:1/,
    ],
  ])("is told with the reason: one %s", async (_what, of, reason) => {
    const [line = ""] = await downloads([image({ name: of() })]);
    expect(line).toMatch(new RegExp(`^Image ${of()}: it will be pulled, size unknown: `));
    expect(line).toMatch(reason);
  });

  it("is told with the reason: one for other platforms only", async () => {
    docker.mock({ "image inspect": { fails: "Error: No such image: it" }, version: "linux/s390x\n" });
    expect(await downloads([image({ name })])).toEqual([
      `Image ${name}: it will be pulled, size unknown: ${registry.host} has ollama/ollama only for other platforms`,
    ]);
  });

  it("is told with the reason: one whose registry is none", async () => {
    const server = createServer((_request, response) => response.end("<html>")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const [line] = await downloads([image({ name: `${host}/a:1` })]);
    expect(line).toMatch(new RegExp(`size unknown: what ${host} sends for a is no image's manifest$`));
    server.closeAllConnections();
    server.close();
  });

  it("keeps nobody waiting: one whose registry does not respond", async () => {
    const server = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(server, "listening");
    const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const begun = performance.now();
    const [line] = await downloads([image({ name: `${host}/a:1` })], 300);
    expect(performance.now() - begun).toBeLessThan(3_000);
    expect(line).toMatch(new RegExp(`size unknown: ${host} does not respond in time$`));
    server.closeAllConnections();
    server.close();
  });

  it("is told as such when the engine does not say whether it has it", async () => {
    docker.mock({ "image inspect": { fails: "Cannot connect to the Docker daemon" } });
    expect(await downloads([image({ name })])).toEqual([
      `Image ${name}: cannot check whether it will be pulled: docker image failed: Cannot connect to the Docker daemon`,
    ]);
  });
});
