import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseReference } from "../../../scripts/registry/image-reference.ts";
import { pinStackConfig, formatPin } from "../../../scripts/pin/stack-config.ts";
import { type OciRegistry, startOciRegistry } from "../../../test-support/fakes/oci-registry.ts";

describe("an image reference", () => {
  it.each([
    ["node", "registry-1.docker.io", "library/node", "node", "latest"],
    ["ollama/ollama:0.17.4", "registry-1.docker.io", "ollama/ollama", "ollama/ollama", "0.17.4"],
    ["docker.io/library/node:24", "registry-1.docker.io", "library/node", "docker.io/library/node", "24"],
    ["ghcr.io/a/b:1", "ghcr.io", "a/b", "ghcr.io/a/b", "1"],
    ["localhost/a", "localhost", "a", "localhost/a", "latest"],
    ["registry:5000/a/b/c", "registry:5000", "a/b/c", "registry:5000/a/b/c", "latest"],
  ])("%s is requested from %s", (text, registry, repository, name, tag) => {
    expect(parseReference(text)).toEqual({ registry, repository, name, tag, digest: undefined });
  });

  it("keeps its tag if it is pinned", () => {
    expect(parseReference("a/b:1@sha256:abc")).toMatchObject({ name: "a/b", tag: "1", digest: "sha256:abc" });
  });
});

