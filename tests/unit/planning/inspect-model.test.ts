import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inspectModel, type InspectionContext } from "../../../components/planning/models/inspect.ts";
import type { ModelRecord } from "../../../components/config/models/model-record.ts";
import type { ModelConfig } from "../../../components/config/models/models.ts";
import { ModelRegistryClient } from "../../../components/planning/models/registry-client.ts";

// Runs the inspection of models in a preview against a fake registry.

const layer = (mediaType: string, digit: string, size: number) => ({
  mediaType,
  digest: `sha256:${digit.repeat(64)}`,
  size,
});
const manifest = {
  schemaVersion: 2,
  mediaType: "application/vnd.docker.distribution.manifest.v2+json",
  config: layer("application/vnd.docker.container.image.v1+json", "c", 500),
  layers: [layer("application/vnd.ollama.image.model", "a", 98_000_000)],
};
// Ollama stores the manifest in this form, whatever whitespace and fields the registry adds.
const digest = createHash("sha256").update(JSON.stringify(manifest)).digest("hex");
const other = "1".repeat(64);

let registry: Server;
let reference: string;
const upstream = new ModelRegistryClient(new Map([["registry", "127.0.0.1"]]));
const folder = mkdtempSync(join(tmpdir(), "model-inspection-"));

beforeAll(async () => {
  registry = createServer((request, response) => {
    if (request.url === "/v2/library/tiny/manifests/1b")
      response.end(JSON.stringify({ annotations: {}, ...manifest }, undefined, 3));
    else if (request.url === "/file.gguf") response.writeHead(200, { "content-length": 1234 }).end();
    else if (request.url?.startsWith("/v2/locked/") === true) response.writeHead(401).end();
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  reference = `registry:${String((registry.address() as AddressInfo).port)}/library/tiny:1b`;
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  registry.close();
});

const record = (change: Partial<ModelRecord> = {}): ModelRecord => ({
  name: "tiny:1b",
  digest,
  size: 98_000_500,
  source: reference,
  sourceDigest: digest,
  changes: "",
  ...change,
});

/** Inspects a model of the registry. `installed` is its digest on the server: false if absent, undefined if the server is down. */
function inspect(
  model: Partial<ModelConfig>,
  {
    recorded,
    installed,
    follow = false,
  }: { recorded?: ModelRecord; installed?: string | false; follow?: boolean } = {},
) {
  const context: InspectionContext = {
    installed:
      installed === undefined
        ? undefined
        : new Map(installed === false ? [] : [["tiny:1b", { name: "tiny:1b", digest: installed, size: 5 }]]),
    records: new Map(recorded === undefined ? [] : [["tiny:1b", recorded]]),
    upstream,
    follow,
  };
  return inspectModel({ name: "tiny:1b", source: reference, insecure: true, ...model }, context);
}

describe("a model from a registry", () => {
  it("is installed if it is new, with its layers and their sizes", async () => {
    const { action, layers, problem } = await inspect({});
    expect(action).toEqual({ kind: "install", why: "new", repair: false });
    expect(layers).toMatchObject([manifest.config, ...manifest.layers]);
    expect(problem).toBeUndefined();
  });

  it("is left alone if it is as the last update left it", async () => {
    const result = await inspect({}, { recorded: record(), installed: digest });
    expect(result.action).toEqual({ kind: "there", bytes: 98_000_500 });
    expect(result.movedTag).toBeUndefined();
    expect(result.planned.repair).toBeUndefined();
  });

  it("is adopted from a retained volume", async () => {
    expect((await inspect({}, { installed: digest })).action).toEqual({ kind: "there", bytes: 5 });
  });

  it.each([
    ["removed", false, /somebody removed it from the server/],
    ["replaced", other, /somebody replaced it on the server: [0-9a-f]{12} is now 111111111111/],
  ] as const)("is repaired if someone %s it", async (_how, installed, why) => {
    const { planned, action } = await inspect({}, { recorded: record(), installed });
    expect(action.kind).toBe("install");
    expect(planned.repair).toMatch(why);
  });

  it.each([
    ["source", { source: "other:1b", insecure: false }, /its source changed/],
    ["parameters", { parameters: { seed: 1 } }, /its parameters, template or system prompt changed/],
  ] as const)(
    "is installed without a repair if its %s changed, which Pulumi detects itself",
    async (_what, change, why) => {
      const { planned, action } = await inspect(change, { recorded: record(), installed: digest });
      expect(action).toMatchObject({
        kind: "install",
        repair: false,
        why: expect.stringMatching(why) as string,
      });
      expect(planned.repair).toBeUndefined();
    },
  );

  it("stays, with a warning, if its tag moved and is not followed", async () => {
    const recorded = record({ digest: other, sourceDigest: other });
    const stays = await inspect({}, { recorded, installed: other });
    expect(stays.action.kind).toBe("there");
    expect(stays.movedTag).toMatch(
      /its tag moved in the registry, from 111111111111 to [0-9a-f]{12}\. .*--update-models/,
    );
    const follows = await inspect({}, { recorded, installed: other, follow: true });
    expect(follows.planned.repair).toMatch(/its tag moved from 111111111111 to/);
    expect(follows.movedTag).toBeUndefined();
  });

  it("is rejected if its pinned digest differs from the registry's", async () => {
    const { problem } = await inspect({ digest: other }, { installed: false });
    expect(problem).toBe(
      `Model tiny:1b: its digest must be ${other}, but ${reference} has ${digest}, 98.0 MB. ` +
        `Find out what changed; to accept it, set the model's digest to the new one.`,
    );
  });

  it("is not looked up in the registry if it is pinned and installed", async () => {
    const recorded = record({ digest: other, sourceDigest: other });
    const result = await inspect({ digest: other }, { recorded, installed: other });
    expect(result.action.kind).toBe("there");
    expect(result.problem).toBeUndefined();
    expect(result.layers).toBeUndefined();
  });

  it("is rejected if the registry does not have it", async () => {
    const { problem } = await inspect({ source: reference.replace("tiny", "none") });
    expect(problem).toMatch(
      /^Model tiny:1b: the registry does not have the model registry:\d+\/library\/none:1b\. Check its name and tag/,
    );
  });

  it.each([
    [
      "does not respond",
      "127.0.0.1:1/library/tiny:1b",
      /no registry responds at 127\.0\.0\.1:1 \(ECONNREFUSED\)/,
    ],
    ["requires a login", "", /the registry registry:\d+ responded with 401/],
  ])("is not rejected if its registry %s", async (_how, source, expected) => {
    const result = await inspect({ source: source === "" ? reference.replace("library", "locked") : source });
    expect(result.problem).toBeUndefined();
    expect(result.unreachable).toMatch(expected);
    expect(result.layers).toBeUndefined();
  });
});

describe("a GGUF file", () => {
  const path = join(folder, "own.gguf");
  const content = "GGUF and more";
  const sha = createHash("sha256").update(content).digest("hex");
  writeFileSync(path, content);

  it("on this machine is pinned to its current content", async () => {
    const { planned, layers } = await inspect({ source: path, insecure: false });
    expect(planned.digest).toBe(sha);
    expect(layers).toEqual([{ digest: `sha256:${sha}`, size: content.length }]);
  });

  it("is installed again if its content changed", async () => {
    const recorded = record({ source: path, sourceDigest: other });
    const { action } = await inspect({ source: path, insecure: false }, { recorded, installed: digest });
    expect(action).toMatchObject({ kind: "install", repair: false });
  });

  it.each([
    [
      "does not exist",
      join(folder, "none.gguf"),
      /the file .*none\.gguf cannot be read \(ENOENT\)\. Check its source/,
    ],
    ["has another format", import.meta.filename, /inspect-model\.test\.ts is not a GGUF file/],
  ])("is rejected if it %s", async (_how, source, expected) => {
    expect((await inspect({ source, insecure: false })).problem).toMatch(expected);
  });

  it("is rejected if it differs from the pinned digest", async () => {
    const { problem } = await inspect({ source: path, insecure: false, digest: other });
    expect(problem).toMatch(/its digest must be 1{64}, but .*own\.gguf has [0-9a-f]{64}/);
  });

  it("at a URL has the size from its server and the digest from the config", async () => {
    const port = String((registry.address() as AddressInfo).port);
    const { layers, planned } = await inspect({
      source: `http://127.0.0.1:${port}/file.gguf`,
      insecure: false,
      digest: other,
    });
    expect(planned.digest).toBe(other);
    expect(layers).toEqual([{ digest: `sha256:${other}`, size: 1234 }]);
  });
});