/** A model registry with `tiny:1b`, whose version tests can change. */
async function startModelRegistry(): Promise<{ host: string; version: string; close(): void }> {
  const part = (mediaType: string) => ({ mediaType, digest: `sha256:${"0".repeat(64)}`, size: 1 });
  const server = createServer((request, response) => {
    if (!request.url?.endsWith("/v2/library/tiny/manifests/1b")) response.writeHead(404);
    response.end(JSON.stringify({ schemaVersion: 2, config: part(state.version), layers: [part("model")] }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const state = { host: `127.0.0.1:${String(port)}`, version: "one", close: () => server.close() };
  return state;
}

describe("npm run pin", () => {
  let registry: OciRegistry;
  let modelRegistry: Awaited<ReturnType<typeof startModelRegistry>>;
  beforeAll(async () => {
    registry = await startOciRegistry();
    modelRegistry = await startModelRegistry();
  });
  afterAll(async () => {
    await registry.close();
    modelRegistry.close();
  });
  beforeEach(() => {
    Object.assign(registry.manifestRequests, { withToken: 0, withoutToken: 0 });
  });

  /** Moves a tag to new content and returns its digest. */
  async function publish(repository: string, tag: string, content: string): Promise<string> {
    const { token } = (await (await fetch(`http://${registry.host}/token`)).json()) as { token: string };
    const body = JSON.stringify({ schemaVersion: 2, content });
    const response = await fetch(`http://${registry.host}/v2/${repository}/manifests/${tag}`, {
      method: "PUT",
      body,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    });
    expect(response.status).toBe(201);
    return `sha256:${createHash("sha256").update(body).digest("hex")}`;
  }
  const config = (node: string) => `# A server.
config:
  # Kept by hand:
  ollama-stack:ollamaPort: 8009 # and this
  ollama-stack:ollamaImage: ${registry.host}/ollama/ollama:0.17.4
  ollama-stack:gatewayBaseImage: ${node}
  ollama-stack:models:
    - { name: "own:1", source: ./own.gguf } # a file
encryptionsalt: v1:a long line that no editor would break ${"x".repeat(100)}
`;

  it("adds the digests to the tags and keeps everything else, including comments", async () => {
    const ollama = await publish("ollama/ollama", "0.17.4", "one");
    const node = await publish("node", "24", "two");
    const before = config(`${registry.host}/node:24`);
    const { text, pins } = await pinStackConfig(before, {});
    expect(text).toBe(
      before.replace("ollama:0.17.4", `ollama:0.17.4@${ollama}`).replace("node:24", `node:24@${node}`),
    );
    expect(pins.map(formatPin)).toEqual([
      `ollamaImage ${registry.host}/ollama/ollama:0.17.4  ${ollama}  pinned`,
      `gatewayBaseImage ${registry.host}/node:24  ${node}  pinned`,
    ]);
    expect(registry.manifestRequests).toEqual({ withToken: 2, withoutToken: 2 });
  });

  it("updates the digest of a moved tag, and prints the old one", async () => {
    const old = await publish("ollama/ollama", "0.17.4", "one");
    const node = await publish("node", "24", "two");
    const first = await pinStackConfig(config(`${registry.host}/node:24`), {});
    const moved = await publish("ollama/ollama", "0.17.4", "three");
    const { text, pins } = await pinStackConfig(first.text, {});
    expect(text).toBe(first.text.replace(old, moved));
    expect(pins.map(formatPin)).toEqual([
      `ollamaImage ${registry.host}/ollama/ollama:0.17.4  ${moved}  was ${old}`,
      `gatewayBaseImage ${registry.host}/node:24  ${node}  unchanged`,
    ]);
  });

  it("adds images that the file leaves to the project's defaults", async () => {
    const node = await publish("node", "24", "two");
    await publish("ollama/ollama", "0.17.4", "one");
    const defaults = { gatewayBaseImage: `${registry.host}/node:24` };
    const before = config("x").replace(/^.*gatewayBaseImage.*\n/m, "");
    const { text } = await pinStackConfig(before, defaults);
    expect(text).toContain(`  ollama-stack:gatewayBaseImage: ${registry.host}/node:24@${node}\n`);
  });

  it("pins the images of a stack on Kubernetes, including its own Valkey if it has one", async () => {
    await publish("ollama/ollama", "0.17.4", "one");
    const valkey = await publish("valkey", "8", "two");
    const defaults = { engine: "kubernetes", gatewayImage: "", stateImage: `${registry.host}/valkey:8` };
    const pinned = async (more: object) =>
      (await pinStackConfig(config("x"), { ...defaults, ...more })).pins.map(({ what }) => what);
    const ollama = `ollamaImage ${registry.host}/ollama/ollama:0.17.4`;
    expect(await pinned({ state: "memory" })).toEqual([ollama]);
    expect(await pinned({ state: "redis", stateAddress: "redis://valkey.example.org" })).toEqual([ollama]);
    expect(await pinned({ state: "redis" })).toEqual([ollama, `stateImage ${registry.host}/valkey:8`]);
    const { text } = await pinStackConfig(config("x"), { ...defaults, state: "redis" });
    expect(text).toContain(`  ollama-stack:stateImage: ${registry.host}/valkey:8@${valkey}\n`);
  });

  it("pins each model from a registry, and updates its digest", async () => {
    await publish("ollama/ollama", "0.17.4", "one");
    await publish("node", "24", "two");
    const source = `{ name: "tiny:1b", source: "${modelRegistry.host}/library/tiny:1b", insecure: true }`;
    const before = config(`${registry.host}/node:24`).replace("    - {", `    - ${source} # small\n    - {`);
    const first = await pinStackConfig(before, {});
    const digest = first.pins.find(({ what }) => what === "model tiny:1b")?.digest ?? "";
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(first.text).toContain(`insecure: true, digest: ${digest} } # small\n`);
    expect(first.text).toContain('- { name: "own:1", source: ./own.gguf } # a file\n');
    modelRegistry.version = "two";
    const second = await pinStackConfig(first.text, {});
    expect(second.pins.map(formatPin).at(-1)).toMatch(
      new RegExp(`^model tiny:1b {2}[0-9a-f]{64} {2}was ${digest}$`),
    );
    await expect(
      pinStackConfig(before.replace('tiny:1b", insecure', 'none:1b", insecure'), {}),
    ).rejects.toThrow(/^model tiny:1b: the registry does not have the model .*none:1b$/);
  });

  it("fails if a registry is unreachable or lacks an image, and names the image", async () => {
    await publish("ollama/ollama", "0.17.4", "one");
    await expect(pinStackConfig(config("127.0.0.1:1/node:24"), {})).rejects.toThrow(
      /^gatewayBaseImage 127\.0\.0\.1:1\/node:24: 127\.0\.0\.1:1 cannot be reached \(.*\)$/,
    );
    await expect(pinStackConfig(config(`${registry.host}/none:1`), {})).rejects.toThrow(
      /^gatewayBaseImage .*\/none:1: 127\.0\.0\.1:\d+ does not have none:1$/,
    );
  });
});
